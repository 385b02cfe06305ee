"""init from end to end on hosts that exist in memory."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.engine.events import ActionDone, Found, Notice
from kubeadm_py.engine.interrupt import InterruptedRunError
from kubeadm_py.errors import ExitCode, KubeadmPyError, LockedError, UnreachableError, UsageError
from kubeadm_py.facts import collect
from kubeadm_py.model import binaries, host_settings, paths
from kubeadm_py.model.actions import LIVE_REPLICAS, WriteFiles
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import inspect
from kubeadm_py.plan import init as plan_init
from kubeadm_py.plan.artifacts import sources
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.preflight.run import PreflightRefused
from kubeadm_py.transport.base import Result


def released(machine) -> bool:
    """Say whether the lock is free and the connection closed."""
    kinds = [call.kind for call in machine.calls]
    return kinds.count("hold") == kinds.count("release") and kinds[-1] == "close"


def written(plan) -> list[str]:
    return [
        spec.path
        for stage in plan.stages
        for host in stage.hosts
        for step in host.steps
        for action in step.actions
        if isinstance(action, WriteFiles)
        for spec in action.files
    ]


def test_a_bare_host_takes_three_round_trips(make_world):
    world = make_world(base="lab-bare", artifacts=ArtifactSource.BUNDLE)
    report = world.init()
    cp1 = world.machines["cp1"]
    assert cp1.trips == ["hold", "prepare", "control"]
    assert world.machines["w1"].calls == [], "a worker is not touched"
    assert report.changed > 20
    assert released(cp1)


def test_what_is_to_come_is_announced_before_any_host_is_reached(world):
    world.init()
    kinds = [event.type for event in world.events]
    ahead = world.events[kinds.index("stages-ahead")]
    assert [stage.stage for stage in ahead.stages] == ["prepare", "control"]
    assert kinds.index("stages-ahead") < kinds.index("stage-started")
    started = [event.stage for event in world.events if event.type == "stage-started"]
    assert started == ["look", *(stage.stage for stage in ahead.stages if stage.stage in started)]


def test_a_dry_run_has_nothing_before_it(world):
    world.init(dry_run=True)
    assert "stages-ahead" not in [event.type for event in world.events]


def test_what_init_leaves(world):
    report = world.init()
    cp1 = world.machines["cp1"]
    for path in (
        paths.ADMIN_CONF,
        paths.SUPER_ADMIN_CONF,
        f"{paths.PKI_DIR}/ca.key",
        f"{paths.PKI_DIR}/sa.pub",
        f"{paths.MANIFESTS_DIR}/etcd.yaml",
        f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml",
        paths.KUBELET_CONFIG,
    ):
        assert path in cp1.content, path
    assert cp1.facts.files[f"{paths.PKI_DIR}/ca.key"].mode == 0o600
    ca, key = cp1.content[f"{paths.PKI_DIR}/ca.crt"], cp1.content[f"{paths.PKI_DIR}/ca.key"]
    assert inspect.key_matches(ca, key)
    names = {(item["kind"], item["metadata"]["name"]) for item in world.api.objects}
    assert {
        ("ConfigMap", "kubeadm-config"),
        ("ConfigMap", "cluster-info"),
        ("Deployment", "coredns"),
        ("DaemonSet", "kube-proxy"),
        ("DaemonSet", "kube-flannel-ds"),
    } <= names
    assert [Secret(token.reveal()) for token in report.tokens] == list(world.api.tokens.values())
    assert world.api.ca_pem == ca, "cluster-info carries the CA that was made"
    assert paths.KUBELET_CLIENT_CURRENT.encode() in cp1.content[paths.KUBELET_CONF]


def test_the_inventory_lists_everything_before_it_is_made(make_world):
    world = make_world(base="lab-bare", artifacts=ArtifactSource.BUNDLE)
    seen: dict[str, set[str]] = {}
    cp1 = world.machines["cp1"]
    report = world.init()
    for call in cp1.calls:
        stage = re.match(r"# stage (\S+)", call.text)
        if stage:
            before, begin, _ = call.text.partition("kpy_begin 0\n")
            assert begin
            assert paths.INVENTORY in before, "the inventory comes first"
            seen[stage[1]] = set(re.findall(r"^mv -fT -- \S+ (\S+)$", call.text, re.MULTILINE))
    listed = json.loads(cp1.content[paths.INVENTORY])
    assert listed["cluster"] == "demo"
    assert set(listed["files"]) == set(written(report.plan))
    assert (seen["prepare"] | seen["control"]) - {paths.INVENTORY} == set(listed["files"])
    assert all(entry["made"] for entry in listed["files"].values() if "fstab" not in entry)
    assert paths.ETCD_DATA_DIR in listed["directories"]
    assert "kubelet.service" in listed["units"]


def test_a_rerun_writes_nothing(world):
    world.init()
    before = world.machines["cp1"].facts
    world.forget()
    world.api.minted.clear()
    report = world.init()
    cp1 = world.machines["cp1"]
    assert cp1.trips == ["hold", "ask", "control"]
    stages = [call.data for call in cp1.calls if call.text.startswith("# stage ")]
    assert stages == [b""], "waits read nothing"
    assert report.changed == 0
    assert not [event for event in world.event(ActionDone) if event.changed]
    assert cp1.facts == before
    assert world.api.minted == []


def test_a_scaled_coredns_keeps_its_replicas(world):
    world.init()
    world.forget()
    world.cluster = replace(world.cluster, image_repository="mirror.example/k8s")
    world.init()
    deployments = [item for item in world.api.objects if item["kind"] == "Deployment"]
    before, after = (item["spec"] for item in deployments if item["metadata"]["name"] == "coredns")
    assert (before["replicas"], after["replicas"]) == (2, LIVE_REPLICAS.format(otherwise=2))
    image = after["template"]["spec"]["containers"][0]["image"]
    assert image.startswith("mirror.example/k8s/coredns:")


def test_a_dry_run_takes_no_lock_and_writes_nothing(make_world):
    world = make_world(base="lab-bare", artifacts=ArtifactSource.BUNDLE)
    cp1 = world.machines["cp1"]
    before = cp1.facts
    report = world.init(dry_run=True)
    assert cp1.trips == ["run"]
    assert "flock -n" not in cp1.scripts[0]
    assert "rm -f" not in cp1.scripts[0].partition("PROBE_")[0]
    assert (cp1.facts, cp1.content, world.api.objects) == (before, {}, [])
    assert not report.plan.empty
    assert f"{paths.PKI_DIR}/ca.key" in written(report.plan)


def test_a_dry_run_shows_what_would_be_downloaded_and_downloads_nothing(make_world, monkeypatch):
    world = make_world(base="lab-bare", artifacts=ArtifactSource.OFFICIAL)
    monkeypatch.setattr(sources, "official_view", None)
    report = world.init(dry_run=True)
    steps = [step for stage in report.plan.stages for host in stage.hosts for step in host.steps]
    writes = [action for step in steps for action in step.actions if isinstance(action, WriteFiles)]
    files = {spec.path: spec for action in writes for spec in action.files}
    assert "kubernetes" in files[binaries.KUBELET.path].content.spec["downloaded"]


def test_no_second_cluster_is_founded_beside_one(make_world):
    """A first control plane that was reset or replaced has to join: its cluster lives on the others."""
    world = make_world(control_planes=2)
    cp1, cp2 = world.machines["cp1"], world.machines["cp2"]
    cp2.facts = replace(cp2.facts, ca_public_key_sha256="aa" * 32)
    with pytest.raises(KubeadmPyError, match="cp2 has the CA of a cluster and cp1 has none") as caught:
        world.init()
    assert caught.value.exit_code is ExitCode.PREFLIGHT
    assert "kubeadm-py join --config c.yaml --host cp1" in caught.value.fix
    assert (cp1.stages, cp2.stages) == ([], [])


def test_no_authority_is_made_while_a_control_plane_is_unreached(make_world, monkeypatch):
    world = make_world(control_planes=2)
    world.machines["cp2"].unreachable = UnreachableError("no route to host", host="cp2")
    monkeypatch.setattr(plan_init, "ControlPlaneProducers", None)  # whoever made keys would stumble here
    with pytest.raises(RunFailedError, match="no route to host") as caught:
        world.init()
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert caught.value.host == "cp2"
    cp1 = world.machines["cp1"]
    assert cp1.trips == ["hold"]
    assert cp1.content == {}
    assert released(cp1)


def test_further_control_planes_are_looked_at_and_not_changed(make_world):
    world = make_world(control_planes=2)
    world.init()
    cp2 = world.machines["cp2"]
    assert cp2.trips == ["hold"]
    assert cp2.content == {}
    assert released(cp2)


def test_a_locked_host(world):
    holder = b"##kubeadm-py locked kubeadm-py join by eve@laptop since 2026-11-21 00:00:00 UTC\n"
    cp1 = world.machines["cp1"]
    cp1.answer("##kubeadm-py held", Result(75, holder, b""))
    with pytest.raises(RunFailedError) as caught:
        world.init()
    assert caught.value.exit_code is ExitCode.LOCKED
    [error] = caught.value.errors
    assert isinstance(error, LockedError)
    assert str(error) == "cp1: locked: kubeadm-py join by eve@laptop since 2026-11-21 00:00:00 UTC"
    assert cp1.stages == []


def test_a_refusal_leaves_the_host_as_it_was(world):
    cp1 = world.machines["cp1"]
    cp1.facts = replace(cp1.facts, cpus=1)
    before = cp1.facts
    with pytest.raises(PreflightRefused) as caught:
        world.init()
    assert caught.value.exit_code is ExitCode.PREFLIGHT
    assert "cp1  NumCPU" in "\n".join(caught.value.details)
    assert cp1.trips == ["hold"]
    assert (cp1.facts, cp1.content) == (before, {})
    assert released(cp1)


def test_an_ignored_error_is_told_and_passes(world):
    cp1 = world.machines["cp1"]
    cp1.facts = replace(cp1.facts, cpus=1)
    world.init(ignore_preflight_errors=frozenset({"NumCPU"}))
    [found] = [event for event in world.event(Found) if event.check == "NumCPU"]
    assert (found.ignored, found.severity) == (True, "warning")


def test_a_refusal_after_preparation(make_world):
    """The runtime does not come up: nothing of the control plane is made."""
    world = make_world(base="lab-bare", artifacts=ArtifactSource.BUNDLE)
    cp1 = world.machines["cp1"]
    cp1.prepared = replace(cp1.prepared, cri_ready=False, cri_message="no CNI")
    with pytest.raises(PreflightRefused, match="the hosts are prepared, no more"):
        world.init()
    assert cp1.stages == ["prepare"]
    assert f"{paths.PKI_DIR}/ca.key" not in cp1.content


def test_a_config_without_control_plane(make_world):
    world = make_world()
    workers = replace(world.cluster, nodes=world.cluster.workers, control_plane_endpoint="10.0.0.9:6443")
    with pytest.raises(UsageError, match="no control-plane host"):
        world.init(cluster=workers)


def test_a_failing_action(world):
    cp1 = world.machines["cp1"]
    cp1.kill("control", 4)
    with pytest.raises(KubeadmPyError, match="static pod manifests failed") as caught:
        world.init()
    assert (caught.value.host, caught.value.details) == ("cp1", ("it did not work",))
    assert caught.value.exit_code is ExitCode.FAILED
    assert released(cp1)


@pytest.mark.parametrize("index", range(1, 16, 2))
def test_a_run_that_was_cut_off_is_resumed(world, index):
    """Wherever a run stops, the next one does what is missing, with the same authorities and keys."""
    cp1 = world.machines["cp1"]
    cp1.kill("control", index)
    with pytest.raises(KubeadmPyError):
        world.init()
    cp1.failing.clear()
    authorities = {path: content for path, content in cp1.content.items() if "ca." in path}
    world.init()
    for path, content in authorities.items():
        assert cp1.content[path] == content, path
    ca = cp1.content[f"{paths.PKI_DIR}/ca.crt"]
    assert inspect.key_matches(ca, cp1.content[f"{paths.PKI_DIR}/ca.key"])
    server = cp1.content[f"{paths.PKI_DIR}/apiserver.crt"]
    assert inspect.key_matches(server, cp1.content[f"{paths.PKI_DIR}/apiserver.key"])
    assert world.api.ca_pem == ca
    world.forget()
    assert world.init().changed == 0


def test_an_expired_leaf_is_made_anew_from_the_authority_on_the_host(world):
    world.init()
    cp1 = world.machines["cp1"]
    path = f"{paths.PKI_DIR}/apiserver.crt"
    authority = cp1.content[f"{paths.PKI_DIR}/ca.crt"]
    fact = cp1.facts.files[path]
    other = cp1.content[f"{paths.PKI_DIR}/apiserver-kubelet-client.crt"]
    cp1.facts = replace(cp1.facts, files={**cp1.facts.files, path: replace(fact, content=other)})
    world.forget()
    world.init()
    [action] = [event for event in world.event(ActionDone) if event.changed]
    assert action.title == "certificates and keys"
    assert action.reason.startswith("apiserver: ")
    assert cp1.trips == ["hold", "ask", "run", "control"], "the authority's key is read only now"
    assert cp1.content[f"{paths.PKI_DIR}/ca.crt"] == authority
    assert inspect.key_matches(cp1.content[path], cp1.content[f"{paths.PKI_DIR}/apiserver.key"])


def test_an_external_authority_that_has_not_signed_all_is_refused(world):
    world.init()
    cp1 = world.machines["cp1"]
    gone = (f"{paths.PKI_DIR}/ca.key", f"{paths.PKI_DIR}/apiserver.crt", paths.SCHEDULER_CONF)
    cp1.facts = replace(
        cp1.facts, files={path: fact for path, fact in cp1.facts.files.items() if path not in gone}
    )
    world.forget()
    with pytest.raises(PreflightRefused) as caught:
        world.init()
    (found,) = [finding for finding in caught.value.findings if finding.check == "ExternalCA"]
    assert "/etc/kubernetes/pki/apiserver.crt is missing" in found.found
    assert "/etc/kubernetes/scheduler.conf is missing" in found.found
    assert cp1.stages == []


def test_super_admin_that_was_removed_stays_removed(world):
    world.init()
    cp1 = world.machines["cp1"]
    cp1.facts = replace(
        cp1.facts,
        files={path: fact for path, fact in cp1.facts.files.items() if path != paths.SUPER_ADMIN_CONF},
    )
    world.forget()
    report = world.init()
    assert report.changed == 0
    assert paths.SUPER_ADMIN_CONF not in cp1.scripts[-1]


def test_a_token_of_the_config_is_made_once(make_world):
    wanted = BootstrapToken(Secret("abcdef.0123456789abcdef"))
    world = make_world(bootstrap_tokens=(wanted,))
    world.init()
    assert world.api.minted == ["abcdef"]
    world.api.tokens.clear()  # the operator deleted it
    world.api.minted.clear()
    world.machines["cp1"].facts = replace(
        world.machines["cp1"].facts,
        files={
            path: fact
            for path, fact in world.machines["cp1"].facts.files.items()
            if not path.endswith("addon-coredns")
        },
    )
    world.init()
    assert world.api.minted == []
    assert [item for item in world.api.objects if item["metadata"]["name"] == "coredns"]


@pytest.mark.parametrize("how", ["config", "flag"])
def test_skipped_phases_are_neither_done_nor_waited_for(make_world, how):
    phases = ("addon/kube-proxy", "addon/coredns", "mark-control-plane")
    world = make_world(init_skip_phases=phases if how == "config" else ())
    report = world.init(skip_phases=phases if how == "flag" else ())
    names = {item["metadata"]["name"] for item in world.api.objects}
    assert not names & {"kube-proxy", "coredns"}
    assert "kube-flannel-ds" in names
    cp1 = world.machines["cp1"]
    waited = cp1.scripts[-1].partition("KPY_WANTED'\n")[2].partition("KPY_WANTED")[0]
    assert waited == "DaemonSet kube-flannel kube-flannel-ds\n"
    steps = [step.step for host in report.plan.stages[-1].hosts for step in host.steps]
    assert "mark-control-plane" not in steps


def test_a_parent_phase_skips_its_parts(world):
    world.init(skip_phases=("addon",))
    names = {item["metadata"]["name"] for item in world.api.objects}
    assert not names & {"kube-proxy", "coredns"}
    assert "kube-flannel-ds" in names, "add-ons of ours are none of kubeadm's addon phases"


@pytest.mark.parametrize("how", ["config", "flag"])
@pytest.mark.parametrize(
    ("phase", "path"),
    [
        ("certs/sa", f"{paths.PKI_DIR}/sa.key"),
        ("kubeconfig/scheduler", f"{paths.KUBERNETES_DIR}/scheduler.conf"),
        ("control-plane/apiserver", f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml"),
    ],
)
def test_a_part_of_a_phase_is_skipped_alone(make_world, how, phase, path):
    world = make_world(init_skip_phases=(phase,) if how == "config" else ())
    report = world.init(skip_phases=(phase,) if how == "flag" else ())
    assert path not in written(report.plan)
    assert f"{paths.PKI_DIR}/ca.crt" in written(report.plan)


@pytest.mark.parametrize("phase", ["certs", "certs/ca"])
def test_nothing_is_signed_by_an_authority_that_was_left_out(world, phase):
    with pytest.raises(KubeadmPyError, match="the authority ca is not there"):
        world.init(skip_phases=(phase,))


def test_an_unknown_phase_is_refused(world):
    with pytest.raises(UsageError, match="there is no phase addons/coredns to skip"):
        world.init(skip_phases=("addons/coredns",))


@pytest.mark.parametrize("phase", ["preflight", "upload-certs", "show-join-command"])
def test_phases_that_mean_nothing_here_may_be_skipped(world, phase):
    cp1 = world.machines["cp1"]
    cp1.facts = replace(cp1.facts, cpus=1 if phase == "preflight" else 2)
    assert world.init(skip_phases=(phase,)).changed


def test_what_waits_for_a_worker_is_told(make_world):
    world = make_world(addons=(AddonRequest("flannel"), AddonRequest("local-path-storage")))
    run = world.a_run("init")
    report = plan_init.init(run)
    plan_init.describe_pending(run, report)
    run.close()
    [notice] = world.event(Notice)
    assert "local-path-storage/local-path-provisioner" in notice.text
    assert notice.text.endswith("ready once the first worker has joined")


def test_without_pod_network_nothing_is_awaited(make_world):
    world = make_world(addons=())
    report = world.init()
    assert report.pending == ()
    assert "KPY_WANTED" not in world.machines["cp1"].scripts[-1]


def test_a_stop_before_the_control_plane(world):
    run = world.a_run("init")
    world.machines["cp1"].before_stage = lambda stage: run.interrupt._stop(2, None)
    with pytest.raises(InterruptedRunError, match="nothing new was begun"):
        plan_init.init(run)
    run.close()
    assert world.machines["cp1"].stages == ["prepare"]


def test_facts_fill_in_what_the_config_leaves_open(make_world):
    """A bare kubeadm file names no host: the machine's own name and address are taken over."""
    world = make_world(workers=0)
    stand_in = Node("here", Role.CONTROL_PLANE, (), name_from_host=True)
    cluster = replace(world.cluster, nodes=(stand_in,))
    world.machines["here"] = world.machines["cp1"]
    run = world.a_run("init", cluster=cluster)

    def complete(found, facts):
        assert list(facts) == ["here"]
        node = replace(stand_in, name="cp1", addresses=("10.0.0.11",), advertise_address="10.0.0.11")
        return replace(found, nodes=(node,))

    report = plan_init.init(run, complete=complete)
    run.close()
    assert report.plan.stages[0].hosts[0].host == "cp1"
    assert "get node cp1 -o name" in world.machines["cp1"].scripts[-1]


