"""A cluster that exists in memory only: hosts on the fake transport that do what stage scripts tell them.

A host's facts start from saved answers of real probes; a stage's script and its standard input are taken
apart and carried out on them, so that the next probe tells what the stage made.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import io
import json
import re
import shlex
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubeadm_py.addons import load as addons
from kubeadm_py.addons.inventory import INVENTORY_LABEL, Ref
from kubeadm_py.artifacts.images import ImageArchive
from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.config.live import adopt
from kubeadm_py.engine import session as sessions
from kubeadm_py.engine.events import Event, EventBus
from kubeadm_py.facts import parse
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.kube.asking import Said
from kubeadm_py.model import endpoint, paths
from kubeadm_py.model.actions import INITIAL_CLUSTER, ImportImages, LocalFile
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource, ResolvedCluster
from kubeadm_py.model.components import Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.facts import FileFact, HostFacts, ImageFact, Interface, UnitFact
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.ssh import SSH
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import kubeconfig
from kubeadm_py.plan import init
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.cluster import apply
from kubeadm_py.plan.joining import discover, join
from kubeadm_py.plan.run import Options, Run
from kubeadm_py.token import errors as token_errors
from kubeadm_py.token import jws
from kubeadm_py.token.bootstrap import Token
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import Call, FakeHost

CASES = Path(__file__).parents[1] / "steps" / "prepare" / "cases"
HELD = b"##kubeadm-py held\n"
_READS = re.compile(r"^kpy_(receive|save) (\d+)", re.MULTILINE)
_BEGIN = re.compile(r"^kpy_begin (\d+)\n\(\nset -eu\n(.*?)\n\) >\"\$kpy_tmp/out\" 2>&1 8>&-$", re.M | re.S)
_SERVER = "https://10.0.0.11:6443"


def said(answers: Mapping[str, object]) -> bytes:
    """Return what a host prints of answers by question: texts, what is JSON there, or whole answers."""
    lines = []
    for name, answer in answers.items():
        if not isinstance(answer, Said):
            answer = Said(0, (answer if isinstance(answer, str) else json.dumps(answer)).encode())
        output, errors = (base64.b64encode(each).decode() for each in (answer.output, answer.errors))
        lines.append(f"##kubeadm-py said {name} {answer.code} {output} {errors}\n")
    return "".join(lines).encode()


def saved(name: str) -> HostFacts:
    """Return facts from a saved answer of a real probe."""
    return parse.parse((CASES / f"{name}.probe").read_text(), round_trip=0.0, operator_clock=0.0)


@dataclass
class API:
    """The cluster as its API shows it, shared by all hosts: tokens, objects, who joined."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, Secret] = field(default_factory=dict)
    minted: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    nodes: dict[str, bool] = field(default_factory=dict)
    """Node name -> whether it is Ready."""
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Node name -> what its kubelet said; nothing where none ran."""
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    """Node name -> what it was labelled with."""
    taints: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """Node name -> key -> what it was tainted with."""
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    etcd_members: list[str] = field(default_factory=lambda: ["cp1=https://10.0.0.11:2380"])
    silent_members: set[str] = field(default_factory=set)
    """Members that are not well; etcd_members empty: nobody answers."""
    ca_pem: bytes = b""
    login_refused: bool = False
    signs: bool = False
    """Whether it can be asked to sign kubelets' certificates before they start."""
    requests: list[x509.CertificateSigningRequest] = field(default_factory=list)
    """The certificates that were asked for so."""

    @property
    def live(self) -> dict[Ref, dict[str, Any]]:
        """Return the objects as they are now, each in the form that was applied last."""
        return {Ref.of(item): item for item in self.objects}

    def node(self, name: str) -> dict[str, Any]:
        """Return a node as it is marked now."""
        return {
            "kind": "Node",
            "metadata": {"name": name, "labels": self.labels.get(name, {})},
            "spec": {"taints": list(self.taints.get(name, {}).values())},
            "status": {
                "conditions": [{"type": "Ready", "status": str(self.nodes[name])}],
                "addresses": [
                    {"type": "InternalIP", "address": address} for address in self.addresses.get(name, ())
                ],
            },
        }

    def mark(self, command: str) -> None:
        """Carry out `kubectl patch node` or `kubectl taint node`."""
        words = shlex.split(command.partition(" node ")[2].partition(" 2>&1")[0].partition(" >>")[0])
        option = next((index for index, word in enumerate(words) if word.startswith("--")), 1)
        names, words = words[:option], words[option:]
        for name in names:
            if "-p" in words:
                patch = json.loads(words[words.index("-p") + 1])
                labels = {**self.labels.get(name, {}), **patch.get("metadata", {}).get("labels", {})}
                self.labels[name] = {key: value for key, value in labels.items() if value is not None}
                continue
            taints = self.taints.setdefault(name, {})
            for word in words:
                head, _, effect = word.partition(":")
                key, _, value = head.partition("=")
                if word.endswith("-"):
                    taints.pop(word.removesuffix("-"), None)
                elif effect:
                    taints[key] = {"key": key, "effect": effect, **({"value": value} if value else {})}

    def delete(self, stubs: Iterable[Mapping[str, Any]]) -> None:
        """Delete objects."""
        gone = {Ref.of(stub) for stub in stubs}
        self.objects = [item for item in self.objects if Ref.of(item) not in gone]

    def config_map(self, name: str) -> dict[str, str]:
        """Return a ConfigMap's data as it was applied last."""
        found = [
            item for item in self.objects if (item["kind"], item["metadata"]["name"]) == ("ConfigMap", name)
        ]
        data: dict[str, str] = found[-1]["data"]
        return data

    def remember(self, secret: dict[str, Any]) -> None:
        """Take a token's Secret."""
        data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        self.tokens[data["token-id"]] = Secret(f"{data['token-id']}.{data['token-secret']}")
        self.minted.append(data["token-id"])

    def get(self, path: str, entry: kubeconfig.ClusterEntry | None) -> tuple[int, bytes]:
        """Answer a GET."""
        name = path.rpartition("/")[2]
        if name == "cluster-info":
            content = self.config_map(name)["kubeconfig"]
            signed = {
                f"{jws.KEY_PREFIX}{token_id}": jws.sign(content.encode(), Token.parse(token))
                for token_id, token in self.tokens.items()
            }
            return 200, _config_map({"kubeconfig": content, **signed})
        known = entry is not None and entry.token in self.tokens.values()
        if not known or self.login_refused:
            return 401, b'{"message": "Unauthorized"}'
        if "/secrets/" in path:
            found = self.secrets.get(name)
            return (200, json.dumps(found).encode()) if found else (404, b"{}")
        if "/nodes/" in path:
            if name not in self.nodes:
                return 404, b"{}"
            status = "True" if self.nodes[name] else "False"
            return 200, json.dumps({"status": {"conditions": [{"type": "Ready", "status": status}]}}).encode()
        return 200, _config_map(self.config_map(name))


