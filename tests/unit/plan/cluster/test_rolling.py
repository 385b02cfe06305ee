"""An edited file on a cluster that runs: what is guarded, in which order, and who waits for whom."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import pytest

from kubeadm_py.addons.inventory import Ref
from kubeadm_py.engine.events import HostDone, HostStarted
from kubeadm_py.model import live, paths
from kubeadm_py.model.actions import ApplyObjects, Guard, RestartStaticPod, Settle, Unit, Wait, WriteFiles
from kubeadm_py.model.cluster import AddonRequest
from kubeadm_py.model.components import Arg, Component
from kubeadm_py.model.facts import FileFact, Listener
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.preflight.run import PreflightRefused
from kubeadm_py.render import objects
from kubeadm_py.steps.kube_proxy import reads as proxy_reads

MANIFESTS = paths.MANIFESTS_DIR
APISERVER = f"{MANIFESTS}/kube-apiserver.yaml"


@pytest.fixture
def running(make_world):
    """Three control planes and two workers that serve."""
    world = make_world(control_planes=3, workers=2, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    serve(world)
    world.forget()
    return world


def serve(world, *names: str) -> None:
    for name, machine in world.machines.items():
        if name.startswith("cp") and (not names or name in names):
            machine.facts = replace(machine.facts, listeners=(Listener("tcp", "0.0.0.0", 6443),))


def edit(world, **changes) -> None:
    world.cluster = replace(world.cluster, **changes)


def api_server(**flags: str) -> Component:
    return Component(extra_args=tuple(Arg(*each) for each in flags.items()))


def planned(world, stage: str, host: str) -> list:
    """Return what a dry run would do on a host in a stage."""
    plan = world.apply(dry_run=True).plan
    [found] = [each for each in plan.stages if each.id == stage]
    [mine] = [each for each in found.hosts if each.host == host]
    return [action for step in mine.steps for action in step.actions]


def titles(actions) -> list[str]:
    def title(each) -> str:
        return getattr(each, "title", "") or getattr(each, "name", "")

    return [f"{type(each).__name__} {title(each)}" for each in actions]


def kinds(actions, *wanted) -> list[str]:
    return [name for name, each in zip(titles(actions), actions, strict=True) if isinstance(each, wanted)]


def test_without_an_edit_nothing_is_guarded(running):
    assert not kinds(planned(running, "control", "cp2"), Guard, Settle)
    assert planned(running, "join", "w1") == []


def test_a_changed_manifest_is_written_waited_for_and_settled(running):
    edit(running, api_server=api_server(v="2"))
    actions = planned(running, "control", "cp2")
    assert titles(actions)[:6] == [
        "Wait wait for the other control planes",
        "Guard keep what changes",
        "WriteFiles static pod manifests",
        "Wait wait for kube-apiserver to be replaced",
        "Wait wait for the kubelet",
        "Wait wait for kube-apiserver",
    ]
    assert titles(actions)[6] == "Settle all of it works"
    [guard] = [each for each in actions if isinstance(each, Guard)]
    assert guard.files == (APISERVER,)
    assert guard.pods == ("kube-apiserver",)
    assert kinds(guard.recover, Wait) == ["Wait wait for kube-apiserver to be replaced"]
    asked, _, etcd = actions[0].until.partition("own_client=")
    assert "https://10.0.0.11:6443" in asked
    assert "https://10.0.0.13:6443" in asked
    assert "https://10.0.0.12:6443" not in asked
    assert "endpoint health --cluster" in etcd


def test_etcd_is_replaced_before_the_api_server_is_touched(running):
    local = replace(running.cluster.etcd.local, extra_args=(Arg("heartbeat-interval", "200"),))
    edit(
        running,
        etcd=replace(running.cluster.etcd, local=local),
        api_server=api_server(v="2"),
        scheduler=api_server(v="2"),
        controller_manager=api_server(v="2"),
    )
    waits = kinds(planned(running, "control", "cp1"), Wait, WriteFiles)
    assert waits[1:7] == [
        "WriteFiles etcd's manifest",
        "Wait wait for etcd to be replaced",
        "WriteFiles static pod manifests",
        "Wait wait for kube-apiserver to be replaced",
        "Wait wait for kube-controller-manager to be replaced",
        "Wait wait for kube-scheduler to be replaced",
    ]


def test_a_certificate_that_is_read_anew_restarts_nothing(running):
    edit(running, api_server_cert_sans=("api.example",))
    actions = planned(running, "control", "cp3")
    assert not kinds(actions, RestartStaticPod)
    [guard] = [each for each in actions if isinstance(each, Guard)]
    assert f"{paths.PKI_DIR}/apiserver.key" in guard.files
    served = titles(actions).index("Settle all of it works") - 1
    assert "api.example" in titles(actions)[served], "it is put back where it is not served"


@pytest.mark.parametrize(("stage", "host"), [("control", "cp1"), ("join", "w1")])
def test_a_kubelet_is_restarted_and_its_node_told_of(running, stage, host):
    edit(running, kubelet_config={**running.cluster.kubelet_config, "maxPods": 99})
    actions = planned(running, stage, host)
    [guard] = [each for each in actions if isinstance(each, Guard)]
    assert guard.files == (paths.KUBELET_CONFIG,)
    assert [type(each) for each in guard.recover] == [Unit, Wait]
    tail = titles(actions)
    start = tail.index("WriteFiles kubelet configuration")
    assert tail[start + 1] == "Unit kubelet.service"
    assert tail[tail.index("Settle all of it works") - 1] == "Wait wait for the kubelet to be back"


def test_a_manifest_that_means_the_same_keeps_its_pod(running):
    machine = running.machines["cp2"]
    machine._put(APISERVER, machine.content[APISERVER] + b"\n# a note\n", 0o644, "root:root")
    actions = planned(running, "control", "cp2")
    assert "WriteFiles static pod manifests" in titles(actions), "its mode is another one"
    assert not any("to be replaced" in title for title in titles(actions))


def test_workers_go_one_by_one_after_the_control_planes(running):
    edit(running, kubelet_config={**running.cluster.kubelet_config, "maxPods": 99})
    running.apply()
    at_work: list[str] = []
    for event in running.events:
        if isinstance(event, HostStarted | HostDone) and event.stage in ("control", "join"):
            at_work.append(f"{'+' if isinstance(event, HostStarted) else '-'}{event.host}")
    assert all(begin[1:] == end[1:] for begin, end in zip(at_work[::2], at_work[1::2], strict=True))
    assert [each[1:] for each in at_work[:6:2]] == ["cp1", "cp2", "cp3"]
    assert {each[1:] for each in at_work[6:]} == {"w1", "w2"}


def test_after_a_control_plane_that_failed_nobody_is_begun(running):
    edit(running, kubelet_config={**running.cluster.kubelet_config, "maxPods": 99})
    running.machines["cp2"].kill("control", 2)
    with pytest.raises(RunFailedError):
        running.apply()
    assert running.machines["cp1"].stages == ["control", "ready"]
    assert running.machines["cp3"].stages == running.machines["w1"].stages == []


def test_who_does_not_serve_goes_first(running):
    edit(running, api_server=api_server(v="2"))
    machine = running.machines["cp2"]
    machine.facts = replace(machine.facts, listeners=())
    running.apply()
    begun = [event.host for event in running.event(HostStarted) if event.stage == "control"]
    assert begun == ["cp2", "cp1", "cp3"]


def cut_off(world, host: str, *lines: str) -> None:
    """Leave what a run that was killed on a host leaves."""
    machine = world.machines[host]
    content = "".join(f"{line}\n" for line in lines).encode()
    fact = FileFact(paths.kept_list("host"), 0o600, "root:root", "0" * 64, len(content), content)
    machine.facts = replace(machine.facts, files={**machine.facts.files, paths.kept_list("host"): fact})


def test_what_a_killed_run_began_is_gone_on_with(running):
    cut_off(running, "cp2", f"kept {APISERVER}", f"kept {paths.KUBELET_CONFIG}", f"kept {paths.INVENTORY}")
    actions = planned(running, "control", "cp2")
    [guard] = [each for each in actions if isinstance(each, Guard)]
    assert guard.files == (APISERVER, paths.KUBELET_CONFIG)
    assert not kinds(actions, WriteFiles), "all of it was written"
    assert "Wait wait for kube-apiserver to be replaced" in titles(actions)
    assert "Unit kubelet.service" in titles(actions), "nobody knows whether it was restarted"
    assert titles(actions)[titles(actions).index("Settle all of it works") - 1] == (
        "Wait wait for the kubelet to be back"
    )


def test_an_api_server_that_a_killed_run_broke_can_go_back(running):
    """It serves nothing now; its kubelet would keep the broken pod."""
    cut_off(running, "cp2", f"kept {APISERVER}")
    machine = running.machines["cp2"]
    machine.facts = replace(machine.facts, listeners=())
    actions = planned(running, "control", "cp2")
    assert "Wait wait for the other control planes" not in titles(actions), "it is away already"
    [guard] = [each for each in actions if isinstance(each, Guard)]
    assert titles(guard.recover) == ["RunScript replace pods", "Wait wait for kube-apiserver to be replaced"]


def test_founders_wait_for_nobody(make_world):
    """A founding that was cut off has kubelets that run, and nothing that one could go back to."""
    world = make_world(control_planes=3, workers=0, control_plane_endpoint="10.0.0.11:6443")
    world.machines["cp1"].kill("control", 6)
    with pytest.raises(RunFailedError):
        world.apply()
    edit(world, api_server=api_server(v="2"))
    for name in world.machines:
        assert not kinds(planned(world, "control", name), Guard)


def proxied(world) -> list:
    edit(world, kube_proxy_config={**world.cluster.kube_proxy_config, "mode": "nftables"})
    return planned(world, "control", "cp1")


def test_kube_proxy_is_rolled_node_by_node_and_put_back_where_it_falls(running):
    actions = proxied(running)
    start = titles(actions).index("Guard keep what changes")
    assert [title.partition(" ")[0] for title in titles(actions[start : start + 6])] == [
        "Guard",
        "ApplyObjects",
        "RunScript",
        "Wait",
        "Settle",
        "WriteFiles",
    ]
    guard, apply, patch, wait, _, note = actions[start : start + 6]
    assert '"minReadySeconds": 5' in patch.script
    assert [live.key(each) for each in guard.objects.stubs] == [
        "ConfigMap kube-system/kube-proxy",
        "DaemonSet kube-system/kube-proxy",
    ]
    assert guard.files == ()
    assert guard.recover == (wait,), "the same is waited for once the old configuration is back"
    assert apply.reason == "addon/kube-proxy"
    assert [spec.path for spec in note.files] == [f"{paths.APPLIED_DIR}/addon-kube-proxy"]


def test_every_host_keeps_its_rules_before_kube_proxy_changes_anywhere(running):
    edit(running, kube_proxy_config={**running.cluster.kube_proxy_config, "mode": "nftables"})
    running.apply()
    begun = [event for event in running.events if isinstance(event, HostStarted)]
    stages = [event.stage for event in begun]
    assert {event.host for event in begun if event.stage == "proxy-rules"} == set(running.machines)
    assert max(i for i, stage in enumerate(stages) if stage == "proxy-rules") < stages.index("control")
    running.forget()
    running.apply()
    again = [event.stage for event in running.events if isinstance(event, HostStarted)]
    assert not {"proxy-rules", "proxy-reads"} & set(again)


def test_every_host_looks_what_its_kube_proxy_has_read_once_the_pods_are_new(running):
    edit(running, kube_proxy_config={**running.cluster.kube_proxy_config, "mode": "nftables"})
    running.apply()
    begun = [event for event in running.events if isinstance(event, HostStarted)]
    stages = [event.stage for event in begun]
    assert {event.host for event in begun if event.stage == "proxy-reads"} == set(running.machines)
    assert max(i for i, stage in enumerate(stages) if stage == "control") < stages.index("proxy-reads")


def test_a_run_that_was_cut_off_before_a_host_looked_is_gone_on_with(running):
    facts = running.machines["w2"].facts
    there = {**facts.files, proxy_reads.AWAITED: FileFact(proxy_reads.AWAITED, 0o600, "root:root")}
    running.machines["w2"].facts = replace(facts, files=there)
    stages = [stage.id for stage in running.apply(dry_run=True).plan.stages if stage.hosts]
    assert "proxy-reads" in stages
    running.apply()
    begun = [event for event in running.events if isinstance(event, HostStarted)]
    assert "w2" in [event.host for event in begun if event.stage == "proxy-reads"]


def test_where_kube_proxy_stays_as_it_is_no_host_is_asked_to_keep_rules(running):
    edit(running, api_server=api_server(v="2"))
    assert "proxy-rules" not in [stage.id for stage in running.apply(dry_run=True).plan.stages]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ('Error from server (NotFound): daemonsets.apps "kube-flannel-ds" not found', 0),
        ("The connection to the server 10.0.0.11:6443 was refused", 1),
    ],
)
def test_a_daemon_set_that_somebody_took_away_meanwhile_stops_no_roll(
    running, tmp_path, monkeypatch, error, code
):
    daemons(running, 5)
    edit(running, addons=(AddonRequest("flannel", {"backend": "host-gw"}),))
    actions = planned(running, "control", "cp1")
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\necho {shlex.quote(error)} >&2\nexit 1\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    patches = [each for each in actions if "minReadySeconds" in getattr(each, "script", "")]
    assert len(patches) == 2
    for patch in patches:
        done = subprocess.run(["sh", "-eu", "-c", patch.script], capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert error in done.stderr or code == 0


def daemons(world, available: int) -> None:
    """Let the pods of flannel be as available on the five nodes."""
    daemon = Ref("apps/v1", "DaemonSet", "kube-flannel", "kube-flannel-ds")
    status = {"desiredNumberScheduled": 5, "numberAvailable": available}
    world.api.objects.append({**world.api.live[daemon], "status": status})


def test_an_add_on_that_changes_is_waited_for_and_put_back_where_it_falls(running):
    daemons(running, 5)
    edit(running, addons=(AddonRequest("flannel", {"backend": "host-gw"}),))
    actions = planned(running, "control", "cp1")
    start = titles(actions).index("Guard keep what changes")
    guard, slowly, apply, wait, usual, settle, note = actions[start : start + 7]
    assert '"minReadySeconds": 5' in slowly.script
    assert '"minReadySeconds": null' in usual.script
    assert {live.key(each) for each in guard.objects.stubs} >= {
        "ConfigMap kube-flannel/kube-flannel-cfg",
        "DaemonSet kube-flannel/kube-flannel-ds",
        "ConfigMap kube-system/kubeadm-py-addon-flannel",
    }
    assert guard.name == "addons-flannel"
    assert guard.recover == (wait, usual), "the same is waited for once the old form is back"
    assert apply.reason == "addons/flannel"
    assert wait.title == "wait for flannel on every node"
    assert isinstance(settle, Settle)
    assert [spec.path for spec in note.files] == [f"{paths.APPLIED_DIR}/addons-flannel"]


@pytest.mark.parametrize("guard", ["addon-kube-proxy", "addons-flannel"])
def test_what_a_killed_run_began_is_waited_for_and_settled(running, guard):
    machine = running.machines["cp1"]
    path = paths.kept_list(guard)
    fact = FileFact(path, 0o600, "root:root", "0" * 64, 8, b"objects\n")
    machine.facts = replace(machine.facts, files={**machine.facts.files, path: fact})
    actions = planned(running, "control", "cp1")
    start = next(index for index, each in enumerate(actions) if isinstance(each, Guard))
    assert actions[start].name == guard
    end = next(index for index, each in enumerate(actions) if isinstance(each, Settle))
    assert kinds(actions[start:end], Wait)
    recover = actions[start].recover
    assert tuple(actions[end - len(recover) : end]) == recover
    assert not kinds(actions, ApplyObjects), "all of it is there"


def test_an_add_on_that_does_not_work_has_no_way_back(running):
    daemons(running, 4)
    edit(running, addons=(AddonRequest("flannel", {"backend": "host-gw"}),))
    actions = planned(running, "control", "cp1")
    assert not kinds(actions, Guard)
    assert [each.reason for each in actions if isinstance(each, ApplyObjects)] == ["addons/flannel"]


def test_a_new_cluster_waits_for_no_roll(make_world):
    world = make_world(control_planes=1, workers=1)
    assert not kinds(planned(world, "control", "cp1"), Guard)


def test_the_port_of_an_api_server_that_runs_is_refused_before_anything_is_touched(running):
    nodes = [replace(node, bind_port=8443) if node.name == "cp2" else node for node in running.cluster.nodes]
    edit(running, nodes=tuple(nodes))
    with pytest.raises(PreflightRefused) as refused:
        running.apply()
    [finding] = [each for each in refused.value.findings if each.check == "BindPortChange"]
    assert finding.host == "cp2"
    assert not any(machine.stages for machine in running.machines.values())


def replaces_proxies(actions) -> bool:
    return "RunScript replace kube-proxy's pods" in titles(actions)


def test_a_configuration_that_is_there_already_is_brought_to_the_pods(running):
    """Written by a hand and taken into the file, or by a run that was killed: the pods have not read it."""
    before = [item for item in running.api.objects if item["metadata"]["name"] == "kube-proxy"]
    proxied(running)
    edited = running.cluster
    running.api.objects.append(objects.kube_proxy_config_map(edited))
    assert before
    assert replaces_proxies(planned(running, "control", "cp1"))
    running.apply()
    running.forget()
    assert not replaces_proxies(planned(running, "control", "cp1"))
