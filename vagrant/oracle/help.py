"""Record kubeadm's tree of commands and flags from its own `--help`: `python -m oracle.help`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from lab import artifacts, paths

RECORDED = paths.VAGRANT.parent / "tests" / "golden" / "kubeadm" / "help.yaml"
_NOTE = "# Written by vagrant/oracle/help.py (make oracle); real kubeadm said so.\n"
_FLAG = re.compile(r"^ +(?:-(?P<short>\w), )?--(?P<name>[\w-]+)(?: (?P<type>\w+))?(?: {2,}(?P<help>.*))?$")
_DEFAULT = re.compile(r"\(default (?P<default>.*)\)$")
_COMMAND = re.compile(r"^  (?P<name>[\w-]+) +\S")
_SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+):$")
_NOT_KUBEADMS_OWN = ("help",)
_EVERYWHERE = ("rootfs", "v", "vmodule")
"""Flags that each command takes; written down once."""


def main() -> int:
    """Record and return the exit code."""
    kubeadm = artifacts.oracle()
    version = _run(kubeadm, "version", "-o", "short").strip()
    tree = {"version": version, "commands": dict(_walk(kubeadm, ()))}
    RECORDED.write_text(
        _NOTE + yaml.safe_dump(tree, sort_keys=False, width=110, default_flow_style=None), encoding="utf-8"
    )
    return 0


def _walk(kubeadm: Path, words: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    sections = _sections(_run(kubeadm, *words, "--help"))
    found: dict[str, Any] = {"usage": [line.strip() for line in sections.get("Usage", []) if line.strip()]}
    if aliases := "".join(sections.get("Aliases", [])).strip():
        found["aliases"] = [alias.strip() for alias in aliases.split(",")][1:]
    lines = sections.get("Available Commands", ())
    children = [match["name"] for line in lines if (match := _COMMAND.match(line))]
    found["flags"] = _flags([*sections.get("Flags", ()), *sections.get("Global Flags", ())])
    if words:
        for name in _EVERYWHERE:
            found["flags"].pop(name, None)
    listed = [(" ".join(words), found)]
    for child in children:
        if child not in _NOT_KUBEADMS_OWN:
            listed += _walk(kubeadm, (*words, child))
    return listed


def _flags(lines: list[str]) -> dict[str, dict[str, str]]:
    flags: dict[str, dict[str, str]] = {}
    for line in lines:
        match = _FLAG.match(line)
        if match is None or match["name"] == "help":
            continue
        flag = {"type": match["type"] or "bool"}
        if match["short"]:
            flag["short"] = match["short"]
        if default := _DEFAULT.search(match["help"] or ""):
            flag["default"] = default["default"].strip('"')
        flags[match["name"]] = flag
    return dict(sorted(flags.items()))


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if title := _SECTION.match(line):
            current = sections.setdefault(title["title"], [])
        else:
            current.append(line)
    return sections


def _run(kubeadm: Path, *words: str) -> str:
    return subprocess.run([kubeadm, *words], capture_output=True, check=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
