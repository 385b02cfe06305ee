"""Ask a control plane of the file for what a join needs, in two round trips: before it and after it."""

from __future__ import annotations

import base64
import json
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import yaml

from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.session import Session, facts_in
from kubeadm_py.errors import KubeadmPyError, UnreachableError
from kubeadm_py.facts.collect import PROBE_MARKER, interesting_paths, probe_script
from kubeadm_py.kube import kubectl
from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.live import is_ready
from kubeadm_py.model.node import Node
from kubeadm_py.model.secret import Secret
from kubeadm_py.plan.run import Run
from kubeadm_py.token import bootstrap
from kubeadm_py.token.bootstrap import NAMESPACE, SECRET_NAME_PREFIX
from kubeadm_py.transport.base import Host, Result

TOKEN_TTL = timedelta(minutes=30)
"""A minted token is deleted when the join ends; this bounds its life should we be killed before."""
TIMEOUT_SECONDS = 120.0
CONFIG_MAPS = ("kubelet-config", "kubeadm-config")
FORGET_WITHIN_SECONDS = 5.0
"""How long an errand that is no longer needed may take to end by itself and tidy up."""
_CA = "##kubeadm-py ca "
_OBJECTS = "##kubeadm-py objects "


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
    wait_for_token: Callable[[], None] = lambda: None
    """Return once the token is known to the cluster; raise KubeadmPyError where it was not taken."""

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
            nodes=dict.fromkeys(self.ready_nodes, True),
            helper=f"https://{self.session.node.local_endpoint}",
        )

    def _document(self, name: str, key: str) -> dict[str, Any]:
        try:
            document = yaml.load(self.configs[key], Loader=yaml.CSafeLoader)
        except (KeyError, yaml.YAMLError) as error:
            raise KubeadmPyError(
                f"ConfigMap kube-system/{name} cannot be read: {error!r}",
                host=self.session.name,
                fix=f"look: kubectl -n kube-system get configmap {name} -o yaml",
            ) from error
        return document if isinstance(document, dict) else {}