def test_every_file_that_is_written_was_looked_at_first(make_world):
    """What the probe does not describe would count as made by us, and reset would remove the operator's."""
    text = Path(collect.__file__).with_name("probe.sh").read_text()
    listed = text.partition("files() {\n  set -- ")[2].partition("\n  for unit in")[0]
    patterns = [word for word in listed.replace("\\\n", " ").split() if word.startswith("/")]
    for unit in ("kubelet", "containerd"):
        for folder in ("/usr/lib/systemd/system", "/etc/systemd/system"):
            patterns += [f"{folder}/{unit}.service", f"{folder}/{unit}.service.d/*.conf"]
    patterns += [*host_settings.PROBED_FILES, *host_settings.PROBED_BINARIES]
    world = make_world(
        base="lab-bare",
        artifacts=ArtifactSource.BUNDLE,
        registries={"r.example": Registry(mirrors=("https://mirror.example",))},
        certificates_dir="/srv/pki",
        ca_cert_path="/srv/joined/ca.crt",
    )
    for node in world.cluster.nodes:
        extra = collect.interesting_paths(world.cluster, node)
        patterns += [f"{path}{below}" for path in extra for below in ("", "/*", "/*/*")]
    probed = re.compile("|".join(re.escape(each).replace(r"\*", "[^/]*") for each in patterns))
    first = world.init()
    plans = [*written(first.plan), *written(world.join("w1", dry_run=True).plan)]
    assert {"/srv/pki/etcd/ca.key", "/srv/joined/ca.crt"} <= set(plans)
    assert f"{paths.CONTAINERD_CERTS_DIR}/r.example/hosts.toml" in plans
    unseen = [path for path in plans if not probed.fullmatch(path)]
    assert [path for path in unseen if not path.startswith(f"{paths.STATE_DIR}/")] == []


def test_the_default_token_says_where_it_comes_from():
    made = plan_init._with_value(BootstrapToken())
    assert made.description == "The default bootstrap token generated by 'kubeadm init'."
    given = BootstrapToken(Secret("abcdef.0123456789abcdef"), "mine")
    assert plan_init._with_value(given) is given
