"""Check the kubelet's version, unit and certificate, and the version that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from kubeadm_py.model import typed, versions
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.node import Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import expiry
from kubeadm_py.preflight.context import CONTROL_PLANES, EVERYWHERE, Check, CheckContext, Hit

OLDEST_KUBELET_SKEW = 3
"""Minor versions that a kubelet may be behind."""


def kubernetes_version(ctx: CheckContext) -> Iterator[Hit]:
    """Compare the version with the newest that we know."""
    newest = max(tuple(int(part) for part in minor.split(".")) for minor in versions.RELEASES)
    asked = ctx.cluster.kubernetes_version
    if (asked.major, asked.minor) > newest:
        yield Hit(
            f"{asked} is newer than the newest known minor version, {newest[0]}.{newest[1]}",
            "use a newer kubeadm-py",
        )


def kubelet_version(ctx: CheckContext) -> Iterator[Hit]:
    """Compare the kubelet's version with the control plane's."""
    text = ctx.facts.binary_versions.get("kubelet", "")
    asked = ctx.cluster.kubernetes_version
    if not text:
        yield Hit(
            "no kubelet answers `kubelet --version`",
            "install a kubelet, or name an artifact source that has one",
        )
        return
    found = Version.parse(text)
    if found > asked:
        yield Hit(
            f"the kubelet is {found}, newer than the control plane ({asked})", f"install kubelet {asked}"
        )
    elif (found.major, found.minor) < (asked.major, asked.minor - OLDEST_KUBELET_SKEW):
        oldest = f"{asked.major}.{asked.minor - OLDEST_KUBELET_SKEW}"
        yield Hit(
            f"the kubelet is {found}; the oldest that {asked} serves is {oldest}", f"install kubelet {asked}"
        )


def kubelet_service(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the kubelet's unit."""
    unit = ctx.facts.units.get("kubelet.service")
    if unit is None or unit.load_state == "not-found":
        yield Hit("there is no unit kubelet.service", "install the kubelet's unit")
    elif not unit.enabled.startswith(("enabled", "static", "linked", "alias", "indirect", "generated")):
        yield Hit(
            f"kubelet.service is {unit.enabled or 'not enabled'}: the node is gone after a reboot",
            "systemctl enable kubelet.service",
        )


def kubelet_certificate(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the end of what a member's kubelet logs in with: it does not start with an ended one."""
    now = datetime.fromtimestamp(ctx.facts.clock, UTC)
    ended = expiry.kubelets_end(ctx.node, ctx.facts.files, now)
    if ended is not None:
        yield Hit(
            f"the kubelet's client certificate ended on {expiry.day(ended)}: it does not start with it",
            typed.at(ctx.cluster, ctx.node, "certs", "renew", "all")
            if ctx.node.role is Role.CONTROL_PLANE
            else f"{typed.at(ctx.cluster, ctx.node, 'reset')}, then let it join again",
        )


CHECKS = (
    Check(
        "KubernetesVersion",
        Severity.WARNING,
        Gate.HOST,
        CONTROL_PLANES,
        "The version is one that this kubeadm-py knows.",
        kubernetes_version,
    ),
    Check(
        "KubeletVersion",
        Severity.ERROR,
        Gate.PREPARED,
        EVERYWHERE,
        "The kubelet is no newer than the control plane and at most three minor versions older.",
        kubelet_version,
        tested="node",
    ),
    Check(
        "Service-kubelet",
        Severity.WARNING,
        Gate.PREPARED,
        EVERYWHERE,
        "The kubelet's unit is there and enabled.",
        kubelet_service,
        tested="node",
    ),
    Check(
        "KubeletCertificate",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The client certificate of a member's kubelet has not ended.",
        kubelet_certificate,
        kubeadm=False,
    ),
)
