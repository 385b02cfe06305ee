"""Carry v1alpha3 to v1beta1: settings of a component and of discovery get mappings of their own."""

from __future__ import annotations

from kubeadm_py.config.migrate.rules import Stream, Table
from kubeadm_py.config.migrate.tree import OldDocument, Value

_AUDIT_GATE = ("featureGates", "Auditing")
_AUDIT_LOG_DIR = "/var/log/kubernetes/audit"
_OF_A_MEMBER = (
    "name",
    "initial-cluster",
    "initial-cluster-state",
    "initial-advertise-peer-urls",
    "advertise-client-urls",
    "listen-client-urls",
    "listen-peer-urls",
)
_VOLUMES = ("apiServerExtraVolumes", "controllerManagerExtraVolumes", "schedulerExtraVolumes")


def _writable(document: OldDocument, _stream: Stream) -> None:
    """Turn `writable` round: volumes were read-only unless they said so."""
    for volumes in _VOLUMES:
        value = document.get((volumes,))
        for volume in value.items if value is not None else ():
            if not isinstance(volume.content, dict):
                continue
            writable = volume.mapping.pop("writable", None)
            if writable is None:
                volume.mapping["readOnly"] = volume.like(True)
            elif writable.content is not True:
                writable.content = True
                volume.mapping["readOnly"] = writable


def _image(document: OldDocument, _stream: Stream) -> None:
    """Part etcd's image into repository and tag."""
    value = document.take(("etcd", "local", "image"))
    if value is None or not value.text:
        return
    name, colon, tag = value.text.rpartition(":")
    if not colon or "/" in tag:
        name, tag = value.text, ""
    repository = name.rpartition("/")[0]
    if repository:
        document.put(
            ("etcd", "local", "imageRepository"), Value(repository, value.line, value.column, value.was)
        )
    if tag:
        document.put(("etcd", "local", "imageTag"), Value(tag, value.line, value.column, value.was))


def _own_etcd_flags(document: OldDocument, stream: Stream) -> None:
    """Leave out what a file of one control plane told its etcd member: a ClusterConfiguration is for all."""
    for flag in _OF_A_MEMBER:
        value = document.take(("etcd", "local", "extraArgs", flag))
        if value is not None:
            stream.notes.dropped(value, "kubeadm sets it for each control plane; here it would go to all")


def _audit(document: OldDocument, stream: Stream) -> None:
    """Write the audit policy as the flags and volumes that kubeadm made of it."""
    gate = document.get(_AUDIT_GATE)
    policy = document.take(("auditPolicy",))
    if policy is None:
        return
    path, folder, age = (policy.mapping.get(key) for key in ("path", "logDir", "logMaxAge"))
    if gate is None or gate.content is not True or path is None or not path.text:
        reason = "kubeadm read it only with the feature gate Auditing and a path to a policy"
        stream.notes.dropped(policy, reason)
        return
    log_folder = folder.text if folder is not None and folder.text else _AUDIT_LOG_DIR
    flags = {
        "audit-policy-file": Value(path.text, path.line, path.column, path.was),
        "audit-log-path": (folder or path).like(f"{log_folder}/audit.log"),
    }
    if age is not None:
        flags["audit-log-maxage"] = Value(str(age.content), age.line, age.column, age.was, age.raw)
    for flag, value in flags.items():
        document.put(("apiServerExtraArgs", flag), value)
    mounts = (
        ("audit", path, path.text, path.text, True, "File"),
        ("audit-log", folder or path, log_folder, log_folder, False, "DirectoryOrCreate"),
    )
    volumes = document.get(("apiServerExtraVolumes",))
    if volumes is None or not isinstance(volumes.content, list):
        volumes = policy.like([])
        document.put(("apiServerExtraVolumes",), volumes)
    for name, value, host, mount, read_only, type_ in mounts:
        volumes.items.append(
            value.like(
                {
                    "name": value.like(name),
                    "hostPath": value.like(host),
                    "mountPath": value.like(mount),
                    "readOnly": value.like(read_only),
                    "pathType": value.like(type_),
                }
            )
        )
    stream.notes.changed(policy, "flags and volumes of kube-apiserver now; look at where the log goes")


def _discovery(document: OldDocument, stream: Stream) -> None:
    """Gather the flat discovery keys; `token` stood for both tokens where these were not given."""
    token = document.take(("token",))
    discovery_token = document.take(("discoveryToken",)) or token
    bootstrap = document.take(("tlsBootstrapToken",)) or token
    servers = document.take(("discoveryTokenAPIServers",))
    file = document.take(("discoveryFile",))
    if file is not None and file.text:
        document.put(("discovery", "file", "kubeConfigPath"), file)
    elif discovery_token is not None and discovery_token.text:
        document.put(("discovery", "bootstrapToken", "token"), discovery_token)
    if servers is not None and servers.items:
        first, *more = servers.items
        document.put(("discovery", "bootstrapToken", "apiServerEndpoint"), first)
        for server in more:
            stream.notes.ask(
                server, "discovery asks one endpoint only: name one that reaches all API servers"
            )
    if bootstrap is not None and bootstrap.text:
        same = discovery_token is not None and bootstrap.text == discovery_token.text
        if not same or (file is not None and file.text):
            document.put(("discovery", "tlsBootstrapToken"), bootstrap)


def _control_plane(document: OldDocument, stream: Stream) -> None:
    """Turn `controlPlane: true` with its endpoint into a mapping."""
    wanted = document.take(("controlPlane",))
    endpoint = document.take(("apiEndpoint",))
    if wanted is not None and wanted.content is True:
        wanted.content = {}
        if endpoint is not None:
            wanted.content["localAPIEndpoint"] = endpoint
        document.put(("controlPlane",), wanted)
    elif endpoint is not None:
        stream.notes.dropped(endpoint, "a worker has no API server")


TO_V1BETA1 = Table(
    to="v1beta1",
    changes={
        "ClusterConfiguration": (_writable, _image, _own_etcd_flags, _audit),
        "JoinConfiguration": (_discovery, _control_plane),
    },
    moves={
        "InitConfiguration": {"apiEndpoint": "localAPIEndpoint"},
        "ClusterConfiguration": {
            "apiServerExtraArgs": "apiServer.extraArgs",
            "apiServerExtraVolumes": "apiServer.extraVolumes",
            "apiServerCertSANs": "apiServer.certSANs",
            "controllerManagerExtraArgs": "controllerManager.extraArgs",
            "controllerManagerExtraVolumes": "controllerManager.extraVolumes",
            "schedulerExtraArgs": "scheduler.extraArgs",
            "schedulerExtraVolumes": "scheduler.extraVolumes",
        },
        "JoinConfiguration": {
            "discoveryTokenCACertHashes": "discovery.bootstrapToken.caCertHashes",
            "discoveryTokenUnsafeSkipCAVerification": "discovery.bootstrapToken.unsafeSkipCAVerification",
            "discoveryTimeout": "discovery.timeout",
        },
    },
    drops={
        "ClusterConfiguration": {
            "unifiedControlPlaneImage": "there are no hyperkube images any more; each component has its own"
        },
        "JoinConfiguration": {
            "clusterName": "the cluster itself knows its name",
            "featureGates": "gates are the cluster's: ClusterConfiguration.featureGates",
        },
    },
)
