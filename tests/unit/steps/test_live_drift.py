"""What somebody changed in the cluster's objects and marks is planned again, though it is noted."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from kubeadm_py.model import live
from kubeadm_py.model.actions import ApplyObjects, Late, RunScript
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.node import CONTROL_PLANE_TAINT, Taint
from kubeadm_py.render.endpoint import CONFIG_ANNOTATION
from kubeadm_py.steps import applied, cluster_objects
from kubeadm_py.steps.certificates import certs
from kubeadm_py.steps.nodes import mark as mark_node
from kubeadm_py.steps.objects import groups as object_groups

PROXY, DAEMON = "ConfigMap kube-system/kube-proxy", "DaemonSet kube-system/kube-proxy"


@pytest.fixture
def after(control_plane, carry):
    """A control plane after its init."""
    ctx = control_plane
    for plan in (certs.plan, cluster_objects.plan, mark_node.plan, applied.plan):
        ctx = carry(ctx, plan(ctx))
    return ctx


@pytest.fixture
def there(after):
    """All objects as they were applied."""
    wanted, changed = object_groups.comparable(after)
    assert not changed
    return {live.key(item): item for item in wanted}


def planned(ctx):
    return [action for action in cluster_objects.plan(ctx) if isinstance(action, ApplyObjects)]


def with_node(ctx, **changes):
    node = replace(ctx.node, **changes)
    return replace(ctx, node=node, cluster=replace(ctx.cluster, nodes=(node,)))


class TestObjects:
    def test_all_is_so(self, after, there):
        assert cluster_objects.plan(replace(after, live=LiveObjects(there))) == []

    def test_nobody_was_asked(self, after):
        assert cluster_objects.plan(after) == []

    def test_one_that_was_changed_is_applied_alone(self, after, there):
        [action] = planned(replace(after, live=LiveObjects(there, {PROXY: {}})))
        assert [object_groups.name(item) for item in action.objects] == [PROXY]
        assert action.why == {PROXY: cluster_objects.BY_HAND}

    def test_pods_that_may_have_read_it_are_replaced(self, after, there):
        """They bear the digest of the right configuration already, which replaces nothing."""

        def rolled(ctx):
            [roll] = [action for action in cluster_objects.plan(ctx) if isinstance(action, RunScript)]
            return roll.script

        edited = replace(after, live=LiveObjects(there, {PROXY: {}}))
        cluster = replace(after.cluster, kube_proxy_config={"mode": "nftables"})
        changed = replace(edited, cluster=cluster)
        assert f"-{after.now:%Y%m%d}" in rolled(edited)
        assert f"-{after.now:%Y%m%d}" not in rolled(changed), "another digest is enough"

    def test_one_that_was_deleted(self, after, there):
        gone = {name: item for name, item in there.items() if name != PROXY}
        [action] = planned(replace(after, live=LiveObjects(gone, {}, frozenset({PROXY}))))
        assert action.why == {PROXY: cluster_objects.DELETED}

    def test_of_a_changed_group_only_what_differs(self, after, there):
        args = {"mode": "nftables"}
        changed = replace(after, cluster=replace(after.cluster, kube_proxy_config=args))
        _, which = object_groups.comparable(changed)
        assert PROXY in which
        assert "ConfigMap kube-system/kubelet-config" not in which
        [action] = planned(replace(changed, live=LiveObjects(there, {PROXY: {}})))
        assert action.why == {PROXY: "of addon/kube-proxy"}
        assert len(planned(changed)[0].objects) > 1, "without an answer the whole group is"

    def test_a_group_that_is_already_so_is_only_noted(self, after, there):
        changed = replace(after, cluster=replace(after.cluster, kubelet_config={"maxPods": 99}))
        [note] = cluster_objects.plan(replace(changed, live=LiveObjects(there)))
        assert note.title == "note what was applied"

    def test_pods_of_kube_proxy_that_have_read_it_are_left_alone(self, after, there):
        changed = replace(after, cluster=replace(after.cluster, kube_proxy_config={"mode": "nftables"}))
        roll = next(
            action
            for action in cluster_objects.plan(replace(changed, live=LiveObjects(there)))
            if isinstance(action, RunScript)
        )
        digest = re.search(rf'{CONFIG_ANNOTATION}": "([0-9a-f]{{16}})"', roll.script)[1]
        daemon = there[DAEMON]
        for read, rolled in ((digest, False), (f"{digest}-20261201000000", False), ("0" * 16, True)):
            template = {"metadata": {"annotations": {CONFIG_ANNOTATION: read}}}
            now = {**there, DAEMON: {**daemon, "spec": {**daemon["spec"], "template": template}}}
            actions = cluster_objects.plan(replace(changed, live=LiveObjects(now)))
            assert any(isinstance(action, RunScript) for action in actions) is rolled

    def test_what_is_made_late_can_be_compared(self, after, there):
        assert "ConfigMap kube-public/cluster-info" in there
        assert "replicas" not in there["Deployment kube-system/coredns"]["spec"]
        [action] = planned(replace(after, live=LiveObjects({}, {}, frozenset(there))))
        assert any(isinstance(item, Late) for item in action.objects)
        assert {object_groups.name(item) for item in action.objects} == set(there)


class TestMarks:
    """A node's labels and taints."""

    def node(self, ctx, labels=None, taints=None):
        ours = [taint.manifest for taint in ctx.node.effective_taints]
        return {
            f"Node {ctx.node.name}": {
                "metadata": {"labels": mark_node.labels_of(ctx.node) if labels is None else labels},
                "spec": {"taints": ours if taints is None else taints},
            }
        }

    def test_all_is_so(self, after):
        found = self.node(after, labels={**mark_node.labels_of(after.node), "others": "x"})
        assert mark_node.plan(replace(after, live=LiveObjects(found))) == []

    def test_a_node_that_nobody_knows_is_not_drift(self, after):
        assert mark_node.plan(replace(after, live=LiveObjects())) == []

    def test_a_lost_label(self, after):
        _, action, _ = [*mark_node.plan(replace(after, live=LiveObjects(self.node(after, labels={})))), None]
        assert action.reason.endswith("(drift)")
        assert "label node-role.kubernetes.io/control-plane= is gone" in action.shows

    def test_a_lost_taint(self, after):
        _, action, _ = [*mark_node.plan(replace(after, live=LiveObjects(self.node(after, taints=[])))), None]
        assert action.shows == (f"taint {CONTROL_PLANE_TAINT} is gone",)

    def test_a_taint_that_a_node_only_registers_with_may_go_away(self, after, carry):
        taint = Taint("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule")
        ctx = with_node(after, taints=(taint,), taints_registered=True)
        ctx = carry(ctx, mark_node.plan(ctx))
        assert mark_node.plan(replace(ctx, live=LiveObjects(self.node(ctx, taints=[])))) == []
