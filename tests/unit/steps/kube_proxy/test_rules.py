"""kube-proxy's rules outlive it until the next one's are there: the script is real, its tools are fakes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import RunScript
from kubeadm_py.steps.kube_proxy import rules as proxy_rules

SCRIPT = Path(proxy_rules.__file__).with_suffix(".sh")
RULES = """\
*mangle
:PREROUTING ACCEPT [0:0]
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:MINE - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A INPUT -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -j KUBE-FIREWALL
-A INPUT -j MINE
-A FORWARD -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -j MINE
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SEP-5QL3IDOSHWQQV2MS - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SEP-5QL3IDOSHWQQV2MS -p tcp -m tcp -j DNAT --to-destination 10.0.0.11:6443
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-NPX46M4PTMTKRN6Y -m recent --rcheck --name KUBE-SEP-5QL3IDOSHWQQV2MS -j KUBE-SEP-5QL3IDOSHWQQV2MS
COMMIT
"""
TABLE = "table ip kube-proxy {\n\tchain services {\n\t\tip daddr vmap @service-ips\n\t}\n}\n"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder of fakes that know rules by the files `rules` and `table`, and a process by `pid`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fakes = {
        "iptables-save": "cat rules 2>/dev/null",
        "iptables-restore": 'echo "$*" >>asked; cat >>restored; echo ENDED >>restored',
        "nft": 'case $1 in list) cat table 2>/dev/null || exit 1 ;; -f) cat "$2" >>loaded ;; '
        'delete) echo "$*" >>deleted; exit 1 ;; esac',
        "pgrep": "cat pid 2>/dev/null",
        "systemctl": "exit 0",
    }
    for name, body in fakes.items():
        (folder / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{body}\n")
        (folder / name).chmod(0o755)
    (tmp_path / "script.sh").write_text(SCRIPT.read_text().replace("/run/kubeadm-py", str(tmp_path)))
    return folder


def begin(tools: Path, *words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PATH": f"{tools}:/usr/bin:/bin"}
    return subprocess.Popen(["sh", tools.parent / "script.sh", *words], env=environment)


@pytest.fixture
def proxy(tools: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Return a function that lets a process begin that takes itself for kube-proxy."""
    made: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(["sleep", "60"]))
        (tools.parent / "pid").write_text(f"{made[-1].pid}\n")
        return made[-1]

    yield start
    for process in made:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def text(tools: Path, name: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        return (tools.parent / name).read_text()
    return ""


def test_a_copy_is_made_of_what_is_kube_proxys_alone_and_in_its_order(tools, proxy):
    (tools.parent / "rules").write_text(RULES)
    running = proxy()
    process = begin(tools, "keep", "nftables", "60")
    time.sleep(0.5)
    assert text(tools, "restored") == "", "nothing while it runs"
    end(running)
    until(lambda: "ENDED" in text(tools, "restored"))
    made = text(tools, "restored")
    process.terminate()
    process.wait()
    assert text(tools, "asked").startswith("-w 5 --noflush")
    assert (
        made.partition("ENDED")[0]
        == """\
*filter
:KPY-FORWARD - [0:0]
:KPY-PROXY-FIREWALL - [0:0]
-A KPY-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-I FORWARD -m comment --comment "kubernetes forwarding rules" -j KPY-FORWARD
-I FORWARD -m comment --comment "kubernetes load balancer firewall" -j KPY-PROXY-FIREWALL
-I INPUT -m comment --comment "kubernetes load balancer firewall" -j KPY-PROXY-FIREWALL
COMMIT
*nat
:KPY-MARK-MASQ - [0:0]
:KPY-NODEPORTS - [0:0]
:KPY-SEP-5QL3IDOSHWQQV2MS - [0:0]
:KPY-SERVICES - [0:0]
:KPY-SVC-NPX46M4PTMTKRN6Y - [0:0]
-A KPY-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KPY-SEP-5QL3IDOSHWQQV2MS -p tcp -m tcp -j DNAT --to-destination 10.0.0.11:6443
-A KPY-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KPY-SVC-NPX46M4PTMTKRN6Y
-A KPY-SERVICES -m addrtype --dst-type LOCAL -j KPY-NODEPORTS
-A KPY-SVC-NPX46M4PTMTKRN6Y -m recent --rcheck --name KUBE-SEP-5QL3IDOSHWQQV2MS -j KPY-SEP-5QL3IDOSHWQQV2MS
-I PREROUTING -m comment --comment "kubernetes service portals" -j KPY-SERVICES
COMMIT
"""
    )


def test_it_ends_and_takes_the_copy_away_once_the_new_rules_are_there(tools, proxy):
    (tools.parent / "table").write_text(TABLE)
    running = proxy()
    process = begin(tools, "keep", "iptables", "60")
    time.sleep(0.5)
    end(running)
    until(lambda: text(tools, "loaded"))
    assert text(tools, "loaded").startswith("table ip kubeadm-py-kube-proxy {\n")
    assert text(tools, "deleted") == ""
    (tools.parent / "rules").write_text(RULES)
    assert process.wait(timeout=20) == 0
    assert "delete table ip kubeadm-py-kube-proxy" in text(tools, "deleted")


def test_one_that_came_back_in_the_old_mode_is_watched_on(tools, proxy):
    script = tools.parent / "script.sh"
    script.write_text(script.read_text().replace("spared=30", "spared=1"))
    (tools.parent / "table").write_text(TABLE)
    first = proxy()
    process = begin(tools, "keep", "iptables", "60")
    time.sleep(0.5)
    end(first)
    until(lambda: text(tools, "loaded").count("kubeadm-py-kube-proxy") >= 1)
    second = proxy()
    until(lambda: text(tools, "deleted"))
    once = text(tools, "loaded").count("kubeadm-py-kube-proxy")
    time.sleep(1)
    assert text(tools, "loaded").count("kubeadm-py-kube-proxy") == once
    end(second)
    until(lambda: text(tools, "loaded").count("kubeadm-py-kube-proxy") > once)
    (tools.parent / "rules").write_text(RULES)
    assert process.wait(timeout=20) == 0


def test_who_is_stopped_leaves_no_copy(tools, proxy):
    (tools.parent / "table").write_text(TABLE)
    running = proxy()
    process = begin(tools, "keep", "iptables", "60")
    time.sleep(0.5)
    end(running)
    until(lambda: text(tools, "loaded"))
    process.terminate()
    assert process.wait(timeout=20) != 0
    assert "delete table ip kubeadm-py-kube-proxy" in text(tools, "deleted")


def test_its_time_ends(tools, proxy):
    proxy()
    assert begin(tools, "keep", "iptables", "1").wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("mode", "file", "content", "is_so"),
    [
        ("iptables", "rules", RULES, True),
        ("iptables", "rules", RULES.replace("-j KUBE-NODEPORTS", "-j OTHER"), False),
        ("iptables", "table", TABLE, False),
        ("nftables", "table", TABLE, True),
        ("nftables", "table", "table ip kube-proxy {\n}\n", False),
        ("nftables", "rules", RULES, False),
    ],
)
def test_a_mode_is_there_once_its_rules_are_whole(tools, mode, file, content, is_so):
    (tools.parent / file).write_text(content)
    assert (begin(tools, "is", mode).wait(timeout=20) == 0) is is_so


