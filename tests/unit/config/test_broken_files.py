"""Broken files by the hundred: each is refused with its place and key path, and none ends in a traceback.

Good files are broken in every way that has one right answer: a value of another type, a mistyped key, another
apiVersion or kind, a key given twice, a line that is no YAML. The breaks are enumerated, not drawn: every run
has the same ones.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.config.load import ConfigError, load
from kubeadm_py.config.migrate.translate import migrate

HERE = Path(__file__).parent
GOOD = ("full.yaml", "dual_stack.yaml", "join.yaml", "minimal_cluster.yaml")
OLD = (
    "v1alpha1-ha-external-etcd.yaml",
    "v1alpha2-stacked-etcd.yaml",
    "v1alpha3-join-control-plane.yaml",
    "v1beta1-containerd.yaml",
    "v1beta2-offline-registry.yaml",
    "v1beta3-external-etcd.yaml",
)
LEAST = 500
HANDED_ON = ("KubeletConfiguration", "KubeProxyConfiguration")
"""Kinds with keys that are the component's own affair."""
ANY_KEY = ("labels", "featureGates", "parameters", "valueFrom", "value")
NAMED_BY_THE_USER = ("registries",)
"""Mappings whose keys are names of things: one with an x at its end is another thing."""
PLACE = re.compile(r"[^\s:]+\.yaml:[1-9]\d*:[1-9]\d*\Z")


@dataclass(frozen=True)
class Break:
    """Hold one broken file, and the key that a message must name."""

    id: str
    text: str
    key: str
    old: bool


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_of(inner, (*path, index))


def is_free(step: Any) -> bool:
    return step in ANY_KEY or (isinstance(step, str) and step.endswith("xtraArgs"))


def changed(documents: list[Any], number: int, path: tuple[Any, ...], change: Any) -> str:
    """Return the file with `change` applied to the mapping that holds the last step of `path`."""
    made = copy.deepcopy(documents)
    holder = made[number]
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return yaml.safe_dump_all(made, sort_keys=False)


def another_type(holder: Any, key: Any) -> None:
    holder[key] = {"x": ["y"]} if not isinstance(holder[key], dict) else ["y"]


def mistyped(holder: Any, key: Any) -> None:
    items = [(f"{name}x" if name == key else name, value) for name, value in holder.items()]
    holder.clear()
    holder.update(items)


def breaks_of(file: Path, *, old: bool) -> Iterator[Break]:
    text = file.read_text()
    documents = [document for document in yaml.safe_load_all(text) if document]
    for number, document in enumerate(documents):
        kind = document["kind"]
        for path in paths_of(document):
            free = kind in HANDED_ON or any(is_free(step) for step in path[:-1])
            if path[-1] in ("apiVersion", "kind") or free or path[0] in ("kubeProxy", "kubeletConfiguration"):
                continue
            name = f"{file.stem}-{number}-{'.'.join(map(str, path))}"
            key = str(path[-1])
            yield Break(f"{name}-type", changed(documents, number, path, another_type), key, old)
            if not set(path[-2:-1]) & set(NAMED_BY_THE_USER):
                yield Break(f"{name}-mistyped", changed(documents, number, path, mistyped), f"{key}x", old)
        for key in ("apiVersion", "kind"):
            broken = changed(documents, number, (key,), lambda holder, key: holder.update({key: "Nothing"}))
            yield Break(f"{file.stem}-{number}-{key}-other", broken, "Nothing", old)


def broken_lines(file: Path, *, old: bool) -> Iterator[Break]:
    lines = file.read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if re.match(r"[A-Za-z]+: *\S", line) and not line.startswith(("apiVersion", "kind")):
            again = "".join([*lines[: number + 1], line, *lines[number + 1 :]])
            yield Break(f"{file.stem}-line-{number + 1}-twice", again, line.partition(":")[0], old)
        if number % 3 == 0 and line.strip() and not line.lstrip().startswith(("#", "---")):
            for what, spoiled in (
                ("tab", f"\t{line}"),
                ("bracket", "x: [\n"),
                ("alias", "x: *no\n"),
            ):
                text = "".join([*lines[:number], spoiled, *lines[number + 1 :]])
                yield Break(f"{file.stem}-line-{number + 1}-{what}", text, "", old)


def every_break() -> list[Break]:
    accepted, cases = HERE / "cases" / "accepted", HERE / "migrate" / "cases"
    files = [(accepted / name, False) for name in GOOD] + [(cases / name, True) for name in OLD]
    found: dict[str, Break] = {}
    for file, old in files:
        for each in itertools.chain(breaks_of(file, old=old), broken_lines(file, old=old)):
            found.setdefault(each.text, each)
    return list(found.values())


BREAKS = every_break()


def outcome(each: Break, folder: Path) -> ConfigError | None:
    file = folder / "broken.yaml"
    file.write_text(each.text)
    try:
        if each.old:
            migrate(each.text, str(file), folder=folder)
        else:
            load(str(file))
    except ConfigError as refused:
        return refused
    return None


def test_there_are_enough() -> None:
    assert len(BREAKS) >= LEAST


@pytest.mark.parametrize("part", range(8))
def test_each_is_refused_with_its_place_and_key(part: int, tmp_path: Path) -> None:
    for each in BREAKS[part::8]:
        error = outcome(each, tmp_path)
        assert error is not None, f"{each.id} is taken:\n{each.text}"
        assert error.problems, each.id
        for problem in error.problems:
            assert problem.message, each.id
        placed = [problem for problem in error.problems if PLACE.search(problem.location)]
        assert placed, f"{each.id}: {error}"
        if each.key:
            named = [problem for problem in placed if each.key in problem.path or each.key in problem.message]
            assert named, f"{each.id}: no message names {each.key}: {error}"
        assert "Traceback" not in str(error)
        assert not re.search(r"[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9])", str(error)), each.id
