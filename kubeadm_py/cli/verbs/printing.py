"""Print the result of a verb in the form that -o asks for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubeadm_py.cli.printers import go_template, jsonpath, kyaml, shown
from kubeadm_py.cli.printers.shown import TemplateError
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.report.errors import terminal_width
from kubeadm_py.report.text import wrap

_GAP = "   "
_LAST_COLUMN = 30
"""Columns of a terminal that the last column of a table gets before others are left out for it."""
FORMATS = ("text", "json", "yaml", "kyaml")
TEMPLATES = ("go-template", "template", "jsonpath", "jsonpath-as-json")
FROM_FILE = {"go-template-file": "go-template", "templatefile": "go-template", "jsonpath-file": "jsonpath"}
"""Forms whose template lies in a file."""


@dataclass(frozen=True, slots=True)
class Form:
    """Hold what -o asks for."""

    output: str
    shape: Callable[[Mapping[str, Any]], str] | None
    """Turn an object into what is printed; None: the verb prints a text of its own."""

    @property
    def is_text(self) -> bool:
        """Say whether the verb prints for people."""
        return self.shape is None

    def print(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Print objects as kubeadm does, one after the other; YAML has --- in between."""
        if self.shape is None:
            raise ValueError("a text has no shape")
        try:
            shown = [self.shape(document) for document in found]
        except TemplateError as error:
            raise KubeadmPyError(f"--output {self.output!r}: {error}", fix=_LOOK) from None
        sys.stdout.write(("---\n" if self.output == "yaml" else "").join(shown))


_LOOK = "look at what there is with -o yaml"


def form(output: str, *, allow_missing: bool = True) -> Form:
    """Read -o; raise UsageError for a form that there is not, and for a template that is none.

    `allow_missing` says that a key of a template that an object lacks is no error.
    """
    name, equals, template = output.partition("=")
    if not equals and name in FORMATS:
        return Form(output, _SHAPES.get(name))
    if name not in TEMPLATES and name not in FROM_FILE:
        raise UsageError(f"--output {output!r}: one of {', '.join((*FORMATS, *TEMPLATES, *FROM_FILE))}")
    if not template:
        raise UsageError(
            f"--output {output!r}: no template is given",
            fix=f"write it behind the form: -o {name}={'FILE' if name in FROM_FILE else '{.kind}'}",
        )
    if name in FROM_FILE:
        name, template = FROM_FILE[name], _read(template)
    try:
        return Form(output, _of_template(name, template, allow_missing))
    except TemplateError as error:
        raise UsageError(f"--output {output!r}: {error}") from None


def _of_template(name: str, text: str, allow: bool) -> Callable[[Mapping[str, Any]], str]:
    if name == "jsonpath":
        path = jsonpath.parse(text)
        return lambda document: path.text(document, allow_missing=allow)
    if name == "jsonpath-as-json":
        path = jsonpath.parse(text)
        return lambda document: "".join(
            f"{shown.as_json(values, indent=4)}\n" for values in path.values(document, allow_missing=allow)
        )
    template = go_template.parse(text)
    return lambda document: template.text(document, allow_missing=allow)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"the template {path} cannot be read: {reason}") from None


_SHAPES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "json": lambda document: json.dumps(document, indent=4) + "\n",
    "yaml": lambda document: yaml.safe_dump(dict(document), sort_keys=True),
    "kyaml": lambda document: kyaml.dump(document),
}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], spare: Sequence[str] = ()) -> None:
    """Print rows under their columns, three blanks apart.

    Where a terminal is too narrow, columns are left out that are `spare`, the first of them first, and then
    the last column is wrapped.
    """
    cells = [list(columns), *map(list, rows)]
    room = terminal_width() if spare and sys.stdout.isatty() else None
    while True:
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
        before = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
        dropped = next((name for name in spare if name in cells[0]), None)
        if room is None or dropped is None or before + min(widths[-1], _LAST_COLUMN) <= room:
            break
        gone = cells[0].index(dropped)
        cells = [row[:gone] + row[gone + 1 :] for row in cells]
    for row in cells:
        start = "".join(cell.ljust(width) + _GAP for cell, width in zip(row[:-1], widths, strict=False))
        sys.stdout.write("\n".join(wrap(row[-1], room, start)) + "\n")
