"""Work out which binaries and images a host needs and which of them it lacks, without reading anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kubeadm_py.model import binaries, distributions, images, versions
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.binaries import Binary
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version

DOWNLOADED = (ArtifactSource.OFFICIAL, ArtifactSource.PACKAGES)
"""Sources whose binaries are downloaded when it is known which are needed; packages bring some of them."""


@dataclass(frozen=True, slots=True)
class ArtifactView:
    """Hold what an artifact source offers, as plain data.

    For `official`, `binaries` holds what was downloaded so far; `components` says what can be. The default
    value stands for `preinstalled`: nothing is offered.
    """

    source: ArtifactSource = ArtifactSource.PREINSTALLED
    components: Mapping[str, str] = field(default_factory=dict)
    """Component -> version."""
    architectures: tuple[str, ...] = ()
    binaries: Mapping[str, Mapping[str, LocalFile]] = field(default_factory=dict)
    """Architecture -> name -> file."""
    layout: str = ""
    """Path of the OCI layout; empty where images are pulled by the hosts."""
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Architecture -> full reference -> manifest digest."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """Full reference -> digest that a pull of it must come to."""
    repository_keys: Mapping[str, bytes] = field(default_factory=dict)
    """Family of distributions -> the key that its packages' repository is signed with."""

    def file(self, binary: Binary, architecture: str) -> LocalFile | None:
        """Return the file of a binary, or None where it is not there (yet)."""
        return self.binaries.get(architecture, {}).get(binary.name)

    def offers(self, binary: Binary, architecture: str) -> bool:
        """Say whether the source has the binary or can download it."""
        if self.source in DOWNLOADED:
            return binary.component in self.components
        return self.file(binary, architecture) is not None


class Decision(StrEnum):
    """Say what happens to one binary of one host."""

    KEEP = "keep"
    SEND = "send"
    PACKAGE = "package"
    """The host's package manager brings it."""
    MISSING = "missing"
    """Neither the host nor the source has it."""
    UNSUITABLE = "unsuitable"
    """Somebody else installed it in a version that does not do; it is not ours to replace."""


@dataclass(frozen=True, slots=True)
class BinaryState:
    """Hold the decision about one binary: `path` is where it is, or where it goes."""

    binary: Binary
    decision: Decision
    path: str
    version: str = ""
    """What the host has, as far as it is known."""
    file: LocalFile | None = None
    """What is sent; None for `official` until it is downloaded."""
    ours: bool = False
    """Whether we put it there, or are about to."""
    found: bool = False
    """Whether the host has it."""


def binaries_for(cluster: ResolvedCluster, node: Node) -> tuple[Binary, ...]:
    """List the binaries that a host needs in its role."""
    wanted = [binary for binary in binaries.BINARIES if node.role in binary.roles]
    if cluster.at(node).etcd.local is None:
        wanted = [binary for binary in wanted if binary.component != binaries.ETCD]
    if not uses_containerd(node):
        wanted = [binary for binary in wanted if binary not in binaries.RUNTIME]
    return tuple(wanted)


def uses_containerd(node: Node) -> bool:
    """Say whether the host's CRI socket is containerd's; other runtimes are their installer's business."""
    return node.cri_socket.endswith("/containerd.sock")


def decide_binaries(
    cluster: ResolvedCluster,
    node: Node,
    facts: HostFacts,
    artifacts: ArtifactView,
    recorded: Collection[str] = (),
) -> tuple[BinaryState, ...]:
    """Decide about each binary that the host needs; `recorded` are the paths of the host's inventory.

    What somebody else installed (a package, say) is left alone where its version does.
    """
    decided: dict[str, BinaryState] = {}
    for binary in binaries_for(cluster, node):
        state = _decide(binary, decided.get(binary.follows), cluster, facts, artifacts, recorded)
        decided[binary.name] = state
    for addon in cluster.addons:
        for binary in binaries.ADDON_CNI.get(addon.name, ()):
            # The add-on's own image carries the plugin as well, so a source without it is no fault.
            if node.role in binary.roles and artifacts.file(binary, facts.architecture) is not None:
                decided[binary.name] = _decide(binary, None, cluster, facts, artifacts, recorded)
    return tuple(decided.values())


def _decide(
    binary: Binary,
    lead: BinaryState | None,
    cluster: ResolvedCluster,
    facts: HostFacts,
    artifacts: ArtifactView,
    recorded: Collection[str],
) -> BinaryState:
    file = artifacts.file(binary, facts.architecture)
    version = facts.binary_versions.get(binary.name, "")
    path = _installed(binary, facts)

    def decision(value: Decision, where: str, *, ours: bool) -> BinaryState:
        return BinaryState(binary, value, where, version, file, ours, bool(path))

    if lead is not None and not lead.ours:
        return decision(Decision.KEEP, path or binary.path, ours=False)
    if artifacts.source is ArtifactSource.PACKAGES and (package := distributions.package_of(binary)):
        value = _by_package(package, version, cluster) if path else Decision.PACKAGE
        return decision(value, path or _packaged_at(binary), ours=False)
    offered = artifacts.offers(binary, facts.architecture)
    ours = binary.path in recorded or (lead is not None and lead.ours)
    if not path or (ours and path != binary.path):
        value = Decision.SEND if offered else Decision.MISSING
        return decision(value, binary.path, ours=offered)
    if file is not None and facts.binary_sha256.get(path) == file.sha256:
        return decision(Decision.KEEP, path, ours=ours)
    if ours and artifacts.source is not ArtifactSource.PREINSTALLED:
        wanted = artifacts.components.get(binary.component, "")
        other = _is_other(path, facts, file) or bool(version and wanted and version != wanted)
        return decision(Decision.SEND if other and offered else Decision.KEEP, path, ours=True)
    does = _suitable(binary, version, cluster)
    return decision(Decision.KEEP if does else Decision.UNSUITABLE, path, ours=False)


