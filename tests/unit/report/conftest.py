"""Scripted runs, with times that do not depend on the clock."""

from __future__ import annotations

import pytest

from kubeadm_py.engine.events import (
    ActionDone,
    Cause,
    Event,
    Failed,
    Found,
    HostDone,
    HostProgress,
    HostStarted,
    Notice,
    Planned,
    RunDone,
    RunHost,
    RunStarted,
    StageAhead,
    StageDone,
    StagesAhead,
    StageStarted,
    Timing,
)
from kubeadm_py.model.changes import Change, HostChanges, Sign

START = 1_790_000_000.0
LONG = "worker-with-a-long-name.example.com"
HOSTS = (
    *(RunHost(name, "control-plane") for name in ("cp1", "cp2", "cp3")),
    *(RunHost(name, "worker") for name in ("w1", LONG)),
    RunHost("e1", "etcd"),
)
NAMES = tuple(host.name for host in HOSTS)
MANY = (RunHost("cp1", "control-plane"), *(RunHost(f"w{number}", "worker") for number in range(1, 101)))


def opening() -> list[Event]:
    return [
        RunStarted("apply", "demo", "v1.36.3", HOSTS, "bundle ./bundle (1.36.3, 41 files)", time=START),
        StagesAhead(
            (StageAhead("prepare", "runtime, kubelet, images"), StageAhead("control", "control plane")),
            time=START,
        ),
        StageStarted("look", "reach and probe", NAMES, time=START),
        *(HostStarted("look", name, time=START) for name in NAMES),
        *(HostDone("look", name, 0.9, time=START + 1) for name in NAMES),
        StageDone(
            "look", 1.4, summary="6 hosts reached, host keys known, 212 checks: 0 errors, 2 warnings",
            time=START + 1.4,
        ),
        Found(
            "ClockSkew", "warning", "w1", "2.3 s behind the median of all hosts of this run",
            "install or start a time service: systemctl enable --now systemd-timesyncd.service",
            time=START + 1.4,
        ),
        Found("Mem", "warning", "cp1", "1200 MiB", "add memory", ignored=True, time=START + 1.4),
        Notice("info", "flannel: ready once the first worker has joined", time=START + 1.5),
        Notice(
            "warning", "cluster.yaml:12  role: `master` is called control-plane", fix="rename it",
            time=START + 1.5,
        ),
    ]  # fmt: skip


def prepare(ok: bool = True) -> list[Event]:
    return [
        StageStarted("prepare", "runtime, kubelet, images", NAMES, time=START + 2),
        *(HostStarted("prepare", name, time=START + 2) for name in NAMES[:5]),
        HostProgress("prepare", "cp1", "containerd", time=START + 2),
        ActionDone("prepare", "cp1", "WriteFiles", "write 12 files", True, "", 0.25, time=START + 3),
        ActionDone("prepare", "cp1", "Unit", "containerd started", False, "", 0.05, time=START + 3),
        HostProgress("prepare", "cp1", "waiting for \x1b[31mimages\x1b[0m (2 of 7)", time=START + 3),
        HostProgress("prepare", "cp1", "waiting for \x1b[31mimages\x1b[0m (2 of 7)", time=START + 4),
        HostDone("prepare", "cp1", 3.25, 5, time=START + 5),
        HostDone("prepare", LONG, 4.5, 0, "" if ok else "containerd does not start: exit 1", time=START + 6),
        StageDone("prepare", 4.8, 5, ok=ok, time=START + 6.8),
    ]


TIMINGS = tuple(
    Timing(stage, name, seconds + index)
    for stage, seconds in (("look", 0.9), ("prepare", 3.25), ("control", 70.0))
    for index, name in enumerate(NAMES)
)

_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_AUDIT = f"""\
--- {_MANIFEST} (now)
+++ {_MANIFEST} (planned)
@@ -13,7 +13,7 @@ command
   containers:
   - command:
     - kube-apiserver
-    - --audit-log-maxage=7
+    - --audit-log-maxage=30
     - --authorization-mode=Node,RBAC
"""
_RUNC = """\
--- /etc/containerd/config.toml (now)
+++ /etc/containerd/config.toml (planned)
@@ -30,3 +30,3 @@ [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
-            SystemdCgroup = false
+            SystemdCgroup = true
"""
_LONG_DIFF = "--- a\n+++ b\n@@ -1,0 +1,60 @@\n" + "".join(f"+line {number}\n" for number in range(60))


def _control_plane(name: str) -> HostChanges:
    because = "apiServer.extraArgs.audit-log-maxage changed (cluster.yaml:41)"
    return HostChanges(
        name,
        (
            Change(Sign.CHANGE, "file", _MANIFEST, because, diff=_AUDIT),
            Change(
                Sign.CHANGE, "file", "/etc/kubernetes/pki/apiserver.crt", "apiServer.certSANs changed",
                ("new SAN api.corp.example", "valid until 2027-11-30 -> 8760h from then on", "new key"),
            ),
        ),
        ("kube-apiserver",),
    )  # fmt: skip


