"""Static pods, kubelet, labels, API objects and add-ons: planned from facts, and [] once they are so."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.addons import load as addons
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    ApplyObjects,
    Guard,
    Late,
    MakeDirectories,
    RunScript,
    Settle,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.cluster import AddonRequest
from kubeadm_py.model.components import Arg, Component, Dns, Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.facts import Listener, UnitFact
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.node import Node, Role, Taint
from kubeadm_py.model.patches import Patch, PatchType
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.timeouts import Timeouts
from kubeadm_py.model.versions import Version
from kubeadm_py.steps import applied, cluster_objects
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.base import differing, is_so
from kubeadm_py.steps.certificates import certs
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.kubelet import bootstrap as kubelet_bootstrap
from kubeadm_py.steps.kubelet import finalize as kubelet_finalize
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.nodes import mark as mark_node
from kubeadm_py.steps.nodes.waits import Workload
from kubeadm_py.steps.objects import groups as object_groups

CA = f"{paths.PKI_DIR}/ca.crt"
TOKEN = Secret("abcdef.0123456789abcdef")


def with_cluster(ctx, **changes):
    return replace(ctx, cluster=replace(ctx.cluster, **changes))


def with_node(ctx, **changes):
    node = replace(ctx.node, **changes)
    return replace(ctx, node=node, cluster=replace(ctx.cluster, nodes=(node,)))


def with_addons(ctx, *names):
    ctx = with_cluster(ctx, addons=tuple(AddonRequest(name) for name in names))
    return replace(ctx, addons=tuple(addons.resolve(ctx.cluster)))


def written(actions) -> list[str]:
    return [spec.path for action in actions if isinstance(action, WriteFiles) for spec in action.files]


class TestStaticPods:
    def test_bare_and_after(self, control_plane, carry):
        etcd = static_pods.plan_etcd(control_plane)
        assert isinstance(etcd[0], MakeDirectories)
        assert etcd[0].directories == ((paths.ETCD_DATA_DIR, 0o700),)
        assert written(etcd) == [f"{paths.MANIFESTS_DIR}/etcd.yaml"]
        components = static_pods.plan(control_plane)
        assert [path.rpartition("/")[2] for path in written(components)] == [
            "kube-apiserver.yaml",
            "kube-controller-manager.yaml",
            "kube-scheduler.yaml",
        ]
        after = carry(control_plane, [*etcd, *components])
        assert static_pods.plan_etcd(after) == []
        assert static_pods.plan(after) == []

    def test_a_host_that_begins_gets_its_api_server_first(self, control_plane, carry):
        (first,) = written(static_pods.plan_first(control_plane))
        following = written(static_pods.plan_following(control_plane))
        assert first == f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml"
        assert [first, *following] == written(static_pods.plan(control_plane))

    def test_what_comes_last_is_planned_though_the_api_server_is_there_by_then(self, control_plane, carry):
        after = carry(control_plane, static_pods.plan_first(control_plane))
        later = replace(after, later=frozenset({static_pods.STEP_FOLLOWING.id}))
        assert static_pods.plan_following(later) == static_pods.plan_following(control_plane) != []

    def test_what_a_run_that_was_killed_left_out_is_written_at_once(self, control_plane, carry):
        after = carry(control_plane, static_pods.plan_first(control_plane))
        assert written(static_pods.plan_first(after)) == written(static_pods.plan_following(control_plane))
        assert static_pods.plan_following(after) == []

    def test_only_what_changed_is_written(self, control_plane, carry):
        after = carry(
            control_plane, [*static_pods.plan_etcd(control_plane), *static_pods.plan(control_plane)]
        )
        changed = with_cluster(after, scheduler=Component(extra_args=(Arg("v", "4"),)))
        assert written(static_pods.plan(changed)) == [f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml"]
        assert static_pods.plan_etcd(changed) == []

    def test_without_an_api_server_the_kubelet_is_made_to_replace_a_changed_pod(self, control_plane, carry):
        after = carry(
            control_plane, [*static_pods.plan_etcd(control_plane), *static_pods.plan(control_plane)]
        )
        changed = with_cluster(after, scheduler=Component(extra_args=(Arg("v", "4"),)))

        def titles(active_state: str, *ports: int) -> list[str]:
            facts = replace(
                changed.facts,
                units={"kubelet.service": UnitFact("kubelet.service", "loaded", active_state, "enabled")},
                listeners=tuple(Listener("tcp", "*", port) for port in ports),
            )
            ctx = replace(changed, facts=facts)
            scripts = [action for action in static_pods.plan(ctx) if isinstance(action, RunScript)]
            assert all("for name in kube-scheduler;" in action.script for action in scripts)
            assert static_pods.plan_etcd(ctx) == []
            return [action.title for action in scripts]

        assert titles("active", 2379) == ["replace the pods of changed manifests"]
        assert titles("active", 6443) == []
        assert titles("inactive") == [], "its start comes later, and finds the new manifests only"

    def test_a_wrong_mode_is_mended(self, control_plane, carry):
        after = carry(control_plane, static_pods.plan(control_plane))
        path = f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml"
        loose = replace(after.facts.files[path], mode=0o666)
        facts = replace(after.facts, files={**after.facts.files, path: loose})
        assert written(static_pods.plan(replace(after, facts=facts))) == [path]

    def test_external_etcd_has_no_pod(self, control_plane):
        external = Etcd(None, ExternalEtcd(("https://10.0.0.5:2379",)))
        assert static_pods.plan_etcd(with_cluster(control_plane, etcd=external)) == []


class TestKubelet:
    def test_bare_and_after(self, control_plane, carry):
        actions = kubelet_start.plan(control_plane)
        assert written(actions) == [
            paths.KUBELET_FLAGS_ENV,
            paths.KUBELET_INSTANCE_CONFIG,
            paths.KUBELET_CONFIG,
        ]
        assert actions[-1] == Unit("kubelet.service", "restarted", enabled=True, reason="it is not running")
        assert kubelet_start.plan(carry(control_plane, actions)) == []

    def test_a_changed_file_restarts_it(self, control_plane, carry):
        after = carry(control_plane, kubelet_start.plan(control_plane))
        actions = kubelet_start.plan(with_cluster(after, kubelet_config={"maxPods": 50}))
        assert written(actions) == [paths.KUBELET_CONFIG]
        assert actions[-1].reason == "its files changed"

    def test_one_that_does_not_run_is_started(self, control_plane, carry):
        after = carry(control_plane, kubelet_start.plan(control_plane))
        unit = UnitFact("kubelet.service", "loaded", "failed", "enabled")
        facts = replace(after.facts, units={"kubelet.service": unit})
        again = kubelet_start.plan(replace(after, facts=facts))
        assert again == [Unit("kubelet.service", "restarted", reason="it is not running")], "enabled already"

    def test_a_joining_one_gets_the_ca_and_a_token(self, control_plane, with_file):
        joined = JoinedCluster("https://10.0.0.11:6443", b"CA\n", TOKEN)
        ctx = replace(control_plane, joined=joined)
        first = kubelet_start.plan(ctx)[0]
        assert written([first]) == [f"{paths.PKI_DIR}/ca.crt", paths.BOOTSTRAP_KUBELET_CONF]
        late = first.files[1]
        assert (late.mode, late.secret) == (0o600, True)
        assert "0123456789abcdef" not in repr(first)
        member = with_file(ctx, paths.KUBELET_CONF, b"x")
        assert paths.BOOTSTRAP_KUBELET_CONF not in written(kubelet_start.plan(member))

    def test_the_ca_that_is_there_is_not_written_again(self, control_plane, with_file):
        joined = JoinedCluster("https://10.0.0.11:6443", b"CA\n", TOKEN)
        ctx = with_file(replace(control_plane, joined=joined), f"{paths.PKI_DIR}/ca.crt", b"CA\n")
        assert written(kubelet_start.plan(ctx)[:1]) == [paths.BOOTSTRAP_KUBELET_CONF]

    def test_a_joined_one_waits_for_nothing(self, control_plane, with_file):
        joined = JoinedCluster("https://10.0.0.11:6443", b"CA\n", TOKEN)
        ctx = replace(control_plane, joined=joined)
        waiting = kubelet_bootstrap.plan(ctx)
        assert [getattr(action, "title", "remove") for action in waiting] == [
            "wait for the kubelet",
            "wait for the kubelet's certificate",
            "remove",
            "wait for cp1 to be Ready",
        ]
        member = with_file(ctx, paths.KUBELET_CONF, b"x")
        assert kubelet_bootstrap.plan(member) == []
        half = with_file(member, paths.BOOTSTRAP_KUBELET_CONF, b"x")
        assert kubelet_bootstrap.plan(half) == waiting, "a run that was cut off goes on here"


class TestFinalize:
    ROTATING = b"client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n"

    def test_once(self, control_plane, with_file):
        [action] = kubelet_finalize.plan(control_plane)
        assert isinstance(action, RunScript)
        assert isinstance(action.stdin, Late)
        assert kubelet_finalize.plan(with_file(control_plane, paths.KUBELET_CONF, self.ROTATING)) == []

    def test_a_kubelet_that_keeps_its_certificates_elsewhere(self, control_plane, with_file):
        ctx = with_node(control_plane, kubelet_extra_args=(Arg("cert-dir", "/srv/kubelet pki"),))
        [action] = kubelet_finalize.plan(ctx)
        assert "'/srv/kubelet pki/kubelet-client-current.pem'" in action.script
        done = b"client-certificate: /srv/kubelet pki/kubelet-client-current.pem\n"
        assert kubelet_finalize.plan(with_file(ctx, paths.KUBELET_CONF, done)) == [], "not again at every run"
        assert kubelet_finalize.plan(with_file(ctx, paths.KUBELET_CONF, self.ROTATING)) != []


class TestMarks:
    def test_a_control_plane_and_after(self, control_plane, carry):
        actions = mark_node.plan(control_plane)
        assert [type(action) for action in actions] == [Wait, RunScript, WriteFiles]
        assert '"node-role.kubernetes.io/control-plane": ""' in actions[1].script
        assert mark_node.plan(settled(control_plane, carry)) == []

    def test_a_new_label_marks_again(self, control_plane, carry):
        after = settled(control_plane, carry)
        assert mark_node.plan(with_node(after, labels={"disk": "ssd"})) != []

    def test_taints_of_the_file(self, control_plane):
        ctx = with_node(control_plane, taints=(Taint("only", "NoExecute", "gpu"),))
        script = mark_node.plan(ctx)[1].script
        # Taints are one list to the API: a patch would take off those of others.
        assert "taint node cp1 --overwrite only=gpu:NoExecute" in script
        assert "spec" not in mark_node.marks(ctx.node).patch()

    def test_a_taints_time_is_for_the_api_alone(self, control_plane):
        taint = Taint("only", "NoExecute", time_added="2026-01-01T00:00:00Z")
        ctx = with_node(control_plane, taints=(taint,))
        assert mark_node.marks(ctx.node).patch()["spec"]["taints"] == [
            {"key": "only", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
        ]
        assert str(taint) == "only:NoExecute"

    def test_the_cri_socket_where_kubeadms_gate_is_off(self, control_plane):
        before = mark_node.marker(control_plane.node)
        ctx = with_node(control_plane, cri_socket_annotated=True)
        metadata = mark_node.marks(ctx.node).patch()["metadata"]
        assert metadata["annotations"] == {"kubeadm.alpha.kubernetes.io/cri-socket": ctx.node.cri_socket}
        assert "node-role.kubernetes.io/control-plane" in metadata["labels"]
        assert mark_node.marker(ctx.node) != before

    def test_no_taints_at_all(self, control_plane):
        assert mark_node.marks(with_node(control_plane, taints=()).node).taints == ()
        assert " taint " not in mark_node.plan(with_node(control_plane, taints=()))[1].script

    def test_a_worker_registers_with_its_own_taints(self):
        worker = Node(
            "w1", Role.WORKER, ("10.0.0.21",), labels={"a": "b"}, taints=(Taint("t", "NoSchedule"),)
        )
        assert mark_node.joining(worker) == mark_node.Marks({"a": "b"})
        assert not mark_node.joining(replace(worker, labels={}))
        assert mark_node.mark({"w1": mark_node.Marks()}, "/k", "", timedelta(0)) == []

    def test_nodes_with_the_same_marks_share_a_call(self, control_plane):
        cp1 = control_plane.node
        w1 = Node("w1", Role.WORKER, ("10.0.0.21",), labels={"a": "b"})
        ctx = replace(control_plane, marked=(cp1, replace(cp1, name="cp2"), w1))
        wait, first, second, note = mark_node.plan(ctx)
        assert "get node cp1 cp2 w1 -o name" in wait.until
        assert "patch node cp1 cp2 --type strategic" in first.script
        assert (
            "taint node cp1 cp2 --overwrite node-role.kubernetes.io/control-plane:NoSchedule" in first.script
        )
        assert "patch node w1 --type strategic" in second.script
        assert [spec.path for spec in note.files] == [
            f"{paths.APPLIED_DIR}/node-{name}" for name in ("cp1", "cp2", "w1")
        ]

    def test_what_the_file_has_no_longer_is_taken_off(self, control_plane, carry):
        ctx = with_node(control_plane, labels={"disk": "ssd"}, taints=(Taint("only", "NoExecute", "gpu"),))
        after = with_node(settled(ctx, carry), labels={"zone": "a"}, taints=None)
        marks = mark_node.plan(after)[1]
        patch = json.loads(re.search(r"-p '(.*)' >>", marks.script)[1])
        assert patch["metadata"]["labels"]["disk"] is None
        assert patch["metadata"]["labels"]["zone"] == "a"
        assert "taint node cp1 only- 2>&1" in marks.script
        assert "without disk" in marks.reason
        assert "without only" in marks.reason

    @pytest.mark.parametrize("odd", [b"{", b"[]", b'{"labels": [], "taints": 1}'])
    def test_a_note_that_cannot_be_read_takes_nothing_off(self, control_plane, carry, with_file, odd):
        after = with_file(settled(control_plane, carry), f"{paths.APPLIED_DIR}/node-cp1", odd)
        assert "null" not in mark_node.plan(after)[1].script

    def test_hostile_labels_stay_words(self, control_plane):
        ctx = with_node(control_plane, labels={"a": "it's $(id)"})
        script = mark_node.plan(ctx)[1].script
        assert """it'"'"'s $(id)""" in script


