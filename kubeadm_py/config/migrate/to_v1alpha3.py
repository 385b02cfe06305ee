"""Carry v1alpha1 to v1alpha2 and v1alpha2 to v1alpha3: one MasterConfiguration becomes two documents."""

from __future__ import annotations

from kubeadm_py.config.migrate.rules import Stream, Table, move
from kubeadm_py.config.migrate.tree import OldDocument, Value

_EXTERNAL_ONLY = ("caFile", "certFile", "keyFile")
_LOCAL_ONLY = ("dataDir", "image", "extraArgs", "serverCertSANs", "peerCertSANs")
_MODES = ("Node", "RBAC")


def _split_etcd(document: OldDocument, stream: Stream) -> None:
    """Part an etcd with endpoints from one of kubeadm's own."""
    endpoints = document.get(("etcd", "endpoints"))
    external = endpoints is not None and bool(endpoints.items)
    if endpoints is not None and not external:
        document.take(("etcd", "endpoints"))
    for key in ("endpoints", *_EXTERNAL_ONLY, *_LOCAL_ONLY):
        value = document.take(("etcd", key))
        if value is None:
            continue
        if (key in _LOCAL_ONLY) is not external:
            document.put(("etcd", "external" if external else "local", key), value)
        elif value.content not in ("", [], {}):
            other = "there are endpoints" if external else "there are no endpoints"
            stream.notes.dropped(value, f"it says nothing where {other}")


def _token(document: OldDocument, _stream: Stream) -> None:
    """Make the one bootstrap token a list of one."""
    parts = {
        new: value
        for old, new in (
            ("token", "token"),
            ("tokenTTL", "ttl"),
            ("tokenUsages", "usages"),
            ("tokenGroups", "groups"),
        )
        if (value := document.take((old,))) is not None and value.content not in ("", [])
    }
    ttl = parts.get("ttl")
    if ttl is not None and isinstance(ttl.content, int) and not isinstance(ttl.content, bool):
        ttl.content = "0s" if ttl.content == 0 else f"{ttl.content}ns"
    if parts:
        first = next(iter(parts.values()))
        document.put(("bootstrapTokens",), first.like([first.like(dict(parts))]))


def _authorization(document: OldDocument, stream: Stream) -> None:
    """Make a list of modes the flag that it stood for; kubeadm always put Node and RBAC first."""
    single = document.take(("authorizationMode",))
    several = document.take(("authorizationModes",))
    given = several if several is not None else single
    if given is None:
        return
    modes = [item.text for item in given.items] if given.items else given.text.split(",")
    every = list(dict.fromkeys([*_MODES, *(mode for mode in modes if mode)]))
    if tuple(every) == _MODES:
        stream.notes.dropped(given, "Node,RBAC is what kubeadm sets")
        return
    flag = Value(",".join(every), given.line, given.column, given.was)
    document.put(("apiServerExtraArgs", "authorization-mode"), flag)


def _taint(document: OldDocument, stream: Stream) -> None:
    """Turn `noTaintMaster: true` into an empty list of taints."""
    value = document.take(("noTaintMaster",))
    if value is not None and value.content is True:
        value.content = []
        document.put(("nodeRegistration", "taints"), value)
    elif value is not None:
        stream.notes.dropped(value, "false is the default: control planes are tainted")


TO_V1ALPHA2 = Table(
    to="v1alpha2",
    changes={"MasterConfiguration": (_split_etcd, _token, _authorization, _taint)},
    moves={
        "MasterConfiguration": {
            "nodeName": "nodeRegistration.name",
            "criSocket": "nodeRegistration.criSocket",
            "imagePullPolicy": "nodeRegistration.imagePullPolicy",
        },
        "NodeConfiguration": {
            "nodeName": "nodeRegistration.name",
            "criSocket": "nodeRegistration.criSocket",
        },
    },
    drops={
        "MasterConfiguration": {
            "selfHosted": "there are no self-hosted control planes any more",
            "privilegedPods": "kubeadm always allows privileged pods; Pod Security decides on them",
        },
    },
)


def _cloud_provider(document: OldDocument, stream: Stream) -> None:
    value = document.take(("cloudProvider",))
    if value is not None:
        stream.notes.ask(
            value,
            "Kubernetes has no cloud providers of its own since 1.31; where the cloud has a cloud controller "
            "manager, install it and set cloud-provider: external for kubelet and controller manager",
        )


def _component_configs(document: OldDocument, stream: Stream) -> None:
    """Give the embedded component configs documents of their own."""
    for old, kind in (
        (("kubeletConfiguration", "baseConfig"), "KubeletConfiguration"),
        (("kubeProxy", "config"), "KubeProxyConfiguration"),
    ):
        config = document.take(old)
        if config is None:
            continue
        beside = stream.find("ClusterConfiguration") or document
        target = stream.of(kind, beside)
        for key, value in config.mapping.items():
            if key not in ("apiVersion", "kind"):
                target.put((key,), value)


_TO_CLUSTER = (
    "kubernetesVersion",
    "networking",
    "etcd",
    "certificatesDir",
    "imageRepository",
    "unifiedControlPlaneImage",
    "clusterName",
    "auditPolicy",
    "featureGates",
    "apiServerCertSANs",
    "apiServerExtraArgs",
    "apiServerExtraVolumes",
    "controllerManagerExtraArgs",
    "controllerManagerExtraVolumes",
    "schedulerExtraArgs",
    "schedulerExtraVolumes",
)


def _cluster(document: OldDocument, stream: Stream) -> None:
    """Move what is the cluster's into a ClusterConfiguration, in the order of the old file."""
    move(document, "api.controlPlaneEndpoint", "ClusterConfiguration:controlPlaneEndpoint", stream)
    for key in [key for key in document.root.mapping if key in _TO_CLUSTER]:
        move(document, key, f"ClusterConfiguration:{key}", stream)
    stream.of("ClusterConfiguration", document)


TO_V1ALPHA3 = Table(
    to="v1alpha3",
    changes={"MasterConfiguration": (_cloud_provider, _cluster, _component_configs)},
    moves={
        "MasterConfiguration": {
            "api.advertiseAddress": "apiEndpoint.advertiseAddress",
            "api.bindPort": "apiEndpoint.bindPort",
        },
    },
    renamed={"MasterConfiguration": "InitConfiguration", "NodeConfiguration": "JoinConfiguration"},
)
