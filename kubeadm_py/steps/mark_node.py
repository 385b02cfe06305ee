"""Plan a node's labels and taints (kubeadm's phase mark-control-plane, and the file's own labels)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, RunScript, Wait
from kubeadm_py.model.cluster import CONTROL_PLANE_LABELS, CRI_SOCKET_ANNOTATION, Node, Role
from kubeadm_py.steps import applied, waits
from kubeadm_py.steps.base import Step, StepContext, write
from kubeadm_py.steps.wait_control_plane import admin_kubeconfig


def labels_of(node: Node) -> dict[str, str]:
    """Return the labels that the node must carry."""
    return {**(CONTROL_PLANE_LABELS if node.role is Role.CONTROL_PLANE else {}), **node.labels}


def marker(node: Node) -> FileSpec:
    """Return the file that says which labels and taints were set."""
    marks: dict[str, Any] = {
        "labels": labels_of(node),
        "taints": [str(taint) for taint in node.effective_taints],
    }
    if node.cri_socket_annotated:
        marks["criSocket"] = node.cri_socket
    return FileSpec(
        f"{paths.APPLIED_DIR}/node-{node.name}", (json.dumps(marks, sort_keys=True) + "\n").encode(), 0o600
    )


def patch(node: Node) -> Mapping[str, Any]:
    """Return the strategic merge patch: taints merge by key, so those of others stay."""
    wanted: dict[str, Any] = {}
    labels = labels_of(node)
    if labels:
        wanted["metadata"] = {"labels": labels}
    if node.cri_socket_annotated:
        wanted.setdefault("metadata", {})["annotations"] = {CRI_SOCKET_ANNOTATION: node.cri_socket}
    # A worker registers with its taints (kubeadm-flags.env); only control planes are tainted afterwards.
    if node.role is Role.CONTROL_PLANE and node.effective_taints:
        wanted["spec"] = {"taints": [taint.manifest for taint in node.effective_taints]}
    return wanted


def mark(node: Node, kubeconfig: str, server: str, deadline: timedelta) -> list[Action]:
    """Return the actions, for a leader, that wait for the node's object and patch it; none without marks."""
    wanted = patch(node)
    if not wanted:
        return []
    command = waits.kubectl(kubeconfig, server)
    return [
        Wait(
            f"wait for node {node.name} to register",
            f"{command} get node {shlex.quote(node.name)} -o name || return 1",
            deadline,
            interval=0.1,
            diagnose="journalctl -u kubelet -n 12 --no-pager -o cat 2>/dev/null | cut -c 1-300",
            look=f"journalctl -u kubelet -e     (on {node.name}, as root)",
        ),
        RunScript(
            f"labels and taints of {node.name}",
            f"answer=$({command} patch node {shlex.quote(node.name)} --type strategic "
            f"-p {shlex.quote(json.dumps(wanted))})\n"
            """case $answer in *'(no change)'*) echo unchanged ;; *) echo "$answer" ;; esac""",
            reason=", ".join([*labels_of(node), *(str(taint) for taint in node.effective_taints)]),
        ),
    ]


def plan(ctx: StepContext) -> list[Action]:
    """Mark this control plane, unless it carries these marks already."""
    noted = write([marker(ctx.node)], ctx.facts, title="note the marks")
    if not noted and applied.same_cluster(ctx) and not ctx.phases.only:
        return []
    marks = mark(
        ctx.node,
        admin_kubeconfig(ctx),
        f"https://{ctx.node.local_endpoint}",
        ctx.timeouts.kubernetes_api_call,
    )
    return [*marks, *noted] if marks else []


STEP = Step("mark-control-plane", "labels and taints", plan, phase="mark-control-plane")
STEP_JOINED = Step(
    "mark-control-plane", "labels and taints", plan, phase="control-plane-join/mark-control-plane"
)