class TestWaits:
    def test_components_are_asked_where_their_flags_let_them_listen(self, control_plane):
        own = Component(extra_args=(Arg("bind-address", "10.0.0.99"), Arg("secure-port", "11259")))
        ctx = with_cluster(control_plane, scheduler=own)
        manager, scheduler = control_plane_waits.plan_others(ctx)
        assert "https://127.0.0.1:10257 /healthz" in manager.until
        assert "https://10.0.0.99:11259 /livez" in scheduler.until

    def test_the_kubelet_first_by_its_own_timeout_and_port(self, control_plane):
        port = Patch("kubeletconfiguration", PatchType.MERGE, {"healthzPort": 10349}, "p.yaml")
        timeouts = Timeouts(kubelet_health_check=timedelta(seconds=7))
        ctx = with_cluster(control_plane, init_timeouts=timeouts, init_patches=(port,))
        kubelet, _ = control_plane_waits.plan(ctx)
        assert f"kpy_listens {10349:04X}" in kubelet.until
        assert kubelet.deadline == timedelta(seconds=7)
        assert len(control_plane_waits.plan(replace(ctx, joined=object()))) == 1

    def test_etcd_is_waited_for_where_it_listens(self, control_plane):
        etcd = LocalEtcd(extra_args=(Arg("listen-client-urls", "https://10.0.0.11:12379"),))
        _, wait = control_plane_waits.plan(with_cluster(control_plane, etcd=Etcd(etcd)))
        assert f"kpy_listens {12379:04X}" in wait.until
        assert f"kpy_listens {2379:04X}" not in wait.until + wait.hopeless


