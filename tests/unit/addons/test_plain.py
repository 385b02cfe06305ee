"""Manifests that somebody wrote for kubectl, taken as an add-on."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeadm_py.addons import load as addons
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import AddonRequest

WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      containers: [{name: web, image: "r.lan/shop/web:1.2", args: ["{{ not ours }}"]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "My Shop"
    path.mkdir()
    (path / "20-web.yaml").write_text(WORKLOAD)
    (path / "10-space.yml").write_text("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n")
    (path / "30-more.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": '
        '[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}]}'
    )
    (path / "notes.txt").write_text("nothing")
    return path


def resolved(path, make_cluster, **parameters):
    cluster = make_cluster(AddonRequest(str(path), parameters))
    [item] = addons.resolve(cluster)
    return item, addons.render([item], cluster), addons.images([item], cluster)


def test_a_folder_of_manifests(folder, make_cluster):
    item, objects, images = resolved(folder, make_cluster)
    assert item.name == "my-shop"
    assert [each["kind"] for each in objects] == ["Namespace", "Deployment", "ConfigMap"]
    assert objects[1]["spec"]["template"]["spec"]["containers"][0]["args"] == ["{{ not ours }}"]
    assert images == ["r.lan/shop/web:1.2"]
    assert [(ready.kind, ready.namespace, ready.name) for ready in item.addon.readiness] == [
        ("Deployment", "shop", "web")
    ]
    assert all(each["metadata"]["labels"]["kubeadm-py.io/addon"] == "my-shop" for each in objects)


def test_a_single_manifest(folder, make_cluster):
    item, objects, _ = resolved(folder / "20-web.yaml", make_cluster)
    assert (item.name, len(objects)) == ("20-web", 1)


def test_images_are_rewritten_as_objects(folder, make_cluster):
    _, objects, images = resolved(folder, make_cluster, imageRepository="m.lan:5000/x")
    assert images == ["m.lan:5000/x/shop/web:1.2"]
    assert objects[1]["spec"]["template"]["spec"]["containers"][0]["image"] == images[0]


def test_rendering_twice_gives_the_same(folder, make_cluster):
    cluster = make_cluster(AddonRequest(str(folder), {"imagePullSecrets": ["a"]}))
    [item] = addons.resolve(cluster)
    assert addons.render([item], cluster) == addons.render([item], cluster)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "is not YAML"),
        ("just text", "not an API object"),
        ("{apiVersion: v1, kind: ConfigMap}", "a ConfigMap has no name"),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: 1}}", "a ConfigMap has no name"),
        (WORKLOAD.replace("r.lan/shop/web:1.2", "web"), "not every image is a complete reference"),
        (
            "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: old}}",
            "Ingress old: extensions/v1beta1 was removed in Kubernetes 1.22; use networking.k8s.io/v1",
        ),
        (
            "{apiVersion: apps/v1beta2, kind: Deployment, metadata: {name: old}}",
            "Deployment old: apps/v1beta2 was removed in Kubernetes 1.16; use apps/v1",
        ),
    ],
)
def test_what_is_wrong_is_said(text, says, tmp_path, make_cluster):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        addons.resolve(make_cluster(AddonRequest(str(path))))
    assert says in "\n".join(refused.value.details)


def test_a_folder_with_nothing_in_it(tmp_path, make_cluster):
    with pytest.raises(UsageError) as refused:
        addons.resolve(make_cluster(AddonRequest(f"{tmp_path}/")))
    assert "no addon.yaml and no manifest" in refused.value.details[0]
