"""What every add-on's objects get, wherever pods are described."""

from __future__ import annotations

import pytest
import yaml

from kubeadm_py.addons import load as addons
from kubeadm_py.addons import shape
from kubeadm_py.model.cluster import AddonRequest

from .conftest import NEEDED

TOLERATION = {"key": "dedicated", "operator": "Exists"}
POD = {
    "containers": [{"name": "a", "image": "r.lan/a:1"}],
    "initContainers": [{"name": "b", "image": "r.lan/b:1"}],
}


def wrapped(kind: str) -> dict:
    pod = {"metadata": {}, "spec": yaml.safe_load(yaml.safe_dump(POD))}
    bodies = {
        "Pod": {"spec": pod["spec"]},
        "PodTemplate": {"template": pod},
        "CronJob": {"spec": {"jobTemplate": {"spec": {"template": pod}}}},
    }
    return {"kind": kind, "metadata": {"name": "x"}, **bodies.get(kind, {"spec": {"template": pod}})}


KINDS = ("Pod", "PodTemplate", "CronJob", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job")


@pytest.mark.parametrize("kind", KINDS)
def test_pods_of_every_kind_get_secrets_tolerations_and_images(kind):
    item = wrapped(kind)
    shape.for_pods(item, pull_secrets=["mine"], tolerations=[TOLERATION], images={"r.lan/b:1": "m.lan/b:1"})
    text = str(item)
    assert "{'name': 'mine'}" in text
    assert str(TOLERATION) in text
    assert shape.container_images(item) == ["m.lan/b:1", "r.lan/a:1"]
    again = yaml.safe_load(yaml.safe_dump(item))
    shape.for_pods(item, pull_secrets=["mine"], tolerations=[TOLERATION], images={})
    assert item == again, "nothing comes twice"


def test_a_manifest_in_a_config_map_is_changed_as_an_object():
    helper = yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "h"}, "spec": POD})
    item = {"kind": "ConfigMap", "data": {"helper.yaml": helper, "script": "kind containers: ["}}
    assert shape.container_images(item) == ["r.lan/b:1", "r.lan/a:1"]
    shape.for_pods(item, pull_secrets=["mine"], tolerations=[], images={"r.lan/a:1": "m.lan/a:1"})
    inner = yaml.safe_load(item["data"]["helper.yaml"])["spec"]
    assert inner["imagePullSecrets"] == [{"name": "mine"}]
    assert inner["containers"][0]["image"] == "m.lan/a:1"
    assert item["data"]["script"] == "kind containers: ["


def test_text_that_needs_no_change_stays_as_it_was_written():
    text = "# mine\nkind: Pod\nspec: {containers: []}\n"
    item = {"kind": "ConfigMap", "data": {"a": text}}
    shape.for_pods(item, pull_secrets=[], tolerations=[], images={"x": "y"})
    assert item["data"]["a"] == text


@pytest.mark.parametrize("name", [addon.name for addon in addons.available()])
def test_every_pod_of_every_add_on_gets_them(name, make_cluster):
    parameters = {**NEEDED.get(name, {}), "imagePullSecrets": ["mine"], "tolerations": [TOLERATION]}
    cluster = make_cluster(AddonRequest(name, parameters))
    item = next(each for each in addons.resolve(cluster) if each.name == name)
    for document in addons.render_one(item, cluster).workloads:
        if shape.container_images(document):
            seen: list[dict] = []
            shape._each_pod(document, seen.append)
            assert all({"name": "mine"} in pod["imagePullSecrets"] for pod in seen)
            assert all(TOLERATION in pod["tolerations"] for pod in seen)
