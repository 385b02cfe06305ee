"""Read kubectl's JSONPath templates and evaluate them on plain data: {range .items[*]}{.name} {end}."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.cli.printers import shown
from kubeadm_py.cli.printers.shown import TemplateError
from kubeadm_py.cli.printers.steps import (
    Step,
    Values,
    children,
    constant,
    elements,
    everything_below,
    keys,
    kind,
)

_ENDS_A_NAME = frozenset(" \t\n.,[]$@{}()'\"=!<>|&")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_IDENTIFIER = re.compile(r"\w+")
_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?")
_QUOTED_KEY = re.compile(r"'((?:[^'\\]|\\.)*)'")
_FILTER = re.compile(r"\?\((.*)\)", re.DOTALL)
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Action:
    steps: tuple[Step, ...]
    word: str = ""
    """`range` or `end`, or nothing."""


@dataclass(frozen=True, slots=True)
class Template:
    """Hold a template that was read."""

    nodes: tuple[_Text | _Action, ...]

    def values(self, data: Any, *, allow_missing: bool = True) -> Iterator[Values]:
        """Yield what each part of the template finds; raise TemplateError where it cannot be evaluated."""
        _, found = _run(self.nodes, 0, data, allow_missing, inside=False)
        yield from found

    def text(self, data: Any, *, allow_missing: bool = True) -> str:
        """Return what the template makes of an object."""
        found = self.values(data, allow_missing=allow_missing)
        return "".join(" ".join(map(shown.plain, values)) for values in found)


def parse(text: str) -> Template:
    """Read a template; raise TemplateError with the place that is wrong."""
    nodes: list[_Text | _Action] = []
    position, depth = 0, 0
    while position < len(text):
        begin = text.find("{", position)
        if begin < 0:
            nodes.append(_Text(text[position:]))
            break
        if begin > position:
            nodes.append(_Text(text[position:begin]))
        end = _closing(text, begin + 1, "}", "unclosed action")
        node = _Reader(text[begin + 1 : end]).action()
        nodes.append(node)
        depth += {"range": 1, "end": -1}.get(node.word, 0)
        if depth < 0:
            raise TemplateError("not in range, nothing to end")
        position = end + 1
    if depth:
        raise TemplateError("range without {end}")
    return Template(tuple(nodes))


def _run(
    nodes: Sequence[_Text | _Action], position: int, data: Any, allow: bool, *, inside: bool
) -> tuple[int, list[Values]]:
    """Evaluate nodes from a position to the end, or of a range to its {end}; return the place after it."""
    found: list[Values] = []
    while position < len(nodes):
        node = nodes[position]
        position += 1
        if isinstance(node, _Text):
            found.append([node.text])
        elif node.word == "end" and inside:
            return position, found
        elif node.word == "range":
            after, _ = _run(nodes, position, None, True, inside=True)
            for item in _walk(node.steps, [data], allow):
                found += _run(nodes, position, item, allow, inside=True)[1]
            position = after
        else:
            found.append(_walk(node.steps, [data], allow))
    return position, found


def _walk(steps: Sequence[Step], values: Values, allow: bool) -> Values:
    for step in steps:
        values = step(values, allow)
    return values


class _Reader:
    """Read what stands between braces."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def action(self) -> _Action:
        """Return the whole action."""
        steps: list[Step] = []
        word = ""
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in " \t\n$@":
                self._at += 1
            elif character in "'\"":
                steps.append(constant(self._string(character)))
            elif character == ".":
                steps += self._field()
            elif character == "[":
                end = _closing(self._text, self._at + 1, "]", "unterminated array")
                steps.append(_array(self._text[self._at + 1 : end].strip()))
                self._at = end + 1
            elif number := _NUMBER.match(self._text, self._at):
                self._at = number.end()
                steps.append(constant(float(number[0]) if number[1] else int(number[0])))
            elif name := _IDENTIFIER.match(self._text, self._at):
                self._at = name.end()
                if name[0] in ("true", "false"):
                    steps.append(constant(name[0] == "true"))
                elif name[0] in ("range", "end") and not steps and not word:
                    word = name[0]
                else:
                    raise TemplateError(f"unrecognized identifier {name[0]}")
            else:
                raise TemplateError(f"unrecognized character in action: {character}")
        return _Action(tuple(steps), word)

    def _string(self, quote: str) -> str:
        end = _closing(self._text, self._at + 1, quote, "unterminated quoted string")
        inner, self._at = self._text[self._at + 1 : end], end + 1
        return _unquoted(inner)

    def _field(self) -> list[Step]:
        self._at += 1
        steps: list[Step] = []
        if self._text.startswith(".", self._at):
            self._at += 1
            steps.append(everything_below)
        if self._text.startswith("*", self._at):
            self._at += 1
            return [*steps, children]
        name = ""
        while self._at < len(self._text) and self._text[self._at] not in _ENDS_A_NAME:
            if self._text[self._at] == "\\":
                self._at += 1
            name += self._text[self._at : self._at + 1]
            self._at += 1
        return [*steps, keys([name])] if name else steps


