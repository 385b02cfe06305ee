"""Single phases of init and join on hosts that exist in memory: the steps of the whole workflow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.engine.events import Notice
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.phases import INIT, JOIN, RESET, Selection, parts
from kubeadm_py.plan import init, phases
from kubeadm_py.plan.reset import hosts as reset
from kubeadm_py.plan.workflows import CONTROL_PLANE, JOIN_WORKER
from kubeadm_py.preflight.run import PreflightRefused

LEAVES = [phase.name for phase in INIT if not parts(INIT, phase.name)]
CA = f"{paths.PKI_DIR}/ca.crt"


def made(world) -> set[str]:
    """Return the files of the cluster on the control plane."""
    files = world.machines["cp1"].facts.files
    return {path for path in files if not path.startswith((paths.APPLIED_DIR, paths.KUBELET_DIR + "/pki"))}


def objects(world) -> set[tuple[str, str]]:
    found = world.api.objects
    return {(item["kind"], item["metadata"]["name"]) for item in found if "flannel" not in str(item)}


def alone(world, *names, **options):
    return world.init(only_phases=names, **options)


def test_one_phase_after_the_other_is_the_whole(make_world):
    whole, stepwise = make_world(), make_world()
    whole.init()
    for name in LEAVES:
        alone(stepwise, name)
    assert made(stepwise) == made(whole)
    assert objects(stepwise) == objects(whole)
    assert not any("flannel" in str(item) for item in stepwise.api.objects), "add-ons of ours are no phases"
    assert stepwise.init().changed, "what no phase is for is still to be done"
    assert stepwise.init().changed == 0


@pytest.mark.parametrize(
    ("phases", "files"),
    [
        (("certs/ca",), ["ca.crt", "ca.key"]),
        (("certs/sa",), ["sa.key", "sa.pub"]),
        (("certs/ca", "certs/apiserver"), ["apiserver.crt", "apiserver.key", "ca.crt", "ca.key"]),
    ],
)
def test_a_phase_makes_its_files_and_no_others(world, phases, files):
    before = made(world)
    alone(world, *phases)
    new = made(world) - before - {paths.INVENTORY}
    assert sorted(new) == [f"{paths.PKI_DIR}/{name}" for name in files]
    assert world.api.objects == []


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("certs/apiserver", "the certificate apiserver cannot be signed: the authority ca is not there"),
        ("certs/etcd-peer", "the authority etcd-ca is not there"),
        ("kubeconfig/admin", "admin.conf's certificate cannot be signed: the authority ca is not there"),
    ],
)
def test_what_cannot_be_signed_is_refused_and_nothing_is_written(world, phase, said):
    before = made(world)
    with pytest.raises(KubeadmPyError, match=said) as caught:
        alone(world, phase)
    assert "init phase certs" in caught.value.fix
    assert made(world) == before


def test_no_object_is_made_with_an_authority_out_of_thin_air(world):
    with pytest.raises(KubeadmPyError, match="the authority ca is not at hand"):
        alone(world, "bootstrap-token")


def test_a_phase_again_changes_nothing(make_world):
    world = make_world(up=True)
    for name in ("certs", "kubeconfig", "etcd", "control-plane", "kubelet-start"):
        assert alone(world, name).changed == 0, name


def test_a_removed_super_admin_comes_back_only_if_it_is_named(make_world):
    world = make_world(up=True)
    cp1 = world.machines["cp1"]
    files = {path: fact for path, fact in cp1.facts.files.items() if path != paths.SUPER_ADMIN_CONF}
    cp1.facts = replace(cp1.facts, files=files)
    assert world.init().changed == 0
    assert alone(world, "kubeconfig/super-admin").changed == 1


def test_a_deleted_addon_comes_back(make_world):
    world = make_world(up=True)
    world.api.objects.clear()
    alone(world, "addon/coredns")
    assert ("Deployment", "coredns") in objects(world)
    assert ("DaemonSet", "kube-proxy") not in objects(world)


def test_a_token_is_made_each_time_it_is_asked_for(make_world):
    world = make_world(up=True)
    minted = len(world.api.minted)
    alone(world, "bootstrap-token")
    assert len(world.api.minted) == minted + 1


def test_a_dry_run_only_says(world):
    report = alone(world, "certs", dry_run=True)
    assert report.changed == 1
    assert CA not in made(world)


def test_preflight_alone_looks_and_other_phases_do_not(world):
    cp1 = world.machines["cp1"]
    cp1.facts = replace(cp1.facts, cpus=1)
    alone(world, "certs/ca")
    with pytest.raises(PreflightRefused):
        alone(world, "preflight")


def test_a_kubeconfig_by_name(make_world):
    world = make_world(up=True)
    world.forget()
    world.api.objects.clear()
    alone(world, "upload-config", kubeconfig="/root/mine.conf")
    (script,) = [text for text in world.machines["cp1"].scripts if "# stage control" in text]
    assert "--kubeconfig /root/mine.conf" in script
    assert ("ClusterRoleBinding", "kubeadm:cluster-admins") not in objects(world)


@pytest.mark.parametrize("name", ["cert", "certs/all", "addons"])
def test_an_unknown_phase(world, name):
    with pytest.raises(UsageError, match=f"there is no phase {name} to run"):
        alone(world, name)
    assert world.machines["cp1"].calls == []


def test_a_phase_that_nothing_does_yet():
    chosen = Selection(("upload-certs",))
    with pytest.raises(UsageError, match="init does nothing in the phase upload-certs yet"):
        phases.refuse_idle("init", INIT, chosen, JOIN_WORKER)


def test_an_upload_alone_and_only_where_it_is_asked_for(make_world):
    world = make_world(up=True)
    assert alone(world, "upload-certs").certificate_key is None
    assert world.api.secrets == {}
    assert alone(world, "upload-certs", upload_certs=True).certificate_key is not None
    assert list(world.api.secrets) == ["kubeadm-certs"]


def test_objects_to_be_printed(make_world):
    world = make_world(up=True)
    run = world.a_run("init", only_phases=("addon/coredns",))
    found = init.objects(run)
    run.close()
    assert {item["kind"] for item in found} >= {"Deployment", "Service", "ConfigMap"}
    assert {item["metadata"]["name"] for item in found} == {"coredns", "system:coredns", "kube-dns"}


def test_the_workflows_know_kubeadms_phases_only():
    known = {phase.name for phase in (*INIT, *JOIN, *RESET)}
    steps = [step for stage in (CONTROL_PLANE, JOIN_WORKER) for step in stage.steps]
    assert {name for step in steps for name in (step.phase, *step.goes_with) if name} <= known


class TestJoin:
    def test_start_and_wait_are_the_whole(self, joined):
        report = joined.join("w1", only_phases=("kubelet-start",))
        steps = [step.step for host in report.plan.stages[-1].hosts for step in host.steps]
        assert steps == ["kubelet-start"]
        assert joined.api.deleted == [], "the kubelet still has to log in with it"
        assert any("ends by itself" in notice.text for notice in joined.event(Notice))
        report = joined.join("w1", only_phases=("kubelet-wait-bootstrap",))
        steps = [step.step for host in report.plan.stages[-1].hosts for step in host.steps]
        assert steps == ["kubelet-wait-bootstrap"]
        assert paths.KUBELET_CONF in joined.machines["w1"].facts.files

    def test_the_wait_alone_asks_nobody_for_the_cluster(self, joined):
        nowhere = replace(joined.cluster, nodes=joined.cluster.nodes[1:])
        report = joined.join("w1", cluster=nowhere, only_phases=("kubelet-wait-bootstrap",), dry_run=True)
        steps = [step.step for host in report.plan.stages[-1].hosts for step in host.steps]
        assert steps == ["kubelet-wait-bootstrap"]
        assert joined.machines["cp1"].calls == []

    def test_preflight_alone(self, joined):
        w1 = joined.machines["w1"]
        w1.facts = replace(w1.facts, uid=1000)
        with pytest.raises(PreflightRefused):
            joined.join("w1", only_phases=("preflight",))

    def test_an_unknown_phase(self, joined):
        with pytest.raises(UsageError, match="there is no phase certs to run"):
            joined.join("w1", only_phases=("certs",))


@pytest.mark.parametrize(
    ("only", "skipped", "phase", "wanted"),
    [
        ((), (), "certs/ca", True),
        (("certs",), (), "certs/ca", True),
        (("certs/ca",), (), "certs", True),
        (("certs/ca",), (), "certs/sa", False),
        (("certs",), ("certs/ca",), "certs/ca", False),
        ((), ("certs",), "certs/ca", False),
        ((), ("certs/ca",), "certs", True),
        (("addon",), (), "addons/flannel", False),
        ((), ("addon",), "addons/flannel", True),
    ],
)
def test_a_phase_stands_for_its_parts(only, skipped, phase, wanted):
    assert Selection(only, skipped).wants(phase) is wanted


def titles_of(report) -> list[str]:
    (clean,) = (stage for stage in report.plan.stages if stage.id == "reset")
    steps = clean.hosts[0].steps
    return [getattr(action, "title", str(action)) for step in steps for action in step.actions]


class TestReset:
    def reset(self, world, **options):
        run = world.a_run("reset", **options)
        targets = [node for node in world.cluster.nodes if node.name == "cp1"]
        try:
            return reset.reset(run, targets, reset.Wish(keep_artifacts=True), confirm=lambda _: True)
        finally:
            run.close()

    def test_preflight_only_looks(self, make_world):
        world = make_world(up=True)
        before = made(world)
        report = self.reset(world, only_phases=("preflight",))
        assert (report.changed, report.untouched) == (0, ())
        assert made(world) == before

    @pytest.mark.parametrize("options", [{"only_phases": ("cleanup-node",)}, {"skip_phases": ("preflight",)}])
    def test_cleanup_removes(self, make_world, options):
        report = self.reset(make_world(up=True), dry_run=True, **options)
        assert not report.plan.empty

    def test_nothing_is_left_to_do(self, make_world):
        skipped = ("cleanup-node", "remove-etcd-member")
        assert self.reset(make_world(up=True), skip_phases=skipped).changed == 0

    @pytest.mark.parametrize(
        "options", [{"only_phases": ("remove-etcd-member",)}, {"skip_phases": ("cleanup-node",)}]
    )
    def test_etcd_alone(self, make_world, options):
        world = make_world(up=True)
        before = made(world)
        report = self.reset(world, **options)
        (clean,) = (stage for stage in report.plan.stages if stage.id == "reset")
        assert [step.step for step in clean.hosts[0].steps] == ["remove-etcd-member"]
        gone = before - made(world)
        assert "/etc/kubernetes/manifests/etcd.yaml" in gone
        assert not [path for path in gone if path.endswith(".conf")]

    def test_parts_make_the_whole(self, make_world):
        """Phase by phase a host ends where the whole verb takes it, by the same actions."""
        whole = self.reset(make_world(up=True), dry_run=True)
        parts = [
            self.reset(make_world(up=True), dry_run=True, only_phases=(name,))
            for name in ("remove-etcd-member", "cleanup-node")
        ]
        titles = [titles_of(report) for report in (whole, *parts)]
        # Alone, the one lets the kubelet go on, and the other notes that etcd's data is still there.
        assert [*titles[1][:-1], *titles[2][:-1]] == titles[0][:-1]
        assert (titles[1][-1], titles[2][-1]) == ("let the kubelet go on", "note what is left")
