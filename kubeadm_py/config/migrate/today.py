"""Bring values of old files up to today: versions, sockets, registries, gates and flags that are gone."""

from __future__ import annotations

from kubeadm_py.config.check_flags import LEAVE_OUT, why_not_gate
from kubeadm_py.config.component_keys import COMPONENT_KEYS
from kubeadm_py.config.migrate.notes import Notes
from kubeadm_py.config.migrate.rules import Stream
from kubeadm_py.config.migrate.today_flags import bring_flags_up
from kubeadm_py.config.migrate.tree import OldDocument, Value
from kubeadm_py.config.problems import Path, Problems
from kubeadm_py.config.removed_values import DOCKERSHIM_SOCKET, REMOVED_KUBEADM_GATES, REMOVED_PROXY_MODES
from kubeadm_py.config.versions import resolve_version
from kubeadm_py.model.versions import DEFAULT_VERSION, MINIMUM_EXTERNAL_ETCD, RELEASES, Release, Version

_OLD_REGISTRIES = frozenset(
    ("k8s.gcr.io", "gcr.io/google_containers", "gcr.io/google-containers", "k8s.gcr.io/coredns")
)
_MINIMUM_COREDNS = Version(1, 8, 0)
_OLD_TAINT = "node-role.kubernetes.io/master"
_TAINT = "node-role.kubernetes.io/control-plane"
_PHASES = {
    "control-plane-join/update-status": "the phase is gone since 1.31",
    "control-plane-join/etcd": "the phase is etcd-join now",
    "kubelet-finalize/experimental-cert-rotation": "kubelet-finalize/enable-client-cert-rotation now",
}


def bring_up(stream: Stream) -> None:
    """Change or drop the values that no release which is installed now would take."""
    version = _version(stream)
    for document in stream.documents:
        if document.kind in COMPONENT_KEYS:
            _component(document, version, stream.notes)
        if not document.is_old:
            continue
        if document.kind == "ClusterConfiguration":
            _images(document, RELEASES[version.minor_text], stream.notes)
            _gates(document, stream.notes)
        if document.kind in ("InitConfiguration", "JoinConfiguration"):
            _registration(document, stream.notes)
            _phases(document, stream.notes)
        bring_flags_up(document, version, stream.notes)


def _version(stream: Stream) -> Version:
    document = stream.find("ClusterConfiguration")
    value = document.get(("kubernetesVersion",)) if document is not None else None
    if document is None or value is None or not document.is_old:
        return Version.parse(DEFAULT_VERSION)
    found, problems = value.text, Problems()
    if found.startswith(("stable-1.", "latest", "ci/")) or _is_old_release(found):
        stream.notes.ask(
            value,
            f"{found} cannot be installed by this release ({', '.join(RELEASES)} can): {DEFAULT_VERSION} is "
            "written. A cluster that runs is not upgraded by this, but one minor release after the other",
        )
        value.content = DEFAULT_VERSION
    return resolve_version(_Nowhere(), value.text, problems)


def _is_old_release(text: str) -> bool:
    try:
        return Version.parse(text).minor_text not in RELEASES
    except ValueError:
        return False


class _Nowhere:
    """Stand for a place that nobody is told of."""

    def locate(self, path: Path) -> tuple[str, int, int]:  # noqa: ARG002 - a place of no document
        return "", 0, 0

    def label(self, path: Path) -> str:  # noqa: ARG002 - a place of no document
        return ""


