"""Read a run's events back from its log."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from kubeadm_py.engine import events
from kubeadm_py.engine.events import Event


def read(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events of a log's lines; half a line of a killed run, or a newer event, is left out."""
    for line in lines:
        try:
            found = _event(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if found is not None:
            yield found


def _event(fields: dict[str, Any]) -> Event | None:
    kinds = {kind.type: kind for kind in Event.__subclasses__()}
    kind = kinds.get(fields.pop("type"))
    return None if kind is None else _made(kind, fields)


def _made(kind: Any, fields: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(kind, vars(events))
    known = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: _value(hints[name], value) for name, value in fields.items() if name in known})


def _value(hint: Any, value: Any) -> Any:
    """Turn what JSON has back into what an event's field holds."""
    if typing.get_origin(hint) is tuple:
        [item, *_] = typing.get_args(hint)
        return tuple(_value(item, each) for each in value)
    if dataclasses.is_dataclass(hint):
        return _made(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value
