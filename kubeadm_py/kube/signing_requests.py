"""Ask a control plane which certificates kubelets want to serve with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubeadm_py.kube import kubectl
from kubeadm_py.model import paths
from kubeadm_py.pki.node_request import user_of
from kubeadm_py.pki.serving_request import SIGNER
from kubeadm_py.transport.base import Host

QUESTION = ("get", "csr", "--field-selector", f"spec.signerName={SIGNER}", "-o", "json")


def pending(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those of a cluster's objects that are such requests which nobody has approved or denied."""
    return [
        item
        for item in items
        if item.get("kind") == "CertificateSigningRequest"
        and item.get("spec", {}).get("signerName") == SIGNER
        and not item.get("status", {}).get("conditions")
    ]


def listed(text: str) -> list[dict[str, Any]]:
    """Return the objects in the list that kubectl printed."""
    try:
        items: list[dict[str, Any]] = json.loads(text)["items"]
    except (ValueError, KeyError, TypeError):
        return []
    return items


def wait_for(host: Host, nodes: Sequence[str], seconds: int, kubeconfig: str = paths.ADMIN_CONF) -> str:
    """Return kubectl's list once all these nodes have asked, or after `seconds` as it is then.

    The loop runs on the host: it costs one round trip.
    """
    users = shlex.join(user_of(node) for node in nodes)
    script = f"""# wait for kubelets' requests
end=$(($(cut -d . -f 1 /proc/uptime) + {int(seconds)}))
while :; do
  answer=$({kubectl.command(QUESTION, kubeconfig)} 2>/dev/null)
  missing=
  for user in {users}; do
    case $answer in *"\\"$user\\""*) ;; *) missing=1 ;; esac
  done
  [ -n "$missing" ] && [ "$(cut -d . -f 1 /proc/uptime)" -lt "$end" ] || break
  sleep 0.5
done
printf '%s\\n' "$answer"
"""
    result = host.run(script, timeout=seconds + kubectl.TIMEOUT_SECONDS)
    return result.stdout.decode(errors="replace") if result.ok else ""
