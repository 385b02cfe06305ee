"""Ask a cluster for kubelets' client certificates before the kubelets run (TLS bootstrapping)."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.joined import KubeletCredentials
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import inspect, keys
from kubeadm_py.pki.keys import KeyMaker
from kubeadm_py.pki.node_request import KEY_ALGORITHM, USAGES, node_request
from kubeadm_py.token.cluster_info import Clock
from kubeadm_py.token.fetch import Ask

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
_NAME_PREFIX = "node-csr-"
"""As kubelets name theirs, so that whoever lists requests sees what they are."""
_INTERVAL = 0.02
_CREATED = 201
_UNAUTHORIZED = 401


def credentials(
    ask: Ask,
    names: Sequence[str],
    *,
    clock: Clock,
    patience: float,
    key_maker: KeyMaker = keys.generate,
) -> dict[str, KubeletCredentials]:
    """Return the credentials of those nodes whose certificates the cluster signs within `patience` seconds.

    A node that is missing asks for itself once its kubelet runs, which knows how to wait and whose log says
    what is wrong: nothing is raised for a cluster that does not answer as it should.
    """
    ends = clock.now() + patience
    waiting: dict[str, tuple[str, Secret]] = {}
    for name in names:
        key = key_maker(KEY_ALGORITHM)
        created = _create(ask, _object(node_request(name, key)), clock, ends)
        if created:
            waiting[name] = created, Secret(keys.private_pem(key))
    signed: dict[str, KubeletCredentials] = {}
    while waiting:
        for name, (request, key_pem) in list(waiting.items()):
            status = _status(ask, request)
            certificate = base64.b64decode(status.get("certificate") or b"")
            if certificate and _fits(certificate, key_pem):
                signed[name] = KubeletCredentials(certificate, key_pem)
            if certificate or _is_over(status):
                del waiting[name]
        if not waiting or clock.now() >= ends:
            break
        clock.sleep(_INTERVAL)
    return signed


def _fits(certificate: bytes, key_pem: Secret) -> bool:
    """Say whether a kubelet could log in so: with anything else it would never start."""
    try:
        return inspect.key_matches(certificate, key_pem)
    except (KubeadmPyError, ValueError):
        return False


def _object(request: bytes) -> dict[str, Any]:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": _NAME_PREFIX},
        "spec": {
            "request": base64.b64encode(request).decode(),
            "signerName": SIGNER,
            "usages": list(USAGES),
        },
    }


def _create(ask: Ask, wanted: dict[str, Any], clock: Clock, ends: float) -> str:
    """Return the request's name, or nothing where the cluster takes none."""
    while True:
        status, body = ask("POST", PATH, wanted)
        if status == _CREATED:
            name: str = json.loads(body)["metadata"]["name"]
            return name
        # The API server learns of a token a moment after it was made.
        if status != _UNAUTHORIZED or clock.now() >= ends:
            return ""
        clock.sleep(_INTERVAL)


def _status(ask: Ask, name: str) -> dict[str, Any]:
    status, body = ask("GET", f"{PATH}/{name}")
    if status != 200:
        return {}
    found: dict[str, Any] = json.loads(body).get("status") or {}
    return found


def _is_over(status: dict[str, Any]) -> bool:
    return any(each["type"] in ("Denied", "Failed") for each in status.get("conditions") or [])
