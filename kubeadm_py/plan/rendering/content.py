"""Make what the executor would send of planned actions: a host's files, and API objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.model.actions import (
    INITIAL_CLUSTER,
    ApplyObjects,
    EtcdMember,
    FileSpec,
    Late,
    LocalFile,
    Producer,
    WriteFiles,
)
from kubeadm_py.model.stages import Stage
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.objects import addons as addon_objects

UNKNOWN_BEFORE_THE_JOIN = frozenset({kubelet_start.BOOTSTRAP_PRODUCER})
"""Producers whose content only a join gets to know; a line that says so stands in for it."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """Hold a file as it would lie on a host."""

    path: str
    content: bytes
    mode: int
    owner: str


@dataclass(frozen=True, slots=True)
class RenderedHost:
    """Hold one host's files, sorted by path; `left_out` are the paths that would hold or need a key."""

    name: str
    files: tuple[RenderedFile, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Stand for an API object that is not rendered: it needs a key, or is fetched when it is applied."""

    what: str
    needs_key: bool


@dataclass(frozen=True, slots=True)
class Maker:
    """Make what the executor would send, from the same actions."""

    producers: Mapping[str, Producer]
    secrets: bool
    members: str = ""
    """etcd's members by the time this host's own has joined: `name=URL`, comma-separated."""

    def host(self, name: str, stages: Sequence[Stage], unknown: frozenset[str] = frozenset()) -> RenderedHost:
        """Return a host's files; those in `unknown` are known only after discovery."""
        files: dict[str, RenderedFile] = {}
        left_out: list[str] = []
        for spec in _file_specs(stages):
            if isinstance(spec.content, LocalFile):
                continue
            if not self.secrets and (spec.secret or isinstance(spec.content, Late) or spec.path in unknown):
                left_out.append(spec.path)
                continue
            content = _not_yet(spec) if spec.path in unknown else self._content(name, spec)
            files[spec.path] = RenderedFile(spec.path, content, spec.mode, spec.owner)
        return RenderedHost(name, tuple(files[path] for path in sorted(files)), tuple(sorted(left_out)))

    def objects(self, stages: Sequence[Stage]) -> Iterator[Mapping[str, Any] | LeftOut]:
        """Yield all API objects in order."""
        for host, item in _object_specs(stages):
            if isinstance(item, Mapping):
                yield item
            elif item.producer == addon_objects.TYPES_PRODUCER or not self.secrets:
                what = ", ".join(f"{key}: {value}" for key, value in item.spec.items())
                yield LeftOut(what, needs_key=item.producer != addon_objects.TYPES_PRODUCER)
            else:
                yield json.loads(self.producers[item.producer](host, item))

    def _content(self, host: str, spec: FileSpec) -> bytes:
        match spec.content:
            case Late(producer=producer) if producer in UNKNOWN_BEFORE_THE_JOIN:
                return _not_yet(spec)
            case Late() as late:
                return self.producers[late.producer](host, late)
            case LocalFile():
                raise TypeError(f"{spec.path} is an artifact")
            case content:
                return content.replace(INITIAL_CLUSTER.encode(), self.members.encode())


def _not_yet(spec: FileSpec) -> bytes:
    what = spec.content.said if isinstance(spec.content, Late) else "the cluster's CA certificate"
    return f"# Known only when the host joins: {what}\n".encode()


def _file_specs(stages: Iterable[Stage]) -> Iterator[FileSpec]:
    for stage in stages:
        for _, action in stage.actions():
            if isinstance(action, WriteFiles):
                yield from action.files
            elif isinstance(action, EtcdMember):
                yield action.manifest


def _object_specs(stages: Iterable[Stage]) -> Iterator[tuple[str, Mapping[str, Any] | Late]]:
    for stage in stages:
        for host, action in stage.actions():
            if isinstance(action, ApplyObjects):
                yield from ((host, item) for item in action.objects)