def _closing(text: str, begin: int, closing: str, problem: str) -> int:
    """Return where `closing` stands outside of quotes."""
    position = begin
    while position < len(text):
        character = text[position]
        if character == closing:
            return position
        if character == "\\":
            position += 1
        elif character in "'\"" and closing not in "'\"":
            position = _closing(text, position + 1, character, "unterminated quoted string")
        elif character == "[" and closing == "]":
            position = _closing(text, position + 1, closing, problem)
        position += 1
    raise TemplateError(problem)


def _unquoted(text: str) -> str:
    try:
        read: str = json.loads('"' + re.sub(r'(?<!\\)"', r"\"", text.replace("\\'", "'")) + '"', strict=False)
    except ValueError:
        raise TemplateError(f"{text!r} is no quoted string") from None
    return read


def _array(inner: str) -> Step:
    if filtered := _FILTER.fullmatch(inner):
        return _filter(filtered[1])
    if inner == "*":
        return children
    parts = [part.strip() for part in inner.split(",")]
    names = [_QUOTED_KEY.fullmatch(part) for part in parts]
    if all(names):
        return keys([re.sub(r"\\(.)", r"\1", name[1]) for name in names if name])
    slices = [_SLICE.fullmatch(part) for part in parts]
    if not all(slices):
        raise TemplateError(f"invalid array index {inner}")
    return elements([each.groups() for each in slices if each])


def _filter(condition: str) -> Step:
    sides, compare = _compared(condition)
    left, *right = [_Reader(side.strip()).action().steps for side in sides]

    def holds(item: Any) -> bool:
        lefts = _walk(left, [item], True)
        if compare is None:
            return bool(lefts)
        rights = _walk(right[0], [item], True)
        if not lefts or not rights:
            return False
        if len(lefts) > 1 or len(rights) > 1:
            raise TemplateError("can only compare one element at a time")
        if type(lefts[0]) is not type(rights[0]):
            raise TemplateError("incompatible types for comparison")
        return compare(lefts[0], rights[0])

    def step(values: Values, _allow: bool) -> Values:
        found: Values = []
        for value in values:
            if not isinstance(value, list):
                raise TemplateError(f"{kind(value)} is not array or slice and cannot be filtered")
            found += [item for item in value if holds(item)]
        return found

    return step


def _compared(condition: str) -> tuple[list[str], Callable[[Any, Any], bool] | None]:
    position = 0
    while position < len(condition):
        if condition[position] in "'\"":
            quote = condition[position]
            position = _closing(condition, position + 1, quote, "unterminated quoted string")
        for sign, compare in _COMPARISONS.items():
            if condition.startswith(sign, position):
                return [condition[:position], condition[position + len(sign) :]], compare
        position += 1
    return [condition], None
