"""List kubeadm's phases: their names, their order, and the flags that each takes when it runs alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PREFLIGHT = "preflight"
SHOW_JOIN_COMMAND = "show-join-command"
REMOVE_ETCD_MEMBER = "remove-etcd-member"
CLEANUP_NODE = "cleanup-node"


@dataclass(frozen=True, slots=True)
class Phase:
    """Name a phase, a part of one as `certs/ca`; `flags` are kubeadm's, besides --config and --dry-run."""

    name: str
    title: str
    flags: str = ""
    hidden: bool = False

    @property
    def parent(self) -> str:
        """Return the phase that this one is a part of, or ''."""
        return self.name.rpartition("/")[0]


_API = "apiserver-advertise-address apiserver-bind-port control-plane-endpoint"
_CERT = "cert-dir kubernetes-version"
_SERVING = "apiserver-advertise-address apiserver-cert-extra-sans control-plane-endpoint service-cidr"
_NAMES = "service-cidr service-dns-domain"
_KUBECONFIG = f"{_API} {_CERT} kubeconfig-dir"
_MANIFEST = f"{_CERT} image-repository patches"
_ADDON = "kubeconfig kubernetes-version image-repository"
_DISCOVERY = (
    "discovery-file discovery-token discovery-token-ca-cert-hash "
    "discovery-token-unsafe-skip-ca-verification tls-bootstrap-token token"
)
_JOIN_CONTROL_PLANE = "apiserver-advertise-address control-plane"

