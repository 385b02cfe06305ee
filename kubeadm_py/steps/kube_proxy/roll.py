"""Have kube-proxy's pods replaced where what they read at their start has changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.live import key
from kubeadm_py.render import objects
from kubeadm_py.render.endpoint import CONFIG_ANNOTATION
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import StepContext, is_so
from kubeadm_py.steps.kube_proxy import waits as proxy_waits
from kubeadm_py.steps.objects import guard as rolling
from kubeadm_py.steps.objects.groups import Group

_READ = ("ConfigMap", "DaemonSet")
"""What of kube-proxy's objects its pods are made by."""


def is_unread(group: Group, ctx: StepContext) -> bool:
    """Say whether kube-proxy's pods run without its configuration although the cluster has it already.

    Somebody wrote it there and took it into the file, or a run was cut off behind it.
    """
    if ctx.live is None or is_so(group.marker, ctx.facts):
        return False
    daemon = next(item for item in group.objects if isinstance(item, Mapping) and item["kind"] == "DaemonSet")
    template = ctx.live.there.get(key(daemon), {}).get("spec", {}).get("template", {})
    read = (template.get("metadata", {}).get("annotations") or {}).get(CONFIG_ANNOTATION, "")
    return not str(read).startswith(_digest(objects.kube_proxy_config_map(ctx.cluster)))


def _digest(config_map: Mapping[str, Any]) -> str:
    return sha256(json.dumps(config_map["data"], sort_keys=True).encode())[:16]


def guarded(ctx: StepContext, group: Group, change: Sequence[Action]) -> list[Action]:
    """Have kube-proxy's pods replaced, node by node, where their ConfigMap changes: they read it at start.

    What says so is an annotation that is no part of the object, and so is how long one has to run before the
    next is replaced: the next apply leaves both alone.
    """
    config_map = objects.kube_proxy_config_map(ctx.cluster)
    digest = _digest(config_map)
    noted = is_so(group.marker, ctx.facts)
    if noted and ctx.live is not None and ctx.live.differs(key(config_map)):
        # Pods may have read what somebody wrote, and are annotated as those with the right one are.
        digest += f"-{ctx.now:%Y%m%d%H%M%S}"
    template = {"metadata": {"annotations": {CONFIG_ANNOTATION: digest}}}
    patch = shlex.quote(
        json.dumps({"spec": {"minReadySeconds": rolling.READY_SECONDS, "template": template}})
    )
    kubeconfig, server = rolling.spoken_to(ctx)
    replace = RunScript(
        "replace kube-proxy's pods",
        f"answer=$({waits.kubectl(kubeconfig, server)} patch daemonset/kube-proxy -n kube-system"
        f" --field-manager {rolling.ROLL_MANAGER} -p {patch})\n"
        "case $answer in *'(no change)'*) echo unchanged ;; esac",
        reason="their ConfigMap changed",
    )
    read = [item for item in group.objects if isinstance(item, Mapping) and item["kind"] in _READ]
    wait = proxy_waits.rolled(len(ctx.cluster.nodes), kubeconfig, server)
    return rolling.guarded(ctx, group.phase, read, [*change, replace], [wait])
