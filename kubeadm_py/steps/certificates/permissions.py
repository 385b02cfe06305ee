"""Plan the modes and owners of keys, certificates and kubeconfigs, whose content other steps look after."""

from __future__ import annotations

import shlex

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.inventory import DEFAULT_OWNER
from kubeadm_py.steps.base import Step, StepContext


def plan(ctx: StepContext) -> list[Action]:
    """Give back the mode and owner that we wrote them with: a key that others can read is no key."""
    commands: list[str] = []
    shows: list[str] = []
    for path, entry in ctx.recorded.items():
        fact = ctx.facts.files.get(path)
        if fact is None or fact.directory or not _is_credential(path, ctx) or entry.get("own"):
            continue
        mode, owner = entry.get("mode", ""), entry.get("owner", DEFAULT_OWNER)
        if mode and f"{fact.mode:04o}" != mode:
            commands.append(f"chmod {mode} {shlex.quote(path)}")
            shows.append(f"{path} mode {fact.mode:04o} -> {mode}")
        if fact.owner != owner:
            commands.append(f"chown {shlex.quote(owner)} {shlex.quote(path)}")
            shows.append(f"{path} owner {fact.owner} -> {owner}")
    if not commands:
        return []
    return [
        RunScript(
            "modes and owners of credentials",
            "\n".join(commands),
            reason="changed by hand (drift)",
            shows=tuple(shows),
        )
    ]


def _is_credential(path: str, ctx: StepContext) -> bool:
    kubeconfig = path.startswith(f"{paths.KUBERNETES_DIR}/") and path.endswith(".conf")
    return kubeconfig or path.startswith(f"{ctx.cluster.certificates_dir}/")


STEP = Step("permissions", "modes and owners", plan)