class Errand:
    """Ask a control plane in one round trip that goes on while the joining hosts are looked at.

    It reads the CA, the cluster's configuration and its nodes, and probes. A token is minted only once
    `leader` says so: nothing changes before all hosts are reached.
    """

    def __init__(self, run: Run, nodes: Sequence[Node], names: Sequence[str], now: datetime) -> None:
        self._run = run
        self._nodes = nodes
        self._names = names
        self._node = nodes[0]
        self._host = run.connect(self._node)
        self._token = bootstrap.generate()
        wanted = BootstrapToken(self._token, f"kubeadm-py join by {run.operator}", TOKEN_TTL)
        self._secret = json.dumps(bootstrap.secret_object(wanted, now)).encode() + b"\n"
        self._probe = ""
        self._connected = False
        self._lines: list[str] = []
        self._answered = threading.Event()
        self._minting: Future[bool] = Future()
        self._result: Future[Result] = Future()
        # A daemon: the second Ctrl-C leaves at once.
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def leader(self, *, mint: bool) -> Leader:
        """Say whether a token is needed and return the control plane, once it has answered.

        The token is being minted meanwhile: see Leader.wait_for_token.
        """
        self._minting.set_result(mint)
        token = self._token if mint else None
        try:
            while not self._answered.wait(0.5):
                pass  # In pieces, so that a signal is seen everywhere.
            if self._result.done():
                self._check(self._result.result())
            return self._leader(token)
        except BaseException:
            if token is not None and self._connected:
                delete_token(self._run, self._host, bootstrap.Token.parse(token).id)
            self._host.close()
            raise

    def forget(self) -> None:
        """End it without a token and close the connection."""
        if not self._minting.done():
            self._minting.set_result(False)
            self._thread.join(FORGET_WITHIN_SECONDS)
            self._host.close()

    def _ask(self) -> None:
        try:
            for following in [*self._nodes[1:], None]:
                problem = self._ask_one(is_last=following is None)
                if following is None or not problem:
                    return
                text = f"asking {following.name} instead: {problem}"
                self._run.bus.emit(Notice("warning", text, self._node.name))
                self._host.close()
                self._node, self._host = following, self._run.connect(following)
        except BaseException as error:
            self._result.set_exception(error)
        finally:
            self._answered.set()

    def _ask_one(self, *, is_last: bool) -> str:
        """Ask the control plane that it is the turn of; say why another one has to be asked, if so."""
        cluster = self._run.cluster
        # What it applied and what it made: all that a join asks of a control plane.
        self._probe = probe_script(
            extra_paths=interesting_paths(cluster, self._node), parts=("files", "system")
        )
        script = _script(cluster.certificates_dir, self._names, self._probe)
        self._lines.clear()
        try:
            self._host.connect()
            self._connected = True
            answer = self._host.run(
                script, stdin=self._input(), timeout=TIMEOUT_SECONDS, on_line=self._listen
            )
        except UnreachableError as error:
            if is_last or self._answered.is_set():
                raise
            return error.summary
        if not answer.ok and not is_last and not self._answered.is_set():
            return "it is no control plane of a running cluster"
        self._result.set_result(answer)
        return ""

    def _listen(self, line: str) -> None:
        self._lines.append(line)
        if line.startswith(PROBE_MARKER):
            self._answered.set()

    def _input(self) -> Iterator[bytes]:
        if self._minting.result():
            yield self._secret

    def _wait_for_token(self) -> None:
        while not self._result.done():
            self._thread.join(0.5)
        self._check(self._result.result())

    def _check(self, result: Result) -> None:
        if not result.ok:
            lines = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
            config = self._run.config_name
            raise KubeadmPyError(
                "this control plane cannot help the hosts to join",
                host=self._node.name,
                details=lines[-5:],
                fix=f"kubeadm-py init --config {config}" if config else "kubeadm-py init",
            )

    def _leader(self, token: Secret | None) -> Leader:
        output = "\n".join(self._lines).encode()
        facts = facts_in(output, self._node.name)
        inventory = Inventory.parse(facts.inventory, self._node.name)
        session = Session(self._node, self._host, facts, inventory, self._probe)
        items = _items(_field(output, _OBJECTS))
        configs: dict[str, str] = {}
        for item in items:
            if item["kind"] == "ConfigMap":
                configs.update(item["data"])
        ready = frozenset(
            item["metadata"]["name"] for item in items if item["kind"] == "Node" and is_ready(item)
        )
        return Leader(session, _field(output, _CA), token, configs, ready, self._wait_for_token)


def _script(certificates_dir: str, names: Sequence[str], probe: str) -> str:
    """Return the errand; its parts run at the same time, for each kubectl takes a while to start.

    A token's Secret comes on one line of standard input, or none does.
    """
    configs = [f"configmap/{name}" for name in CONFIG_MAPS]
    objects = ["get", "-n", "kube-system", *configs, *(f"node/{name}" for name in names)]
    objects += ["--ignore-not-found", "-o", "json"]
    # The plain request needs no discovery of what the API server has, which costs several more.
    create = ["create", "--raw", f"/api/v1/namespaces/{NAMESPACE}/secrets", "-f", "-"]
    return f"""# ask a control plane
umask 077
printf '{_CA}'; base64 -w0 {shlex.quote(f"{certificates_dir}/ca.crt")} || exit 1
echo
mkdir -p -m 0700 {paths.RUN_DIR} || exit 1
kpy_answers=$(mktemp -d {paths.RUN_DIR}/ask.XXXXXX) || exit 1
trap 'rm -rf "$kpy_answers"' EXIT
# A shell that a signal ends skips its EXIT trap.
trap 'exit 129' HUP INT PIPE TERM
({kubectl.command(objects)}) </dev/null >"$kpy_answers/objects" &
kpy_objects=$!
(
{probe}
) </dev/null >"$kpy_answers/facts" &
wait $kpy_objects || exit 1
wait
printf '{_OBJECTS}'; base64 -w0 "$kpy_answers/objects"; echo
cat "$kpy_answers/facts"
if IFS= read -r kpy_secret; then
  printf '%s\\n' "$kpy_secret" | ({kubectl.command(create)}) >/dev/null || exit 1
fi
"""


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


def _items(raw: bytes) -> list[dict[str, Any]]:
    """Return the objects in what kubectl printed: a list, one object, or nothing."""
    document = json.loads(raw) if raw.strip() else {}
    items: list[dict[str, Any]] = document.get("items", [document] if document else [])
    return items
