"""Plan that another control plane holds the vip while what answers there is replaced on this one."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable

from kubeadm_py.model import endpoint, paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.node import Role
from kubeadm_py.render import endpoint as rendered
from kubeadm_py.steps.base import StepContext

LEAVES = "another control plane takes the API's address"
RETURNS = "this host may have the API's address again"
AWAY_SECONDS = 300
"""After this time a host of which nobody has said so may have the address again all the same.

A run that is killed while it works on all control planes leaves the address to nobody for that long. A stage
that takes longer is seen by keepalived's check, as it would be without the hand-over.
"""
_LOOKS = 50
"""Two looks of keepalived's check and three of its silences take less than these, 0.2 s apart."""


def leaves(ctx: StepContext, replaced: Collection[str]) -> list[Action]:
    """Hand the vip over before these static pods are replaced; nothing where none of them answers there.

    keepalived would see only after two failed checks that nobody answers, for which all clients would wait.
    """
    answering = {rendered.HAPROXY} if paths.HAPROXY_CONFIG in ctx.facts.files else {"etcd", "kube-apiserver"}
    if not _keeps(ctx) or answering.isdisjoint(replaced) or len(ctx.cluster.control_planes) < 2:
        return []
    vips = dict.fromkeys([*rendered.present_vips(ctx.facts), endpoint.vip(ctx.cluster)])
    reason = f"{', '.join(sorted(answering.intersection(replaced)))} is replaced"
    return [RunScript(LEAVES, leaving(filter(None, vips)), reason=reason)]


def returns(handed_over: Collection[Action]) -> list[Action]:
    """Let this host have the vip again, where it was handed over."""
    return [RunScript(RETURNS, f"rm -f {shlex.quote(paths.KEEPALIVED_AWAY)}")] if handed_over else []


def leaving(vips: Iterable[str]) -> str:
    """Return a script that waits until the host has none of these; one that nobody takes stops nothing."""
    patterns = " ".join(f"-e {shlex.quote(f' {vip}/')}" for vip in vips)
    away = shlex.quote(paths.KEEPALIVED_AWAY)
    return f"""echo $(($(date +%s) + {AWAY_SECONDS})) >{away}.new
mv -f {away}.new {away}
for look in $(seq {_LOOKS}); do
  ip -oneline address show | grep -qF {patterns} || break
  sleep 0.2
done"""


def _keeps(ctx: StepContext) -> bool:
    return ctx.node.role is Role.CONTROL_PLANE and paths.KEEPALIVED_CONFIG in ctx.facts.files
