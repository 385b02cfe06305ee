"""Print the result of a verb in the form that -o asks for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from kubeadm_py.errors import UsageError

STRUCTURED = ("json", "yaml")
FORMATS = ("text", *STRUCTURED)
_TEMPLATES = ("go-template", "template", "jsonpath", "kyaml")


def check(output: str) -> None:
    """Refuse a form that there is not; kubeadm's templates have their own answer."""
    if output in FORMATS:
        return
    if output.startswith(_TEMPLATES):
        raise UsageError(
            f"--output {output!r}: templates are not supported",
            fix="take -o json and pick from it, with jq for example",
        )
    raise UsageError(f"--output {output!r}: one of {', '.join(FORMATS)}")


def documents(found: Iterable[Mapping[str, Any]], output: str) -> None:
    """Print objects as kubeadm does: JSON one after the other, YAML with --- in between."""
    if output == "json":
        for document in found:
            sys.stdout.write(json.dumps(document, indent=4) + "\n")
        return
    sys.stdout.write("---\n".join(yaml.safe_dump(dict(document), sort_keys=True) for document in found))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their columns, three blanks apart."""
    cells = [columns, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    for row in cells:
        line = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
