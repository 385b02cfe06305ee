"""Ask a control plane of the file for what a join needs, in two round trips: before it and after it."""

from __future__ import annotations

import base64
import contextlib
import json
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import yaml

from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.session import Session, facts_in
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.facts.collect import interesting_paths, probe_script
from kubeadm_py.kube import kubectl
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import BootstrapToken, Node
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.secret import Secret
from kubeadm_py.plan.discover import is_ready
from kubeadm_py.plan.run import Run
from kubeadm_py.token import bootstrap
from kubeadm_py.token.bootstrap import NAMESPACE, SECRET_NAME_PREFIX
from kubeadm_py.transport.base import Host, Result

TOKEN_TTL = timedelta(minutes=30)
"""A minted token is deleted when the join ends; this bounds its life should we be killed before."""
TIMEOUT_SECONDS = 120.0
_CA = "##kubeadm-py ca "
_CONFIGS = "##kubeadm-py configs "
_NODES = "##kubeadm-py nodes "


@dataclass(slots=True)
class Leader:
    """Hold a control plane that helps hosts to join."""

    session: Session
    ca_pem: bytes
    token: Secret | None
    """Minted for this join; None where every host is a member already."""
    configs: dict[str, str]
    ready_nodes: frozenset[str]
    """Those of the joining hosts' names that Ready nodes of the cluster have."""

    @property
    def token_id(self) -> str:
        """Return the minted token's id."""
        return bootstrap.Token.parse(self.token).id if self.token else ""

    def joined(self) -> JoinedCluster:
        """Return the cluster: what discovery would find, from a source that SSH has proved already."""
        kubelet = self._document("kubelet-config", "kubelet")
        live = self._document("kubeadm-config", "ClusterConfiguration")
        endpoint = str(live.get("controlPlaneEndpoint") or self.session.node.local_endpoint)
        return JoinedCluster(
            f"https://{endpoint}",
            self.ca_pem,
            self.token or Secret(""),
            kubelet,
            live,
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


def approach(run: Run, node: Node) -> Host:
    """Begin to connect to a control plane while the joining hosts are looked at; failures show in `ask`."""
    host = run.connect(node)

    def connect() -> None:
        with contextlib.suppress(KubeadmPyError):
            host.connect()

    threading.Thread(target=connect, daemon=True).start()
    return host


def ask(run: Run, node: Node, host: Host, names: Sequence[str], *, mint: bool, now: datetime) -> Leader:
    """Mint a token, read the CA, the cluster's configuration and its nodes, and probe: in one round trip.

    `names` are the joining hosts'.
    """
    host.connect()
    probe = probe_script(extra_paths=interesting_paths(run.cluster, node), cri_socket=node.cri_socket)
    token = bootstrap.generate() if mint else None
    stdin = b""
    if token is not None:
        wanted = BootstrapToken(token, f"kubeadm-py join by {run.operator}", TOKEN_TTL)
        stdin = json.dumps(bootstrap.secret_object(wanted, now)).encode()
    try:
        script = _script(run.cluster.certificates_dir, names, probe, mint=mint)
        result = host.run(script, stdin=stdin, timeout=TIMEOUT_SECONDS)
        return _leader(run, node, host, result, probe, token)
    except BaseException:
        if token is not None:
            delete_token(run, host, bootstrap.Token.parse(token).id)
        host.close()
        raise


def _script(certificates_dir: str, names: Sequence[str], probe: str, *, mint: bool) -> str:
    """Return the errand; its parts run at the same time, for each kubectl takes a while to start."""
    configs = ["get", "configmap", "kubelet-config", "kubeadm-config", "-n", "kube-system", "-o", "json"]
    nodes = ["get", "node", *names, "--ignore-not-found", "-o", "json"]
    create = f"{kubectl.command(['create', '-f', '-'])} >/dev/null || exit 1" if mint else ""
    return f"""# ask a control plane
umask 077
printf '{_CA}'; base64 -w0 {shlex.quote(f"{certificates_dir}/ca.crt")} || exit 1
echo
mkdir -p -m 0700 {paths.RUN_DIR} || exit 1
kpy_answers=$(mktemp -d {paths.RUN_DIR}/ask.XXXXXX) || exit 1
trap 'rm -rf "$kpy_answers"' EXIT
({kubectl.command(configs)}) </dev/null >"$kpy_answers/configs" &
kpy_configs=$!
({kubectl.command(nodes)}) </dev/null >"$kpy_answers/nodes" &
kpy_nodes=$!
(
{probe}
) </dev/null >"$kpy_answers/facts" &
{create}
wait $kpy_configs || exit 1
wait $kpy_nodes || exit 1
wait
printf '{_CONFIGS}'; base64 -w0 "$kpy_answers/configs"; echo
printf '{_NODES}'; base64 -w0 "$kpy_answers/nodes"; echo
cat "$kpy_answers/facts"
"""


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
    configs = _configs(_field(result.stdout, _CONFIGS))
    return Leader(session, ca_pem, token, configs, _ready(_field(result.stdout, _NODES)))


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


def _ready(raw: bytes) -> frozenset[str]:
    """Return the names of the Ready nodes in what kubectl printed: a list, one node, or nothing."""
    document = json.loads(raw) if raw.strip() else {}
    items = document.get("items", [document] if document else [])
    return frozenset(node["metadata"]["name"] for node in items if is_ready(node))