PLANNED = (
    *map(_control_plane, ("cp1", "cp2", "cp3")),
    HostChanges(
        "w1",
        (
            Change(
                Sign.DRIFT, "file", "/etc/containerd/config.toml",
                "changed by hand since 2026-11-18 09:12 UTC (drift)", ("mode 0600 -> 0644",), _RUNC,
            ),
            Change(Sign.DO, "unit", "containerd.service restarted", "the config changed"),
            Change(
                Sign.DO, "setting", "set net.ipv4.ip_forward", details=("net.ipv4.ip_forward 0 -> 1",),
            ),
            Change(Sign.REMOVE, "file", "/etc/old.conf", "the config no longer asks for it"),
            Change(Sign.CHANGE, "file", "/etc/long", "missing or changed", diff=_LONG_DIFF),
        ),
        ("containerd",),
    ),
    HostChanges(
        LONG,
        (
            *(
                Change(Sign.ADD, "file", f"/usr/bin/{name}", "", ("0755",), size=41_500_000)
                for name in ("containerd", "containerd-shim-runc-v2", "crictl", "ctr", "kubectl", "kubelet")
            ),
            Change(Sign.ADD, "file", "/etc/crictl.yaml", "", ("0644",), size=70),
            Change(Sign.ADD, "images", "7 images", details=("registry.k8s.io/pause:3.10.2",)),
            Change(Sign.ADD, "file", "/var/lib/kubeadm-py/applied/ca", own=True),
        ),
    ),
)  # fmt: skip
OBJECTS = (Change(Sign.CHANGE, "object", "ConfigMap kube-system/kubeadm-config", "upload-config/kubeadm"),)

