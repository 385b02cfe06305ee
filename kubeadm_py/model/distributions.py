"""Tell distributions apart by their os-release, and name the packages that Kubernetes publishes for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kubeadm_py.model import binaries
from kubeadm_py.model.binaries import Binary
from kubeadm_py.model.versions import Version


@dataclass(frozen=True, slots=True)
class Family:
    """Describe distributions that share packages; paths are those of our repository file and its key."""

    name: str
    ids: frozenset[str]
    managers: tuple[str, ...]
    kind: str
    key: str
    repository_file: str
    key_file: str


DEBIAN = Family(
    "debian",
    frozenset({"debian", "ubuntu", "raspbian"}),
    ("apt-get",),
    "deb",
    "Release.key",
    "/etc/apt/sources.list.d/kubeadm-py-kubernetes.list",
    "/etc/apt/keyrings/kubeadm-py-kubernetes.asc",
)
RED_HAT = Family(
    "rhel",
    frozenset({"rhel", "fedora", "centos", "rocky", "almalinux", "ol", "amzn"}),
    ("dnf",),
    "rpm",
    "repodata/repomd.xml.key",
    "/etc/yum.repos.d/kubeadm-py-kubernetes.repo",
    "/etc/pki/rpm-gpg/RPM-GPG-KEY-kubeadm-py-kubernetes",
)
FAMILIES = (DEBIAN, RED_HAT)

OLDEST = {
    "debian": "12",
    "raspbian": "12",
    "ubuntu": "22.04",
    "rhel": "9",
    "centos": "9",
    "rocky": "9",
    "almalinux": "9",
    "ol": "9",
    "fedora": "41",
    "amzn": "2023",
}
"""ID -> the oldest release whose kernel and systemd are not behind what Kubernetes asks for."""

_REPOSITORY = "https://pkgs.k8s.io/core:/stable:/v{minor}/{kind}/"
_OF_BINARIES = {"kubelet": "kubelet", "kubectl": "kubectl", "crictl": "cri-tools"}
_CNI_PACKAGE = "kubernetes-cni"
WITH_CLUSTER = frozenset({"kubelet", "kubectl"})
"""Packages that have the cluster's own version."""
PACKAGES = ("kubelet", "kubeadm", "kubectl", "cri-tools", _CNI_PACKAGE)
"""All that the repository has: none of them is upgraded with the rest of the system."""


def family_of(release: Mapping[str, str]) -> Family | None:
    """Return the family that an os-release tells of: by ID, else by the first ID_LIKE that is known."""
    for word in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        for family in FAMILIES:
            if word in family.ids:
                return family
    return None


def called(release: Mapping[str, str]) -> str:
    """Return what people call a distribution."""
    named = release.get("PRETTY_NAME") or f"{release.get('ID', 'linux')} {release.get('VERSION_ID', '')}"
    return named.strip()


def is_too_old(release: Mapping[str, str]) -> str:
    """Return the oldest release that does where this one is older, else an empty string."""
    oldest = OLDEST.get(release.get("ID", ""), "")
    found = release.get("VERSION_ID", "")
    return oldest if oldest and found and _numbers(found) < _numbers(oldest) else ""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def package_of(binary: Binary) -> str:
    """Return the package that brings a binary; empty for those that Kubernetes has no package of."""
    if binary.component == binaries.CNI_PLUGINS:
        return _CNI_PACKAGE
    return _OF_BINARIES.get(binary.name, "")


def repository(version: Version, family: Family) -> str:
    """Return the URL of the repository of a Kubernetes minor: there is one for each."""
    return _REPOSITORY.format(minor=version.minor_text, kind=family.kind)


def key_url(version: Version, family: Family) -> str:
    """Return where the key lies that the repository is signed with."""
    return repository(version, family) + family.key
