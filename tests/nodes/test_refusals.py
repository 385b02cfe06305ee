"""What stops a run before anything is changed: findings, locks, host keys, hosts that do not answer."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager

import pytest
import yaml
from lab import nodes
from lab.process import run

from kubeadm_py.engine.boundary import HELD, RELEASE, VARIABLE
from kubeadm_py.engine.pulse import PATIENCE_SECONDS

from . import hostview
from .cli import Cli

pytestmark = pytest.mark.cluster(control_plane=1, workers=1)

LOCK = "/run/kubeadm-py/lock"
STAGE_LOCK = "/run/kubeadm-py/stage.lock"


@pytest.fixture
def spare(cluster, fleet):
    """A host of the file that is a member of nothing."""
    fleet.bare("w2")
    return fleet.node("w2")


@pytest.fixture
def join(cluster):
    return ("join", "--config", cluster.config, "--host", "w2")


@contextmanager
def broken(node, breaking, mending):
    nodes.exec(node, ["sh", "-euc", breaking])
    try:
        yield
    finally:
        nodes.exec(node, ["sh", "-euc", mending])


LISTEN = "systemd-run --quiet --unit=theirs socat TCP-LISTEN:10250,fork,reuseaddr /dev/null"
FINDINGS = {
    "a stale bridge of another pod network": (
        "ip link add cni0 type bridge && ip address add 10.55.0.1/24 dev cni0",
        "ip link delete cni0",
        "Leftovers-CNI",
        ["cni0 has 10.55.0.1/24, outside the pod subnet 10.244.0.0/16", "ip link delete cni0"],
    ),
    "something on the kubelet's port": (
        f"{LISTEN}; until ss -Hltn 'sport = :10250' | grep -q .; do sleep 0.1; done",
        "systemctl stop theirs; systemctl reset-failed theirs",
        "Port-10250",
        ["something listens on 10250: socat", "theirs.service", "systemctl disable --now theirs.service"],
    ),
    "a kubelet's credentials of another cluster": (
        "mkdir -p /etc/kubernetes && echo 'server: https://192.0.2.1:6443' >/etc/kubernetes/kubelet.conf",
        "rm /etc/kubernetes/kubelet.conf; rmdir --ignore-fail-on-non-empty /etc/kubernetes",
        "Leftovers-Cluster",
        ["https://192.0.2.1:6443", "kubeadm-py reset --config ", "--host w2 --dry-run"],
    ),
}


@pytest.mark.parametrize(("breaking", "mending", "check", "said"), FINDINGS.values(), ids=FINDINGS)
def test_a_finding_refuses_and_changes_nothing(breaking, mending, check, said, cli, spare, join):
    with broken(spare, breaking, mending):
        before = hostview.look(spare)
        done = cli.run(*join, code=3)
        assert hostview.difference(before, hostview.look(spare)) == []
    assert check in done.text
    for words in said:
        assert words in done.text
    assert "→" in done.text


def test_one_bad_host_stops_the_others_untouched(cluster, cli, fleet, spare):
    breaking, mending, check, _ = FINDINGS["a stale bridge of another pod network"]
    w1 = fleet.node("w1")
    with broken(spare, breaking, mending):
        before = hostview.look(w1)
        done = cli.run("join", "--config", cluster.config, "--host", "w1", "--host", "w2", code=3)
        assert [line for line in hostview.difference(before, hostview.look(w1)) if "files:" in line] == []
    assert check in done.text


class TestLock:
    def test_the_second_run_is_told_who_holds_the_host(self, cli, spare, join):
        # A reset with nobody's answer yet holds the lock and changes nothing.
        nodes.exec(spare, ["sh", "-c", f"mkdir -p -m 0700 /run/kubeadm-py && : >>{LOCK}"])
        holder = "kubeadm-py reset by somebody@elsewhere since 2026-11-20 12:00:00 UTC"
        nodes.exec(spare, ["sh", "-c", f"echo '{holder}' >/run/kubeadm-py/holder"])
        flock = f"systemd-run --quiet --unit=holder flock {LOCK} sleep infinity"
        until = f"until ! flock -n {LOCK} true; do sleep 0.1; done"
        with broken(spare, f"{flock}; {until}", "systemctl stop holder; rm -f /run/kubeadm-py/holder"):
            done = cli.run(*join, code=5)
        assert f"locked: {holder}" in done.text

    def test_two_commands_at_once(self, cli, spare, join):
        first = cli.start(*join)
        first.until(type="stage-started", stage="prepare")
        second = cli.run(*join, code=5)
        assert "locked: kubeadm-py join by " in second.text
        assert " since 20" in second.text
        first.signal(signal.SIGINT)
        assert first.end().code == 130

    @pytest.mark.long
    def test_of_three_commands_in_the_same_second_one_goes_on(
        self, cli, fleet, cluster, spare, join, tmp_path
    ):
        other = Cli(tmp_path)  # another operator, who knows nothing of the first
        runs = [each.start(*join) for each in (cli, other, cli)]
        ends = [run.end() for run in runs]
        assert sorted(done.code for done in ends) == [0, 5, 5], "\n".join(map(str, ends))
        assert "w2" in cluster.node_names()
        fleet.reset("w2")

    @pytest.mark.long
    def test_three_different_commands_of_two_operators_at_once(
        self, cli, fleet, cluster, spare, join, tmp_path
    ):
        """Each does all of its work or none: who finds a host taken frees what it took."""
        other = Cli(tmp_path)
        config = fleet.variant("labelled", lambda kinds: _hosts(kinds)[1].update(labels={"disk": "ssd"}))
        runs = {
            "apply": other.start("apply", "--config", config),
            "renew": cli.start("certs", "renew", "scheduler.conf", "--config", cluster.config),
            "join": other.start(*join),
        }
        ends = {name: run.end() for name, run in runs.items()}
        codes = {name: done.code for name, done in ends.items()}
        told = "\n".join(map(str, ends.values()))
        assert set(codes.values()) <= {0, 5}, told
        assert 0 in codes.values(), told
        for done in ends.values():
            if done.code == 5:
                assert "locked: kubeadm-py " in done.text
        for name in ("cp1", "w1", "w2"):
            nodes.exec(fleet.node(name), ["flock", "--nonblock", LOCK, "true"])
        # One after the other they all go, and nothing of the first try stands in their way.
        assert cli.run("certs", "renew", "scheduler.conf", "--config", cluster.config).code == 0
        cli.run("apply", "--config", config)
        assert cli.run("apply", "--config", config, "--format", "json").report["changed"] == 0
        assert set(cluster.node_names()) == {"cp1", "w1", "w2"}
        cli.run("apply", "--config", cluster.config)
        fleet.reset("w2")

    @pytest.mark.long
    def test_an_operator_that_falls_silent_keeps_no_host(self, cli, fleet, cluster, spare, join, tmp_path):
        """As a laptop that sleeps does: its connections stay open, and nothing comes over them any more."""
        release = tmp_path / "release"
        held = {VARIABLE: "join/w2/before", RELEASE: str(release)}
        first = cli.start(*join, env=held)
        first.until(type="host-progress", host="w2", message=HELD)
        assert "locked: kubeadm-py join by " in cli.run(*join, code=5).text
        first.signal(signal.SIGSTOP)
        free = f"until flock -n {LOCK} true; do sleep 1; done"
        within = str(PATIENCE_SECONDS + 30)
        nodes.exec(spare, ["timeout", within, "sh", "-c", free], timeout=PATIENCE_SECONDS + 60)
        cli.run(*join)
        assert "w2" in cluster.node_names()
        release.touch()
        first.signal(signal.SIGCONT)
        late = first.end()
        assert late.code == 7, str(late)
        assert "this host's lock was lost" in late.text
        cli.run("verify", "--config", cluster.config, "--level", "hosts")
        fleet.reset("w2")

    @pytest.mark.long
    def test_what_a_cut_connection_left_running_is_waited_for(self, cli, fleet, spare, join):
        fleet.bare("w2", artifacts=False)
        first = cli.start(*join)
        first.until(type="host-progress", host="w2", message="import ")
        # It would end with its input; stopped, it is a command that takes its time and does not listen.
        nodes.exec(spare, ["sh", "-c", "until pkill -STOP -x ctr; do sleep 0.05; done"])
        nodes.exec(spare, ["pkill", "-KILL", "-f", "^sshd: vagrant"])
        lost = first.end(within=120)
        assert lost.code == 7, str(lost)
        assert nodes.exec(spare, ["flock", "--nonblock", STAGE_LOCK, "true"], check=False).returncode == 1
        second = cli.start(*join)
        second.until(type="host-started", stage="look", host="w2")
        time.sleep(5)
        assert second.process.poll() is None, "it waits for what the first left running"
        assert nodes.exec(spare, ["pgrep", "-c", "-x", "ctr"]).stdout.strip() == "1", "nothing was begun"
        nodes.exec(spare, ["pkill", "-CONT", "-x", "ctr"])
        done = second.end()
        assert done.code == 0, str(done)
        assert "w2 joined the cluster" in done.text
        fleet.reset("w2")

    def test_a_killed_holder_frees_its_lock(self, cli, spare, join):
        first = cli.start(*join)
        first.until(type="host-done", stage="look", host="w2")
        first.signal(signal.SIGKILL)
        first.end()
        done = cli.run(*join)
        assert "w2 joined the cluster" in done.out


class TestReach:
    def test_a_changed_host_key_stops_the_run(self, fleet, cli, spare, tmp_path):
        other = fleet.lab.ssh.known_hosts.read_text().replace(f"{spare.address} ", "192.0.2.1 ")
        others_key = next(line.split(" ", 1)[1] for line in other.splitlines() if " ssh-ed25519 " in line)
        known = tmp_path / "known_hosts"
        known.write_text(f"{other}{spare.address} {others_key}\n")
        config = fleet.variant("changed-key", lambda kinds: _ssh(kinds, knownHosts=str(known)))
        before = hostview.look(spare)
        done = cli.run("join", "--config", config, "--host", "w2", code=8)
        assert hostview.difference(before, hostview.look(spare)) == []
        assert f"{known}:" in done.text
        assert "ssh-keygen -R" in done.text

    def test_an_unknown_host_key_stops_the_run(self, fleet, cli, spare, tmp_path):
        empty = tmp_path / "known_hosts"
        empty.touch()
        config = fleet.variant("unknown-key", lambda kinds: _ssh(kinds, knownHosts=str(empty)))
        cli.run("join", "--config", config, "--host", "w2", code=8)
        assert empty.read_text() == ""

    def test_a_stopped_node_is_unreachable(self, cli, spare, join):
        run(["docker", "pause", spare.container])
        try:
            done = cli.run(*join, code=7, within=60)
        finally:
            run(["docker", "unpause", spare.container])
        assert "w2" in done.text


def _hosts(kinds):
    return kinds["Cluster"]["spec"]["hosts"]


def _ssh(kinds, **settings):
    kinds["Cluster"]["spec"]["ssh"] |= settings
    assert yaml.safe_dump(kinds)
