"""Objects that we want, beside those that a cluster has."""

from __future__ import annotations

import pytest

from kubeadm_py.model import live
from kubeadm_py.model.live import LiveObjects, lacks


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({"a": 1}, {"a": 1, "status": {}, "metadata": {"uid": "x"}}),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2], "c": "defaulted"}}),
        ({"env": [{"name": "A"}]}, {"env": [{"name": "A", "x": 1}]}),
        ({"a": None}, {}),
        ({"a": {}}, {}),
        ({"a": []}, {}),
        ("x", "x"),
    ],
)
def test_nothing_lacks(wanted, there):
    assert not lacks(wanted, there)


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": {"b": 1}}, {"a": "text"}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"a": [1]}, {"a": {}}),
        ({"a": [{"name": "A"}, {"name": "B"}]}, {"a": [{"name": "B"}, {"name": "A"}]}),
        ({"cpu": "1000m"}, {"cpu": "1"}),
        ({"a": {}}, {"a": "text"}),
    ],
)
def test_something_may(wanted, there):
    assert lacks(wanted, there)


def test_keys():
    assert live.key({"kind": "Namespace", "metadata": {"name": "n"}}) == "Namespace n"
    assert live.key({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}) == "ConfigMap n/c"


def test_what_differs():
    found = LiveObjects({"A a": {}}, {"A a": {}}, frozenset({"B b"}))
    assert [found.differs(name) for name in ("A a", "B b", "C c")] == [True, True, False]


def test_what_the_server_writes_is_left_out():
    item = {
        "kind": "Deployment",
        "metadata": {
            "name": "d",
            "uid": "1",
            "resourceVersion": "7",
            "managedFields": [],
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "status": {"replicas": 1},
    }
    assert live.cleaned(item) == {"kind": "Deployment", "metadata": {"name": "d"}}
    kept = {"kind": "X", "metadata": {"annotations": {"a": "b"}}}
    assert live.cleaned(kept) == kept


def test_who_wrote_last():
    def entry(manager, time, **more):
        return {"manager": manager, "time": time, "operation": "Update", **more}

    def writer(*entries):
        return live.last_writer({"metadata": {"managedFields": list(entries)}}, "kubeadm-py")

    ours = entry("kubeadm-py", "2026-11-30T17:00:00Z")
    edit = entry("kubectl-edit", "2026-11-30T17:41:09Z")
    status = entry("someone", "2026-11-30T18:00:00Z", subresource="status")
    assert writer(ours, edit, status) == "by kubectl-edit since 2026-11-30 17:41 UTC"
    assert writer(ours, entry("kube-controller-manager", "2026-11-30T18:00:00Z")) == ""
    assert live.last_writer({}, "kubeadm-py") == ""


def test_a_configuration_in_another_order_says_the_same():
    def config_map(text):
        return {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"config.conf": text}}

    assert live.same(config_map("a: 1\nb: 2\n"), config_map("b: 2\na: 1\n"))
    assert not live.same(config_map("a: 1\n"), config_map("a: 2\n"))
    assert not live.same(config_map("plain text"), config_map("other text"))
    assert live.same(config_map("{"), config_map("{"))


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([{"type": "Ready", "status": "True"}], True),
        ([{"type": "Ready", "status": "False"}], False),
        ([{"type": "Ready", "status": "Unknown"}], False),
        ([{"type": "DiskPressure", "status": "True"}], False),
        ([], False),
    ],
)
def test_what_is_ready(conditions, ready):
    assert live.is_ready({"status": {"conditions": conditions}}) is ready


@pytest.mark.parametrize("answer", [None, "a page", [], {}, {"status": {}}, {"status": {"conditions": [{}]}}])
def test_what_is_no_node_is_not_ready(answer):
    assert not live.is_ready(answer)
