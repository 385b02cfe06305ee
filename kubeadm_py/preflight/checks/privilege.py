"""Check that we are root on the host."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit


def is_privileged_user(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the user id that scripts run with."""
    if ctx.facts.uid == 0 or _through_sudo(ctx):
        return
    who = (
        "log in as root or allow sudo (spec.ssh.sudo)"
        if ctx.node.ssh
        else "run it as root: sudo kubeadm-py ..."
    )
    yield Hit(f"scripts run with user id {ctx.facts.uid}, not as root", who)


def sudo(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the user id that sudo gives us."""
    if ctx.facts.uid != 0 and _through_sudo(ctx):
        user = ctx.node.ssh.user if ctx.node.ssh and ctx.node.ssh.user else "the SSH user"
        yield Hit(
            f"sudo runs scripts with user id {ctx.facts.uid}, not as root",
            f"allow {user} to run everything as root: {user} ALL=(root) ALL in /etc/sudoers.d",
        )


def _through_sudo(ctx: CheckContext) -> bool:
    ssh = ctx.node.ssh
    return ssh is not None and ssh.sudo is not False and ssh.user != "root"


CHECKS = (
    Check(
        "IsPrivilegedUser",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "We are root on the host; checked first, and alone where it fails.",
        is_privileged_user,
        tested="node",
    ),
    Check(
        "Sudo",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "sudo makes us root, not somebody else.",
        sudo,
        kubeadm=False,
    ),
)
