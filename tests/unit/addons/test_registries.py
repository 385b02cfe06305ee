"""Settings of registries reach the images and pods of add-ons."""

from __future__ import annotations

from dataclasses import replace

from kubeadm_py.addons import load as addons
from kubeadm_py.addons import shape
from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.versions import Version

CLUSTER = ResolvedCluster(
    "demo",
    Version(1, 36, 3),
    (Node("cp1", Role.CONTROL_PLANE, ("192.0.2.11",)),),
    networking=Networking(pod_subnet="10.244.0.0/16"),
    addons=(AddonRequest("flannel"), AddonRequest("local-path-storage")),
    registries={
        "docker.io": Registry(replace_with="corp.example:5000/hub"),
        "corp.example:5000": Registry(pull_secrets=("corp", "more")),
        "quay.io": Registry(pull_secrets=("unused",)),
    },
)


def test_names_of_registries_are_replaced_everywhere_helper_pods_included():
    resolved = addons.resolve(CLUSTER)
    listed = addons.images(resolved, CLUSTER)
    assert "corp.example:5000/hub/library/busybox:1.36" in listed
    assert "corp.example:5000/hub/rancher/local-path-provisioner:v0.0.30" in listed
    assert any(image.startswith("ghcr.io/") for image in listed)
    found = {image for each in addons.render(resolved, CLUSTER) for image in shape.container_images(each)}
    assert found == set(listed)


def test_pods_pull_with_the_secrets_of_the_registries_that_they_use():
    resolved = addons.resolve(CLUSTER)
    [deployment] = [each for each in addons.render(resolved, CLUSTER) if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "corp"}, {"name": "more"}]
    [daemon] = [each for each in addons.render(resolved, CLUSTER) if each["kind"] == "DaemonSet"]
    assert "imagePullSecrets" not in daemon["spec"]["template"]["spec"]


def test_what_an_add_on_is_told_itself_goes_over_its_registry():
    request = AddonRequest("local-path-storage", {"images": {"helper": "x.example/y:1"}})
    cluster = replace(CLUSTER, addons=(request,))
    assert "x.example/y:1" in addons.images(addons.resolve(cluster), cluster)
    whole = AddonRequest("local-path-storage", {"imageRepository": "m.example"})
    cluster = replace(CLUSTER, addons=(whole,))
    assert all(image.startswith("m.example/") for image in addons.images(addons.resolve(cluster), cluster))