def _config_map(data: dict[str, str]) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": data}).encode()


class Machine(FakeHost):
    """A host that carries stages out on its own facts."""

    def __init__(self, name: str, facts: HostFacts, api: API) -> None:
        super().__init__(name)
        self.facts = facts
        self.api = api
        self.content: dict[str, bytes] = {}
        self.stages: list[str] = []
        self.prepared: HostFacts | None = None
        """What the host is like, apart from files, once it was prepared."""
        self.failing: dict[str, str] = {}
        """Stage -> `INDEX CODE` of the action that fails."""
        self.before_stage: Callable[[str], None] = lambda _stage: None
        self.membership: Callable[[], dict[str, object]] = self.who_is_there
        """What it answers to who is in the cluster."""
        self.errand_fails = False
        self.answer("##kubeadm-py held", self._answer_lock)
        self.answer("##kubeadm-py ca ", self._errand)
        self.answer("# ask etcd who its members are", self._members)
        self.answer(re.compile(r"^set -eu\nbase64 -w0 "), self._read_keys)
        self.answer(re.compile(r"kubectl .* delete secret "), self._delete)
        self.answer(re.compile("^# stage "), self._stage)
        self.answer("# ask about add-ons", self._addons)
        self.answer("# ask for the cluster's objects", self._objects)
        self.answer("# ask who is in the cluster", self._who)
        self.answer(re.compile(r"^umask 077\nPATH=(?!(?s:.)*##kubeadm-py held)"), self._look)
        self.answer("# ask which nodes are known", self._known_nodes)

    @property
    def fact_line(self) -> bytes:
        """Return what the probe prints; the parser of the test looks the host up by its name."""
        return f"{PROBE_MARKER}{self.name}\n".encode()

    def _answer_lock(self, call: Call) -> Result:
        return Result(0, self.fact_line + HELD, b"")

    def _look(self, call: Call) -> Result:
        return Result(0, self.fact_line, b"")

    def _known_nodes(self, call: Call) -> Result:
        """Tell of the nodes what kubectl prints, where the host is a control plane."""
        here = f"{paths.KUBERNETES_DIR}/admin.conf" in self.facts.files
        listed = self.who_is_there()["listed"] if here else Said(66, b"")
        return Result(0, self.fact_line + said({"listed": listed}), b"")

    def _members(self, call: Call) -> Result:
        listed, health = self._member_list()
        if not listed:
            return Result(1, b"", b"context deadline exceeded")
        return Result(0, f"{json.dumps({'members': listed})}\n{json.dumps(health)}\n".encode(), b"")

    def _member_list(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        listed, health = [], []
        for index, member in enumerate(self.api.etcd_members):
            name, _, peer = member.partition("=")
            client = peer.replace(":2380", ":2379")
            listed.append({"ID": index + 1, "name": name, "peerURLs": [peer], "clientURLs": [client]})
            health.append({"endpoint": client, "health": name not in self.api.silent_members})
        return listed, health

    def _read_keys(self, call: Call) -> Result:
        wanted = re.findall(r"^base64 -w0 (.*)$", call.text, re.MULTILINE)
        lines = [base64.b64encode(self.content[shlex.split(path)[0]]) for path in wanted]
        return Result(0, b"\n".join(lines) + b"\n", b"")

    def _errand(self, call: Call) -> Result:
        output = b""
        if call.data:
            assert "create --raw /api/v1/namespaces/kube-system/secrets -f -" in call.text
            self.api.remember(json.loads(call.data))
        maps = [self.api.config_map(name) for name in ("kubelet-config", "kubeadm-config")]
        items: list[dict[str, Any]] = [{"kind": "ConfigMap", "data": data} for data in maps]
        items += [
            {
                "kind": "Node",
                "metadata": {"name": name},
                "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
            }
            for name, ready in self.api.nodes.items()
            if f" node/{name} " in call.text
        ]
        output += b"##kubeadm-py objects " + base64.b64encode(json.dumps({"items": items}).encode()) + b"\n"
        if self.errand_fails:
            return Result(1, output, b"base64: /etc/kubernetes/pki/ca.crt: Input/output error\n")
        output += b"##kubeadm-py ca " + base64.b64encode(self.api.ca_pem) + b"\n"
        return Result(0, output + self.fact_line, b"")

    def _objects(self, call: Call) -> Result:
        """Tell the cluster's objects, and of an apply that writes nothing what it would make of them."""
        asked = json.loads(call.data)["items"]
        items = (
            asked if "--dry-run=server" in call.text else [self.api.live.get(Ref.of(each)) for each in asked]
        )
        found = [item for item in items if item is not None]
        return Result(0, said({"objects": {"items": found} if found else "", **self.membership()}), b"")

    def _who(self, call: Call) -> Result:
        return Result(0, said(self.membership()), b"")

    def who_is_there(self) -> dict[str, object]:
        """Return what a control plane says of nodes, ConfigMaps and etcd's members; see `membership`."""
        nodes = [self.api.node(name) for name in self.api.nodes]
        members, health = self._member_list()
        return {
            "listed": {"items": [*nodes, *self.config_maps()]},
            "members": {"members": members},
            "health": health,
        }

    def config_maps(self) -> list[dict[str, Any]]:
        """Return the cluster's ConfigMaps."""
        return [item for item in self.api.live.values() if item["kind"] == "ConfigMap"]

    def _inventories(self) -> list[dict[str, Any]]:
        everything = self.api.live.values()
        return [item for item in everything if INVENTORY_LABEL in item["metadata"].get("labels", {})]

    def _delete(self, call: Call) -> Result:
        for token_id in re.findall(r"bootstrap-token-([a-z0-9]{6})", call.text):
            self.api.deleted.append(token_id)
            self.api.tokens.pop(token_id, None)
        return Result(0, b"deleted\n", b"")

    def _addons(self, call: Call) -> Result:
        live, listed = self.api.live, self._inventories()
        rows = [
            f"{ref.api_version} {ref.kind} {ref.namespace or '<none>'} {ref.name}"
            for ref in map(Ref.of, json.loads(call.data)["items"])
            if ref in live
        ]
        text = "\n".join([json.dumps({"items": listed}), "##kubeadm-py present", *rows])
        return Result(0, text.encode(), b"")

    def _stage(self, call: Call) -> Result:
        stage = re.match(r"# stage (\S+)", call.text)
        assert stage is not None
        self.stages.append(stage[1])
        self.before_stage(stage[1])
        stream = io.BytesIO(call.data)
        lines: list[str] = []
        before_first = call.text.partition("kpy_begin 0\n")[0]
        self._carry_out(before_first, stream)
        failing = self.failing.get(stage[1], "").partition(" ")
        for index, body in _BEGIN.findall(call.text):
            lines.append(f"begin {index}")
            if index == failing[0]:
                lines += [f"failed {index} {failing[2]}", "output it did not work"]
                break
            changed = self._carry_out(body, stream)
            lines.append(f"done {index} {'changed' if changed else 'unchanged'}")
        else:
            assert not stream.read(), "the script does not read all that was sent"
            if stage[1] == "prepare" and self.prepared is not None:
                self.facts = replace(
                    self.prepared,
                    files=self.facts.files,
                    inventory=self.facts.inventory,
                    images=(*self.prepared.images, *self.facts.images),
                )
        ok = not any(line.startswith("failed") for line in lines)
        output = "".join(f"##kubeadm-py {line}\n" for line in lines).encode()
        if ok and "PROBE_PATHS=" in call.text:
            output += self.fact_line
        return Result(0 if ok else 1, output, b"")

    def _carry_out(self, body: str, stream: io.BytesIO) -> bool:
        for kind, size in _READS.findall(body):
            content = stream.read(int(size))
            assert len(content) == int(size), "less was sent than the script reads"
            if kind == "receive":
                self._unpack(content)
            elif "kubeadm-certs" in body:
                self._upload(content)
            elif "member add" in body:
                self._become_member(content)
            elif " delete -f " in body:
                self.api.delete(json.loads(content)["items"])
            elif "kubectl" in body:
                self._apply(json.loads(content))
            elif "kpy_import" in body:
                assert content == BundleOfNothing.INDEX
            elif "proxy-rules" in body:
                assert b"kube-proxy" in content
            else:
                assert "kubelet.conf" in body
                self._put(paths.KUBELET_CONF, content, 0o600, "root:root")
        pulled = re.findall(r"<<'KPY_IMAGES'\n(.*?)\nKPY_IMAGES", body, re.DOTALL)
        pinned = re.findall(r"^for image in (.*); do\n +ctr", body, re.MULTILINE)
        for images in (
            *([line.split()[0] for line in each.splitlines()] for each in pulled),
            *map(shlex.split, pinned),
        ):
            found = tuple(ImageFact(image, "sha256:1", pinned=True) for image in images)
            self.facts = replace(self.facts, images=(*self.facts.images, *found))
        for path in re.findall(r"^kpy_remove (.*)$", body, re.MULTILINE):
            self.lose(shlex.split(path)[0])
        if "crictl --timeout 60s rmp" in body:
            for path in re.findall(r"^rm -(?:f|rf --one-file-system --) (/.*)$", body, re.MULTILINE):
                self.lose(path)
        for path in re.findall(r"^  chmod \d+ (/.*)$", body, re.MULTILINE):
            self.facts = replace(self.facts, directories={**self.facts.directories, path: 0})
        for unit in re.findall(r"^systemctl (?:start|restart) (\S+)$", body, re.MULTILINE):
            known = UnitFact(unit, "loaded", "active", "enabled")
            self.facts = replace(self.facts, units={**self.facts.units, unit: known})
            if f"{paths.MANIFESTS_DIR}/etcd.yaml" in self.content:
                data = f"{paths.ETCD_DATA_DIR}/member"
                member = FileFact(data, 0o700, "root:root", directory=True)
                self.facts = replace(self.facts, files={**self.facts.files, data: member})
        if "file=$(readlink -f /etc/hosts)" in body:
            self._edit_hosts_file(body)
        for command in re.findall(r"^.*kubectl .* (?:patch|taint) node .*$", body, re.MULTILINE):
            self.api.mark(command)
        if "delete secret" in body:
            self._delete(Call("run", body))
        for names in re.findall(
            r"kubectl .* delete node --ignore-not-found (?:--wait=false )?(.*)$", body, re.M
        ):
            for name in shlex.split(names.rstrip("; then")):
                self.api.nodes.pop(name, None)
        if "kpy_until()" in body:
            self._wait(body)
            return False
        return True

    def _edit_hosts_file(self, body: str) -> None:
        lines = [line for line in self.facts.hosts_file.splitlines() if not endpoint.is_ours(line)]
        lines += [shlex.split(line)[0] for line in re.findall(r"^printf '%s\\n' (.*) >>", body, re.MULTILINE)]
        self.facts = replace(self.facts, hosts_file="".join(f"{line}\n" for line in lines))

    def _upload(self, lines: bytes) -> None:
        token, secret, _ = map(json.loads, lines.splitlines())
        self.api.remember(token)
        self.api.secrets[secret["metadata"]["name"]] = secret

    def _become_member(self, manifest: bytes) -> None:
        name = re.search(rb"--name=(\S+)", manifest)
        url = re.search(rb"--initial-advertise-peer-urls=(\S+)", manifest)
        assert name is not None
        assert url is not None
        self.api.etcd_members.append(f"{name[1].decode()}={url[1].decode()}")
        members = ",".join(self.api.etcd_members).encode()
        content = manifest.replace(INITIAL_CLUSTER.encode(), members)
        self._put(f"{paths.MANIFESTS_DIR}/etcd.yaml", content, 0o600, "root:root")

    def lose(self, gone: str) -> None:
        """Be without a file, or without a directory and what is in it."""

        def stays(path: str) -> bool:
            return path != gone and not path.startswith(f"{gone}/")

        self.content = {path: content for path, content in self.content.items() if stays(path)}
        self.facts = replace(
            self.facts,
            files={path: fact for path, fact in self.facts.files.items() if stays(path)},
            directories={path: count for path, count in self.facts.directories.items() if stays(path)},
            inventory=self.facts.inventory if stays(paths.INVENTORY) else None,
            ca_public_key_sha256=self.facts.ca_public_key_sha256 if stays(f"{paths.PKI_DIR}/ca.crt") else "",
        )

    def _wait(self, body: str) -> None:
        if "has not signed the kubelet's certificate" in body:
            assert paths.BOOTSTRAP_KUBELET_CONF in self.content
            self._put(paths.KUBELET_CONF, b"users: the kubelet's own", 0o600, "root:root")
        registered = re.search(r"get node (\S+) -o jsonpath=", body)
        if registered:
            self.api.nodes[registered[1]] = True

    def _unpack(self, content: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                directory, _, name = member.name.rpartition("/")
                assert name.startswith(".")
                assert name.endswith(".kubeadm-py-new")
                file = archive.extractfile(member)
                assert file is not None
                path = f"/{directory}/{name[1 : -len('.kubeadm-py-new')]}"
                self._put(path, file.read(), member.mode, f"{member.uname}:{member.gname}")

    def _put(self, path: str, content: bytes, mode: int, owner: str) -> None:
        self.content[path] = content
        secret = b"PRIVATE KEY" in content
        shown = None if secret else content
        fact = FileFact(path, mode, owner, hashlib.sha256(content).hexdigest(), len(content), shown)
        if path.endswith(".conf") and path.startswith(paths.KUBERNETES_DIR):
            withheld = re.sub(rb"client-key-data: .*|token: .*", b"", content)
            fact = replace(fact, content=withheld, partial=withheld != content)
        files = {**self.facts.files, path: fact}
        self.facts = replace(self.facts, files=files)
        if path == paths.INVENTORY:
            self.facts = replace(self.facts, inventory=content)
        if path == f"{paths.PKI_DIR}/ca.crt":
            self.facts = replace(self.facts, ca_public_key_sha256=parse.public_key_sha256(fact))

    def _apply(self, document: dict[str, Any]) -> None:
        for item in document["items"]:
            if item["kind"] == "Secret" and item["metadata"]["name"].startswith("bootstrap-token-"):
                self.api.remember(item)
            else:
                self.api.objects.append(item)
            if item["metadata"]["name"] == "cluster-info" and item["kind"] == "ConfigMap":
                self.api.ca_pem = (
                    kubeconfig.only_cluster(item["data"]["kubeconfig"], "cluster-info").ca_pem or b""
                )

    def kill(self, stage: str, index: int, code: int = 1) -> None:
        """Let an action of a stage fail."""
        self.failing[stage] = f"{index} {code}"

    @property
    def trips(self) -> list[str]:
        """Name the round trips so far, in order."""
        named = []
        for call in self.calls:
            if call.kind in ("run", "hold", "read", "write"):
                stage = re.match(r"# stage (\S+)", call.text)
                asked = re.match(r"# ask (about add-ons|for the cluster.s objects)", call.text)
                named.append(stage[1] if stage else "ask" if asked else call.kind)
        return named

    def forget(self) -> None:
        """Forget what was asked so far."""
        self.calls.clear()
        self.stages.clear()


@dataclass
class World:
    """All hosts of a config, the API behind them, and what runs told."""

    cluster: ResolvedCluster
    machines: dict[str, Machine]
    api: API
    events: list[Event] = field(default_factory=list)

    def a_run(self, verb: str, **options: Any) -> Run:
        """Return a fresh run on these hosts."""
        bus = EventBus()
        bus.subscribe(self.events.append)
        cluster = options.pop("cluster", self.cluster)
        return Run(
            verb,
            cluster,
            bus,
            lambda node: self.machines[node.name],
            Options(**options),
            config_name="c.yaml",
        )

    def init(self, **options: Any) -> init.InitReport:
        """Run init to its end."""
        run = self.a_run("init", **options)
        try:
            return init.init(run)
        finally:
            run.close()

    def apply(self, **options: Any) -> apply.ApplyReport:
        """Run apply to its end."""
        run = self.a_run("apply", **options)
        try:
            return apply.apply(run)
        finally:
            run.close()

    def join(self, *names: str, file: bytes | None = None, **options: Any) -> join.JoinReport:
        """Run join of these hosts to its end."""
        run = self.a_run("join", **options)
        targets = [node for node in run.cluster.nodes if node.name in names]
        try:
            return join.join(run, targets, discovery_file=file, adopt=adopt)
        finally:
            run.close()

    def forget(self) -> None:
        """Forget events and calls, not what the hosts are like."""
        self.events.clear()
        for machine in self.machines.values():
            machine.forget()

    def event(self, kind: type[Event]) -> list[Any]:
        """Return the events of one class."""
        return [event for event in self.events if isinstance(event, kind)]


def _machine(name: str, address: str, base: str, api: API) -> Machine:
    def own(facts: HostFacts, *, prepared: bool) -> HostFacts:
        tools = {"etcdctl": "v3.6.8", "etcdutl": "v3.6.8"} if prepared else {}
        return replace(
            facts,
            cgroup_version=2,
            cgroup_controllers=frozenset({"cpu", "cpuset", "memory", "pids", "io", "freezer", "devices"}),
            executables=facts.executables | {tool: f"/usr/bin/{tool}" for tool in tools},
            binary_versions={**facts.binary_versions, **tools},
            hostname=name,
            machine_id=hashlib.md5(name.encode()).hexdigest(),
            product_uuid=name,
            interfaces=(
                Interface("lo", "", True, ("127.0.0.1/8",)),
                Interface("eth0", "", True, (f"{address}/24",)),
            ),
            default_route_address=address,
            clock_offset=0.0,
            inventory=None,
            memory_bytes=4 << 30,
            cpus=2,
            files={k: v for k, v in facts.files.items() if not k.startswith(paths.STATE_DIR)},
        )

    machine = Machine(name, own(saved(base), prepared=base != "lab-bare"), api)
    if base == "lab-bare":
        machine.prepared = own(saved("lab-prepared"), prepared=True)
    return machine


def etcd_apart(members: Iterable[Node]) -> Etcd:
    """Return what the config reader makes of hosts of role etcd."""
    endpoints = tuple(f"https://{node.address}:2379" for node in members)
    client = f"{paths.PKI_DIR}/apiserver-etcd-client"
    reached = ExternalEtcd(
        endpoints, endpoints, f"{paths.PKI_DIR}/etcd/ca.crt", f"{client}.crt", f"{client}.key"
    )
    return Etcd(local=None, external=reached, members=LocalEtcd())


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., World]:
    """Return a maker of worlds.

    `base` is the saved probe that the hosts start from; `up` (True, or init's options) runs init first.
    """

    def make(
        *,
        base: str = "lab-prepared",
        workers: int = 1,
        control_planes: int = 1,
        etcd_hosts: int = 0,
        up: Any = False,
        **changes: Any,
    ) -> World:
        names = [f"cp{number + 1}" for number in range(control_planes)] + [
            f"w{number + 1}" for number in range(workers)
        ]
        nodes = []
        for number, name in enumerate(names):
            role = Role.CONTROL_PLANE if name.startswith("cp") else Role.WORKER
            address = f"10.0.0.{number + 11 if role is Role.CONTROL_PLANE else number + 21 - control_planes}"
            advertise = address if role is Role.CONTROL_PLANE else ""
            nodes.append(Node(name, role, (address,), SSH(address), advertise_address=advertise))
        apart = [
            Node(f"e{number + 1}", Role.ETCD, (f"10.0.0.{number + 31}",), SSH(f"10.0.0.{number + 31}"))
            for number in range(etcd_hosts)
        ]
        nodes += apart
        if apart:
            changes["etcd"] = etcd_apart(apart)
        settings: dict[str, Any] = {
            "networking": Networking(pod_subnet="10.244.0.0/16"),
            "encryption_algorithm": "ECDSA-P256",
            "addons": (AddonRequest("flannel"),),
            "kubelet_config": {"cgroupDriver": "systemd", "failCgroupV1": False},
            "source_file": "c.yaml",
            **changes,
        }
        cluster = ResolvedCluster("demo", Version.parse("v1.36.3"), tuple(nodes), **settings)
        api = API()
        machines = {node.name: _machine(node.name, node.address, base, api) for node in nodes}
        world = World(cluster, machines, api)
        monkeypatch.setattr(
            sessions,
            "parse",
            lambda line, **_: world.machines[line.decode().strip()].facts,
        )
        monkeypatch.setattr(discover, "TLSFetch", _fetcher(world))
        monkeypatch.setattr(discover, "time", FakeTime())
        if cluster.artifacts is ArtifactSource.BUNDLE:
            source = BundleOfNothing(_bundle(tmp_path, cluster), "a bundle")
            for module in (apply, init, join):
                monkeypatch.setattr(module, "open_for", lambda _: source)
        if up is not None and up is not False:
            _bring_up(world, f"{base} {workers} {control_planes} {changes} {up}", {} if up is True else up)
        return world

    return make


def _fetcher(world: World) -> Callable[..., FakeFetch]:
    return lambda _open_stream, _endpoint, *, cluster=None: FakeFetch(world.api, cluster)


@dataclass
class FakeFetch:
    """Asks the API of the world, as whom its kubeconfig says."""

    api: API
    entry: kubeconfig.ClusterEntry | None

    def __call__(self, path: str, _ca_pem: bytes | None) -> tuple[int, bytes]:
        return self.api.get(path, self.entry)

    @contextlib.contextmanager
    def session(self, _ca_pem: bytes | None, *, timeout: float) -> Iterator[Callable[..., Any]]:
        if not self.api.signs:
            raise token_errors.EndpointUnreachableError("the sshd of the control plane forwards nothing")
        yield self._ask

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        if self.entry is None or self.entry.token not in self.api.tokens.values():
            return 401, b"{}"
        if method == "POST":
            request = x509.load_pem_x509_csr(base64.b64decode(body["spec"]["request"]))
            self.api.requests.append(request)
            name = f"node-csr-{len(self.api.requests)}"
            return 201, json.dumps({"metadata": {"name": name}}).encode()
        signed = _certified(self.api.requests[int(path.rpartition("-")[2]) - 1])
        return 200, json.dumps({"status": {"certificate": base64.b64encode(signed).decode()}}).encode()


def _certified(wanted: x509.CertificateSigningRequest) -> bytes:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(wanted.subject)
        .issuer_name(wanted.subject)
        .public_key(wanted.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


_UP: dict[str, tuple[dict[str, tuple[HostFacts, dict[str, bytes]]], API]] = {}
"""What worlds were like after init, by what was asked for: init need not run again for every join."""


def _bring_up(world: World, key: str, options: dict[str, Any]) -> None:
    """Run init (with `options`), or take over what it made in an equal world, and forget how."""
    if key not in _UP:
        world.init(**options)
        world.api.minted.clear()
        kept = {name: (machine.facts, dict(machine.content)) for name, machine in world.machines.items()}
        _UP[key] = kept, copy.deepcopy(world.api)
    hosts, api = _UP[key]
    for name, field_ in copy.deepcopy(api).__dict__.items():
        setattr(world.api, name, field_)
    for name, machine in world.machines.items():
        machine.facts, machine.content = hosts[name][0], dict(hosts[name][1])
        machine.prepared = machine.prepared if name.startswith("w") else None
    world.forget()


class BundleOfNothing(Source):
    """A bundle whose images have nothing in them."""

    INDEX = b"{}"

    def open_images(self, action: ImportImages) -> ImageArchive:
        """Return the archive."""
        return ImageArchive(Path(action.layout), self.INDEX, ())


class FakeTime:
    """Time that passes only while one sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the time so far."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def _bundle(folder: Path, cluster: ResolvedCluster) -> ArtifactView:
    held = json.loads((CASES / "lab-bundle.json").read_text())
    more = addons.images(addons.resolve(cluster), cluster)
    file = folder / "binary"
    file.write_bytes(b"#!/bin/sh\n")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    local = {name: LocalFile(str(file), sha256, file.stat().st_size) for name in held["files"]}
    return ArtifactView(
        ArtifactSource.BUNDLE,
        components=held["components"],
        architectures=("amd64",),
        binaries={"amd64": local},
        layout="/bundle/images",
        images={"amd64": held["images"] | dict.fromkeys(more, "sha256:" + "0" * 64)},
    )


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """One control plane and one worker that are prepared already."""
    return make_world()


@pytest.fixture
def joined(make_world: Callable[..., World]) -> World:
    """The same with the control plane up and nothing remembered of how."""
    return make_world(up=True)
