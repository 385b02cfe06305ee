"""Evaluate Go templates on plain data, as kubectl does with -o go-template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.cli.printers import go_functions, go_syntax
from kubeadm_py.cli.printers.go_syntax import (
    Branch,
    Call,
    Chain,
    Constant,
    Jump,
    Name,
    Node,
    Operand,
    Pipeline,
    Text,
)
from kubeadm_py.cli.printers.shown import TemplateError

_NOTHING = object()
"""What no command before has yielded."""
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Template:
    """Hold a template that was read."""

    tree: go_syntax.Tree

    def text(self, data: Any, *, allow_missing: bool = True) -> str:
        """Return what the template makes of an object; raise TemplateError where it does not fit."""
        run = _Run(self.tree, allow_missing)
        run.walk(self.tree.nodes, data, {"$": data})
        return "".join(run.printed)


def parse(text: str) -> Template:
    """Read a template; raise TemplateError for what is none."""
    return Template(go_syntax.parse(text))


class _Jumped(Exception):
    """Carry break or continue to its range."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(slots=True)
class _Run:
    tree: go_syntax.Tree
    allow_missing: bool
    printed: list[str] = field(default_factory=list)
    depth: int = 0

    def walk(self, nodes: Sequence[Node], dot: Any, variables: dict[str, Any]) -> None:
        """Print nodes; variables that they declare end with them."""
        own = _Scope(variables)
        for node in nodes:
            match node:
                case Text(text):
                    self.printed.append(text)
                case Pipeline():
                    value = self._pipeline(node, dot, own)
                    if not node.variables:
                        self.printed.append(go_functions.show(value))
                case Branch(word="range"):
                    self._range(node, dot, own)
                case Branch():
                    self._if(node, dot, own)
                case Call(name, pipeline):
                    self._call(name, None if pipeline is None else self._pipeline(pipeline, dot, own))
                case Jump(word):
                    raise _Jumped(word)

    def _call(self, name: str, dot: Any) -> None:
        body = self.tree.defined.get(name)
        if body is None:
            raise TemplateError(f'template "{name}" not defined')
        self.depth += 1
        if self.depth > _DEEPEST:
            raise TemplateError(f'template "{name}" calls itself without end')
        self.walk(body, dot, {"$": dot})
        self.depth -= 1

    def _if(self, node: Branch, dot: Any, variables: _Scope) -> None:
        inner = _Scope(variables)
        value = self._pipeline(node.pipeline, dot, inner)
        if go_functions.truth(value):
            self.walk(node.body, value if node.word == "with" else dot, inner)
        else:
            self.walk(node.otherwise, dot, inner)

    def _range(self, node: Branch, dot: Any, variables: _Scope) -> None:
        outer = _Scope(variables)
        names = node.pipeline.variables
        value = self._pipeline(Pipeline(node.pipeline.commands), dot, outer)
        items = list(_items(value))
        for key, item in items:
            inner = _Scope(outer)
            # One variable is the element; of two the first is its key.
            for name, each in zip(reversed(names), (item, key), strict=False):
                inner.assign(name, each) if node.pipeline.assigns else inner.declare(name, each)
            try:
                self.walk(node.body, item, inner)
            except _Jumped as jumped:
                if jumped.word == "break":
                    break
        if not items:
            self.walk(node.otherwise, dot, outer)

    def _pipeline(self, pipeline: Pipeline, dot: Any, variables: Mapping[str, Any]) -> Any:
        value: Any = _NOTHING
        for command in pipeline.commands:
            value = self._command(command, value, dot, variables)
        for name in pipeline.variables:
            assert isinstance(variables, _Scope)  # noqa: S101 - only nodes declare
            variables.assign(name, value) if pipeline.assigns else variables.declare(name, value)
        return value

    def _command(
        self, command: Sequence[Operand], before: Any, dot: Any, variables: Mapping[str, Any]
    ) -> Any:
        first, *rest = command
        if isinstance(first, Name):
            if first.name in go_functions.LAZY:
                return self._and_or(first.name, rest, before, dot, variables)
            arguments = [self._operand(each, dot, variables) for each in rest]
            return go_functions.call(first.name, arguments + ([] if before is _NOTHING else [before]))
        if rest or before is not _NOTHING:
            raise TemplateError("can't give argument to non-function")
        return self._operand(first, dot, variables)

    def _and_or(
        self, name: str, operands: Sequence[Operand], before: Any, dot: Any, variables: Mapping[str, Any]
    ) -> Any:
        value: Any = _NOTHING
        for operand in operands:
            value = self._operand(operand, dot, variables)
            if go_functions.truth(value) is (name == "or"):
                return value
        if before is not _NOTHING:
            return before
        if value is _NOTHING:
            raise TemplateError(f"wrong number of args for {name}")
        return value

    def _operand(self, operand: Operand, dot: Any, variables: Mapping[str, Any]) -> Any:
        match operand:
            case Constant(value):
                return value
            case Name(name):
                return self._command((operand,), _NOTHING, dot, variables) if name else None
            case Chain(start, fields):
                if isinstance(start, Pipeline):
                    value = self._pipeline(start, dot, variables)
                elif start == ".":
                    value = dot
                elif start in variables:
                    value = variables[start]
                else:
                    raise TemplateError(f'undefined variable "{start}"')
                for name in fields:
                    value = self._field(value, name)
                return value

    def _field(self, value: Any, name: str) -> Any:
        if isinstance(value, Mapping):
            if name not in value and not self.allow_missing:
                raise TemplateError(f'map has no entry for key "{name}"')
            return value.get(name)
        if value is None:
            return None
        raise TemplateError(f"can't evaluate field {name} in {go_functions.show(value)}")


class _Scope(dict[str, Any]):
    """Hold variables of a block and see those around it."""

    def __init__(self, around: Mapping[str, Any]) -> None:
        super().__init__(around)
        self._around = around
        self._own: set[str] = set()

    def declare(self, name: str, value: Any) -> None:
        """Set a variable of this block."""
        self[name] = value
        self._own.add(name)

    def assign(self, name: str, value: Any) -> None:
        """Set a variable where it was declared, so that it lasts beyond this block."""
        if name not in self:
            raise TemplateError(f'undefined variable "{name}"')
        self[name] = value
        if isinstance(self._around, _Scope) and name not in self._own:
            self._around.assign(name, value)


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, list):
        return enumerate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return ((number, number) for number in range(value))
    if value is None:
        return ()
    raise TemplateError(f"range can't iterate over {go_functions.show(value)}")
