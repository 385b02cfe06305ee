"""Families of distributions, by what their os-release files say."""

from __future__ import annotations

import pytest

from kubeadm_py.model import binaries, distributions
from kubeadm_py.model.distributions import DEBIAN, RED_HAT
from kubeadm_py.model.versions import Version

RELEASES = {
    "Debian 12": ({"ID": "debian", "VERSION_ID": "12"}, DEBIAN, ""),
    "Debian 11": ({"ID": "debian", "VERSION_ID": "11"}, DEBIAN, "12"),
    "Debian sid": ({"ID": "debian"}, DEBIAN, ""),
    "Ubuntu 24.04": ({"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "24.04"}, DEBIAN, ""),
    "Ubuntu 20.04": ({"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "20.04"}, DEBIAN, "22.04"),
    "Linux Mint 22": ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_ID": "22"}, DEBIAN, ""),
    "Rocky 9": ({"ID": "rocky", "ID_LIKE": "rhel centos fedora", "VERSION_ID": "9.5"}, RED_HAT, ""),
    "CentOS 7": ({"ID": "centos", "ID_LIKE": "rhel fedora", "VERSION_ID": "7"}, RED_HAT, "9"),
    "Fedora 43": ({"ID": "fedora", "VERSION_ID": "43"}, RED_HAT, ""),
    "Amazon Linux 2": ({"ID": "amzn", "ID_LIKE": "centos rhel fedora", "VERSION_ID": "2"}, RED_HAT, "2023"),
    "openSUSE Leap": ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse", "VERSION_ID": "15.6"}, None, ""),
    "Alpine": ({"ID": "alpine", "VERSION_ID": "3.22.0"}, None, ""),
    "nothing": ({}, None, ""),
}


@pytest.mark.parametrize(("release", "family", "oldest"), RELEASES.values(), ids=RELEASES)
def test_a_release_has_its_family_and_its_age(release, family, oldest):
    assert distributions.family_of(release) is family
    assert distributions.is_too_old(release) == oldest


def test_every_binary_of_kubernetes_comes_in_a_package():
    found = {binary.name: distributions.package_of(binary) for binary in binaries.BINARIES}
    assert (found["kubelet"], found["kubectl"], found["crictl"]) == ("kubelet", "kubectl", "cri-tools")
    assert found["bridge"] == "kubernetes-cni"
    assert (found["containerd"], found["runc"], found["etcdctl"]) == ("", "", "")
    assert set(filter(None, found.values())) <= set(distributions.PACKAGES)


def test_there_is_a_repository_for_each_minor():
    version = Version.parse("v1.36.3")
    assert distributions.key_url(version, DEBIAN) == "https://pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key"
    assert distributions.repository(version, RED_HAT) == "https://pkgs.k8s.io/core:/stable:/v1.36/rpm/"
