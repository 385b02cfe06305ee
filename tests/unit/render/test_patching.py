"""Patches that fit nothing are refused by name; what fitting ones do is compared in tests/golden."""

from __future__ import annotations

import re

import pytest

from kubeadm_py.errors import UsageError
from kubeadm_py.model.patches import Patch, PatchType
from kubeadm_py.render.patching import PatchError
from kubeadm_py.render.patching.apply import patched
from kubeadm_py.render.patching.strategic import apply

POD = {
    "spec": {"containers": [{"name": "a", "ports": []}], "hostAliases": []},
    "metadata": {"finalizers": ["x"]},
}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"spec": {"containers": [{"name": ["a"]}]}}, "the merge key name is a single value"),
        ({"spec": {"containers": [{"image": "x"}]}}, "an item lacks its merge key, name"),
        ({"spec": {"containers": [{"name": "a"}], "$setElementOrder/containers": 5}}, "is a list"),
        ({"metadata": {"finalizers": [["x"]]}}, "its items are single values"),
    ],
)
def test_refused(patch, words):
    with pytest.raises(PatchError, match=words):
        apply(POD, patch, "Pod")


WHOLE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "etcd"},
    "spec": {"containers": [{"name": "etcd", "image": "etcd:1"}]},
}


def patch(content, of=PatchType.STRATEGIC, file="etcd.yaml"):
    return Patch("etcd", of, content, file)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"spec": {"containers": [{"name": "etcd", "resource": {}}]}},
            r"^spec\.containers\[0\]\.resource: there is no such key; did you mean resources\?",
        ),
        ({"spec": {"hostnetwork": True}}, r"^spec\.hostnetwork: .* did you mean hostNetwork\?"),
        ({"spec": {"hostNetwork": "true"}}, r"^spec\.hostNetwork: it leaves 'true', .* true or false"),
        ({"spec": {"containers": [{"name": "etcd", "$patch": "delete"}]}}, "it leaves no container"),
        ({"apiVersion": "v2"}, "it leaves apiVersion: 'v2' instead of 'v1'"),
    ],
)
def test_what_nobody_could_read_is_refused(content, told):
    """kubeadm drops an unknown key and takes a pod without containers: nobody would hear of it in time."""
    with pytest.raises(UsageError, match=r"^the patch etcd\.yaml does not fit etcd") as refused:
        patched(WHOLE, "etcd", [patch(content)])
    (detail,) = refused.value.details
    assert re.search(told, detail)


def test_a_deployment_is_judged_by_its_pods():
    container = {"name": "coredns", "image": "c:1", "ports": [{"containerPort": "53"}]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    one = Patch("corednsdeployment", PatchType.MERGE, {"metadata": {"name": "coredns"}}, "coredns.yaml")
    with pytest.raises(UsageError) as refused:
        patched(deployment, "corednsdeployment", [one])
    assert "ports[0].containerPort: it leaves '53', which is not a whole number" in refused.value.details[0]


def test_only_what_all_patches_leave_is_judged():
    away = [{"op": "remove", "path": "/spec/containers/0"}]
    back = [{"op": "add", "path": "/spec/containers/0", "value": {"name": "etcd", "image": "etcd:2"}}]
    patches = [patch(away, PatchType.JSON, "etcd0+json.yaml"), patch(back, PatchType.JSON, "etcd1+json.yaml")]
    assert patched(WHOLE, "etcd", patches)["spec"]["containers"][0]["image"] == "etcd:2"
    with pytest.raises(UsageError, match=r"etcd0\+json\.yaml, etcd2\.yaml does not fit"):
        patched(WHOLE, "etcd", [patches[0], patch({"metadata": {"labels": {"a": "b"}}}, file="etcd2.yaml")])
    assert patched(WHOLE, "kube-apiserver", patches) is WHOLE