INIT = (
    Phase(PREFLIGHT, "Look whether the host will do.", "cri-socket ignore-preflight-errors image-repository"),
    Phase("certs", "Make certificates and keys."),
    Phase("certs/ca", "Make the cluster's CA.", _CERT),
    Phase("certs/apiserver", "Make the API server's certificate.", f"{_CERT} {_SERVING} service-dns-domain"),
    Phase("certs/apiserver-kubelet-client", "Make the API server's certificate for kubelets.", _CERT),
    Phase("certs/front-proxy-ca", "Make the CA of the front proxy.", _CERT),
    Phase("certs/front-proxy-client", "Make the front proxy's certificate.", _CERT),
    Phase("certs/etcd-ca", "Make the CA of etcd.", _CERT),
    Phase("certs/etcd-server", "Make etcd's certificate for its clients.", _CERT),
    Phase("certs/etcd-peer", "Make etcd's certificate for its peers.", _CERT),
    Phase("certs/etcd-healthcheck-client", "Make the certificate of etcd's probes.", _CERT),
    Phase("certs/apiserver-etcd-client", "Make the API server's certificate for etcd.", _CERT),
    Phase("certs/sa", "Make the key that signs service account tokens.", _CERT),
    Phase("kubeconfig", "Make the kubeconfigs of the control plane and of its administrators."),
    Phase("kubeconfig/admin", "Make admin.conf.", _KUBECONFIG),
    Phase("kubeconfig/super-admin", "Make super-admin.conf.", _KUBECONFIG),
    Phase("kubeconfig/kubelet", "Make kubelet.conf.", f"{_KUBECONFIG} node-name"),
    Phase("kubeconfig/controller-manager", "Make controller-manager.conf.", _KUBECONFIG),
    Phase("kubeconfig/scheduler", "Make scheduler.conf.", _KUBECONFIG),
    Phase("etcd", "Write the manifest of a local etcd."),
    Phase("etcd/local", "Write etcd's manifest.", "cert-dir image-repository patches"),
    Phase("control-plane", "Write the manifests of the control plane."),
    Phase(
        "control-plane/apiserver",
        "Write kube-apiserver's manifest.",
        f"{_MANIFEST} {_API} service-cidr feature-gates",
    ),
    Phase(
        "control-plane/controller-manager",
        "Write kube-controller-manager's manifest.",
        f"{_MANIFEST} pod-network-cidr",
    ),
    Phase("control-plane/scheduler", "Write kube-scheduler's manifest.", _MANIFEST),
    Phase(
        "kubelet-start",
        "Write the kubelet's files and start it.",
        "cri-socket image-repository node-name patches",
    ),
    Phase("wait-control-plane", "Wait until the control plane answers."),
    Phase("upload-config", "Write the configuration into the cluster."),
    Phase("upload-config/kubeadm", "Write the ConfigMap kubeadm-config.", "cri-socket kubeconfig"),
    Phase("upload-config/kubelet", "Write the ConfigMap kubelet-config.", "cri-socket kubeconfig"),
    Phase(
        "upload-certs",
        "Write the encrypted certificates into the Secret kubeadm-certs.",
        "certificate-key kubeconfig skip-certificate-key-print upload-certs",
    ),
    Phase("mark-control-plane", "Label and taint the node as a control plane.", "node-name"),
    Phase(
        "bootstrap-token",
        "Make the bootstrap tokens and what lets nodes join with them.",
        "kubeconfig skip-token-print",
    ),
    Phase("kubelet-finalize", "Settle the kubelet after its TLS bootstrap."),
    Phase(
        "kubelet-finalize/enable-client-cert-rotation",
        "Let kubelet.conf name the certificate that the kubelet renews.",
        "cert-dir",
    ),
    Phase("addon", "Install CoreDNS and kube-proxy."),
    Phase("addon/coredns", "Install CoreDNS.", f"{_ADDON} {_NAMES} feature-gates print-manifest"),
    Phase("addon/kube-proxy", "Install kube-proxy.", f"{_ADDON} {_API} pod-network-cidr print-manifest"),
    Phase(SHOW_JOIN_COMMAND, "Say what to type next."),
)
JOIN = (
    Phase(
        PREFLIGHT,
        "Look whether the host will do.",
        f"{_JOIN_CONTROL_PLANE} apiserver-bind-port certificate-key cri-socket ignore-preflight-errors "
        f"node-name {_DISCOVERY}",
    ),
    Phase("control-plane-prepare", "Make ready for a further control plane."),
    Phase(
        "control-plane-prepare/download-certs",
        "Get the certificates that control planes share.",
        f"certificate-key control-plane {_DISCOVERY}",
    ),
    Phase(
        "control-plane-prepare/certs",
        "Make the host's own certificates.",
        f"{_JOIN_CONTROL_PLANE} node-name {_DISCOVERY}",
    ),
    Phase(
        "control-plane-prepare/kubeconfig",
        "Make the kubeconfigs of the control plane.",
        f"certificate-key control-plane {_DISCOVERY}",
    ),
    Phase(
        "control-plane-prepare/control-plane",
        "Write the manifests of the control plane.",
        f"{_JOIN_CONTROL_PLANE} apiserver-bind-port patches",
    ),
    Phase("check-etcd", "Look whether etcd is well.", hidden=True),
    Phase(
        "kubelet-start",
        "Write the kubelet's files and credentials, and start it.",
        f"cri-socket node-name patches {_DISCOVERY}",
    ),
    Phase("etcd-join", "Make the host's etcd a member.", f"{_JOIN_CONTROL_PLANE} node-name patches"),
    Phase("kubelet-wait-bootstrap", "Wait for the kubelet's certificate.", "cri-socket"),
    Phase("control-plane-join", "Make the node a control plane.", "apiserver-advertise-address patches"),
    Phase(
        "control-plane-join/mark-control-plane",
        "Label and taint the node as a control plane.",
        "control-plane node-name",
    ),
    Phase("wait-control-plane", "Wait until the control plane answers."),
)
RESET = (
    Phase(PREFLIGHT, "Look what is there, and ask.", "force ignore-preflight-errors"),
    Phase(REMOVE_ETCD_MEMBER, "Take the host's etcd out of its cluster.", "kubeconfig"),
    Phase(CLEANUP_NODE, "Remove what the cluster left on the host.", "cert-dir cleanup-tmp-dir cri-socket"),
)
WORKFLOWS = {"init": INIT, "join": JOIN, "reset": RESET}


@dataclass(frozen=True, slots=True)
class Selection:
    """Say which phases a run does: all, only those named, and none of the skipped ones.

    A phase stands for its parts.
    """

    only: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def wants(self, phase: str) -> bool:
        """Say whether a phase, or a part of it, is to be done."""
        if any(_covers(name, phase) for name in self.skipped):
            return False
        return not self.only or any(_covers(name, phase) or _covers(phase, name) for name in self.only)

    def names(self, phase: str) -> bool:
        """Say whether somebody asked for just this phase."""
        return bool(self.only) and self.wants(phase)


EVERYTHING = Selection()


def parts(phases: Iterable[Phase], name: str) -> tuple[Phase, ...]:
    """Return the parts of a phase, in their order."""
    return tuple(phase for phase in phases if phase.parent == name)


def _covers(name: str, phase: str) -> bool:
    return phase == name or phase.startswith(f"{name}/")
