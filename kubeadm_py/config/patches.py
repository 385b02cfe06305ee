"""Read the operator's patch files: kubeadm's file names, targets and order (kubeadm contract 2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from kubeadm_py.config.documents import Document
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.problems import ConfigError, Path, Problems, show
from kubeadm_py.config.source import read_text
from kubeadm_py.config.whole import Whole
from kubeadm_py.config.yaml_nodes import YamlNode, read_stream
from kubeadm_py.local_path import is_folder
from kubeadm_py.model.patches import EXTENSIONS, TARGETS, Patch, PatchType

DIRECTORY: Path = ("patches", "directory")


def read_patches(whole: Whole, problems: Problems) -> Mapping[str, tuple[Patch, ...]]:
    """Return the patches of init and of join by kind of document, in the order in which they apply.

    Files whose names say no target are left out with a warning, as kubeadm does; what cannot be read is a
    problem.
    """
    found: dict[str, tuple[Patch, ...]] = {}
    for kind, document, patches in (
        ("InitConfiguration", whole.init.document, whole.init.value.patches),
        ("JoinConfiguration", whole.join.document, whole.join.value.patches),
    ):
        if patches is not None and patches.directory:
            folder = FilePath(on_this_machine(patches.directory, whole.folder))
            found[kind] = _of_folder(folder, document, problems)
    return found


def _of_folder(folder: FilePath, place: Document, problems: Problems) -> tuple[Patch, ...]:
    if not is_folder(folder):
        problems.error(place, DIRECTORY, f"no such directory on this machine: {show(str(folder))}")
        return ()
    patches: list[Patch] = []
    for file in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        if file.is_file():
            patches += _of_file(file, place, problems)
    return tuple(patches)


def _of_file(file: FilePath, place: Document, problems: Problems) -> list[Patch]:
    target = next((name for name in TARGETS if file.name.startswith(name)), None)
    if target is None:
        problems.warning(
            place, DIRECTORY, f"{file.name} is left out: its name begins with none of {', '.join(TARGETS)}"
        )
        return []
    if file.suffix.removeprefix(".") not in EXTENSIONS:
        problems.warning(place, DIRECTORY, f"{file.name} is left out: it ends in none of .yaml and .json")
        return []
    _, plus, word = file.name.partition(".")[0].partition("+")
    kind = next((kind for kind in PatchType if word.startswith(kind)), None)
    if plus and kind is None:
        message = f"{file.name}: behind the + comes one of {', '.join(PatchType)}"
        problems.error(place, DIRECTORY, message)
        return []
    try:
        documents = read_stream(read_text(str(file)), str(file)).documents
    except ConfigError as error:
        problems.errors += error.problems
        return []
    if not documents:
        problems.warning(place, DIRECTORY, f"{file.name} is left out: it is empty")
    return [Patch(target, kind or PatchType.STRATEGIC, _with_nulls(node), str(file)) for node in documents]


def _with_nulls(node: YamlNode) -> Any:
    """Return a node as plain data; null stays, for in a patch it removes."""
    if isinstance(node.value, dict):
        return {key: _with_nulls(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [_with_nulls(item) for item in node.value]
    return node.value
