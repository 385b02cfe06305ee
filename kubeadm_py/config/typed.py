"""Turn documents into typed models, every wrong value reported and then left out.

What remains is a valid model, so that the checks across fields run in the same pass.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kubeadm_py.config.defaults import MAX_PROBLEMS, MOVED_KEYS
from kubeadm_py.config.documents import Document, value_at
from kubeadm_py.config.problems import Path, Problems, key_path, show
from kubeadm_py.model.near import did_you_mean

Model = TypeVar("Model", bound=BaseModel)

_SECRET_KEYS = frozenset(
    {"token", "tlsBootstrapToken", "certificateKey", "bootstrapToken", "bootstrapTokens"}
)
_WANTED = {
    "string_type": "a string",
    "bool_type": "a boolean (true or false)",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Typed(Generic[Model]):
    """Hold a document with its typed content; `given` says whether the user wrote it."""

    document: Document
    value: Model
    given: bool


def typed(
    document: Document, model: type[Model], problems: Problems, *, allow_unknown_fields: bool = False
) -> Model:
    """Return the document's content as `model`, without the values that were reported as wrong."""
    data = document.data
    left_out: set[Path] = set()
    reported = 0
    while True:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=True, include_input=True)
        # Past the problems that are ever shown, whole sections go, so that a flood is not looked at in full.
        located = [
            (_path(detail["loc"][: 1 if index > MAX_PROBLEMS else None], data), detail)
            for index, detail in enumerate(details)
        ]
        data = copy.deepcopy(data)
        for path, detail in located:
            if path not in left_out and reported <= MAX_PROBLEMS:
                _report(document, model, path, detail, problems, allow_unknown_fields)
                reported += 1
            left_out.add(path)
            _leave_out(data, path)


def _report(
    document: Document,
    model: type[BaseModel],
    path: Path,
    detail: ErrorDetails,
    problems: Problems,
    allow_unknown_fields: bool,
) -> None:
    if detail["type"] != "extra_forbidden":
        problems.error(document, path, _explain(document, path, detail))
        return
    key, known = str(path[-1]), fields_at(model, path[:-1])
    message = "unknown key" + did_you_mean(key, known) if _near(key, known) else _elsewhere(model, key, known)
    if allow_unknown_fields:
        problems.warning(document, path, f"{message} (ignored)")
    else:
        problems.error(document, path, message)


def _explain(document: Document, path: Path, detail: ErrorDetails) -> str:
    kind, found = detail["type"], detail["input"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = detail["ctx"].get("ge", detail["ctx"].get("le"))
        word = "at least" if kind == "greater_than_equal" else "at most"
        return f"{_describe(document, path, found)} is too {_size(kind)}; {word} {limit} is accepted"
    wanted = _WANTED.get(kind)
    if wanted is None:
        return f"{_describe(document, path, found)} is not accepted here"
    message = f"{_describe(document, path, found)} where {wanted} is wanted"
    return message + _type_hint(document, path, kind, found)


def _size(kind: str) -> str:
    return "small" if kind == "greater_than_equal" else "large"


def _type_hint(document: Document, path: Path, kind: str, found: Any) -> str:
    if kind == "string_type" and isinstance(found, bool | int | float) and not _secret(path):
        return f': quote it: "{document.raw(path)[:60]}"'
    if kind == "string_type" and isinstance(found, bool | int | float):
        return ": quote it"
    if kind in ("int_type", "bool_type") and isinstance(found, str):
        return "; write it without quotes"
    if kind == "list_type" and isinstance(found, dict) and str(path[-1]).endswith("xtraArgs"):
        return ": v1beta4 takes a list of {name, value}"
    if kind == "list_type" and isinstance(found, str):
        return "; start the item with a dash on a line of its own, or write [ ]"
    return ""


def _describe(document: Document, path: Path, found: Any) -> str:
    """Say what was found; never a value that may be a secret or be long."""
    if isinstance(found, dict):
        return "a mapping"
    if isinstance(found, list):
        return "a list"
    if found is None:
        return "nothing"
    noun = "a boolean" if isinstance(found, bool) else "a string" if isinstance(found, str) else "a number"
    if _secret(path) or isinstance(found, str):
        return noun
    return f"{show(document.raw(path) or str(found))[1:-1]}, {noun},"


def _secret(path: Path) -> bool:
    return any(step in _SECRET_KEYS for step in path)


def _near(key: str, known: list[str]) -> bool:
    return bool(did_you_mean(key, known))


def _elsewhere(model: type[BaseModel], key: str, known: list[str]) -> str:
    """Say where an unknown key would belong, else which keys are accepted here."""
    if key in MOVED_KEYS:
        return f"unknown key; {MOVED_KEYS[key]}"
    for path, alias in _all_fields(model, ()):
        if alias == key:
            return f"unknown key here; did you mean {key_path((*path, alias))}?"
    return f"unknown key; accepted here: {', '.join(known)}" if known else "unknown key"


def fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that `model` accepts at `path`; empty where any key goes."""
    current: type[BaseModel] | None = model
    named = False
    for step in path:
        if isinstance(step, int) or current is None or named:
            # An item of a list, or a name that the user has given.
            named = False
            continue
        annotation = next((a for alias, a in _fields(current) if alias == step), None)
        current, named = _model_in(annotation), typing.get_origin(annotation) is dict
    return [alias for alias, _ in _fields(current)] if current is not None else []


def _all_fields(model: type[BaseModel], path: Path) -> Iterator[tuple[Path, str]]:
    for alias, annotation in _fields(model):
        yield path, alias
        inner = _model_in(annotation)
        if inner is not None:
            yield from _all_fields(inner, (*path, alias))


def _fields(model: type[BaseModel]) -> list[tuple[str, Any]]:
    return [(info.alias or name, info.annotation) for name, info in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside `X`, `X | None`, `list[X]` or `Annotated[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        inner = _model_in(argument)
        if inner is not None:
            return inner
    return None


def _path(location: Path, data: Any) -> Path:
    """Return the part of pydantic's location that exists in the data (it adds steps of its own)."""
    length = 0
    while length < len(location) and value_at(data, location[: length + 1]) is not None:
        length += 1
    return location[:length]


def _leave_out(data: Any, path: Path) -> None:
    """Take the value at `path` out; items of a list stay in number, so that later paths still fit.

    An item becomes an empty mapping first; where that does not fit either, the whole list goes.
    """
    if not path:
        data.clear()
        return
    parent, last = value_at(data, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent.pop(last, None)
    elif isinstance(parent, list) and isinstance(last, int) and last < len(parent):
        if parent[last] == {}:
            _leave_out(data, path[:-1])
        else:
            parent[last] = {}
