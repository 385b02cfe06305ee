"""Carry v1beta1 to v1beta2, v1beta2 to v1beta3 and v1beta3 to v1beta4."""

from __future__ import annotations

from kubeadm_py.config.migrate.rules import Stream, Table, at
from kubeadm_py.config.migrate.tree import OldDocument, Value

TO_V1BETA2 = Table(to="v1beta2")


def _dns_type(document: OldDocument, stream: Stream) -> None:
    value = document.take(("dns", "type"))
    if value is None:
        return
    if value.text == "kube-dns":
        for key in ("imageRepository", "imageTag"):
            image = document.take(("dns", key))
            if image is not None:
                stream.notes.dropped(image, "it is of kube-dns")
        stream.notes.ask(value, "kubeadm installs CoreDNS only since 1.21; move stub domains to its Corefile")
    else:
        stream.notes.dropped(value, "CoreDNS is the only one")


TO_V1BETA3 = Table(
    to="v1beta3",
    changes={"ClusterConfiguration": (_dns_type,)},
    drops={
        "ClusterConfiguration": {
            "useHyperKubeImage": "there are no hyperkube images any more; each component has its own"
        }
    },
    gone={"ClusterStatus": "kubeadm reads the endpoints from the API servers' pods"},
)

_ARGS = {
    "ClusterConfiguration": (
        "apiServer.extraArgs",
        "controllerManager.extraArgs",
        "scheduler.extraArgs",
        "etcd.local.extraArgs",
    ),
    "InitConfiguration": ("nodeRegistration.kubeletExtraArgs",),
    "JoinConfiguration": ("nodeRegistration.kubeletExtraArgs",),
}


def _list_arguments(document: OldDocument, stream: Stream) -> None:
    """Make lists of {name, value} of the mappings of flags, in the order of the file."""
    for dotted in _ARGS[document.kind]:
        flags = document.get(at(dotted))
        if flags is not None and isinstance(flags.content, dict):
            flags.content = [_argument(name, value, stream) for name, value in flags.mapping.items()]


def _argument(name: str, value: Value, stream: Stream) -> Value:
    if isinstance(value.content, bool | int | float):
        stream.notes.changed(value, f'quoted: "{value.raw}" is text for the component')
        value.content = value.raw
    content = Value(value.content, value.line, value.column, value.was, value.raw)
    return Value(
        {"name": Value(name, value.line, value.column, value.was, made=True), "value": content},
        value.line,
        value.column,
        value.was,
    )


TO_V1BETA4 = Table(
    to="v1beta4",
    changes={
        "ClusterConfiguration": (_list_arguments,),
        "InitConfiguration": (_list_arguments,),
        "JoinConfiguration": (_list_arguments,),
    },
    moves={
        "ClusterConfiguration": {
            "apiServer.timeoutForControlPlane": (
                "InitConfiguration:timeouts.controlPlaneComponentHealthCheck"
            ),
        },
        "JoinConfiguration": {"discovery.timeout": "timeouts.discovery"},
    },
)
