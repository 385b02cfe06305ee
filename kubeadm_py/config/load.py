"""Load a config file: the public face of this package, with the flag and facts forms beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from kubeadm_py.config.artifacts import read_public_key
from kubeadm_py.config.complete import complete
from kubeadm_py.config.documents import Document, read_documents
from kubeadm_py.config.flags import from_init_flags, from_join_flags
from kubeadm_py.config.own_files import read_own
from kubeadm_py.config.patches import read_patches
from kubeadm_py.config.problems import ConfigError, Problem, Problems, in_order
from kubeadm_py.config.registries import read_registries
from kubeadm_py.config.resolve import check, resolve
from kubeadm_py.config.source import STDIN, read_text, refusal, source_name
from kubeadm_py.config.whole import read_whole
from kubeadm_py.model.cluster import ResolvedCluster

__all__ = [
    "ConfigError",
    "Loaded",
    "Problem",
    "complete",
    "from_init_flags",
    "from_join_flags",
    "load",
]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Hold what a config file says."""

    cluster: ResolvedCluster
    has_cluster_document: bool
    kinds: frozenset[str]
    warnings: tuple[Problem, ...]
    documents: Mapping[str, Document] = field(default_factory=dict)
    """By kind, as they stand in the file."""


def load(
    path: str, *, stdin: IO[bytes] | None = None, allow_unknown_fields: bool = False, joining: bool = False
) -> Loaded:
    """Read, check and resolve a config file; raise ConfigError with every problem at once.

    `path` `-` is standard input. Without a Cluster document there is one node: init's, or join's where
    `joining` is set or the file holds nothing but a JoinConfiguration; what only the host knows is filled
    in by `complete`. `allow_unknown_fields` turns unknown keys, duplicate keys and foreign documents into
    warnings.
    """
    name = source_name(path)
    text = read_text(path, stdin)
    if not text.strip():
        raise refusal(
            name,
            "the file is empty; a config is a YAML file of kubeadm's kinds and at most one Cluster document",
        )
    problems = Problems()
    documents = read_documents(text, name, problems, allow_unknown_fields=allow_unknown_fields)
    whole = read_whole(
        documents,
        problems,
        file=name,
        folder=(Path() if path == STDIN else Path(path).parent).absolute(),
        joining=joining,
        allow_unknown_fields=allow_unknown_fields,
    )
    check(whole, problems)
    patches = read_patches(whole, problems)
    own = read_own(whole, problems)
    registries = read_registries(whole, problems)
    public_key = read_public_key(whole, problems)
    problems.raise_if_any(name)
    return Loaded(
        cluster=replace(resolve(whole, patches, own, registries), artifacts_public_key=public_key),
        has_cluster_document=whole.cluster.given,
        kinds=frozenset(documents),
        warnings=in_order(problems.warnings),
        documents=documents,
    )
