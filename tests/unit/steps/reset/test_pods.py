"""The end of pods, run for real: crictl, systemctl and the processes are stand-ins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Remove, RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.steps.reset import host as reset
from kubeadm_py.steps.reset import pods as reset_pods

from . import resetting

POD = "1f2e3d4c-0000-4000-8000-00000000000a"
STATIC = "79f535064de5d40d4b9f87f4a827d9c7"
FOREIGN = "99999999-0000-4000-8000-00000000000b"


class Host:
    """A host below a folder: /proc, the kubelet's pods, crictl and systemctl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        (folder / "bin").mkdir()
        (folder / "proc/1").mkdir(parents=True)
        (folder / "proc/1/cgroup").write_text("0::/init.scope\n")
        (folder / "proc/1/comm").write_text("systemd\n")
        self.command("sleep", "exit 0")
        self.command("ctr", "exit 1")
        self.command("ip", "exit 1")
        self.command("systemctl", 'case "$*" in *LoadState*) echo not-found ;; esac')

    def command(self, name: str, body: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(f'#!/bin/sh\nF={self.folder}\nprintf "%s\\n" "{name} $*" >>$F/log\n{body}\n')
        file.chmod(0o755)

    def pod(self, uid: str) -> None:
        (self.folder / f"var/lib/kubelet/pods/{uid}").mkdir(parents=True)

    def process(self, pid: int, comm: str, cgroup: str) -> None:
        proc = self.folder / f"proc/{pid}"
        proc.mkdir()
        (proc / "comm").write_text(f"{comm}\n")
        (proc / "cgroup").write_text(f"{cgroup}\n")

    def network(self, name: str) -> None:
        (self.folder / "run/netns").mkdir(parents=True, exist_ok=True)
        (self.folder / "run/netns" / name).touch()

    def stop(self, *, advice: str = "", immune: str = "") -> tuple[int, str]:
        """Run the script; killing a process takes it away, unless the signal is `immune`."""
        action = reset_pods.stop(advice=advice)
        script = action.script.replace("/proc/", f"{self.folder}/proc/").replace(
            paths.KUBELET_DIR, f"{self.folder}{paths.KUBELET_DIR}"
        )
        script = script.replace("/run/netns", f"{self.folder}/run/netns")
        script = script.replace(paths.CNI_CONF_DIR, f"{self.folder}{paths.CNI_CONF_DIR}")
        script = script.replace(paths.CRICTL_CONFIG, f"{self.folder}/crictl.yaml")
        frame = f"""kpy_mkdir() {{ mkdir -p "$@"; }}
kpy_warn() {{ echo "warning $*" >>{self.log}; }}
kill() {{
  echo "kill $*" >>{self.log}
  case " {immune} " in *" $2 "*) ;; *) rm -r "{self.folder}/proc/$3" ;; esac
}}
"""
        done = subprocess.run(
            ["sh", "-euc", frame + script],
            env={"PATH": f"{self.folder}/bin:/usr/bin:/bin", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr

    @property
    def done(self) -> list[str]:
        return self.log.read_text().splitlines()

    @property
    def warnings(self) -> list[str]:
        return [line.removeprefix("warning ") for line in self.done if line.startswith("warning ")]


@pytest.fixture
def host(tmp_path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def running(host) -> Host:
    """A host with a pod and a static pod, one process of each, and without a runtime."""
    host.pod(POD)
    host.pod(STATIC)
    host.process(100, "coredns", f"0::/kubepods/burstable/pod{POD}/0abc")
    slices = "0::/kubepods.slice/kubepods-burstable.slice"
    host.process(200, "etcd", f"{slices}/kubepods-burstable-pod{STATIC}.slice/cri-containerd-0def.scope")
    host.process(300, "sshd", "0::/system.slice/ssh.service")
    return host


def test_with_a_runtime_its_pods_go(host):
    host.command(
        "crictl", 'case "$*" in "pods -q") [ -e $F/gone ] || echo p1 ;; *rmp*) touch $F/gone ;; esac'
    )
    assert host.stop() == (0, "")
    assert "crictl --timeout 30s rmp -f p1" in host.done
    assert host.done[-1] == "systemctl stop kubepods.slice"
    assert host.warnings == []


def test_pods_that_no_kubelet_made_stay_and_are_told(host):
    host.command(
        "crictl", 'case "$*" in *pods*-q) [ -e $F/gone ] || echo p1; echo p2 ;; *rmp*) touch $F/gone ;; esac'
    )
    listing = "-a /run/containerd/containerd.sock -n k8s.io containers ls -q"
    host.command("ctr", f'case "$*" in "{listing} "*) echo p1 ;; *) exit 1 ;; esac')
    assert host.stop() == (0, "")
    (removed,) = [line for line in host.done if " rmp " in line]
    assert removed.endswith(" rmp -f p1")
    assert host.warnings == ["no kubelet made these pods, so they stay (crictl pods): p2 "]


def test_another_runtimes_pods_are_not_looked_up_in_containerd(host):
    (host.folder / "crictl.yaml").write_text("runtime-endpoint: unix:///var/run/crio/crio.sock\n")
    host.command(
        "crictl", 'case "$*" in "pods -q") [ -e $F/gone ] || echo p1 ;; *rmp*) touch $F/gone ;; esac'
    )
    host.command("ctr", "true")
    assert host.stop() == (0, "")
    assert "crictl --timeout 30s rmp -f p1" in host.done


@pytest.mark.parametrize("alive", ["pods -q --id p1 --state ready", "ps -q --pod p1"])
def test_pods_that_do_not_go_are_named(host, alive):
    host.command("crictl", f'case "$*" in "pods -q") echo p1 ;; "{alive}") echo it ;; esac')
    code, said = host.stop()
    assert code == 1
    assert "these pods do not go: p1" in said
    assert "reboot" in said


@pytest.mark.parametrize("forgets", [True, False])
def test_pods_whose_network_cannot_be_taken_down_hold_nothing_up(host, forgets):
    """The CNI configuration was removed before: nothing runs in them, and only the runtime knows of them."""
    host.network("cni-1")
    listed = "[ -e $F/gone ] || { echo p1; echo p2; }"
    forget = "ls $F/etc/cni/net.d/*.conflist >$F/seen && touch $F/gone" if forgets else "exit 1"
    host.command("crictl", f'case "$*" in "pods -q") {listed} ;; *stopp*) exit 1 ;; *rmp*) {forget} ;; esac')
    assert host.stop() == (0, "")
    assert "ip netns delete cni-1" in host.done
    assert not list((host.folder / "etc/cni/net.d").iterdir()), "it lies there for that moment only"
    told = ["nothing runs in these pods, but containerd.service cannot forget them: p1 p2"]
    assert host.warnings == ([] if forgets else told)


@pytest.mark.parametrize(
    ("config", "unit"),
    [("", "containerd.service"), ("runtime-endpoint: unix:///var/run/crio/crio.sock", "crio.service")],
)
def test_a_runtime_that_is_stopped_is_started(running, config, unit):
    (running.folder / "crictl.yaml").write_text(config)
    running.command("crictl", "[ -e $F/started ] || exit 1")
    running.command(
        "systemctl",
        f'case "$*" in *LoadState*{unit}) echo loaded ;; "start {unit}") touch $F/started ;; esac',
    )
    assert running.stop() == (0, "")
    assert f"systemctl start {unit}" in running.done
    assert not [line for line in running.done if line.startswith("kill ")]
    assert running.warnings == []


def test_without_a_runtime_the_kubelets_pods_are_ended_by_their_cgroups(running):
    running.pod("5a5a")
    running.process(400, "redis", f"0::/kubepods/besteffort/pod{FOREIGN}/0aaa")
    assert running.stop(advice=reset_pods.BY_HAND) == (0, "")
    assert [line for line in running.done if line.startswith("kill ")] == [
        "kill -s TERM 100",
        "kill -s TERM 200",
    ]
    [said] = running.warnings
    assert "ended without it" in said
    assert said.endswith("once it runs again: crictl pods, crictl rmp --force ID")
    assert "systemctl stop kubepods.slice" not in running.done, "there is a process that is not ours in it"


def test_networks_outlive_no_pod_that_a_dead_runtime_left(running):
    for name in ("cni-1", "cni-2", "blue"):
        running.network(name)
    running.command("ip", 'case "$*" in "netns pids cni-2") echo 77 ;; esac')
    assert running.stop()[0] == 0
    deleted = [line for line in running.done if line.startswith("ip netns delete")]
    assert deleted == ["ip netns delete cni-1"], "in one somebody lives, and one is no pod's"


def test_the_slice_goes_once_the_last_process_has_ended(host):
    host.command("crictl", "exit 0")
    host.process(100, "pause", "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-a.scope")
    host.command("sleep", "rm -rf $F/proc/100")
    assert host.stop() == (0, "")
    assert host.done[-1] == "systemctl stop kubepods.slice"


def test_what_ends_with_the_runtime_needs_no_advice(running):
    assert running.stop()[0] == 0
    assert running.warnings[0].endswith("were ended without it")
    assert running.done[-1] == "systemctl stop kubepods.slice"


def test_what_does_not_heed_is_killed(running):
    assert running.stop(immune="TERM")[0] == 0
    kills = [line for line in running.done if line.startswith("kill ")]
    assert kills == [f"kill -s {signal} {pid}" for signal in ("TERM", "KILL") for pid in (100, 200)]


def test_what_does_not_end_at_all_is_named(running):
    code, said = running.stop(immune="TERM KILL")
    assert code == 1
    assert f"100 {POD} coredns" in said
    assert f"200 {STATIC} etcd" in said
    assert "mend containerd.service" in said


@pytest.mark.parametrize("name", ["kubelet", "k3s-server", "kubelite"])
def test_pods_that_another_kubelet_may_own_are_left_alone_and_named(running, name):
    running.process(500, name, "0::/system.slice/k3s.service")
    code, said = running.stop()
    assert code == 1
    assert "pid 500" in said
    assert f"100 {POD} coredns" in said
    assert not [line for line in running.done if line.startswith("kill ")]


def test_a_host_without_runtime_and_pods_is_no_news(host):
    assert host.stop() == (0, "")
    assert host.warnings == []
    host.pod(POD)
    assert host.stop() == (0, "")
    [said] = host.warnings
    assert "no process of a pod runs" in said


def plan(**made: bool) -> list:
    entries = {path: {"sha256": "", "mode": "0644", "made": ours} for path, ours in made.items()}
    return resetting.actions(Inventory("demo", entries), HostFacts(), keep_artifacts=False)


@pytest.mark.parametrize(
    ("ours", "keeps", "advice"),
    [(True, False, ""), (True, True, reset_pods.RESET_AGAIN), (False, False, reset_pods.BY_HAND)],
)
def test_what_to_do_about_what_a_dead_runtime_remembers(ours, keeps, advice):
    """It goes with a runtime that is ours; a host with an inventory may be reset again."""
    inventory = Inventory("demo", {paths.CONTAINERD_UNIT: {"sha256": "", "mode": "0644", "made": ours}})
    assert reset.ResetHost(inventory, HostFacts(), keep_artifacts=keeps).advice == advice


def script_of(actions: list, title: str) -> str:
    (script,) = [one.script for one in actions if isinstance(one, RunScript) and one.title == title]
    return script


def test_a_masked_unit_leaves_no_link_behind(tmp_path):
    wants = tmp_path / "multi-user.target.wants"
    wants.mkdir()
    for unit in ("containerd.service", "ssh.service"):
        (wants / unit).symlink_to("/lib/systemd/system/x")
    inventory = Inventory("demo", {}, [], ["containerd.service"])
    script = script_of(resetting.actions(inventory, HostFacts(), keep_artifacts=False), "disable our units")
    frame = "systemctl() { return 1; }\n"
    subprocess.run(["sh", "-euc", frame + script.replace("/etc/systemd/system", str(tmp_path))], check=True)
    assert [link.name for link in wants.iterdir()] == ["ssh.service"]


def test_the_plugins_notes_of_our_network_go_and_those_of_others_stay(tmp_path):
    state = tmp_path / "cni"
    ours = [
        "networks/cbr0/10.244.0.2",
        "networks/cbr0/last_reserved_ip.0",
        f"results/cbr0-{'a' * 64}-eth0",
        f"results/cni-loopback-{'a' * 64}-lo",
    ]
    theirs = ["networks/podman/10.88.0.2", f"results/podman-{'b' * 64}-eth0", "nerdctl/x"]

    def run() -> None:
        script = script_of(plan(**{"/etc/x": True}), "remove what plugins noted of pods")
        subprocess.run(["sh", "-euc", script.replace(paths.CNI_STATE_DIR, str(state))], check=True)

    run()
    for name in [*ours, *theirs]:
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).touch()
    run()
    assert sorted(str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()) == sorted(
        theirs
    )
    for name in theirs:
        (state / name).unlink()
    (state / "nerdctl").rmdir()
    (state / "networks/podman").rmdir()
    run()
    assert not state.exists()


def test_no_plan_removes_the_plugins_directory_as_a_whole():
    for action in plan(**{paths.CONTAINERD_UNIT: True}):
        assert not (isinstance(action, Remove) and paths.CNI_STATE_DIR in action.paths)


@pytest.mark.parametrize("ours", [True, False])
def test_a_dead_runtimes_mounts_are_cleared_away_only_if_it_was_ours(ours):
    actions = plan(**{paths.CONTAINERD_UNIT: ours})
    titles = [one.title for one in actions if isinstance(one, RunScript)]
    assert ("unmount what containers had mounted" in titles) is ours


def test_only_the_shims_and_mounts_of_the_cri_are_cleared_away(tmp_path):
    proc = tmp_path / "proc"
    shims = {10: "k8s.io", 11: "moby", 12: "k8s.io"}
    for pid, namespace in shims.items():
        (proc / str(pid)).mkdir(parents=True)
        (proc / f"{pid}/comm").write_text("containerd-shim\n" if pid != 12 else "grep\n")
        (proc / f"{pid}/cmdline").write_text(
            f"/bin/containerd-shim-runc-v2\0-namespace\0{namespace}\0-id\0x\0"
        )
    tasks = "/run/containerd/io.containerd.runtime.v2.task"
    cri = "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/a/shm"
    mounts = ["/", f"{tasks}/k8s.io/a", f"{tasks}/k8s.io/a/rootfs", f"{tasks}/moby/b/rootfs", cri]
    (proc / "mounts").write_text("".join(f"x {mount} overlay rw 0 0\n" for mount in mounts))
    umount = tmp_path / "umount"
    umount.write_text(f'#!/bin/sh\necho "umount $*" >>{tmp_path}/log\n')
    umount.chmod(0o755)
    script = script_of(plan(**{paths.CONTAINERD_UNIT: True}), "unmount what containers had mounted")
    frame = f'kill() {{ echo "kill $*" >>{tmp_path}/log; }}\n'
    subprocess.run(
        ["sh", "-euc", frame + script.replace("/proc/", f"{proc}/")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "LC_ALL": "C"},
        check=True,
    )
    assert (tmp_path / "log").read_text().splitlines() == [
        "kill -s KILL 10",
        f"umount {tasks}/k8s.io/a/rootfs",
        f"umount {tasks}/k8s.io/a",
        f"umount {cri}",
    ]


def test_unmount_flags_become_umounts_own() -> None:
    inventory = Inventory("demo", {f"{paths.ADMIN_CONF}": {"sha256": "", "mode": "0600", "made": True}})

    def umount(*flags: str) -> str:
        actions = resetting.actions(inventory, HostFacts(), keep_artifacts=False, unmount_flags=flags)
        (script,) = [
            a.script for a in actions if isinstance(a, RunScript) and a.title.startswith("unmount what pods")
        ]
        (line,) = [line for line in script.splitlines() if "umount" in line]
        return line.partition("umount ")[2].partition('"$(')[0]

    assert umount() == ""
    assert umount("UMOUNT_NOFOLLOW") == ""
    assert umount("MNT_DETACH", "MNT_FORCE", "MNT_FORCE") == "--lazy --force "
