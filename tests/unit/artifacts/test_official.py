"""The table of official releases: URLs, mirrors, checksum files."""

from __future__ import annotations

import pytest

from kubeadm_py.artifacts import official
from kubeadm_py.model import binaries
from kubeadm_py.model.versions import RELEASES, Version

BY_NAME = {binary.name: binary for binary in binaries.BINARIES}
GITHUB = "https://github.com"
CONTAINERD = (
    GITHUB + "/containerd/containerd/releases/download/v2.3.7/containerd-static-2.3.7-linux-arm64.tar.gz"
)
PLUGINS = GITHUB + "/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-arm64-v1.9.1.tgz"


@pytest.mark.parametrize(
    ("name", "url", "checksum", "member"),
    [
        (
            "kubelet",
            "https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubelet",
            "https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubelet.sha256",
            "",
        ),
        (
            "ctr",
            CONTAINERD,
            CONTAINERD + ".sha256sum",
            "bin/ctr",
        ),
        (
            "runc",
            GITHUB + "/opencontainers/runc/releases/download/v1.4.0/runc.arm64",
            GITHUB + "/opencontainers/runc/releases/download/v1.4.0/runc.sha256sum",
            "",
        ),
        (
            "bridge",
            PLUGINS,
            PLUGINS + ".sha256",
            "bridge",
        ),
        (
            "crictl",
            GITHUB + "/kubernetes-sigs/cri-tools/releases/download/v1.36.0/crictl-v1.36.0-linux-arm64.tar.gz",
            GITHUB
            + "/kubernetes-sigs/cri-tools/releases/download/v1.36.0/crictl-v1.36.0-linux-arm64.tar.gz.sha256",
            "crictl",
        ),
        (
            "etcdctl",
            GITHUB + "/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-arm64.tar.gz",
            GITHUB + "/etcd-io/etcd/releases/download/v3.6.8/SHA256SUMS",
            "etcd-v3.6.8-linux-arm64/etcdctl",
        ),
    ],
)
def test_urls(name, url, checksum, member):
    components = official.component_versions(Version.parse("v1.36.3"))
    binary = BY_NAME[name]
    found = official.download(binary, components[binary.component], "arm64")
    assert (found.url, found.checksum_url, found.members) == (url, checksum, {name: member})


def test_a_mirror_holds_the_same_paths_below_its_own():
    found = official.download(BY_NAME["kubelet"], "v1.36.3", "amd64", "http://mirror.lan/k8s/")
    assert found.url == "http://mirror.lan/k8s/dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet"
    assert found.checksum_url == found.url + ".sha256"


def test_one_archive_is_downloaded_once():
    wanted = dict.fromkeys((BY_NAME["containerd"], BY_NAME["ctr"]), "v2.3.7")
    (found,) = official.downloads(wanted, "amd64")
    assert found.members == {"containerd": "bin/containerd", "ctr": "bin/ctr"}


@pytest.mark.parametrize("minor", RELEASES)
def test_every_binary_of_every_minor_is_published(minor):
    components = official.component_versions(Version.parse(RELEASES[minor].default_patch))
    for binary in binaries.BINARIES:
        assert official.download(binary, components[binary.component], "amd64").url.startswith("https://")


A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (A, A),
        (f"{A}\n", A),
        (f"{A.upper()}  runc.amd64\n", A),
        (f"{B}  runc.arm64\n{A}  runc.amd64\n", A),
        (f"{A} *runc.amd64", A),
        (f"{A}  ./release/runc.amd64", A),
        (f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{A}  runc.amd64\n-----BEGIN", A),
        (f"{B}  runc.arm64\n", ""),
        ("<html>not found</html>", ""),
        ("g" * 64, ""),
        ("", ""),
    ],
)
def test_checksum_files(text, expected):
    assert official.checksum(text, "runc.amd64") == expected