def test_without_any_tool_nothing_is_kept_and_nothing_fails(tools, proxy):
    for name in ("iptables-save", "iptables-restore", "nft"):
        (tools / name).unlink()
    running = proxy()
    process = begin(tools, "keep", "nftables", "2")
    time.sleep(0.5)
    end(running)
    assert process.wait(timeout=20) == 0


def _can_filter() -> bool:
    asked = ["unshare", "-rn", "sh", "-c", "iptables -N KUBE-X && iptables -X KUBE-X"]
    return (
        all(map(shutil.which, ("unshare", "iptables-save")))
        and not subprocess.run(asked, capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not _can_filter(), reason="needs iptables in a network namespace of one's own")
def test_the_kernel_takes_the_copy_and_is_as_before_without_it(tmp_path):
    (tmp_path / "rules").write_text(RULES)
    just = SCRIPT.read_text().replace("case ${1:-} in", "case ${1:-} in\n  just) keep ;;")
    (tmp_path / "script").write_text(just.replace("/run/kubeadm-py", str(tmp_path)))
    steps = """set -eu
iptables-restore <rules
iptables-save | grep -v '^#' >before
sh script just
iptables-save -t nat | grep -c KPY-
sh script clean
iptables-save | grep -v '^#' >after
"""
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", steps], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    before = (tmp_path / "before").read_text()
    assert "-A KUBE-SERVICES" in before
    assert (tmp_path / "after").read_text() == before


@pytest.mark.parametrize(("mode", "wanted"), [("", "iptables"), ("nftables", "nftables")])
def test_a_host_is_given_the_script_with_the_mode(control_plane, mode, wanted):
    cluster = replace(control_plane.cluster, kube_proxy_config={"mode": mode})
    ctx = replace(control_plane, cluster=cluster)
    note, action = proxy_rules.plan(ctx)
    assert paths.KUBE_PROXY_AWAITED in note.script
    assert isinstance(action, RunScript)
    assert action.stdin == SCRIPT.read_bytes()
    assert f'sh "$INPUT" is {wanted}' in action.script
    assert f"keep {wanted} " in action.script


def test_rules_of_ipvs_are_not_ours_to_copy(control_plane):
    cluster = replace(control_plane.cluster, kube_proxy_config={"mode": "ipvs"})
    [note] = proxy_rules.plan(replace(control_plane, cluster=cluster))
    assert note.stdin is None
