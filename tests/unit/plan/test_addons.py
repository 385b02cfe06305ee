"""Add-ons of a cluster that runs: what is applied again, what is taken out, what stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kubeadm_py.addons.find import available
from kubeadm_py.addons.inventory import Ref, config_map_name, parse
from kubeadm_py.addons.schema import EXCLUSIVE_CAPABILITIES, Addon
from kubeadm_py.engine.events import ActionDone, Notice
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import AddonRequest
from kubeadm_py.plan import addons as plan_addons
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.transport.base import Result

DAEMON = Ref("apps/v1", "DaemonSet", "kube-flannel", "kube-flannel-ds")
NETWORK = AddonRequest("flannel")
ADDON = {
    "apiVersion": "kubeadm-py.io/v1alpha1",
    "kind": "Addon",
    "name": "sample",
    "version": "v1",
    "description": "A sample",
    "status": "supported",
    "verified": "rendered",
    "kubernetes": ">=1.35",
    "parameters": {"second": {"type": "boolean", "default": True, "description": "Have a second one"}},
}
MANIFEST = """\
{apiVersion: v1, kind: Namespace, metadata: {name: sample}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: first, namespace: sample}}
{% if parameters.second %}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: second, namespace: sample}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: sample}}
{% endif %}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: sample}
webhooks: [{name: a.sample.io, clientConfig: {service: {namespace: sample, name: judge}}}]
---
{apiVersion: sample.io/v1, kind: Sample, metadata: {name: one, namespace: sample}}
"""
TYPE = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: samples.sample.io}
status: {stored: [v1]}
"""
SECOND = Ref("v1", "ConfigMap", "sample", "second")
CLAIM = Ref("v1", "PersistentVolumeClaim", "sample", "data")
CUSTOM = Ref("sample.io/v1", "Sample", "sample", "one")
CRD = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "samples.sample.io")
SPACE = Ref("v1", "Namespace", "", "sample")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "sample"
    (path / "manifests").mkdir(parents=True)
    types = tmp_path / "types.yaml"
    types.write_text(TYPE)
    remote = {"crds": [{"name": "sample", "url": "https://types.example/sample.yaml"}]}
    (path / "addon.yaml").write_text(yaml.safe_dump(ADDON | remote))
    (path / "manifests" / "10-all.yaml.j2").write_text(MANIFEST)
    return path


def sample(folder: Path, **parameters: object) -> AddonRequest:
    return AddonRequest(str(folder), {"crds": {"sample": str(folder.parent / "types.yaml")}, **parameters})


def inventory(world, name):
    return parse(world.api.live[Ref("v1", "ConfigMap", "kube-system", config_map_name(name))])


def changed(world) -> list[str]:
    return [event.title for event in world.event(ActionDone) if event.changed]


def again(world, *addons: AddonRequest, **options: object):
    """Apply with these add-ons to the hosts as they are."""
    world.forget()
    return world.apply(cluster=replace(world.cluster, addons=addons), **options)


def test_each_add_on_has_an_inventory_that_comes_before_its_objects(make_world):
    world = make_world()
    world.apply()
    known = inventory(world, "flannel")
    assert known.version == "v0.28.4"
    assert DAEMON in known.objects
    order = [Ref.of(item) for item in world.api.objects]
    mine = Ref("v1", "ConfigMap", "kube-system", config_map_name("flannel"))
    assert order.index(mine) < order.index(DAEMON)


def test_an_object_that_somebody_deleted_is_brought_back(make_world):
    world = make_world()
    world.apply()
    world.api.delete([DAEMON.stub])
    again(world, *world.cluster.addons)
    assert DAEMON in world.api.live
    assert changed(world) == [f"apply {len(inventory(world, 'flannel').objects) + 1} API objects"]


def test_a_lost_inventory_is_written_again(make_world):
    world = make_world()
    world.apply()
    mine = Ref("v1", "ConfigMap", "kube-system", config_map_name("flannel"))
    world.api.delete([mine.stub])
    again(world, *world.cluster.addons)
    assert mine in world.api.live


def test_an_api_that_does_not_answer_changes_nothing_of_add_ons(make_world):
    world = make_world()
    world.apply()
    world.machines["cp1"].answer("# ask for the cluster's objects", lambda _call: Result(1, b"", b"refused"))
    again(world, *world.cluster.addons)
    assert changed(world) == []