def _images(document: OldDocument, release: Release, notes: Notes) -> None:
    for path in (("imageRepository",), ("dns", "imageRepository"), ("etcd", "local", "imageRepository")):
        value = document.get(path)
        if value is not None and value.text.rstrip("/") in _OLD_REGISTRIES:
            document.take(path)
            notes.dropped(value, f"{value.text} gets no images any more; the default is registry.k8s.io")
    for path, least, what in (
        (("etcd", "local", "imageTag"), MINIMUM_EXTERNAL_ETCD, "etcd"),
        (("dns", "imageTag"), _MINIMUM_COREDNS, "CoreDNS"),
    ):
        value = document.get(path)
        if value is not None and _older(value.text, least):
            document.take(path)
            notes.dropped(value, f"{what} {value.text} is too old; the release's own version is used")
            repository = document.get((*path[:-1], "imageRepository"))
            if repository is not None:
                image = (
                    "etcd:" + release.etcd_image_tag
                    if what == "etcd"
                    else "coredns:" + release.coredns_image_tag
                )
                notes.ask(repository, f"have {repository.text}/{image} there, or leave it out")


def _older(tag: str, least: Version) -> bool:
    try:
        found = Version.parse(tag.partition("-")[0])
    except ValueError:
        return False
    return found < least


def _gates(document: OldDocument, notes: Notes) -> None:
    gates = document.get(("featureGates",))
    for name, value in list(gates.mapping.items()) if gates is not None else ():
        if name == "PublicKeysECDSA" and value.content is True:
            document.take(("featureGates", name))
            document.put(("encryptionAlgorithm",), Value("ECDSA-P256", value.line, value.column, value.was))
        elif name in REMOVED_KUBEADM_GATES:
            document.take(("featureGates", name))
            notes.dropped(value, f"kubeadm has no such gate any more; {REMOVED_KUBEADM_GATES[name]}")
    if gates is not None and not gates.mapping:
        document.take(("featureGates",))


def _registration(document: OldDocument, notes: Notes) -> None:
    socket = document.get(("nodeRegistration", "criSocket"))
    if socket is not None and socket.text.endswith(DOCKERSHIM_SOCKET):
        document.take(("nodeRegistration", "criSocket"))
        notes.ask(
            socket,
            "dockershim is gone since 1.24: the runtime that is found on the host is used, containerd's "
            "socket where none is; for Docker install cri-dockerd and write unix:///var/run/cri-dockerd.sock",
        )
    elif socket is not None and socket.text.startswith("/"):
        socket.content = f"unix://{socket.text}"
        notes.changed(socket, "with the scheme unix://")
    taints = document.get(("nodeRegistration", "taints"))
    keys = [taint.mapping.get("key") for taint in (taints.items if taints is not None else ())]
    if _TAINT in [key.text for key in keys if key is not None]:
        return
    for key in keys:
        if key is not None and key.text == _OLD_TAINT:
            key.content = _TAINT
            notes.changed(key, f"{_OLD_TAINT} is {_TAINT} since 1.24; add-ons tolerate that one only")


def _phases(document: OldDocument, notes: Notes) -> None:
    phases = document.get(("skipPhases",))
    if phases is None or not isinstance(phases.content, list):
        return
    for phase in list(phases.items):
        if phase.text in _PHASES:
            phases.items.remove(phase)
            notes.dropped(phase, _PHASES[phase.text])


def _component(document: OldDocument, version: Version, notes: Notes) -> None:
    known = COMPONENT_KEYS[document.kind]
    component = "kubelet" if document.kind == "KubeletConfiguration" else "kube-proxy"
    for key, value in list(document.root.mapping.items()):
        if key not in known:
            document.take((key,))
            notes.dropped(value, f"{component} {version.minor_text} has no such key")
    mode = document.get(("mode",))
    if component == "kube-proxy" and mode is not None and mode.text in REMOVED_PROXY_MODES:
        document.take(("mode",))
        notes.ask(mode, f"{mode.text}: {REMOVED_PROXY_MODES[mode.text]}; the default is used")
    gates = document.get(("featureGates",))
    for name, value in list(gates.mapping.items()) if gates is not None else ():
        why = why_not_gate(name, version)
        if why:
            document.take(("featureGates", name))
            notes.dropped(value, why.removesuffix(LEAVE_OUT))
