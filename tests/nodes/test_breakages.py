"""Break one thing at a time on a live cluster: exactly the check that is about it fails."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import nodes
from lab.topology import SERVICE_SUBNET, Node

DATA = Path(__file__).parents[1] / "unit" / "verify" / "breakages.yaml"
QUICK = {
    "anonymous",
    "certificate-chain",
    "certificate-keys",
    "components",
    "files",
    "node-labels",
    "node-taints",
    "nodes-schedulable",
    "sysctls",
    "units",
}
"""Checks that only look: their breakages are noticed without starting pods, and mended at once."""
SETTLED_WITHIN = 120


def breakages() -> list[Any]:
    table = yaml.safe_load(DATA.read_text())
    assert len({each["fails"] for each in table} & QUICK) >= len(QUICK)
    return [
        pytest.param(each, id=each["name"], marks=() if each["fails"] in QUICK else pytest.mark.long)
        for each in table
    ]


@pytest.mark.cluster(control_plane=1, workers=2)
@pytest.mark.parametrize("breakage", breakages())
def test_exactly_its_check_fails(breakage, cluster, cli, fleet, tmp_path):
    node = fleet.node(breakage["host"])
    read_only = ["--read-only"] if breakage["fails"] in QUICK else []
    level = ("--level", breakage["level"], *read_only)
    report = tmp_path / "report.json"
    try:
        shell(node, breakage["break"])
        settle(node, breakage.get("settled"))
        done = cli.run("verify", "--config", cluster.config, *level, "--json", report, code=6)
    finally:
        shell(node, breakage["mend"])
        settle(node, breakage.get("mended"))
    results = json.loads(report.read_text())["results"]
    failed = [(each["check"], each["host"]) for each in results if each["outcome"] in ("failed", "error")]
    # That the one before is mended shows here too.
    assert failed == [(breakage["fails"], breakage.get("where", ""))], str(done)


@pytest.mark.cluster(control_plane=1, workers=2)
def test_all_is_mended(cluster, cli):
    cli.run("verify", "--config", cluster.config, "--level", "cluster", "--read-only")


def shell(node: Node, script: str) -> None:
    script = string.Template(script).safe_substitute(service_subnet=SERVICE_SUBNET)
    nodes.exec(node, ["sh", "-euc", script])


def settle(node: Node, condition: str | None) -> None:
    """Wait until a shell condition holds on the node."""
    if condition is not None:
        # On standard input: conditions look for words in command lines, and must not find their own.
        loop = f"until (\n{condition}\n); do sleep 0.3; done\n"
        nodes.exec(node, ["timeout", str(SETTLED_WITHIN), "sh"], stdin=loop, timeout=SETTLED_WITHIN + 30)