RUNS: dict[str, list[Event]] = {
    "done": [
        *opening(),
        *prepare(),
        RunDone(
            "demo is up: 6 of 6 nodes Ready, 3 etcd members healthy, DNS answers", 0, 121.7, 5, NAMES,
            (
                "export KUBECONFIG=$(kubeadm-py kubeconfig get --config cluster.yaml --path)",
                "kubectl get nodes",
                "kubeadm-py join 10.99.0.11:6443 --host root@10.0.0.21 --token-file - "
                "--discovery-token-ca-cert-hash sha256:" + "ab" * 32,
            ),
            TIMINGS, time=START + 121.7,
        ),
    ],
    "failed": [
        *opening(),
        *prepare(ok=False),
        Failed(
            "containerd does not start: exit 1",
            LONG,
            (
                "containerd says: failed to load plugin io.containerd.grpc.v1.cri: no such file or directory",
                "   indented \x1b]0;title\x07detail",
                "look: journalctl -u containerd --no-pager --since today --output short-precise",
            ),
            "look: kubeadm-py logs containerd --host w1\n"
            "mend: kubeadm-py reset --config cluster.yaml --host w1 && "
            "kubeadm-py apply --config cluster.yaml",
            time=START + 7,
        ),
        RunDone("apply failed", 1, 7.0, 5, NAMES, (), TIMINGS[:6], (Cause(1, LONG, "x"),), time=START + 7),
    ],
    "refused": [
        opening()[0],
        Failed(
            "preflight refused: 3 errors on 2 of 6 hosts; nothing was changed anywhere",
            "",
            (
                "w1  Port-10250  something listens on 10250: kubelet (pid 811, /usr/bin/kubelet)",
                "    another cluster's node? look: kubeadm-py reset --host w1 --dry-run",
                "w1  ResolvLoop  /etc/resolv.conf names 127.0.0.1 (dnsmasq, pid 640); CoreDNS would forward "
                "to itself and crash",
                "    write the real servers to a file and name it in KubeletConfiguration.resolvConf",
                "cp1  Swap  is on",
            ),
            "mend that, or to go on anyway: --ignore-preflight-errors=Port-10250,ResolvLoop,Swap",
            3,
            time=START + 1,
        ),
        RunDone("apply failed", 3, 1.0, 0, NAMES, time=START + 1),
    ],
    "many-alike": [
        RunStarted("preflight", "demo", "v1.36.3", MANY, time=START),
        *(Found("Swap", "warning", host.name, "is on", "swapoff -a", time=START + 1) for host in MANY),
        Found("ClockSkew", "warning", "w7", "2.3 s behind the median", time=START + 1),
        Failed(
            "preflight refused: 102 errors on 101 of 101 hosts; nothing was changed anywhere",
            "",
            (
                "cp1  Mem  800 MiB",
                *(
                    line
                    for host in MANY
                    for line in (
                        f"{host.name}  Port-10250  something listens on 10250",
                        "    another cluster's node?",
                    )
                ),
                "w7  Mem  800 MiB",
                *(f"{host.name}  Hostname  is localhost" for host in MANY),
            ),
            exit_code=3,
            time=START + 1,
        ),
        RunDone("preflight refused", 3, 1.0, 0, time=START + 1),
    ],
    "refused-alike": [
        opening()[0],
        Failed(
            "preflight refused: 4 errors on 3 of 6 hosts; nothing was changed anywhere",
            "",
            (
                *(
                    line
                    for name in ("cp1", "cp2", "w1")
                    for line in (
                        f"{name}  AddonInterfaces  no interface is what flannel.parameters.iface asks for "
                        f"(nosuch0); the host has eth0 10.99.71.1{name[-1]}/24, lo",
                        "    correct it, or leave it out: the interface with the node's IP is taken then",
                    )
                ),
                f"{LONG}  Swap  is on",
                "    swapoff -a",
            ),
            "mend that, or to go on anyway: --ignore-preflight-errors=AddonInterfaces,Swap",
            3,
            time=START + 1,
        ),
        RunDone("apply failed", 3, 1.0, 0, NAMES, time=START + 1),
    ],
    "unreachable": [
        opening()[0],
        *(
            Failed(
                "cannot connect to 10.99.0.21 port 22: no answer within 10 s", name, (),
                f"is the machine up, and does sshd listen there? try: ssh -p 22 root@{name}",
                7, time=START + 10,
            )
            for name in ("w1", "cp1")
        ),
        RunDone("apply failed", 7, 10.0, 0, NAMES, time=START + 10),
    ],
    "unchanged": [
        opening()[0],
        RunDone(
            "demo matches cluster.yaml: 6 hosts, 183 files checked, nothing changed", 0, 2.14, time=START + 2
        ),
    ],
    "matching": [
        opening()[0],
        opening()[1],
        StageStarted("look", "reach and probe", NAMES, time=START),
        *(HostDone("look", name, 0.9, time=START + 1) for name in NAMES),
        StageDone("look", 0.8, summary="6 hosts reached", time=START + 1.4),
        StageStarted("proxy-rules", "kube-proxy's rules stay", NAMES, time=START + 1.4),
        StageDone("proxy-rules", 0.2, time=START + 1.4),
        StageStarted("prepare", "runtime, kubelet, images", NAMES, time=START + 1.4),
        *(HostDone("prepare", name, 0.1, time=START + 1.5) for name in NAMES),
        StageDone("prepare", 0.2, time=START + 1.6),
        StageStarted("control", "control plane", ("cp1",), time=START + 1.6),
        HostDone("control", "cp1", 4.1, time=START + 5.7),
        StageDone("control", 4.1, time=START + 5.7),
        RunDone(
            "demo matches cluster.yaml: 6 hosts, 183 files of ours, nothing changed", 0, 5.8, 0, NAMES,
            timings=TIMINGS[:6], time=START + 5.8,
        ),
    ],
    "stopped": [
        opening()[0],
        *(
            Failed(
                f"stopped by Ctrl-C; {done} of 21 actions of stage control are done", name,
                ("not done or not finished: wait for kube-apiserver",),
                "run the same command again: it goes on where it stopped", 130, time=START + 8,
            )
            for name, done in (("cp2", 7), ("cp3", 7), ("cp1", 9))
        ),
        Failed(
            "stopped by Ctrl-C; nothing new was begun", "", (),
            "run the same command again: it goes on where it stopped", 130, time=START + 8,
        ),
        RunDone(
            "apply was stopped by Ctrl-C", 130, 8.0, 5, NAMES, (), tuple(reversed(TIMINGS[:6])),
            time=START + 8,
        ),
    ],
    "interrupted": [RunDone("apply was interrupted", 130, 2.1, time=START + 2)],
    "plan": [
        opening()[0],
        Planned("plan", PLANNED, OBJECTS, NAMES, ("cp1", "cp2", "cp3"), time=START + 2),
        RunDone(
            "3 restarts of kube-apiserver, 1 restart of containerd, 9 files, 1 object; 1 changed by hand",
            4, 2.1, next=("kubeadm-py apply --config cluster.yaml",), time=START + 2,
        ),
    ],
}  # fmt: skip


@pytest.fixture(params=RUNS)
def run(request):
    """Return the name and the events of one run after the other."""
    return request.param, RUNS[request.param]


@pytest.fixture
def runs():
    return RUNS


@pytest.fixture
def golden(pytestconfig):
    """Compare text with a golden file; UPDATE_GOLDEN=1 writes it instead."""
    import os
    from pathlib import Path

    folder = Path(__file__).parent / "golden"

    def compare(name: str, text: str) -> None:
        path = folder / f"{name}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text)
        assert text == path.read_text()

    return compare
