"""Ask a host several things in one round trip, all at once, for each program takes a while to start."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubeadm_py.model import paths

_SAID = "##kubeadm-py said "
_ERROR_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Said:
    """Hold what one question's program printed, and how it ended."""

    code: int
    output: bytes
    errors: bytes = b""

    @property
    def ok(self) -> bool:
        """Say whether it ended well."""
        return self.code == 0

    @property
    def document(self) -> dict[str, Any]:
        """Return the JSON object that was printed; empty where there is none."""
        try:
            found = json.loads(self.output)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def items(self) -> list[dict[str, Any]]:
        """Return the objects of the list that was printed."""
        found = self.document.get("items")
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def error_lines(self) -> list[str]:
        """Return the last lines of what it complained of."""
        lines = [line for line in self.errors.decode(errors="replace").splitlines() if line.strip()]
        return [line[:300] for line in lines[-5:]]


NOTHING = Said(-1, b"")
"""Stands for a question that was not answered."""


def script(questions: Mapping[str, str], *, reading: str = "") -> str:
    """Return the script that asks: name -> command, of which `reading` has the script's standard input."""
    begun = "".join(
        f'(({command}) <{"&4" if name == reading else "/dev/null"} >"$answers/{name}"'
        f' 2>"$answers/{name}.errors"; echo $? >"$answers/{name}.code") &\n'
        for name, command in questions.items()
    )
    return f"""
exec 4<&0
answers=$(umask 077; mktemp -d {paths.RUN_DIR}/ask.XXXXXX 2>/dev/null || mktemp -d) || exit 1
trap 'rm -rf "$answers"' EXIT
trap 'exit 129' HUP INT PIPE TERM
{begun}wait
for name in {" ".join(questions)}; do
  printf '{_SAID}%s %s ' "$name" "$(cat "$answers/$name.code")"
  base64 -w0 "$answers/$name"
  printf ' '
  tail -c {_ERROR_BYTES} "$answers/$name.errors" | base64 -w0
  echo
done
"""


def answers(output: bytes) -> dict[str, Said]:
    """Return what a host said, by question, from all that it printed."""
    found = {}
    for line in output.splitlines():
        if line.startswith(_SAID.encode()):
            try:
                name, code, *said = line[len(_SAID) :].decode("ascii").split(" ")
                printed, errors = (base64.b64decode(each, validate=True) for each in said)
                found[name] = Said(int(code), printed, errors)
            except (binascii.Error, ValueError):
                continue
    return found
