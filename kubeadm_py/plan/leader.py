"""Ask a control plane of the file for what a join needs, in two round trips: before it and after it."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import yaml

from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.session import Session, facts_in
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.facts.collect import probe_script
from kubeadm_py.kube import kubectl
from kubeadm_py.model.cluster import BootstrapToken, Discovery, Node, ResolvedCluster
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import pem
from kubeadm_py.plan.run import Run
from kubeadm_py.token import bootstrap
from kubeadm_py.token.bootstrap import NAMESPACE, SECRET_NAME_PREFIX
from kubeadm_py.transport.base import Host, Result

TOKEN_TTL = timedelta(minutes=30)
"""A minted token is deleted when the join ends; this bounds its life should we be killed before."""
TIMEOUT_SECONDS = 120.0
_CA = "##kubeadm-py ca "
_CONFIGS = "##kubeadm-py configs "


@dataclass(slots=True)
class Leader:
    """Hold a control plane that helps hosts to join."""

    session: Session
    ca_pem: bytes
    token: Secret | None = None
    """Minted for this join; None where every host is a member already."""
    configs: dict[str, str] = field(default_factory=dict)

    @property
    def token_id(self) -> str:
        """Return the minted token's id."""
        return bootstrap.Token.parse(self.token).id if self.token else ""

    def discovery(self, cluster: ResolvedCluster) -> Discovery:
        """Return how the hosts find this cluster with the minted token."""
        return Discovery(
            token=self.token,
            api_server_endpoint=cluster.endpoint,
            ca_cert_hashes=tuple(pem.public_key_hashes(self.ca_pem)),
        )

    def known(self, cluster: ResolvedCluster) -> JoinedCluster:
        """Return the cluster as its members know it: no token is needed to say that."""
        return JoinedCluster(
            f"https://{cluster.endpoint}",
            self.ca_pem,
            Secret(""),
            self._document("kubelet-config", "kubelet"),
            self._document("kubeadm-config", "ClusterConfiguration"),
        )

    def _document(self, name: str, key: str) -> dict[str, Any]:
        try:
            document = yaml.safe_load(self.configs[key])
        except (KeyError, yaml.YAMLError) as error:
            raise KubeadmPyError(
                f"ConfigMap kube-system/{name} cannot be read: {error!r}",
                host=self.session.name,
                fix=f"look: kubectl -n kube-system get configmap {name} -o yaml",
            ) from error
        return document if isinstance(document, dict) else {}


def ask(run: Run, node: Node, *, mint: bool, now: datetime) -> Leader:
    """Mint a token (or read the cluster's configuration), read the CA and probe, in one round trip."""
    host = run.connect(node)
    host.connect()
    token = bootstrap.generate() if mint else None
    probe = probe_script()
    if token is not None:
        wanted = BootstrapToken(token, f"kubeadm-py join by {run.operator}", TOKEN_TTL)
        stdin = json.dumps(bootstrap.secret_object(wanted, now)).encode()
        errand = f"{kubectl.command(['create', '-f', '-'])} >/dev/null || exit 1"
    else:
        stdin = b""
        names = ["configmap", "kubelet-config", "kubeadm-config", "-n", "kube-system", "-o", "json"]
        errand = f"""answer=$({kubectl.command(["get", *names])}) || exit 1
printf '{_CONFIGS}'; printf '%s' "$answer" | base64 -w0; echo"""
    # The token comes last: what fails before it leaves none behind.
    script = f"""umask 077
printf '{_CA}'; base64 -w0 {shlex.quote(f"{run.cluster.certificates_dir}/ca.crt")} || exit 1
echo
{probe}
{errand}
"""
    try:
        result = host.run(script, stdin=stdin, timeout=TIMEOUT_SECONDS)
        return _leader(run, node, host, result, probe, token)
    except BaseException:
        if token is not None:
            delete_token(run, host, bootstrap.Token.parse(token).id)
        host.close()
        raise


def _leader(run: Run, node: Node, host: Host, result: Result, probe: str, token: Secret | None) -> Leader:
    ca_pem = _field(result.stdout, _CA)
    if not result.ok or not ca_pem:
        lines = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise KubeadmPyError(
            "this control plane cannot help the hosts to join",
            host=node.name,
            details=lines[-5:],
            fix=f"kubeadm-py init --config {run.config_name}" if run.config_name else "kubeadm-py init",
        )
    facts = facts_in(result.stdout, node.name)
    session = Session(node, host, facts, Inventory.parse(facts.inventory, node.name), probe)
    return Leader(session, ca_pem, token, _configs(_field(result.stdout, _CONFIGS)))


def deletion(token_id: str) -> str:
    """Return the command that deletes a token, if it is there."""
    return kubectl.command(
        ["delete", "secret", "-n", NAMESPACE, "--ignore-not-found", SECRET_NAME_PREFIX + token_id]
    )


def delete_token(run: Run, host: Host, token_id: str) -> None:
    """Delete a token on the way out of a failure: where that fails too, say so and raise nothing."""
    try:
        result = host.run(f"# delete the join's token\n{deletion(token_id)}", timeout=30)
        problem = (
            "" if result.ok else result.stderr.decode(errors="replace").strip()[-300:] or "kubectl failed"
        )
    except (KubeadmPyError, OSError) as error:
        problem = str(error)
    if problem:
        run.bus.emit(
            Notice(
                "warning",
                f"the join's token {token_id} may still be there, for {TOKEN_TTL.seconds // 60} minutes at"
                f" the most: {problem}",
                host.name,
                f"kubeadm-py token delete {token_id}",
            )
        )


def _field(output: bytes, marker: str) -> bytes:
    for line in output.splitlines():
        if line.startswith(marker.encode()):
            return base64.b64decode(line[len(marker) :])
    return b""


def _configs(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in json.loads(raw)["items"] if raw else ():
        found.update(item["data"])
    return found
