"""Say where the official releases lie, how they are checked, and what is in them: the one table of URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kubeadm_py.model import binaries, versions
from kubeadm_py.model.binaries import Binary
from kubeadm_py.model.versions import Version

ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True, slots=True)
class Release:
    """Describe how a component is published.

    In the templates `v` is the version with its `v`, `n` the version without, `a` the architecture, `b` the
    binary. `member` is a binary's path inside the archive; empty where the download is the binary itself.
    """

    url: str
    checksum: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """Name one file to download, the file that lists its SHA-256, and where binaries are inside it."""

    url: str
    checksum_url: str
    members: Mapping[str, str]
    """Binary -> path inside the archive; empty path: the file is the binary."""
    published: str
    """The publisher's own URL, whichever mirror is asked: a lock file knows it by that."""


_GITHUB = "https://github.com"
RELEASES = {
    binaries.KUBERNETES: Release(
        "https://dl.k8s.io/release/{v}/bin/linux/{a}/{b}",
        "https://dl.k8s.io/release/{v}/bin/linux/{a}/{b}.sha256",
    ),
    # The static build runs on every distribution, whatever its C library.
    binaries.CONTAINERD: Release(
        _GITHUB + "/containerd/containerd/releases/download/{v}/containerd-static-{n}-linux-{a}.tar.gz",
        _GITHUB
        + "/containerd/containerd/releases/download/{v}/containerd-static-{n}-linux-{a}.tar.gz.sha256sum",
        "bin/{b}",
    ),
    binaries.RUNC: Release(
        _GITHUB + "/opencontainers/runc/releases/download/{v}/runc.{a}",
        _GITHUB + "/opencontainers/runc/releases/download/{v}/runc.sha256sum",
    ),
    binaries.CNI_PLUGINS: Release(
        _GITHUB + "/containernetworking/plugins/releases/download/{v}/cni-plugins-linux-{a}-{v}.tgz",
        _GITHUB + "/containernetworking/plugins/releases/download/{v}/cni-plugins-linux-{a}-{v}.tgz.sha256",
        "{b}",
    ),
    binaries.CRICTL: Release(
        _GITHUB + "/kubernetes-sigs/cri-tools/releases/download/{v}/crictl-{v}-linux-{a}.tar.gz",
        _GITHUB + "/kubernetes-sigs/cri-tools/releases/download/{v}/crictl-{v}-linux-{a}.tar.gz.sha256",
        "{b}",
    ),
    binaries.ETCD: Release(
        _GITHUB + "/etcd-io/etcd/releases/download/{v}/etcd-{v}-linux-{a}.tar.gz",
        _GITHUB + "/etcd-io/etcd/releases/download/{v}/SHA256SUMS",
        "etcd-{v}-linux-{a}/{b}",
    ),
}


def component_versions(kubernetes_version: Version) -> dict[str, str]:
    """Return the version of each component that goes with a Kubernetes version."""
    row = versions.release(kubernetes_version)
    return {
        binaries.KUBERNETES: str(kubernetes_version),
        binaries.CONTAINERD: row.containerd,
        binaries.RUNC: row.runc,
        binaries.CNI_PLUGINS: row.cni_plugins,
        binaries.CRICTL: row.crictl,
        binaries.ETCD: row.etcd,
    }


def download(binary: Binary, version: str, architecture: str, mirror: str = "") -> Download:
    """Return where a binary is downloaded from.

    `mirror` is the base URL of a server that holds the same files below their host names:
    MIRROR/dl.k8s.io/release/..., MIRROR/github.com/containerd/...
    """
    release = RELEASES[binary.component]
    words = {"v": version, "n": version.removeprefix("v"), "a": architecture, "b": binary.name}
    return Download(
        through(mirror, release.url.format(**words)),
        through(mirror, release.checksum.format(**words)),
        {binary.name: release.member.format(**words)},
        release.url.format(**words),
    )


def downloads(wanted: Mapping[Binary, str], architecture: str, mirror: str = "") -> tuple[Download, ...]:
    """Return the downloads for some binaries (binary -> version); one that holds several comes once."""
    found: dict[str, Download] = {}
    for binary, version in wanted.items():
        each = download(binary, version, architecture, mirror)
        known = found.get(each.url)
        members = {**known.members, **each.members} if known else each.members
        found[each.url] = replace(each, members=members)
    return tuple(found.values())


def checksum(text: str, file_name: str) -> str:
    """Return a file's SHA-256 from a checksum file: a bare digest, or lines of digest and name.

    Return an empty string where the file has none.
    """
    for line in text.splitlines():
        words = line.split()
        if not words or len(words[0]) != 64 or not set(words[0].lower()) <= set("0123456789abcdef"):
            continue
        if len(words) == 1 or words[1].lstrip("*").rpartition("/")[2] == file_name:
            return words[0].lower()
    return ""


def through(mirror: str, url: str) -> str:
    """Return where a mirror has what lies at a URL; without one, the URL."""
    return f"{mirror.rstrip('/')}/{url.removeprefix('https://')}" if mirror else url
