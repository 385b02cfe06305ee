"""Keep bootstrap tokens in a cluster, through a control-plane host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import kubectl
from kubeadm_py.model import paths
from kubeadm_py.token.bootstrap import NAMESPACE, SECRET_NAME_PREFIX, SECRET_TYPE
from kubeadm_py.transport.base import Host


def create(host: Host, secret: Mapping[str, Any], *, kubeconfig: str = paths.ADMIN_CONF) -> None:
    """Make a token known; its Secret travels on standard input. Raise where its id is taken."""
    try:
        kubectl.run(
            host,
            ["create", "-f", "-"],
            stdin=json.dumps(secret).encode(),
            doing="creating the bootstrap token",
            kubeconfig=kubeconfig,
        )
    except KubeadmPyError as error:
        if not any("AlreadyExists" in line for line in error.details):
            raise
        token_id = str(secret["metadata"]["name"]).removeprefix(SECRET_NAME_PREFIX)
        raise KubeadmPyError(
            f"a token with the id {token_id} already exists",
            host=host.name,
            fix=f"give another token, or remove that one first: kubeadm-py token delete {token_id}",
        ) from None


def listed(host: Host, *, kubeconfig: str = paths.ADMIN_CONF) -> list[dict[str, Any]]:
    """Return the Secrets of all bootstrap tokens, in the order of their names."""
    answer = kubectl.get_json(
        host,
        ["secrets", "-n", NAMESPACE, "--field-selector", f"type={SECRET_TYPE}"],
        doing="listing the bootstrap tokens",
        kubeconfig=kubeconfig,
    )
    items: list[dict[str, Any]] = answer["items"]
    return items


def delete(host: Host, token_id: str, *, kubeconfig: str = paths.ADMIN_CONF) -> None:
    """Delete a token by its id; raise where there is none."""
    output = kubectl.run(
        host,
        ["delete", "secret", "-n", NAMESPACE, "--ignore-not-found", f"{SECRET_NAME_PREFIX}{token_id}"],
        doing=f"deleting the bootstrap token {token_id}",
        kubeconfig=kubeconfig,
    )
    if not output.strip():
        raise KubeadmPyError(
            f"there is no bootstrap token with the id {token_id}",
            host=host.name,
            fix="list them: kubeadm-py token list",
        )
