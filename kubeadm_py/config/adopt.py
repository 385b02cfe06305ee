"""Write settings that a cluster has into the text of its config."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubeadm_py.config.documents import named_path
from kubeadm_py.config.edit import GONE, Edit, UneditableError, edited
from kubeadm_py.config.problems import Path
from kubeadm_py.config.yaml_nodes import plain, read_stream
from kubeadm_py.model import keys
from kubeadm_py.model.adoption import Left, Setting

_FLAGS = "extraArgs"
_NOT_THERE = "it is a default, and no field takes it out"


def adopted(text: str, settings: Iterable[Setting], name: str) -> tuple[str, list[Setting], list[Left]]:
    """Return the config that says these settings, those that it says now, and those that it cannot."""
    done: list[Setting] = []
    left: list[Left] = []
    for setting in settings:
        edit = _edit(text, setting, name)
        if edit is None:
            left.append(Left(setting.subject, f"{keys.text(setting.path)}: {_NOT_THERE}"))
            continue
        try:
            text = edited(text, [edit], name)
        except UneditableError as error:
            left.append(Left(setting.subject, f"{error.summary}; {error.fix}"))
            continue
        done.append(setting)
    return text, done, left


def _edit(text: str, setting: Setting, name: str) -> Edit | None:
    """Return the change of the text; None where there is nothing to take out."""
    data = _document(text, setting.kind, name)
    known = named_path(data, setting.path)
    whole = len(known) == len(setting.path)
    if setting.value is None:
        return Edit(setting.kind, _with_its_list(data, known), GONE) if whole else None
    if len(setting.path) > 1 and setting.path[-2] == _FLAGS:
        return _flag(setting, data, known, whole=whole)
    rest: Path = setting.path[len(known) :]
    return Edit(setting.kind, (*known, *rest), setting.value)


def _with_its_list(data: Any, path: Path) -> Path:
    """Return the path of what goes: of a list's only item, the list."""
    for step in path[:-1]:
        data = data[step]
    return path[:-1] if isinstance(data, list) and len(data) == 1 else path


def _flag(setting: Setting, data: dict[str, Any], known: Path, *, whole: bool) -> Edit:
    if whole:
        return Edit(setting.kind, (*known, "value"), str(setting.value))
    item = {"name": setting.path[-1], "value": str(setting.value)}
    above = named_path(data, setting.path[:-1])
    if len(above) == len(setting.path) - 1:
        found: Any = data
        for step in above:
            found = found[step]
        return Edit(setting.kind, (*above, len(found)), item)
    return Edit(setting.kind, setting.path[:-1], [item])


def _document(text: str, kind: str, name: str) -> dict[str, Any]:
    for root in read_stream(text, name).documents:
        data = plain(root) if root.value is not None else None
        if isinstance(data, dict) and data.get("kind") == kind:
            return data
    return {}
