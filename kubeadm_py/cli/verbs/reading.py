"""Read what a verb is to work on: the config, and the hosts chosen of it. Nothing heavy is imported here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from kubeadm_py.cli import telling
from kubeadm_py.config.load import Loaded, load
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node

MIXABLE = frozenset({"node-name"})
"""kubeadm's flags that may go with --config (contract, section 1), besides those that all verbs share."""


def read_config(path: str, *, allow_unknown_fields: bool = False, joining: bool = False) -> Loaded:
    """Read the config; `-` is standard input."""
    stdin = sys.stdin.buffer if path == "-" else None
    return load(path, stdin=stdin, allow_unknown_fields=allow_unknown_fields, joining=joining)


def read_cluster(path: str, *, allow_unknown_fields: bool = False) -> ResolvedCluster:
    """Return the config's cluster; what is worth a word in it is told on standard error."""
    loaded = read_config(path, allow_unknown_fields=allow_unknown_fields)
    tell_warnings(loaded)
    return loaded.cluster


def tell_warnings(loaded: Loaded | None, warn: Callable[[str], object] | None = None) -> None:
    """Tell what the config reader found worth a word: to `warn`, by default on standard error."""
    for problem in loaded.warnings if loaded else ():
        where = f"{problem.file}:{problem.line}" if problem.line else problem.file
        text = f"{where}  {problem.path}: {problem.message}"
        (warn or telling.warn)(text)


def refuse_mixing(config: str, flags: Sequence[str]) -> None:
    """Refuse kubeadm's own flags beside --config, as kubeadm does."""
    mixed = sorted(set(flags) - MIXABLE)
    if config and mixed:
        raise UsageError(
            "can not mix '--config' with arguments [" + " ".join(mixed) + "]",
            fix="put these settings into the file, or leave --config out",
        )


def choose(cluster: ResolvedCluster, names: Sequence[str]) -> list[Node]:
    """Return the hosts of the file by these names; raise UsageError that names the unknown ones."""
    known = {node.name: node for node in cluster.nodes}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"--host {', '.join(unknown)}: no such host in the config",
            fix="its hosts are: " + ", ".join(known),
        )
    return [known[name] for name in dict.fromkeys(names)]
