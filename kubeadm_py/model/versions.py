"""Hold component versions and image tags per Kubernetes minor: the one table of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

_VERSION = re.compile(r"^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$")


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """Hold a semantic version as Kubernetes writes it; orders pre-releases before their release."""

    major: int
    minor: int
    patch: int
    pre: str = ""
    build: str = ""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse `v1.36.3`, `1.36.3-rc.0` or `v1.36.3+build`; raise ValueError for anything else."""
        match = _VERSION.match(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a version like v1.36.3")
        major, minor, patch, pre, build = match.groups()
        return cls(int(major), int(minor), int(patch), pre or "", build or "")

    @property
    def minor_text(self) -> str:
        """Return the minor release as people say it: `1.36`."""
        return f"{self.major}.{self.minor}"

    @property
    def image_tag(self) -> str:
        """Return the tag of the Kubernetes images: `+` is not allowed in one."""
        return str(self).replace("+", "_")

    def _key(self) -> tuple[object, ...]:
        identifiers = tuple(
            (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in self.pre.split(".") if part
        )
        return (self.major, self.minor, self.patch, not self.pre, identifiers)

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __str__(self) -> str:
        text = f"v{self.major}.{self.minor}.{self.patch}"
        return text + (f"-{self.pre}" if self.pre else "") + (f"+{self.build}" if self.build else "")


@dataclass(frozen=True, slots=True)
class Release:
    """List what goes with one Kubernetes minor."""

    default_patch: str
    etcd_image_tag: str
    coredns_image_tag: str
    pause_image_tag: str
    etcd: str
    containerd: str
    runc: str
    cni_plugins: str
    crictl: str
    haproxy_image_tag: str
    keepalived_image_tag: str


RELEASES: dict[str, Release] = {
    "1.35": Release(
        default_patch="v1.35.4",
        etcd_image_tag="3.6.6-0",
        coredns_image_tag="v1.13.1",
        pause_image_tag="3.10.1",
        etcd="v3.6.6",
        containerd="v2.3.7",
        runc="v1.4.0",
        cni_plugins="v1.9.1",
        crictl="v1.35.0",
        haproxy_image_tag="3.2.22-alpine",
        keepalived_image_tag="2.3.4",
    ),
    "1.36": Release(
        default_patch="v1.36.3",
        etcd_image_tag="3.6.8-0",
        coredns_image_tag="v1.14.2",
        pause_image_tag="3.10.2",
        etcd="v3.6.8",
        containerd="v2.3.7",
        runc="v1.4.0",
        cni_plugins="v1.9.1",
        crictl="v1.36.0",
        haproxy_image_tag="3.2.22-alpine",
        keepalived_image_tag="2.3.4",
    ),
}
DEFAULT_MINOR = "1.36"
DEFAULT_VERSION = RELEASES[DEFAULT_MINOR].default_patch

MINIMUM_EXTERNAL_ETCD = Version(3, 5, 24)
MINIMUM_CONTAINERD = Version(1, 7, 0)
CONTAINERD_RUNTIME_CONFIG_SINCE = Version(2, 0, 0)
"""containerd answers the CRI call RuntimeConfig from here on (check ContainerRuntimeVersion)."""
KUBELET_REFUSES_CGROUP_V1_SINCE = Version(1, 35, 0)
FLEX_VOLUME_DIR_UNTIL = Version(1, 36, 0, "0")
"""kube-controller-manager mounts the flex volume plugins only below this version.

The pre-release `0` of this and the next constants comes before a minor's first build."""
KUBELET_CLIENT_BINDING_SINCE = Version(1, 36, 0, "0")
"""The API server's kubelet client gets its rights by a binding of its own, not as a cluster admin."""
ETCD_FEATURE_GATES_SINCE = Version(3, 6, 0, "0")
"""etcd's experimental flags became feature gates and plain flags."""
MINIMUM_KERNEL = (4, 19)
"""The oldest kernel that Kubernetes' own documentation still supports."""

TEST_IMAGE_REPOSITORY = "registry.k8s.io/e2e-test-images/agnhost"
TEST_IMAGE_TAG = "2.63.0"
HAPROXY_IMAGE_REPOSITORY = "docker.io/library/haproxy"
KEEPALIVED_IMAGE_REPOSITORY = "docker.io/osixia/keepalived"


def release(version: Version) -> Release:
    """Return the table's row for `version`; raise KeyError for a minor that the table lacks."""
    return RELEASES[version.minor_text]