def settled(ctx, carry):
    """Return a control plane whose objects and marks are there."""
    for plan in (certs.plan, cluster_objects.plan, mark_node.plan, applied.plan):
        ctx = carry(ctx, plan(ctx))
    return ctx


def tokens(actions) -> list[Late]:
    return [
        item
        for action in actions
        if isinstance(action, ApplyObjects)
        for item in action.objects
        if isinstance(item, Late) and item.producer == object_groups.TOKEN_PRODUCER
    ]


class TestWhoseObjects:
    """What was applied was applied to the cluster with one CA."""

    def test_nothing_is_left_after(self, control_plane, carry):
        after = settled(control_plane, carry)
        assert [plan(after) for plan in (cluster_objects.plan, mark_node.plan, applied.plan)] == [[], [], []]

    def test_a_replaced_ca_gets_its_cluster_info_and_all_else(self, control_plane, carry, with_file):
        after = settled(control_plane, carry)
        replaced = with_file(after, CA, b"another")
        [apply] = cluster_objects.plan(replaced)
        assert apply.objects == cluster_objects.plan(control_plane)[0].objects
        assert len(mark_node.plan(replaced)) == 2
        assert written(applied.plan(replaced)) == [applied.AUTHORITY]
        assert cluster_objects.plan(carry(replaced, applied.plan(replaced))) == []

    def test_leftover_notes_do_not_speak_for_a_new_cluster(self, control_plane, carry, with_file):
        """Real `kubeadm reset` takes the CA and etcd's data, and leaves what we noted."""
        left = with_file(settled(control_plane, carry), CA, None)
        [apply] = cluster_objects.plan(left)
        assert len(tokens([apply])) == 1
        assert mark_node.plan(left) != []
        [note] = applied.plan(left)
        assert isinstance(note.files[0].content, Late), "the CA is made in the same stage"

    def test_without_a_note_of_the_ca_tokens_do_not_come_back(self, control_plane, carry, with_file):
        """An init that was killed right before its last note had made the tokens."""
        killed = with_file(settled(control_plane, carry), applied.AUTHORITY, None)
        [apply] = cluster_objects.plan(killed)
        assert tokens([apply]) == []


