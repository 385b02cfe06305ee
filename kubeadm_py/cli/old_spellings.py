"""Answer what kubeadm's users typed in older releases with what is typed today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubeadm_py.cli import phases
from kubeadm_py.cli.table import COMMANDS
from kubeadm_py.errors import UsageError

PROGRAM = "kubeadm-py"


@dataclass(frozen=True, slots=True)
class Old:
    """Hold what is typed today, a command or a flag, or why there is nothing to type."""

    today: str = ""
    note: str = ""


_PHASES = {
    "addon": "addon",
    "bootstrap-token": "bootstrap-token",
    "certs": "certs",
    "controlplane": "control-plane",
    "etcd": "etcd",
    "kubeconfig": "kubeconfig",
    "kubelet": "kubelet-start",
    "mark-master": "mark-control-plane",
    "preflight": "preflight",
    "upload-config": "upload-config",
}
_NO_SELF_HOSTING = Old(note="there are no self-hosted control planes any more")

OLD_COMMANDS: dict[str, Old] = {
    "alpha": Old(
        note="kubeadm has no alpha commands any more: they are certs, kubeconfig and init phase now"
    ),
    "alpha certs": Old("certs"),
    "alpha certs certificate-key": Old("certs certificate-key"),
    "alpha certs check-expiration": Old("certs check-expiration"),
    "alpha certs generate-csr": Old("certs generate-csr"),
    "alpha certs renew": Old("certs renew"),
    "alpha kubeconfig": Old("kubeconfig user"),
    "alpha kubelet config download": Old("upgrade node"),
    "alpha kubelet config enable-dynamic": Old(note="kubelets have no dynamic configuration any more"),
    "alpha phase": Old("init phase"),
    **{f"alpha phase {old}": Old(f"init phase {new}") for old, new in _PHASES.items()},
    "alpha phase selfhosting": _NO_SELF_HOSTING,
    "alpha selfhosting": _NO_SELF_HOSTING,
    "config print-default": Old("config print init-defaults"),
    "config print-defaults": Old("config print init-defaults"),
    "config upload": Old("init phase upload-config"),
    "config view": Old(note="kubectl -n kube-system get configmap kubeadm-config -o yaml prints it"),
    "ex token": Old("token"),
    "init phase kubelet-finalize experimental-cert-rotation": Old(
        "init phase kubelet-finalize enable-client-cert-rotation"
    ),
    "join phase control-plane-join etcd": Old("join phase etcd-join"),
    "join phase control-plane-join update-status": Old(note="the cluster keeps no ClusterStatus any more"),
    "upgrade node config": Old("upgrade node"),
    "upgrade node experimental-control-plane": Old("upgrade node"),
}
"""Commands of older kubeadm releases; the longest that fits answers."""

OLD_FLAGS: dict[str, Old] = {
    "--api-advertise-addresses": Old("--apiserver-advertise-address"),
    "--api-external-dns-names": Old("--apiserver-cert-extra-sans"),
    "--api-port": Old("--apiserver-bind-port"),
    "--cert-altnames": Old("--apiserver-cert-extra-sans"),
    "--cloud-provider": Old(note="Kubernetes has no cloud providers of its own since 1.31"),
    "--csr-dir": Old("certs generate-csr"),
    "--csr-only": Old("certs generate-csr"),
    "--discovery-port": Old(note="joining nodes discover the cluster at the API server's own port"),
    "--experimental-control-plane": Old("--control-plane"),
    "--experimental-kustomize": Old("--patches"),
    "--experimental-output": Old("--output"),
    "--experimental-patches": Old("--patches"),
    "--experimental-upload-certs": Old("--upload-certs"),
    "--external-etcd-cafile": Old(note="write it into the config: ClusterConfiguration.etcd.external.caFile"),
    "--external-etcd-certfile": Old(
        note="write it into the config: ClusterConfiguration.etcd.external.certFile"
    ),
    "--external-etcd-endpoints": Old(
        note="write them into the config: ClusterConfiguration.etcd.external.endpoints"
    ),
    "--external-etcd-keyfile": Old(
        note="write it into the config: ClusterConfiguration.etcd.external.keyFile"
    ),
    "--ignore-checks-errors": Old("--ignore-preflight-errors"),
    "--self-hosted": _NO_SELF_HOSTING,
    "--skip-preflight-checks": Old("--ignore-preflight-errors=all"),
    "--use-api": Old(note="certificates are signed with the CA's key on the host"),
    "--use-kubernetes-version": Old("--kubernetes-version"),
}
"""Flags of older kubeadm releases; no command has one of these names today."""


def refuse_old(arguments: Sequence[str]) -> None:
    """Raise UsageError where a command line is written as for an older kubeadm."""
    words = _leading_words(arguments)
    for length in range(len(words), 0, -1):
        typed = " ".join(words[:length])
        if typed in COMMANDS:
            break
        if typed in OLD_COMMANDS:
            raise _error(typed, OLD_COMMANDS[typed])
    for argument in arguments:
        if argument == "--":
            return
        flag = argument.partition("=")[0]
        if flag in OLD_FLAGS:
            raise _error(flag, OLD_FLAGS[flag])


def _leading_words(arguments: Sequence[str]) -> list[str]:
    words: list[str] = []
    for argument in arguments:
        if argument.startswith("-"):
            break
        words.append(argument)
    return words


def _error(typed: str, old: Old) -> UsageError:
    if not old.today:
        return UsageError(f"{typed} is of an older kubeadm", fix=old.note)
    if old.today.startswith("-"):
        return UsageError(f"{typed} is of an older kubeadm", fix=f"today's flag is {old.today}")
    if is_there(old.today):
        return UsageError(f"{typed} is of an older kubeadm", fix=f"type: {PROGRAM} {old.today}")
    return UsageError(
        f"{typed} is of an older kubeadm",
        fix=f"`{old.today}` does it today, which kubeadm-py does not have yet",
    )


def is_there(path: str) -> bool:
    """Say whether kubeadm-py has a command or group of these words."""
    known = (*COMMANDS, *phases.commands())
    return any(command == path or command.startswith(f"{path} ") for command in known)