def test_types_come_first_and_custom_resources_last(make_world, folder):
    world = make_world()
    world.apply(cluster=replace(world.cluster, addons=(NETWORK, sample(folder))))
    order = [Ref.of(item) for item in world.api.objects]
    assert order.index(CRD) < order.index(SPACE) < order.index(CUSTOM)
    assert order[-1] == CUSTOM
    assert "status" not in world.api.live[CRD]
    assert world.api.live[CRD]["metadata"]["labels"]["kubeadm-py.io/addon"] == "sample"
    titles = [event.title for event in world.event(ActionDone)]
    waits = [title for title in titles if "types of sample" in title or "webhooks of sample" in title]
    assert waits == ["wait for the types of sample", "wait for the webhooks of sample"]
    again(world, NETWORK, sample(folder))
    assert changed(world) == []


def test_a_change_of_parameters_takes_out_what_is_over_but_no_claim(make_world, folder):
    world = make_world()
    world.apply(cluster=replace(world.cluster, addons=(NETWORK, sample(folder))))
    again(world, NETWORK, sample(folder, second=False))
    assert SECOND not in world.api.live
    assert CLAIM in world.api.live
    assert CLAIM in inventory(world, "sample").objects, "what stays is not forgotten"
    assert SECOND not in inventory(world, "sample").objects
    again(world, NETWORK, sample(folder, second=False))
    assert changed(world) == []


def test_a_run_that_is_cut_before_it_takes_out_leaves_all_of_it_listed(make_world, folder):
    world = make_world()
    world.apply(cluster=replace(world.cluster, addons=(NETWORK, sample(folder))))
    world.machines["cp1"].kill("ready", 0)
    with pytest.raises(RunFailedError):
        again(world, NETWORK, sample(folder, second=False))
    assert SECOND in inventory(world, "sample").objects
    world.machines["cp1"].failing.clear()
    again(world, NETWORK, sample(folder, second=False))
    assert SECOND not in world.api.live


def test_an_add_on_that_the_file_drops_is_named_and_stays_until_pruned(make_world, folder):
    world = make_world()
    world.apply(cluster=replace(world.cluster, addons=(NETWORK, sample(folder))))
    report = again(world, NETWORK)
    assert report.dropped == ("sample",)
    assert changed(world) == []
    report = again(world, NETWORK, prune=True)
    gone = [ref for ref in (CUSTOM, SECOND) if ref in world.api.live]
    assert gone == []
    assert {SPACE, CLAIM} <= world.api.live.keys()
    assert {SPACE, CLAIM} == set(inventory(world, "sample").objects)
    assert not [path for path in world.machines["cp1"].content if "applied/addons-sample" in path]
    assert again(world, NETWORK).dropped == ()


def test_custom_resources_wait_for_the_first_worker(make_world, folder):
    ready = {"kind": "Deployment", "namespace": "sample", "name": "judge", "needsWorker": True}
    document = yaml.safe_load((folder / "addon.yaml").read_text())
    (folder / "addon.yaml").write_text(yaml.safe_dump(document | {"readiness": [ready]}))
    world = make_world(workers=1, addons=(NETWORK, sample(folder)))
    world.init()
    assert CUSTOM not in world.api.live
    world.join("w1")
    assert CUSTOM in world.api.live


def test_types_that_cannot_be_had_are_said_before_any_host_is_touched(make_world, folder):
    (folder.parent / "types.yaml").unlink()
    world = make_world(addons=(NETWORK, sample(folder)))
    with pytest.raises(KubeadmPyError, match=r"types\.yaml cannot be read"):
        world.apply()
    assert paths.INVENTORY not in world.machines["cp1"].content


def test_a_removed_api_is_named_with_what_to_use(make_world, folder):
    (folder / "manifests" / "20-old.yaml.j2").write_text(
        "{apiVersion: policy/v1beta1, kind: PodDisruptionBudget, metadata: {name: old}}"
    )
    world = make_world(addons=(NETWORK, sample(folder)))
    with pytest.raises(UsageError) as refused:
        world.apply()
    assert refused.value.details == (
        "PodDisruptionBudget old: policy/v1beta1 was removed in Kubernetes 1.25; use policy/v1",
    )


def test_an_add_on_is_installed_alone(make_world, folder):
    world = make_world()
    world.apply()
    world.forget()
    run = world.a_run("addon install", cluster=replace(world.cluster, addons=(NETWORK, sample(folder))))
    try:
        plan_addons.install(run, ["sample"])
    finally:
        run.close()
    assert {CRD, SPACE, CUSTOM} <= world.api.live.keys()
    assert all("flannel" not in title for title in changed(world))


def test_only_add_ons_of_the_file_are_installed(make_world):
    world = make_world()
    world.apply()
    run = world.a_run("addon install")
    with pytest.raises(UsageError, match="nope: no add-on of the file"):
        plan_addons.install(run, ["nope"])
    run.close()


