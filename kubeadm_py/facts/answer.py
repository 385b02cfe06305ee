"""Take a probe's answer apart into its sections."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kubeadm_py.errors import KubeadmPyError

PROBE_SCHEMA = 1
_HEADER = re.compile(r"^==> (.*) <==\n", re.MULTILINE)
_READ_FILES = ("system", "files")
"""Parts that show files, the one to believe first; what others print, a user of the host may have named."""
_READ_BY_OTHERS = re.compile(r"!.*|/proc/[0-9]+/cgroup")


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what a probe printed: section name -> text, and the host's clocks."""

    sections: Mapping[str, str] = field(default_factory=dict)
    clock: float = 0.0
    """Unix time on the host when the probe ended; 0 where it is unknown."""
    elapsed: float = 0.0
    """Seconds that the probe ran."""

    def text(self, name: str) -> str:
        """Return a section; empty where the probe has none."""
        return self.sections.get(name, "")

    def line(self, name: str) -> str:
        """Return a section's first line, stripped."""
        return self.text(name).strip().partition("\n")[0].strip()

    def lines(self, name: str) -> list[str]:
        """Return a section's lines that hold something."""
        return [line for line in self.text(name).split("\n") if line.strip()]


def read_answer(line: str | bytes, marker: str) -> Answer:
    """Decode the line that a probe printed, with or without its marker.

    Raise KubeadmPyError where it is cut or no answer at all: defaults for a host that did not answer would
    pass every check.
    """
    text = line.decode("utf-8", errors="replace") if isinstance(line, bytes) else line
    try:
        document = json.loads(text.strip().removeprefix(marker))
        schema = int(document["probe"])
        parts: dict[str, list[bytes]] = {}
        for name, chunk in document["parts"]:
            parts.setdefault(name, []).append(base64.b64decode(chunk, validate=True))
        clock = _number(document.get("clock"))
        elapsed = max(0.0, _number(document.get("end")) - _number(document.get("begin")))
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise _broken(f"it is no answer of a probe ({type(error).__name__})") from error
    if schema != PROBE_SCHEMA:
        raise _broken(f"it has schema {schema}, this kubeadm-py reads {PROBE_SCHEMA}")
    sections: dict[str, str] = {}
    for part in sorted(parts, key=lambda name: (name not in _READ_FILES, name != _READ_FILES[0])):
        for name, content in split_sections(b"".join(parts[part]).decode("utf-8", errors="replace")).items():
            if part in _READ_FILES or _READ_BY_OTHERS.fullmatch(name):
                sections.setdefault(name, content)
    if "/proc/meminfo" not in sections and "!executables" not in sections:
        raise _broken("what the system says is missing")
    return Answer(sections, clock, elapsed)


def split_sections(text: str) -> dict[str, str]:
    """Split text at its `==> NAME <==` lines; the newline before such a line is not content."""
    found = list(_HEADER.finditer(text))
    if not found:
        return {}
    ends = [match.start() for match in found[1:]] + [len(text)]
    sections: dict[str, str] = {}
    for match, end in zip(found, ends, strict=True):
        content = text[match.end() : end]
        if end < len(text):
            content = content.removesuffix("\n")
        sections.setdefault(match[1], content)
    return sections


def _number(value: object) -> float:
    """Read a clock; busybox's date leaves `%N` as it is, so only the leading number counts."""
    match = re.match(r"\d+(\.\d+)?", str(value or "").strip())
    return float(match[0]) if match else 0.0


def _broken(why: str) -> KubeadmPyError:
    return KubeadmPyError(
        f"the probe's answer cannot be read: {why}",
        fix="is /bin/sh a POSIX shell there, with coreutils? for --facts: name a saved answer",
    )
