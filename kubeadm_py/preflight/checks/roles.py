"""Check that a host is asked for what it is: roles and the API server's port never change in place."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths, typed
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.node import Role
from kubeadm_py.pki import kubeconfig
from kubeadm_py.preflight.context import CONTROL_PLANES, EVERYWHERE, Check, CheckContext, Hit


def role_is_kept(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the host has another role in this cluster already."""
    found = _found(ctx)
    # What another cluster left is told by other checks; of etcd's hosts no CA of the cluster's tells whose.
    known = ctx.member or Role.ETCD in (found, ctx.node.role)
    if found is None or found is ctx.node.role or not known:
        return
    name, config = ctx.node.name, ctx.cluster.source_file
    yield Hit(
        f"the config makes it {_named(ctx.node.role)}, and it is {_named(found)}: no role changes in place",
        f"with its old role in the config: {typed.command('remove', name, config=config)};"
        f" then with the new one: {typed.command('apply', config=config)}",
    )


def _named(role: Role) -> str:
    return {Role.CONTROL_PLANE: "a control plane", Role.WORKER: "a worker", Role.ETCD: "a host of etcd"}[role]


def _found(ctx: CheckContext) -> Role | None:
    """Return what a host is by what lies there; None where that is not certain."""
    files = ctx.facts.files
    if paths.KUBELET_STANDALONE_DROPIN in files:
        return Role.ETCD
    if f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml" in files:
        return Role.CONTROL_PLANE
    # A control plane has these before its kubelet starts.
    own = (paths.ADMIN_CONF, f"{ctx.cluster.certificates_dir}/apiserver.crt")
    if paths.KUBELET_CONF in files and not any(path in files for path in own):
        return Role.WORKER
    return None


def bind_port_is_kept(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether the API server of a member has another port.

    Its manifest alone could be a hand's work, which apply takes back; the kubeconfigs of the host's own
    components tell what it was made with.
    """
    manifest, own = (
        ctx.facts.files.get(path)
        for path in (f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml", paths.CONTROLLER_MANAGER_CONF)
    )
    if not ctx.member or manifest is None or own is None:
        return
    try:
        _, server = kubeconfig.current_server(own.content or b"")
    except KubeadmPyError:
        return
    port = server.rpartition(":")[2].rstrip("/")
    wanted = ctx.node.bind_port
    if port == str(wanted) or f"--secure-port={port}".encode() not in (manifest.content or b"").split():
        return
    name, config = ctx.node.name, ctx.cluster.source_file
    yield Hit(
        f"the config gives its API server port {wanted}, and it has {port}: the kubeconfigs of the host and"
        " whoever asks this API server go by that",
        f"leave bindPort {port}; where other control planes go on, {name} may join anew with another one:"
        f" {typed.command('remove', name, config=config)}, then {typed.command('apply', config=config)}",
    )


CHECKS = (
    Check(
        "RoleChange",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The host has no other role in this cluster.",
        role_is_kept,
        kubeadm=False,
    ),
    Check(
        "BindPortChange",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        "The API server of a control plane that runs keeps its port (bindPort).",
        bind_port_is_kept,
        kubeadm=False,
    ),
)