@pytest.mark.parametrize(("purge", "left"), [(False, {SPACE, CLAIM}), (True, set())])
def test_an_add_on_is_removed_by_what_the_cluster_lists(make_world, folder, purge, left):
    world = make_world()
    world.apply(cluster=replace(world.cluster, addons=(NETWORK, sample(folder))))
    run = world.a_run("addon remove")
    try:
        report = plan_addons.remove(run, ["sample"], purge=purge, confirm=lambda _plan: True)
    finally:
        run.close()
    assert report is not None
    mine = {ref for ref in world.api.live if ref.namespace == "sample" or ref == SPACE}
    assert mine == left
    assert DAEMON in world.api.live


def test_nothing_is_removed_unless_it_is_confirmed(make_world, folder):
    world = make_world()
    world.apply(cluster=replace(world.cluster, addons=(NETWORK, sample(folder))))
    before = dict(world.api.live)
    run = world.a_run("addon remove")
    assert plan_addons.remove(run, ["sample"], purge=True, confirm=lambda _plan: False) is None
    run.close()
    assert world.api.live == before


@pytest.mark.parametrize(
    ("name", "says"), [("nope", "has no add-on nope"), ("flannel", "is the pod network")]
)
def test_what_cannot_be_removed_is_refused(make_world, name, says):
    world = make_world()
    world.apply()
    run = world.a_run("addon remove")
    with pytest.raises(UsageError, match=says):
        plan_addons.remove(run, [name], purge=False, confirm=lambda _plan: True)
    run.close()


# Neither is asked of the kernel of the saved answers.
WEAVE = AddonRequest("weave", {"fastDatapath": False, "networkPolicy": False})


@pytest.mark.parametrize("dry_run", [False, True], ids=["apply", "plan"])
def test_another_network_on_a_cluster_that_runs_is_refused(make_world, dry_run):
    world = make_world()
    world.apply()
    before = dict(world.api.live)
    with pytest.raises(UsageError, match="pod network of this cluster is flannel and cannot become weave"):
        again(world, WEAVE, dry_run=dry_run)
    assert world.api.live == before


def test_taking_the_network_out_is_refused_and_forgetting_it_is_told(make_world):
    world = make_world()
    world.apply()
    assert again(world).dropped == ("flannel",)
    with pytest.raises(UsageError, match="flannel and cannot be taken out"):
        again(world, prune=True)


def test_a_network_whose_inventory_says_nothing_of_capabilities_is_known_by_its_name(make_world):
    world = make_world()
    world.apply()
    mine = Ref("v1", "ConfigMap", "kube-system", config_map_name("flannel"))
    del world.api.live[mine]["data"]["provides"]
    with pytest.raises(UsageError, match="cannot become weave"):
        again(world, WEAVE)


def test_whoever_installs_a_legacy_add_on_is_told(make_world):
    world = make_world(addons=(WEAVE,))
    world.apply()
    told = [event.text for event in world.event(Notice) if "weave: Weave Net is legacy" in event.text]
    assert len(told) == 1


def test_all_add_ons_at_once_cost_a_rerun_one_round_trip_to_the_leader(make_world, tmp_path):
    types = tmp_path / "types.yaml"
    types.write_text(TYPE)

    def request(addon: Addon) -> AddonRequest:
        parameters: dict[str, object] = {"crds": {each.name: str(types) for each in addon.crds}}
        if addon.name == "glusterfs":
            parameters["hosts"] = ["10.0.0.21", "10.0.0.22"]
        return AddonRequest(addon.name, parameters)

    def trips(*addons: AddonRequest) -> dict[str, list[str]]:
        world = make_world(
            control_planes=3,
            workers=2,
            control_plane_endpoint="10.0.0.11:6443",
            kubelet_config={"cgroupDriver": "systemd", "failCgroupV1": False, "serverTLSBootstrap": True},
            addons=addons,
        )
        options = {"ignore_preflight_errors": ("all",)}
        world.apply(**options)
        world.forget()
        assert world.apply(**options).changed == 0
        return {name: machine.trips for name, machine in world.machines.items()}

    every: list[AddonRequest] = []
    taken: set[str] = set()
    for addon in sorted(available(), key=lambda each: each.name != "flannel"):
        exclusive = EXCLUSIVE_CAPABILITIES & set(addon.provides)
        if not exclusive & taken:
            every.append(request(addon))
            taken |= exclusive
    assert len(every) > 8
    bare, full = trips(), trips(*every)
    more = {name: len(full[name]) - len(bare[name]) for name in full}
    assert more == {"cp1": 1, "cp2": 0, "cp3": 0, "w1": 0, "w2": 0}, full
