"""Ask a control plane how its dashboard is reached, and for a token to log in with: one round trip."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import kubectl
from kubeadm_py.model.secret import Secret
from kubeadm_py.transport.base import Host

ADDON = NAMESPACE = NAME = "headlamp"
"""The add-on, its namespace, and its Deployment and Service there."""
VIEWER = "viewer"
ADMIN = "admin"
"""Its service accounts to log in as; the second is there where the add-on's adminLogin says so."""
_THEN = "== token"
_APPLY = "kubeadm-py apply --config FILE"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Hold where the dashboard's Service is, below which path it answers, and a token for it."""

    address: str
    port: int
    path: str
    token: Secret


def ask(host: Host, account: str, duration_seconds: int) -> Dashboard:
    """Return how the dashboard is reached; raise KubeadmPyError where it, its pods or the account lack."""
    about = kubectl.command(
        ["get", f"deployment/{NAME}", f"service/{NAME}", "--namespace", NAMESPACE, "--output", "json"]
    )
    token = kubectl.command(
        ["create", "token", account, "--namespace", NAMESPACE, "--duration", f"{duration_seconds}s"]
    )
    script = f"{about} || exit 1\necho {_THEN}\n{token}\n"
    result = host.run(script, timeout=kubectl.TIMEOUT_SECONDS)
    said = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
    objects, _, made = result.stdout.decode(errors="replace").partition(f"\n{_THEN}\n")
    found = _found(objects)
    if found is None and not result.ok and not any("not found" in line for line in said):
        raise kubectl.failed(host.name, "looking for the dashboard", result.stderr)
    if found is None:
        raise KubeadmPyError(
            "the cluster has no dashboard of ours",
            host=host.name,
            details=said[-3:],
            fix=f"add {ADDON} to spec.addons, then: {_APPLY}",
        )
    if not result.ok or not made.strip():
        raise KubeadmPyError(
            f"no token for {account}",
            host=host.name,
            details=said[-3:],
            fix=f"an admin's login needs {ADDON}'s parameter adminLogin: true; then: {_APPLY}"
            if account == ADMIN
            else f"kubectl get serviceaccounts --namespace {NAMESPACE}",
        )
    deployment, service = found
    if not deployment.get("status", {}).get("readyReplicas"):
        raise KubeadmPyError(
            "the dashboard's pods are not ready",
            host=host.name,
            fix=f"kubectl get pods --namespace {NAMESPACE}; kubectl describe pods --namespace {NAMESPACE}",
        )
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return Dashboard(
        service["spec"]["clusterIP"],
        int(service["spec"]["ports"][0]["port"]),
        container["readinessProbe"]["httpGet"]["path"],
        Secret(made.strip()),
    )


def _found(text: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    try:
        items = {item["kind"]: item for item in json.loads(text)["items"]}
        return items["Deployment"], items["Service"]
    except (ValueError, KeyError, TypeError):
        return None
