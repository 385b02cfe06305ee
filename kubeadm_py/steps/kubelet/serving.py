"""Approve what kubelets want to serve with: what the file knows of its hosts, and no more."""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Mapping
from typing import Any

from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.pki import serving_request
from kubeadm_py.pki.node_request import GROUP, user_of
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext, admin_kubeconfig


def asks_the_cluster(cluster: ResolvedCluster) -> bool:
    """Say whether kubelets ask the cluster for the certificates that they serve with."""
    return cluster.kubelet_config.get("serverTLSBootstrap") is True


def refusal(item: Mapping[str, Any], cluster: ResolvedCluster) -> str:
    """Return why a CertificateSigningRequest is not approved, as the rest of a sentence; empty where it is.

    A node may ask for itself only: whoever holds another's certificate could pass for it.
    """
    spec = item.get("spec", {})
    nodes = {user_of(node.name): node for node in cluster.nodes}
    user = str(spec.get("username"))
    node = nodes.get(user)
    if node is None:
        return f"{user} is no host of the file"
    if GROUP not in (spec.get("groups") or ()) or spec.get("signerName") != serving_request.SIGNER:
        return f"{user} does not ask as a kubelet does"
    usages = set(spec.get("usages") or ())
    if not usages <= serving_request.USAGES or "server auth" not in usages:
        return f"{user} asks for the usages {', '.join(sorted(usages))}"
    try:
        wanted = serving_request.read(base64.b64decode(spec.get("request", ""), validate=True))
    except (binascii.Error, TypeError, ValueError):
        wanted = None
    if wanted is None:
        return f"{user} asks with something that is no signed request"
    problem = wanted.refusal(node.name, frozenset({node.name}), _addresses(node))
    return f"{user} {problem}" if problem else ""


def _addresses(node: Node) -> frozenset[str]:
    return frozenset(each for each in (*node.addresses, node.advertise_address) if each)


def approve(names: tuple[str, ...], ctx: StepContext) -> list[Action]:
    """Return the action that approves requests by their names."""
    if not names:
        return []
    command = waits.kubectl(admin_kubeconfig(ctx), f"https://{ctx.node.local_endpoint}")
    return [
        RunScript(
            f"approve {len(names)} serving certificates of kubelets",
            f"{command} certificate approve {shlex.join(names)}",
            reason="they ask for their own names and addresses",
        )
    ]


def plan(ctx: StepContext) -> list[Action]:
    """Approve what was found to be right."""
    return approve(ctx.approved, ctx)


STEP = Step("kubelet-serving", "serving certificates of kubelets", plan, leader=True)
