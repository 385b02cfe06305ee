"""Keep a lab's nodes, and the cluster that they are at the moment, between tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import nodes
from lab.nodes import Lab
from lab.topology import Node

from .cli import Cli, Done

Documents = dict[str, dict[str, Any]]
"""Kind -> document of a config file."""

ADMIN = "/etc/kubernetes/admin.conf"
KUBECTL = ("kubectl", "--kubeconfig", ADMIN, "--cache-dir", "/run/kubectl-cache-of-tests")
"""A cache below root's home would be a change that no product made."""
_INVENTORY = "/var/lib/kubeadm-py/inventory.json"
_TRACES = "/etc/kubernetes/pki /etc/kubernetes/kubelet.conf /var/lib/kubelet/config.yaml /var/lib/etcd/member"
"""What says that a node is, or was about to become, a member of a cluster."""
_RUNNING = "nodes/running"


@dataclass(frozen=True)
class Cluster:
    """A running cluster as a test sees it."""

    config: Path
    control_plane: Node
    workers: tuple[Node, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.control_plane, *self.workers)

    @property
    def endpoint(self) -> str:
        return f"{self.control_plane.address}:6443"

    def kubectl(self, *argv: str, stdin: str = "", timeout: float = 120) -> str:
        """Run kubectl on the control plane, without the tool under test."""
        command = [*KUBECTL, *argv]
        return nodes.exec(self.control_plane, command, stdin=stdin, timeout=timeout).stdout

    def node_names(self) -> list[str]:
        """Return the names of all Node objects."""
        return self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()


class Fleet:
    """The nodes of the session; they stay warm, and change hands between tests."""

    def __init__(self, lab: Lab, cli: Cli, folder: Path, cache: pytest.Cache) -> None:
        self.lab = lab
        self._cli = cli
        self._folder = folder
        self._cache = cache
        """Remembers across sessions which config's cluster runs: nodes may be kept."""

    @property
    def control_plane(self) -> Node:
        return self.lab.node("cp1")

    def node(self, name: str) -> Node:
        return self.lab.node(name)

    @property
    def config(self) -> Path:
        """The lab's own config file."""
        return self.lab.cluster_yaml

    def variant(self, name: str, edit: Callable[[Documents], None]) -> Path:
        """Write a config that differs from the lab's own."""
        documents = {each["kind"]: each for each in yaml.safe_load_all(self.config.read_text())}
        edit(documents)
        path = self._folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump_all(documents.values(), sort_keys=False))
        return path

    def runs(self, config: Path) -> None:
        """Take note that the cluster of this config is up, or as much of it as a failed test has left."""
        self._cache.set(_RUNNING, _digest(config))

    def cluster(self, workers: int, config: Path | None = None) -> Cluster:
        """Return a cluster with cp1 and exactly so many workers; the running one where it fits."""
        config = config or self.config
        names = [node.name for node in self.lab.nodes if node.role == "worker"][:workers]
        ready, members = self._members()
        if self._cache.get(_RUNNING, "") != _digest(config) or "cp1" not in ready:
            self.bare()
            self._cli.run("init", "--config", config)
            self.runs(config)
            ready, members = {"cp1"}, {"cp1"}
        surplus = members - {"cp1", *names}
        if surplus:
            self.reset(*sorted(surplus))
        missing = [name for name in names if name not in ready]
        if missing:
            self._cli.run("join", "--config", config, *_hosts(missing))
        return Cluster(config, self.control_plane, tuple(self.lab.node(name) for name in names))

    def bare(self, *names: str, artifacts: bool = True) -> None:
        """Make nodes (all of them by default) members of nothing; `artifacts` may stay on them."""
        wanted = names or tuple(node.name for node in self.lab.nodes)
        traces = _TRACES if artifacts else _INVENTORY
        held = [name for name in wanted if self._has_any(name, traces)]
        if held:
            self.reset(*held, artifacts=artifacts)
        if "cp1" in wanted:
            self._cache.set(_RUNNING, "")

    @contextmanager
    def grown(self, *names: str) -> Iterator[Lab]:
        """Lend a lab of other nodes for a while: members of nothing, and all of them in its config.

        With several control planes that names the first one's address as the endpoint. The lab's own file
        stays the one that other tests know.
        """
        self.bare()
        lab = nodes.up(self.lab.name, names)
        config = self._folder / "grown.yaml"
        config.write_text(lab.cluster_yaml.read_text())
        nodes.up(self.lab.name, [node.name for node in self.lab.nodes])
        try:
            yield replace(lab, cluster_yaml=config)
        finally:
            for node in lab.nodes:
                nodes.run(["docker", "start", node.container])
            self._cli.run("reset", "--config", config, "--yes", "--keep-artifacts")
            self._cache.set(_RUNNING, "")

    def let_in(self, *where: Node) -> None:
        """Have the operator's own ssh configuration say how nodes are reached, as those of no file are."""
        folder = self._cli.home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        ssh = self.lab.ssh
        how = [f"IdentityFile {ssh.key}", f"UserKnownHostsFile {ssh.known_hosts}"]
        lines = [line for node in where for line in (f"Host {node.address}", *how)]
        (folder / "config").write_text("\n".join(lines) + "\n")

    def reset(self, *names: str, artifacts: bool = True) -> Done:
        """Reset nodes through the tool itself."""
        keep = ["--keep-artifacts"] if artifacts else []
        return self._cli.run("reset", "--config", self.config, *_hosts(names), "--yes", *keep)

    def _has_any(self, name: str, paths: str) -> bool:
        script = f"for path in {paths}; do [ ! -e $path ] || exit 0; done; exit 1"
        return nodes.exec(self.lab.node(name), ["sh", "-c", script], check=False).returncode == 0

    def _members(self) -> tuple[set[str], set[str]]:
        """Return the names of the nodes that are Ready, and of all nodes that the API knows."""
        command = [*KUBECTL, "--request-timeout=10s", "get", "nodes", "-o", "json"]
        answer = nodes.exec(self.control_plane, command, check=False)
        if answer.returncode != 0:
            return set(), set()
        items = json.loads(answer.stdout)["items"]
        ready = {item["metadata"]["name"] for item in items if _is_ready(item)}
        return ready, {item["metadata"]["name"] for item in items}


def _digest(config: Path) -> str:
    return hashlib.sha256(config.read_bytes()).hexdigest()


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"]["conditions"]
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _hosts(names: Sequence[str]) -> list[str]:
    return [word for name in names for word in ("--host", name)]
