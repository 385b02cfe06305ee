"""The ways to a host that stand between an operator and root: sudo with a password, a bastion."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import nodes
from lab.topology import Node, gateway

pytestmark = [pytest.mark.cluster(control_plane=1, workers=0), pytest.mark.long]

ADMIN, JUMP = "deployer", "jump"
"""Who may use sudo with a password, and who may do nothing but pass through."""
SSH_PORT = "22"
PROMPT = re.compile(r"kubeadm-py-[0-9a-f]{16}:")
"""What sudo is told to ask with."""
STOP = "/run/watch-ends"
# Every argument and variable of every process, once; few processes of its own, so that it looks often.
_WATCH = rf"""
while [ ! -e {STOP} ]; do
  grep -ahz '' /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n'
  sleep 0.02
done | awk '!seen[$0]++'
"""
_FOLDERS = "/etc /run /tmp /root /home /usr/local /var/log /var/tmp /var/lib/kubeadm-py /var/lib/kubelet"


@dataclass(frozen=True)
class Way:
    """A control plane and a host to join, both reached as a user whose sudo wants a password."""

    control_plane: Node
    worker: Node
    password: str
    password_file: Path
    since: str

    @property
    def nodes(self) -> tuple[Node, Node]:
        return self.control_plane, self.worker

    def edit(self, kinds, **settings) -> None:
        """Make a config of these two hosts go this way; `settings` are of spec.ssh."""
        spec = kinds["Cluster"]["spec"]
        spec["hosts"] = [host for host in spec["hosts"] if host["name"] in {node.name for node in self.nodes}]
        spec["ssh"] |= {"user": ADMIN, "sudoPasswordFile": str(self.password_file), **settings}


@pytest.fixture
def way(cluster, fleet, tmp_path) -> Iterator[Way]:
    fleet.bare("w1")
    password = secrets.token_urlsafe(24)
    path = tmp_path / "sudo-password"
    path.touch(mode=0o600)
    path.write_text(f"{password}\n")
    since = nodes.exec(cluster.control_plane, ["date", "+%F %T"]).stdout.strip()
    way = Way(cluster.control_plane, fleet.node("w1"), password, path, since)
    try:
        for node in way.nodes:
            shell(node, f"useradd --create-home --shell /bin/bash {ADMIN}")
            shell(node, "chpasswd", stdin=f"{ADMIN}:{password}\n")
            shell(node, f"umask 0227; echo '{ADMIN} ALL=(ALL) ALL' >/etc/sudoers.d/{ADMIN}")
        # No shell, no sudo: a bastion's account often is no more than that.
        shell(way.control_plane, f"useradd --no-create-home --shell /usr/sbin/nologin {JUMP}")
        shell(way.control_plane, f"usermod --password '*' {JUMP}")
        yield way
    finally:
        for node in way.nodes:
            shell(node, f"rm -f {STOP} /etc/sudoers.d/{ADMIN}")
            for user in (ADMIN, JUMP):
                # It complains of a mail spool and a home that never were.
                shell(node, f"userdel --remove --force {user} 2>/dev/null || ! id {user} 2>/dev/null")


def shell(node: Node, script: str, *, stdin: str = "") -> str:
    return nodes.exec(node, ["sh", "-euc", script], stdin=stdin).stdout


@contextmanager
def only_through_the_bastion(way: Way) -> Iterator[None]:
    """Let the worker's sshd answer nobody but the control plane."""
    rule = f"INPUT -p tcp --dport {SSH_PORT} ! -s {way.control_plane.address} -j DROP"
    shell(way.worker, f"iptables -I {rule}")
    try:
        yield
    finally:
        shell(way.worker, f"iptables -D {rule}")


@contextmanager
def watched(node: Node) -> Iterator[list[str]]:
    """Note every argument and variable that the node's processes have; filled at the end."""
    seen: list[str] = []
    shell(node, f"rm -f {STOP}")
    watch = threading.Thread(
        target=lambda: seen.extend(
            nodes.exec(node, ["sh", "-c", _WATCH], check=False, timeout=600).stdout.splitlines()
        )
    )
    watch.start()
    try:
        yield seen
    finally:
        shell(node, f": >{STOP}")
        watch.join(60)
        assert not watch.is_alive()


