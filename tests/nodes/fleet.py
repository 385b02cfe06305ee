"""Keep a lab's nodes, and the cluster that they are at the moment, between tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab import nodes
from lab.nodes import Lab
from lab.topology import Node

from .cli import Cli, Done

Documents = dict[str, dict[str, Any]]
"""Kind -> document of a config file."""

ADMIN = "/etc/kubernetes/admin.conf"
INVENTORY = "/var/lib/kubeadm-py/inventory.json"


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
        command = ["kubectl", "--kubeconfig", ADMIN, *argv]
        return nodes.exec(self.control_plane, command, stdin=stdin, timeout=timeout).stdout

    def node_names(self) -> list[str]:
        """Return the names of all Node objects."""
        return self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()


class Fleet:
    """The nodes of the session; they stay warm, and change hands between tests."""

    def __init__(self, lab: Lab, cli: Cli, folder: Path) -> None:
        self.lab = lab
        self._cli = cli
        self._folder = folder
        self._running: Path | None = None
        """The config of the cluster that runs, as far as we know."""

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
        """Take note that a test itself has brought up the cluster of this config."""
        self._running = config

    def cluster(self, workers: int, config: Path | None = None) -> Cluster:
        """Return a cluster with cp1 and exactly so many workers; the running one where it fits."""
        config = config or self.config
        names = [node.name for node in self.lab.nodes if node.role == "worker"][:workers]
        ready, members = self._members()
        if self._running != config or "cp1" not in ready:
            self.bare()
            self._cli.run("init", "--config", config)
            self._running = config
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
        held = [name for name in wanted if self._held(name)]
        if held:
            self.reset(*held, artifacts=artifacts)
        if "cp1" in wanted:
            self._running = None

    def reset(self, *names: str, artifacts: bool = True) -> Done:
        """Reset nodes through the tool itself."""
        keep = ["--keep-artifacts"] if artifacts else []
        return self._cli.run("reset", "--config", self.config, *_hosts(names), "--yes", *keep)

    def _held(self, name: str) -> bool:
        return nodes.exec(self.lab.node(name), ["test", "-e", INVENTORY], check=False).returncode == 0

    def _members(self) -> tuple[set[str], set[str]]:
        """Return the names of the nodes that are Ready, and of all nodes that the API knows."""
        command = ["kubectl", "--kubeconfig", ADMIN, "--request-timeout=10s", "get", "nodes", "-o", "json"]
        answer = nodes.exec(self.control_plane, command, check=False)
        if answer.returncode != 0:
            return set(), set()
        items = json.loads(answer.stdout)["items"]
        ready = {item["metadata"]["name"] for item in items if _is_ready(item)}
        return ready, {item["metadata"]["name"] for item in items}


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"]["conditions"]
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _hosts(names: Sequence[str]) -> list[str]:
    return [word for name in names for word in ("--host", name)]