class TestObjects:
    def test_one_apply_for_all_and_after(self, control_plane, carry):
        actions = cluster_objects.plan(control_plane)
        assert [type(action) for action in actions] == [ApplyObjects, WriteFiles]
        assert cluster_objects.plan(settled(control_plane, carry)) == []

    def test_only_the_groups_that_changed(self, control_plane, carry):
        after = settled(control_plane, carry)
        changed = with_cluster(after, kube_proxy_config={"mode": "nftables"})
        guard, apply, roll, wait, settle, note = cluster_objects.plan(changed)
        assert isinstance(guard, Guard)
        assert isinstance(settle, Settle)
        assert apply.reason == "addon/kube-proxy"
        # Its pods read the ConfigMap when they start; a killed run has noted nothing and does it again.
        assert isinstance(roll, RunScript)
        assert "patch daemonset/kube-proxy" in roll.script
        assert isinstance(wait, Wait)
        assert written([note]) == [f"{paths.APPLIED_DIR}/addon-kube-proxy"]

    def test_another_object_leaves_the_pods_of_kube_proxy_alone(self, control_plane, carry):
        after = settled(control_plane, carry)
        changed = with_cluster(after, kubelet_config={"maxPods": 200})
        assert [type(action) for action in cluster_objects.plan(changed)] == [ApplyObjects, WriteFiles]

    def test_a_scaled_coredns_keeps_its_replicas(self, control_plane, carry):
        """kubeadm keeps the number that it finds (contract 7.4); only the cluster knows it."""
        after = with_cluster(settled(control_plane, carry), image_repository="mirror.example/k8s")
        apply = next(action for action in cluster_objects.plan(after) if isinstance(action, ApplyObjects))
        (late,) = [
            item
            for item in apply.objects
            if isinstance(item, Late) and item.producer == object_groups.COREDNS_PRODUCER
        ]
        assert late.args["kind"] == "Deployment"
        assert not [
            each for each in apply.objects if not isinstance(each, Late) and each["kind"] == "Deployment"
        ]
        settled_again = carry(
            after, [each for each in cluster_objects.plan(after) if isinstance(each, WriteFiles)]
        )
        assert cluster_objects.plan(settled_again) == []

    def test_replicas_that_a_patch_sets_are_not_asked_for(self, control_plane, carry):
        patch = Patch("corednsdeployment", PatchType.STRATEGIC, {"spec": {"replicas": 2}}, "p.yaml")
        after = with_cluster(
            settled(control_plane, carry), image_repository="mirror.example/k8s", init_patches=(patch,)
        )
        apply = next(action for action in cluster_objects.plan(after) if isinstance(action, ApplyObjects))
        (deployment,) = [each for each in apply.objects if each["kind"] == "Deployment"]
        assert deployment["spec"]["replicas"] == 2

    def test_tokens_are_made_once(self, control_plane, carry):
        ctx = with_cluster(control_plane, bootstrap_tokens=(BootstrapToken(TOKEN),))
        assert len(tokens(cluster_objects.plan(ctx))) == 1
        after = settled(ctx, carry)
        moved = with_cluster(after, control_plane_endpoint="api.example.test:6443")
        again = cluster_objects.plan(moved)
        assert "bootstrap-token" in again[0].reason, "cluster-info names another server"
        assert tokens(again) == [], "a token that ended or was deleted does not come back"

    def test_a_tokens_value_is_in_no_marker_and_no_plan(self, control_plane):
        one = cluster_objects.plan(with_cluster(control_plane, bootstrap_tokens=(BootstrapToken(TOKEN),)))
        other = cluster_objects.plan(with_cluster(control_plane, bootstrap_tokens=(BootstrapToken(),)))
        assert one[1] == other[1]
        assert "0123456789abcdef" not in repr(one)

    def test_markers_are_the_owners_alone(self, control_plane):
        [_, note] = cluster_objects.plan(control_plane)
        assert {spec.mode for spec in note.files} == {0o600}

    @pytest.mark.parametrize(
        ("skip", "gone"),
        [
            (("upload-config",), {"upload-config/kubeadm", "upload-config/kubelet"}),
            (("upload-config/kubelet",), {"upload-config/kubelet"}),
            (("addon",), {"addon/coredns", "addon/kube-proxy"}),
            (("bootstrap-token",), {"bootstrap-token"}),
        ],
    )
    def test_skipped_phases(self, control_plane, skip, gone):
        def names(ctx) -> set[str]:
            return {group.phase for group in object_groups.groups(ctx)}

        ctx = with_addons(control_plane, "flannel")
        left = names(with_cluster(ctx, init_skip_phases=skip))
        assert names(ctx) - left == gone
        assert "addons/flannel" in left

    def test_what_is_switched_off(self, control_plane):
        ctx = with_cluster(control_plane, dns=Dns(disabled=True), proxy_disabled=True)
        assert not {"addon/coredns", "addon/kube-proxy"} & {
            group.phase for group in object_groups.groups(ctx)
        }

    def test_the_kubelet_clients_rights_come_with_their_release(self, control_plane):
        def bindings(version: str) -> int:
            ctx = with_cluster(control_plane, kubernetes_version=Version.parse(version))
            return len(next(g for g in object_groups.groups(ctx) if g.phase == "bootstrap-token").objects)

        assert bindings("v1.36.3") > bindings("v1.35.4")

    def test_it_goes_to_this_control_plane_as_who_may(self, control_plane, with_file):
        [apply, _] = cluster_objects.plan(control_plane)
        assert (apply.server, apply.kubeconfig) == ("https://10.0.0.11:6443", paths.SUPER_ADMIN_CONF)
        later = with_file(control_plane, paths.ADMIN_CONF, b"x")
        assert cluster_objects.plan(later)[0].kubeconfig == paths.ADMIN_CONF
        both = with_file(later, paths.SUPER_ADMIN_CONF, b"x")
        assert cluster_objects.plan(both)[0].kubeconfig == paths.SUPER_ADMIN_CONF

    def test_markers_tell_contents_apart(self, control_plane):
        group = object_groups.Group("p", ({"kind": "A"},))
        other = object_groups.Group("p", ({"kind": "B"},))
        assert group.marker != other.marker
        assert group.marker.path == other.marker.path
        assert json.loads(json.dumps(group.objects[0])) == {"kind": "A"}


