"""Check what filters packets and confines processes."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model import ports
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.node import Role
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit


def _ports(ctx: CheckContext) -> list[int]:
    return [ctx.node.bind_port, ports.KUBELET] if ctx.node.role is Role.CONTROL_PLANE else [ports.KUBELET]


def firewalld(ctx: CheckContext) -> Iterator[Hit]:
    """Look for a running firewalld."""
    if "firewalld" in ctx.facts.firewalls:
        opened = " ".join(f"--add-port={port}/tcp" for port in _ports(ctx))
        yield Hit(
            f"firewalld is active; ports {', '.join(map(str, _ports(ctx)))} and the pod network must be open",
            f"firewall-cmd --permanent {opened} && firewall-cmd --reload, "
            "or: systemctl disable --now firewalld",
        )


def ufw(ctx: CheckContext) -> Iterator[Hit]:
    """Look for an enabled ufw."""
    if "ufw" in ctx.facts.firewalls:
        opened = "; ".join(f"ufw allow {port}/tcp" for port in _ports(ctx))
        yield Hit(
            f"ufw is active; ports {', '.join(map(str, _ports(ctx)))} must be open, and routed packets too",
            f"{opened}; ufw default allow routed; or ufw disable",
        )


def selinux(ctx: CheckContext) -> Iterator[Hit]:
    """Look for SELinux without the policy for container runtimes."""
    if ctx.facts.selinux == "Enforcing" and not ctx.facts.selinux_container_policy:
        yield Hit(
            "SELinux enforces and has no policy for container runtimes; pods may be denied their files",
            "dnf install container-selinux, or SELINUX=permissive in /etc/selinux/config and setenforce 0",
        )


CHECKS = (
    Check(
        "Firewalld",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "firewalld is not active (kubeadm looks on control planes only).",
        firewalld,
    ),
    Check("UFW", Severity.WARNING, Gate.HOST, EVERYWHERE, "ufw is not enabled.", ufw, kubeadm=False),
    Check(
        "SELinux",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "SELinux does not enforce, or has the policy for container runtimes.",
        selinux,
        kubeadm=False,
    ),
)