def _by_package(package: str, version: str, cluster: ResolvedCluster) -> Decision:
    """Decide about a binary that is there: only what has the cluster's version is brought to another one."""
    if package not in distributions.WITH_CLUSTER or not version or version == str(cluster.kubernetes_version):
        return Decision.KEEP
    does = _suitable(_BY_NAME[package], version, cluster)
    return Decision.PACKAGE if does else Decision.UNSUITABLE


_BY_NAME = {binary.name: binary for binary in binaries.BINARIES}


def _packaged_at(binary: Binary) -> str:
    if binary.component == binaries.CNI_PLUGINS:
        return binary.path
    return f"/usr/bin/{binary.name}"


def _installed(binary: Binary, facts: HostFacts) -> str:
    if binary.path in facts.binary_sha256 or binary.path in facts.files:
        return binary.path
    if binary.component in (binaries.CNI_PLUGINS, binaries.FLANNEL_CNI_PLUGIN):
        return ""
    return facts.executables.get(binary.name, "")


def _is_other(path: str, facts: HostFacts, file: LocalFile | None) -> bool:
    """Say whether the host's file is certainly not this one; probes hash binaries only when asked to."""
    if file is None:
        return False
    if path in facts.binary_sha256:
        return facts.binary_sha256[path] != file.sha256
    return path in facts.files and facts.files[path].size != file.size


def _suitable(binary: Binary, text: str, cluster: ResolvedCluster) -> bool:
    """Judge a version that somebody else installed; one that cannot be read counts as suitable."""
    rule = _RULES.get(binary.name)
    if rule is None or not text:
        return True
    try:
        return rule(Version.parse(text), cluster.kubernetes_version)
    except ValueError:
        return True


def _kubelet(found: Version, wanted: Version) -> bool:
    return found.minor_text == wanted.minor_text and found <= wanted


def _kubectl(found: Version, wanted: Version) -> bool:
    return found.major == wanted.major and abs(found.minor - wanted.minor) <= 1


def _etcd(found: Version, wanted: Version) -> bool:
    return (found.major, found.minor) >= _minor(versions.release(wanted).etcd)


def _minor(text: str) -> tuple[int, int]:
    version = Version.parse(text)
    return version.major, version.minor


_RULES: Mapping[str, Callable[[Version, Version], bool]] = {
    "containerd": lambda found, _wanted: found >= versions.MINIMUM_CONTAINERD,
    # The same minor and no newer than the control plane; kubectl may differ by one minor.
    "kubelet": _kubelet,
    "kubectl": _kubectl,
    "etcdctl": _etcd,
}

SUITABLE = {
    "containerd": f"{versions.MINIMUM_CONTAINERD} or newer",
    "kubelet": "the cluster's minor version and no newer than the cluster",
    "kubectl": "within one minor version of the cluster",
    "etcdctl": "no older than the cluster's etcd",
}
"""What each rule asks for, in words."""


def images_for(cluster: ResolvedCluster, node: Node, more: Sequence[str] = ()) -> tuple[str, ...]:
    """List the full references of the images that a host runs; `more` are those of add-ons."""
    if node.role is Role.ETCD:
        # It is no node: nothing is placed there.
        return tuple(full_reference(each) for each in images.etcd_host_images(cluster.at(node)))
    own = (
        images.control_plane_images(cluster)
        if node.role is Role.CONTROL_PLANE
        else images.worker_images(cluster)
    )
    listed = (*own, *images.endpoint_images(cluster, node), *more)
    return tuple(dict.fromkeys(full_reference(reference) for reference in listed))


def full_reference(reference: str) -> str:
    """Return a reference as containerd names it: `busybox` is docker.io/library/busybox:latest."""
    first, slash, _ = reference.partition("/")
    if not slash:
        reference = f"docker.io/library/{reference}"
    elif not ("." in first or ":" in first or first == "localhost"):
        reference = f"docker.io/{reference}"
    name = reference.rpartition("/")[2]
    return reference if ":" in name or "@" in name else f"{reference}:latest"


@dataclass(frozen=True, slots=True)
class ImageNeeds:
    """Sort the images that a host needs by what is to be done about them."""

    absent: tuple[str, ...]
    unpinned: tuple[str, ...]
    """There, but the kubelet's image garbage collection may delete them."""


def image_needs(needed: Sequence[str], facts: HostFacts, artifacts: ArtifactView) -> ImageNeeds:
    """Compare the needed images with what the host has; by digest where the source knows it."""
    offered = artifacts.images.get(facts.architecture, {})
    held = {full_reference(image.reference): image for image in facts.images}
    absent = []
    unpinned = []
    for reference in needed:
        image = held.get(reference)
        if image is None or (reference in offered and image.digest != offered[reference]):
            absent.append(reference)
        elif not image.pinned:
            unpinned.append(reference)
    return ImageNeeds(tuple(absent), tuple(unpinned))