def held_in_files(node: Node, text: str) -> list[str]:
    """Return the files of a node that hold a text."""
    search = (
        "grep --recursive --files-with-matches --text --fixed-strings --devices=skip --exclude-dir=rootfs"
    )
    # Files come and go meanwhile.
    found = nodes.exec(node, ["sh", "-c", f"{search} -f - {_FOLDERS} 2>/dev/null"], stdin=text, check=False)
    return found.stdout.splitlines()


def journal(way: Way, node: Node) -> str:
    return shell(node, f"journalctl --no-pager --output=export --since='{way.since}'")


def logins(way: Way, node: Node, user: str) -> set[str]:
    """Return the addresses from which a user came in by SSH."""
    said = shell(node, f"journalctl --no-pager --output=cat --unit=ssh --since='{way.since}'")
    words = [line.split() for line in said.splitlines() if line.startswith(f"Accepted publickey for {user} ")]
    return {line[5] for line in words}


def test_a_worker_joins_through_a_bastion_and_by_a_sudo_password(way, cluster, cli, fleet):
    def per_host(kinds):
        way.edit(kinds)
        (worker,) = (host for host in kinds["Cluster"]["spec"]["hosts"] if host["name"] == way.worker.name)
        worker["ssh"] = {"bastion": f"{JUMP}@{way.control_plane.address}"}

    config = fleet.variant("bastion", per_host)
    with only_through_the_bastion(way):
        began = len(cli.history)
        with watched(way.control_plane) as on_control_plane, watched(way.worker) as on_worker:
            cli.run("preflight", "--config", config, "--host", way.worker.name)
            done = cli.run("join", "--config", config, "--host", way.worker.name)
            assert f"{way.worker.name} joined the cluster and is Ready" in done.out
            cli.run("verify", "--config", config, "--level", "hosts", "--read-only")
        assert cluster.node_names() == ["cp1", "w1"]
        assert logins(way, way.worker, ADMIN) == {way.control_plane.address}
        assert logins(way, way.control_plane, JUMP) == {gateway(fleet.lab.name)}

        # That sudo was looked at while it asked, in all the places where it may say something.
        for node, seen in zip(way.nodes, (on_control_plane, on_worker), strict=True):
            assert [word for word in seen if PROMPT.fullmatch(word)]
            assert f"SUDO_USER={ADMIN}" in seen
            assert [word for word in seen if way.password in word] == []
            noted = journal(way, node)
            assert f"{ADMIN} : PWD=" in noted
            assert way.password not in noted
            assert "/etc/shadow" in held_in_files(node, f"{ADMIN}:")
            assert held_in_files(node, way.password) == []
    logs = {path: path.read_text(errors="replace") for path in cli.home.rglob("*") if path.is_file()}
    assert [path for path, text in logs.items() if f"{way.worker.name} joined the cluster" in text]
    assert [path for path, text in logs.items() if way.password in text] == []
    assert [done.argv for done in cli.history[began:] if way.password in done.text] == []


def test_a_bastion_for_all_hosts(way, cli, fleet):
    bastion = f"{JUMP}@{way.control_plane.address}"
    config = fleet.variant("bastion-for-all", lambda kinds: way.edit(kinds, bastion=bastion))
    with only_through_the_bastion(way):
        direct = fleet.variant("no-bastion", way.edit)
        refused = cli.run("preflight", "--config", direct, code=7, within=60)
        assert f"cannot connect to {way.worker.address} port {SSH_PORT}: no answer" in refused.text
        done = cli.run("preflight", "--config", config)
    assert "2 hosts checked, no errors" in done.out
    assert logins(way, way.worker, ADMIN) == {way.control_plane.address}


def test_sudo_without_its_password(way, cli, fleet, tmp_path):
    def without(kinds):
        way.edit(kinds)
        del kinds["Cluster"]["spec"]["ssh"]["sudoPasswordFile"]

    done = cli.run("preflight", "--config", fleet.variant("no-password", without), code=3)
    assert f"sudo wants a password of {ADMIN}, and none is configured" in done.text
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text(f"not-{way.password}\n")
    config = fleet.variant("wrong-password", lambda kinds: way.edit(kinds, sudoPasswordFile=str(wrong)))
    done = cli.run("preflight", "--config", config, code=3)
    assert f"sudo did not take the password of {ADMIN}" in done.text
    assert way.password not in done.text