class TestAddOns:
    FLANNEL = Workload("DaemonSet", "kube-flannel", "kube-flannel-ds")
    PROXY = Workload("DaemonSet", "kube-system", "kube-proxy")
    DNS = Workload("Deployment", "kube-system", "coredns")

    def test_without_pod_network_nothing_is_awaited(self, control_plane):
        assert addons_ready.expected(control_plane, with_workers=True) == ([], [])
        assert addons_ready.plan(control_plane) == []

    def test_what_needs_a_worker_waits_for_one(self, control_plane):
        ctx = with_addons(control_plane, "flannel", "local-path-storage")
        ready, pending = addons_ready.expected(ctx, with_workers=False)
        assert ready == [self.PROXY, self.DNS, self.FLANNEL]
        assert [item.name for item in pending] == ["local-path-provisioner"]
        ready, pending = addons_ready.expected(ctx, with_workers=True)
        assert (len(ready), pending) == (4, [])

    def test_a_control_plane_without_taints_runs_everything(self, control_plane):
        ctx = with_addons(with_node(control_plane, taints=()), "flannel", "local-path-storage")
        [wait] = addons_ready.plan(ctx)
        assert "local-path-provisioner" in wait.until

    @pytest.mark.parametrize(
        ("changes", "left"),
        [
            ({"dns": Dns(disabled=True)}, [PROXY, FLANNEL]),
            ({"proxy_disabled": True}, [DNS, FLANNEL]),
            ({"init_skip_phases": ("addon",)}, [FLANNEL]),
            ({"init_skip_phases": ("addon/coredns",)}, [PROXY, FLANNEL]),
        ],
    )
    def test_what_is_not_there_is_not_awaited(self, control_plane, changes, left):
        ctx = with_cluster(with_addons(control_plane, "flannel"), **changes)
        assert addons_ready.expected(ctx, with_workers=True)[0] == left

    def test_what_was_applied_is(self, control_plane, with_file):
        ctx = with_addons(control_plane, "flannel", "local-path-storage")
        assert addons_ready.applied(ctx) == []
        for phase in ("addon/coredns", "addons/flannel"):
            ctx = with_file(ctx, object_groups.marker_path(phase), b"x")
        assert addons_ready.applied(ctx) == [self.DNS, self.FLANNEL]


class TestIsSo:
    def test_content_mode_and_owner_count(self, control_plane, carry):
        [*_, action] = static_pods.plan(control_plane)
        spec = action.files[0]
        facts = carry(control_plane, [action]).facts
        assert is_so(spec, facts)
        for change in ({"content": b"other"}, {"mode": 0o640}, {"owner": "root:adm"}, {"path": "/other"}):
            assert not is_so(replace(spec, **change), facts)
        assert differing([spec], facts) == []

    def test_late_content_never_is(self, control_plane, carry):
        [*_, action] = static_pods.plan(control_plane)
        facts = carry(control_plane, [action]).facts
        assert not is_so(replace(action.files[0], content=Late("p")), facts)
