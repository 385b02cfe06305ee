"""Run real kubeadm on a node: the other tool, which no node has by itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab import artifacts, nodes
from lab.process import run
from lab.topology import Node

CGROUP_V1 = ("--ignore-preflight-errors", "SystemVerification")
"""Kubernetes 1.35 and newer count cgroup v1 as an error, and the lab's machine may have nothing else."""
BINARY = "/usr/local/bin/kubeadm"
CONFIG = "/root/kubeadm.yaml"
WITHIN = 300.0


@dataclass(frozen=True)
class Kubeadm:
    """kubeadm on one node, typed as root there."""

    node: Node

    def run(self, *argv: str, check: bool = True, within: float = WITHIN) -> subprocess.CompletedProcess[str]:
        """Run it to its end; a failure fails the test with all that was said."""
        done = nodes.exec(self.node, [BINARY, *argv], check=False, timeout=within)
        assert not check or done.returncode == 0, (
            f"{self.node.name}: kubeadm {' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def json(self, *argv: str) -> list[dict[str, Any]]:
        """Return the objects that it prints with `-o json`, one after the other."""
        return documents(self.run(*argv, "-o", "json").stdout)

    def bring_config(self, config: Path) -> None:
        """Bring the config's own documents of kubeadm's to the node, as CONFIG."""
        documents = yaml.safe_load_all(config.read_text())
        text = yaml.safe_dump_all([each for each in documents if each and each["kind"] != "Cluster"])
        nodes.exec(self.node, ["sh", "-c", f"umask 077; cat >{CONFIG}"], stdin=text)


def documents(text: str) -> list[dict[str, Any]]:
    """Return the JSON documents that stand one after the other, as both tools print several."""
    found, decoder = [], json.JSONDecoder()
    rest = text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


@contextmanager
def kubeadm_on(*where: Node) -> Iterator[Sequence[Kubeadm]]:
    """Put kubeadm on nodes for a while."""
    try:
        for node in where:
            run(["docker", "cp", str(artifacts.oracle()), f"{node.container}:{BINARY}"])
        yield [Kubeadm(node) for node in where]
    finally:
        for node in where:
            nodes.exec(node, ["rm", "-f", BINARY, CONFIG], check=False)
