"""The shell of waits, run for real: kubectl, crictl, journalctl, systemctl and curl are stand-ins."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.render.probes import Probe
from kubeadm_py.steps import waits
from kubeadm_py.steps.addons import roll as addon_roll
from kubeadm_py.steps.kube_proxy import waits as proxy_waits
from kubeadm_py.steps.kubelet import bootstrap as kubelet_bootstrap
from kubeadm_py.steps.nodes import pods as pods_said
from kubeadm_py.steps.nodes import waits as node_waits
from kubeadm_py.steps.nodes.waits import Workload

MINUTE = timedelta(minutes=1)
RUNTIME = resources.files("kubeadm_py.engine").joinpath("runtime.sh").read_text()
# What a wait's functions may use: everything below the frame that opens locks and streams.
FUNCTIONS = RUNTIME[RUNTIME.index("# kpy_listens") :]


class Shell:
    """Run one of a wait's functions as the stage script does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name in ("kubectl", "crictl", "journalctl", "systemctl", "curl"):
            self.command(name, f"echo 'no answer from {name}' >&2; exit 1")

    def command(self, name: str, body: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(f'#!/bin/sh\nLOG={self.folder}/log\nprintf "%s\\n" "{name} $*" >>$LOG\n{body}\n')
        file.chmod(0o755)

    def answers(self, content: str, *, ok: bool = True) -> None:
        """Let an API server answer, whichever client asks."""
        (self.folder / "answer").write_text(content)
        status = 200 if ok else 500
        self.command("curl", f"cat {self.folder}/answer; printf '\\n{status}'")
        self.command("kubectl", f"cat {self.folder}/answer; exit {0 if ok else 1}")

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def __call__(self, body: str) -> tuple[int, list[str]]:
        folders = f"kpy_run={self.folder}\nkpy_tmp={self.folder}\n"
        script = f"{folders}{FUNCTIONS}\nset -u\nset +e\nkpy_f() {{\n{body.strip()}\n}}\nkpy_f\n"
        ended = subprocess.run(
            ["sh", "-c", script],
            env={"PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return ended.returncode, (ended.stdout + ended.stderr).splitlines()


@pytest.fixture
def shell(tmp_path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def node(port: int = 6443) -> Node:
    return Node("cp1", Role.CONTROL_PLANE, ("127.0.0.1",), advertise_address="127.0.0.1", bind_port=port)


class TestAPIServer:
    etcd_port = 2379

    def wait(self, port: int, *, local_etcd: bool = False):
        etcd = Probe("127.0.0.1", self.etcd_port) if local_etcd else None
        return waits.api_server(node(port), MINUTE, "/etc/kubernetes/pki", etcd)

    def test_nobody_listens_yet(self, shell, free_port):
        assert shell(self.wait(free_port).until) == (1, ["kube-apiserver has not started"])
        assert shell.log == "", "nothing is asked before somebody listens"

    def test_etcd_comes_first(self, shell, listener, free_port):
        self.etcd_port = free_port
        assert shell(self.wait(listener, local_etcd=True).until) == (1, ["etcd has not started"])

    def test_ready(self, shell, listener):
        self.etcd_port = listener
        shell.answers("ok")
        assert shell(self.wait(listener, local_etcd=True).until)[0] == 0
        assert f"https://127.0.0.1:{listener}" in shell.log
        assert "/readyz" in shell.log
        assert shell.log.startswith("curl --disable "), "root's own .curlrc is not read"

    def test_what_is_missing_is_named(self, shell, listener):
        shell.answers(
            "[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/rbac failed: not finished\n",
            ok=False,
        )
        code, said = shell(self.wait(listener).until)
        assert code == 1
        assert said[-1].strip() == "kube-apiserver is not ready: etcd poststarthook/rbac"

    def test_another_answer_is_told_by_its_last_line(self, shell, listener):
        shell.answers("first\nconnection reset by peer", ok=False)
        code, said = shell(self.wait(listener).until)
        assert code == 1
        assert said[-1] == "kube-apiserver is not ready: connection reset by peer"

    def look(self, shell, *attempts, running=False, port=0):
        """Look once more, when the containers of the API server have got so far."""
        containers = [
            {
                "metadata": {"name": "kube-apiserver", "attempt": attempt},
                "state": "CONTAINER_RUNNING" if running and attempt == attempts[-1] else "CONTAINER_EXITED",
                "createdAt": str(1795224188682696536 + index),
            }
            for index, attempt in enumerate(attempts)
        ]
        answer = json.dumps({"containers": containers}, indent=2)
        shell.command("crictl", f"case \"$*\" in *kube-apiserver*json*) cat <<'END'\n{answer}\nEND\n;; esac")
        shell.command("systemctl", "echo 0")
        return shell(self.wait(6443, local_etcd=bool(port)).hopeless)

    def test_a_component_that_keeps_ending(self, shell):
        assert self.look(shell, 0) == (1, [])
        assert self.look(shell, 0, 1, running=True) == (1, [])
        assert self.look(shell, 1) == (1, [])
        assert self.look(shell, 2, 1) == (1, []), "the newest counts, and that is no longer attempt 2"
        assert self.look(shell, 1, 2) == (0, ["kube-apiserver on this host ended 3 times"])

    def test_what_ended_before_does_not_count(self, shell):
        assert self.look(shell, 9) == (1, [])
        assert self.look(shell, 9, 10, running=True) == (1, [])
        # Another manifest is another pod, whose attempts begin anew.
        assert self.look(shell, 0) == (1, [])
        assert self.look(shell, 1) == (1, [])
        assert self.look(shell, 2)[0] == 0

    def test_without_etcd_the_api_server_may_end(self, shell, listener, free_port):
        self.etcd_port = free_port
        for attempt in range(6):
            assert self.look(shell, attempt, port=free_port) == (1, [])
        self.etcd_port = listener
        assert [self.look(shell, attempt, port=listener)[0] for attempt in (6, 7, 8)] == [1, 0, 0]

    @pytest.mark.parametrize(("restarts", "hopeless"), [("0", False), ("3", False), ("4", True), ("", False)])
    def test_a_kubelet_that_keeps_ending(self, shell, restarts, hopeless):
        shell.command("crictl", "exit 0")
        shell.command("systemctl", f"echo '{restarts}'")
        code, said = shell(self.wait(6443).hopeless)
        assert (code == 0) is hopeless
        assert said == (["kubelet cannot start: it ended 4 times"] if hopeless else [])

    def test_without_crictl_and_systemctl_nothing_is_hopeless(self, shell):
        code, said = shell(self.wait(6443).hopeless)
        assert code != 0
        assert said == []

    def test_the_last_words_of_a_container(self, shell):
        shell.command(
            "crictl",
            "case $1 in ps) echo abc123 ;; logs) echo 'bind: address already in use' >&2 ;; esac",
        )
        shell.command("journalctl", "echo 'Failed to pull image'")
        _, said = shell(self.wait(6443).diagnose)
        assert "kube-apiserver says:" in said
        assert "  bind: address already in use" in said
        assert said[-2:] == ["kubelet says:", "  Failed to pull image"]

    def test_only_the_guilty_one_speaks(self, shell):
        shell.command("crictl", "case $1 in ps) echo abc123 ;; logs) echo 'unknown flag: --x' ;; esac")
        shell.command("journalctl", "echo chatter")
        _, said = shell(f"guilty=kube-apiserver\n{self.wait(6443, local_etcd=True).diagnose}")
        assert said == ["kube-apiserver says:", "  unknown flag: --x"]

    def test_a_container_that_never_was(self, shell):
        shell.command("crictl", "exit 0")
        shell.command("journalctl", "exit 0")
        assert "kube-apiserver: no container was ever made" in shell(self.wait(6443).diagnose)[1]


class TestFirstAPIServer:
    @pytest.fixture
    def wait(self):
        first = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.0.0.11")
        return waits.api_server_begins(first, MINUTE, "/etc/kubernetes/pki")

    @pytest.mark.parametrize(
        ("answer", "ok"),
        [
            ("ok", True),
            ('{"kind": "Status",\n"message": "forbidden",\n"code": 403\n}', False),
            ("[+]ping ok\n[-]etcd failed: reason withheld\n", False),
        ],
        ids=["well", "without its roles", "without its etcd"],
    )
    def test_whatever_it_answers_it_has_begun(self, shell, wait, answer, ok):
        shell.answers(answer, ok=ok)
        assert shell(wait.until)[0] == 0
        assert "https://10.0.0.11:6443/livez" in shell.log

    def test_where_nobody_answers_it_has_not(self, shell, wait):
        assert shell(wait.until) == (1, ["kube-apiserver on cp1 has not begun"])

    def test_it_is_not_waited_for_for_long(self, shell, wait):
        assert shell(wait.until)[0] == 1
        (shell.folder / "first-asked").write_text(f"{int(time.clock_gettime(time.CLOCK_BOOTTIME)) - 31}\n")
        assert shell(wait.until)[0] == 0

    def test_it_is_no_condition_where_waits_are_short(self, shell):
        first = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.0.0.11")
        wait = waits.api_server_begins(first, timedelta(seconds=20), "/etc/kubernetes/pki")
        assert shell(wait.until)[0] == 1
        (shell.folder / "first-asked").write_text(f"{int(time.clock_gettime(time.CLOCK_BOOTTIME)) - 19}\n")
        assert shell(wait.until)[0] == 0, "it ends before its deadline does, which would fail the host"


class TestComponents:
    def wait(self, port: int, host: str = "127.0.0.1"):
        return waits.component_healthy(
            node(), "kube-scheduler", Probe(host, port), "/livez", MINUTE, "/etc/kubernetes/pki"
        )

    def test_not_started(self, shell, free_port):
        assert shell(self.wait(free_port).until) == (1, ["kube-scheduler has not started"])

    def test_not_healthy(self, shell, listener):
        shell.answers("no", ok=False)
        code, said = shell(self.wait(listener).until)
        assert (code, said[-1]) == (1, "kube-scheduler is not healthy yet")

    def test_healthy(self, shell, listener):
        shell.answers("ok")
        assert shell(self.wait(listener).until)[0] == 0
        assert f"https://127.0.0.1:{listener}/livez" in shell.log

    @pytest.mark.parametrize(("host", "asked"), [("fd00::1", "[fd00::1]"), ("10.0.0.9", "10.0.0.9")])
    def test_it_is_asked_where_it_listens(self, shell, listener, host, asked):
        shell.answers("ok")
        assert shell(self.wait(listener, host).until)[0] == 0
        assert f"https://{asked}:{listener}/livez" in shell.log

    def test_keeps_ending(self, shell):
        ended = '  "attempt": {}\n  "state": "CONTAINER_EXITED",\n  "createdAt": "1795224188682696536",'
        codes = []
        for attempt in range(3):
            shell.command("crictl", f"cat <<'END'\n{ended.format(attempt)}\nEND")
            codes.append(shell(self.wait(1).hopeless))
        assert codes[:2] == [(1, []), (1, [])]
        assert codes[2] == (0, ["kube-scheduler on this host ended 3 times"])

    def test_what_listens_without_an_api_server_is_judged_in_the_same_way(self, shell):
        wait = waits.static_pod_listens("haproxy", 1, MINUTE)
        ended = '  "attempt": {}\n  "state": "CONTAINER_EXITED",\n  "createdAt": "1795224188682696536",'
        for attempt in (0, 2):
            shell.command("crictl", f"cat <<'END'\n{ended.format(attempt)}\nEND")
            answer = shell(wait.hopeless)
        assert answer == (0, ["haproxy on this host ended 3 times"])

    def test_its_last_words(self, shell):
        answers = 'case $* in ps*) echo c0ffee ;; "logs --tail 12 c0ffee") echo "no port" ;; esac'
        shell.command("crictl", answers)
        assert shell(self.wait(1).diagnose) == (0, ["kube-scheduler says:", "  no port"])
        shell.command("crictl", "exit 0")
        assert shell(self.wait(1).diagnose) == (0, ["kube-scheduler: no container was ever made"])


class TestKubelet:
    def test_healthy_when_it_listens(self, shell, listener, free_port):
        assert shell(waits.kubelet_healthy(listener, MINUTE).until)[0] == 0
        assert shell(waits.kubelet_healthy(free_port, MINUTE).until) == (
            1,
            ["the kubelet is not healthy yet"],
        )

    @pytest.mark.parametrize(("state", "code"), [("exit 0", 0), ("exit 3", 1)])
    def test_without_a_health_port_it_has_to_run(self, shell, state, code):
        shell.command("systemctl", state)
        assert shell(waits.kubelet_healthy(0, MINUTE).until)[0] == code
        assert "systemctl is-active" in shell.log

    @pytest.fixture
    def certificate(self, control_plane):
        ctx = replace(control_plane, joined=JoinedCluster("https://a:6443", b"", Secret("")))
        return kubelet_bootstrap.plan(ctx)[1]

    @pytest.mark.parametrize("there", [True, False])
    def test_its_certificate(self, shell, certificate, there, tmp_path):
        kubeconfig, current = tmp_path / "kubelet.conf", tmp_path / "current.pem"
        kubeconfig.write_text("x")
        current.write_text("x" if there else "")
        until = certificate.until.replace(paths.KUBELET_CONF, str(kubeconfig))
        code, said = shell(until.replace(paths.KUBELET_CLIENT_CURRENT, str(current)))
        assert (code, len(said)) == ((0, 0) if there else (1, 1))

    def test_without_systemd_nothing_is_hopeless(self, shell, certificate):
        shell.command("journalctl", "echo 'x509: of whom?'")
        code, said = shell(certificate.hopeless)
        assert (code != 0, said) == (True, [])

    @pytest.mark.parametrize(
        "line",
        [
            "failed to run Kubelet: cannot create certificate signing request: Unauthorized",
            'nodes "w1" is forbidden: User "system:anonymous" cannot get resource',
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ],
    )
    def test_a_refusal_is_hopeless(self, shell, certificate, line):
        (shell.folder / "journal").write_text(f"starting\n{line}\n")
        shell.command("systemctl", "echo 0123456789abcdef0123456789abcdef")
        shell.command("journalctl", f"cat {shell.folder}/journal")
        code, said = shell(certificate.hopeless)
        assert code == 0
        assert said == [f"the API server refuses the kubelet: {line}"]

    def test_without_a_refusal_it_goes_on(self, shell, certificate):
        shell.command("systemctl", "echo 0123456789abcdef0123456789abcdef")
        shell.command("journalctl", "echo 'certificate_manager: Rotating certificates'")
        code, said = shell(certificate.hopeless)
        assert (code != 0, said) == (True, [])

    def test_what_an_earlier_kubelet_was_refused_is_past(self, shell, certificate):
        """A host that was reset has the old cluster's refusals in its journal."""
        shell.command("systemctl", "echo 0123456789abcdef0123456789abcdef")
        shell.command(
            "journalctl",
            'case "$*" in *_SYSTEMD_INVOCATION_ID=0123456789abcdef0123456789abcdef*) echo starting ;;'
            " *) echo 'x509: certificate signed by unknown authority' ;; esac",
        )
        code, said = shell(certificate.hopeless)
        assert (code != 0, said) == (True, [])


PROXY = "DaemonSet kube-system kube-proxy made=2 seen=2 want=2"


class TestWorkloads:
    WANTED = (
        Workload("DaemonSet", "kube-system", "kube-proxy"),
        Workload("Deployment", "kube-system", "coredns"),
    )

    def until(self, shell, *lines: str) -> tuple[int, list[str]]:
        shell.answers("".join(f"{line}\n" for line in lines))
        wait = node_waits.workloads_ready("w", self.WANTED, "/k", "https://a:6443", MINUTE)
        return shell(wait.until)

    def test_all_there(self, shell):
        assert self.until(
            shell,
            "DaemonSet kube-system kube-proxy made=1 seen=1 want=2 have=2 new=2 how=RollingUpdate",
            "Deployment kube-system coredns made=1 seen=1 want=2 have=2 new=2 how=RollingUpdate",
            "Deployment other coredns-x made=1 seen= want=1 have= new=1 how=RollingUpdate",
        ) == (0, [])

    def test_pods_that_are_replaced_by_hand_are_not_awaited(self, shell):
        coredns = "Deployment kube-system coredns made=1 seen=1 want=2 have=2 new=2 how=RollingUpdate"
        assert self.until(shell, f"{PROXY} have=2 new=0 how=OnDelete", coredns) == (0, [])

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("", "kube-proxy: not there yet"),
            (
                "DaemonSet kube-system kube-proxy made=1 seen= want= have= new= how=RollingUpdate",
                "kube-proxy: 0 of ? pods ready",
            ),
            (
                "DaemonSet kube-system kube-proxy made=1 seen=1 want=0 have= new=0 how=RollingUpdate",
                "kube-proxy: 0 of 0 pods ready",
            ),
            (
                "DaemonSet kube-system kube-proxy made=1 seen=1 want=2 have=1 new=2 how=RollingUpdate",
                "kube-proxy: 1 of 2 pods ready",
            ),
            (
                "DaemonSet kube-system kube-proxy made=1 seen=1 want=2 have= new=2 how=RollingUpdate",
                "kube-proxy: 0 of 2 pods ready",
            ),
            (
                "DaemonSet kube-system kube-proxy made=2 seen=1 want=2 have=2 new=2 how=RollingUpdate",
                "kube-proxy: 2 of 2 pods ready",
            ),
            (f"{PROXY} have=2 new=1 how=RollingUpdate", "kube-proxy: 1 of 2 pods replaced"),
            (f"{PROXY} have=2 new= how=RollingUpdate", "kube-proxy: 0 of 2 pods replaced"),
            (
                "DaemonSet kube-system kube-proxy-2 made=1 seen=1 want=1 have=1 new=1 how=RollingUpdate",
                "kube-proxy: not there yet",
            ),
        ],
    )
    def test_what_is_not_ready_is_named(self, shell, line, said):
        ready = "Deployment kube-system coredns made=1 seen=1 want=2 have=2 new=2 how=RollingUpdate"
        assert self.until(shell, *([line] if line else []), ready) == (1, [said])

    def test_an_api_server_that_does_not_answer(self, shell):
        shell.command("kubectl", "echo 'The connection to the server was refused' >&2; exit 1")
        wait = node_waits.workloads_ready("w", self.WANTED, "/k", "", MINUTE)
        assert shell(wait.until) == (1, ["The connection to the server was refused"])

    def test_the_diagnosis_asks_of_each_namespace_once(self, shell):
        shell.command("kubectl", "exit 0")
        wait = node_waits.workloads_ready("w", self.WANTED, "/k", "", MINUTE)
        assert shell(wait.diagnose) == (0, [])
        asked = shell.log.splitlines()
        assert len(asked) == 2
        assert all("-n kube-system" in line for line in asked)


class TestPods:
    """What is told of pods that do not work."""

    def told(self, shell, pods: str, events: str = "") -> list[str]:
        (shell.folder / "pods").write_text(pods)
        (shell.folder / "events").write_text(events)
        shell.command(
            "kubectl", f"case $* in *events*) cat {shell.folder}/events ;; *) cat {shell.folder}/pods ;; esac"
        )
        return shell(pods_said.not_ready("kubectl", ["a"]))[1]

    @pytest.mark.parametrize(
        ("states", "why"),
        [
            ("Running true:0:Completed false:3:CrashLoopBackOff", "CrashLoopBackOff; restarts: 3"),
            ("Pending false:0:ImagePullBackOff false:0:PodInitializing", "ImagePullBackOff"),
            ("Running true:7: false:0:", "runs, but is not ready"),
            ("Pending", "Pending"),
            ("Running true:7: true:0:", ""),
            ("Succeeded false:0:Completed", ""),
        ],
        ids=["falls", "its first container", "no probe passes", "nothing of it yet", "works", "a Job's"],
    )
    def test_only_those_that_do_not_work(self, shell, states, why):
        assert self.told(shell, f"net-1 on=w1 {states} \n") == ([f"net-1 on w1: {why}"] if why else [])

    def test_one_that_no_node_has(self, shell):
        assert self.told(shell, "net-1 on= Pending \n") == ["net-1 on no node yet: Pending"]

    def test_warnings_about_them_in_the_order_in_which_they_came(self, shell):
        events = (
            "2030-01-01T00:00:09Z Pod/net-1 BackOff: Back-off restarting\n"
            "2030-01-01T00:00:08Z Pod/net-1 BackOff: Back-off restarting\n"
            "2030-01-01T00:00:07Z Pod/net-0 NodeNotReady: Node is not ready\n"
            "2030-01-01T00:00:05.123456Z Pod/net-1 FailedScheduling: 0/4 nodes\n"
            "2030-01-01T00:00:06Z DaemonSet/net FailedCreate: forbidden\n"
        )
        assert self.told(shell, "net-1 on=w1 Pending \nnet-0 on=w2 Running true:0: \n", events) == [
            "net-1 on w1: Pending",
            "net-1 FailedScheduling: 0/4 nodes",
            "DaemonSet/net FailedCreate: forbidden",
            "net-1 BackOff: Back-off restarting",
        ]

    def test_an_api_server_that_does_not_answer(self, shell):
        shell.command("kubectl", "echo refused >&2; exit 1")
        assert shell(pods_said.not_ready("kubectl", ["a"]))[1] == ["refused"]


class TestNodeReady:
    def until(self, shell):
        return shell(node_waits.node_ready("w1", "/k", "", MINUTE).until)

    def command(self, shell, said, watched):
        timed_out = "error: timed out waiting for the condition on nodes/w1"
        watch = (
            f'case "$*" in *" wait "*) [ {watched} = 0 ] || echo "{timed_out}" >&2; exit {watched} ;; esac'
        )
        shell.command("kubectl", f'{watch}; echo "{said}"')

    def test_ready_while_it_is_watched(self, shell):
        self.command(shell, "False not yet", watched=0)
        assert self.until(shell) == (0, [])

    def test_ready_just_after(self, shell):
        self.command(shell, "True kubelet is posting ready status", watched=1)
        assert self.until(shell) == (0, [])

    def test_without_a_pod_network_it_is_done_after_a_while(self, shell):
        self.command(shell, "False container runtime network not ready: NetworkPluginNotReady", watched=1)
        wait = node_waits.node_ready("w1", "/k", "", MINUTE, network_comes=False)
        until = f'kpy_warn() {{ echo "warning $*"; }}\n{wait.until}'
        assert shell(until)[0] == 1
        (shell.folder / "no-network").write_text("1000")
        assert shell(until) == (0, [f"warning w1 {node_waits.NO_NETWORK}"])

    def test_something_else_is_waited_for_without_a_pod_network_too(self, shell):
        self.command(shell, "False kubelet is starting", watched=1)
        wait = node_waits.node_ready("w1", "/k", "", MINUTE, network_comes=False)
        (shell.folder / "no-network").write_text("1000")
        assert shell(wait.until) == (1, ["not Ready: kubelet is starting"])

    def test_why_it_is_not(self, shell):
        self.command(shell, "False Kubelet stopped posting node status.", watched=1)
        assert self.until(shell) == (1, ["not Ready: Kubelet stopped posting node status."])

    def test_a_missing_network_is_named_where_a_line_shows_it(self, shell):
        self.command(
            shell,
            "False [container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:Network plugin returns error: cni plugin not initialized, CSINode is "
            "not yet initialized]",
            watched=1,
        )
        said = "[NetworkPluginNotReady: cni plugin not initialized, CSINode is not yet initialized]"
        assert self.until(shell) == (1, [f"not Ready: {said}"])

    def test_not_registered(self, shell):
        shell.command("kubectl", "echo 'Error from server (NotFound): nodes \"w1\" not found' >&2; exit 1")
        assert self.until(shell) == (
            1,
            ['not registered: Error from server (NotFound): nodes "w1" not found'],
        )


def test_hostile_words_stay_words(shell):
    shell.command("kubectl", 'for each; do printf "<%s>" "$each"; done; exit 1')
    _, said = shell(node_waits.node_ready("w1; touch x", "/k $(id)", "https://a b", MINUTE).until)
    assert "<node/w1; touch x>" in said[-1]
    assert "</k $(id)>" in said[-1]
    assert "<https://a b>" in said[-1]
    assert not os.path.exists("x")


class TestAddonRoll:
    """Whether pods of an add-on's new form can ever work."""

    @pytest.fixture
    def wait(self):
        workloads = (Workload("DaemonSet", "a", "net"), Workload("Deployment", "b", "net"))
        return addon_roll.rolled("net", workloads, 3, "/k", "https://a:6443")

    def judged(self, shell, wait, *pods: str) -> tuple[int, list[str]]:
        shell.command("kubectl", "exit 1")
        assert shell(wait.until)[0] == 1, "the moment is noted, whether anybody answers or not"
        shell.answers("".join(f"{pod}\n" for pod in pods))
        return shell(wait.hopeless)

    def test_it_has_time_for_every_node(self, wait):
        assert wait.deadline == timedelta(minutes=6)

    @pytest.mark.parametrize(
        ("pod", "said"),
        [
            (
                "net-1 on=w1 a:0: b:3:CrashLoopBackOff ",
                "net-1 on w1 cannot run: it ended 3 times (CrashLoopBackOff)",
            ),
            ("net-1 on=w1 a:4:Error ", "net-1 on w1 cannot run: it ended 4 times (Error)"),
            ("net-1 on= a:0:InvalidImageName ", "net-1 on no node yet cannot run: InvalidImageName"),
        ],
    )
    def test_one_that_ends_again_and_again_or_can_never_begin(self, shell, wait, pod, said):
        assert self.judged(shell, wait, f"2999-01-01T00:00:00Z {pod}") == (0, [said])

    @pytest.mark.parametrize(
        "pod",
        [
            "2020-01-01T00:00:00Z net-0 on=w1 a:9:CrashLoopBackOff ",
            "2999-01-01T00:00:00Z net-1 on=w1 a:2:CrashLoopBackOff ",
            "2999-01-01T00:00:00Z net-1 on=w1 a:1:Error ",
            "2999-01-01T00:00:00Z net-1 on=w1 a:9: b:0:ContainerCreating ",
            "2999-01-01T00:00:00Z net-1 on=w1 a:0:ImagePullBackOff ",
            "2999-01-01T00:00:00Z net-1 on= ",
            "",
        ],
        ids=[
            "of the form before",
            "twice",
            "once",
            "works",
            "an image that may come",
            "not placed yet",
            "no pods",
        ],
    )
    def test_others_have_time(self, shell, wait, pod):
        assert self.judged(shell, wait, pod) == (1, [])

    def test_its_last_words_are_told_beside_the_others(self, shell, wait):
        self.judged(shell, wait)
        pod = "2999-01-01T00:00:00Z net-1 on=w1 a:0: b:3:CrashLoopBackOff "
        state = "net-1 on=w1 Running true:0: false:3:CrashLoopBackOff "
        shell.command(
            "kubectl",
            f"""case $* in
  *logs*) echo "no interface nosuch0 ($*)" ;;
  *"-n a "*creationTimestamp*) echo "{pod}" ;;
  *"pods -n a "*) echo "{state}" ;;
esac""",
        )
        _, said = shell(f"kpy_hopeless() {{\n{wait.hopeless}\n}}\nkpy_hopeless\n{wait.diagnose}")
        assert "net-1 on w1 cannot run: it ended 3 times (CrashLoopBackOff)" in said
        assert "net-1 on w1: CrashLoopBackOff; restarts: 3" in said
        *_, whose, words = said
        assert whose == "net-1 says:"
        assert words.startswith("  no interface nosuch0 (")
        assert "logs net-1 -n a -c b --tail" in words


class TestProxyRoll:
    """Whether pods of kube-proxy's new form can ever work."""

    @pytest.mark.parametrize(
        ("pod", "said"),
        [
            ("kube-proxy-1 w1 2 4 CrashLoopBackOff", "it ended 2 times (CrashLoopBackOff)"),
            ("kube-proxy-1 w1 3 4 Error", "it ended 3 times (Error)"),
            ("kube-proxy-1 w1 0 4 ErrImagePull", "ErrImagePull"),
            ("kube-proxy-1 w1 1 4 Error", ""),
            ("kube-proxy-1 w1 9 3 Error", ""),
            ("kube-proxy-1 w1 9 4 ", ""),
            ("kube-proxy-1 w1  4 ", ""),
        ],
        ids=["waits", "ended", "image", "once", "of the form before", "works", "not begun"],
    )
    def test_who_ends_again_and_again(self, shell, pod, said):
        shell.command("kubectl", f'case $* in *daemonset*) echo 4 ;; *pods*) echo "{pod}" ;; esac')
        wait = proxy_waits.rolled(3, "/k", "https://a:6443")
        told = [f"kube-proxy on w1 cannot run: {said}"] if said else []
        assert shell(wait.hopeless) == (0 if said else 1, told)

    def test_the_node_on_which_it_does_not_work_is_named(self, shell):
        wait = proxy_waits.rolled(4, "/k", "https://a:6443")
        shell.answers("made=2 seen=2 want=4 new=1 have=3")
        assert shell(wait.until)[1] == ["kube-proxy is replaced on 1 of 4 nodes, 3 work"]
        (shell.folder / "proxies").write_text("kube-proxy-1 w1 1 2 Error\nkube-proxy-2 w2 0 1 \n")
        said = "kube-proxy is replaced on 1 of 4 nodes, 3 work; on w1: Error"
        assert shell(f"kpy_until() {{\n{wait.until}\n}}\nkpy_until\nkpy_until")[1] == [said, said]

    @pytest.mark.parametrize("lost", ["", "unable to retrieve container logs for containerd://3e0a"])
    @pytest.mark.parametrize("known", ["", "--previous"])
    def test_its_last_words_are_told_whichever_container_has_them(self, shell, known, lost):
        shell.command(
            "kubectl", f'case $* in *"{known} --tail"*) echo "must not be empty" ;; *) exit 1 ;; esac'
        )
        wait = proxy_waits.rolled(3, "/k", "https://a:6443")
        _, said = shell(f"guilty=kube-proxy-1\n{wait.diagnose}")
        assert said == ["  must not be empty"]
