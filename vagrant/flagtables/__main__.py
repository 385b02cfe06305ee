"""Write kubeadm_py/config/component_flags_tables/MINOR.txt anew from the binaries of that minor.

Those of the lab's own release are there; another one (`--release v1.35.4`) is built for this alone, and what
it was built from is deleted.

A flag's name comes from `--help`, or, where the help hides it, from trying the names that other releases or
components had. Its type comes from what the binary says of a value that only text can be.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lab import components, gobuild

from kubeadm_py.config.component_flags import COMPONENTS, TABLES, flags_of
from kubeadm_py.config.removed_flags import REMOVED_FLAGS
from kubeadm_py.model.versions import RELEASES

KUBERNETES = tuple(component for component in COMPONENTS if component != "etcd")
PROBES_AT_ONCE = 2

_IN_HELP = re.compile(r"^ +(?:-[a-z], )?--([a-z][a-z0-9-]*)", re.MULTILINE)
_PLUGINS = re.compile(
    r"--enable-admission-plugins strings.*?Comma-delimited list of admission plugins: ([^.]+)\."
)
_UNKNOWN = ("unknown flag", "flag provided but not defined")
_TYPES = (
    ("strconv.ParseBool", "bool"),
    ("invalid boolean value", "bool"),
    ("strconv.ParseInt", "int"),
    ("strconv.ParseUint", "uint"),
    ("strconv.ParseFloat", "float"),
    ("time: invalid duration", "duration"),
    ("failed to parse IP", "ip"),
)
"""What a binary says of the value `x`, and which type says it."""
_BY_VALUE = (("1s", "duration"), ("0.5", "float"), ("-1", "int"), ("1", "uint"))
"""etcd says "parse error" whatever the type: what it takes then tells."""
_SURELY_HIDDEN_TRIED = (
    "apiserver-count",
    "default-watch-cache-size",
    "kubelet-port",
    "kubelet-read-only-port",
    "node-sync-period",
)
"""Flags of older releases that are in no table of removed ones."""

HEAD = """\
# What the components of Kubernetes {minor} accept: component, flag, type of its value.
# Written by `make flags` from the binaries of {version} and etcd {etcd}; do not edit.
"""


def main() -> None:
    """Ask the binaries and write the table."""
    parser = argparse.ArgumentParser(prog="python -m flagtables", description=__doc__)
    parser.add_argument("--release", help="of Kubernetes, as v1.35.4 (default: the lab's)")
    release = parser.parse_args().release
    table = components.load()
    kubernetes, etcd = table["kubernetes"], table["etcd"]
    if release:
        minor = release.lstrip("v").rpartition(".")[0]
        kubernetes, etcd = kubernetes.at(release), etcd.at(RELEASES[minor].etcd)
    folders = {**dict.fromkeys(KUBERNETES, gobuild.build(kubernetes)), "etcd": gobuild.build(etcd)}
    minor = kubernetes.version.lstrip("v").rpartition(".")[0]
    text = HEAD.format(minor=minor, version=kubernetes.version, etcd=etcd.version)
    for component, folder in folders.items():
        text += "".join(f"{component} {line}\n" for line in _lines(folder / component))
    TABLES.mkdir(exist_ok=True)
    (TABLES / f"{minor}.txt").write_text(text, encoding="utf-8")
    if release:
        gobuild.forget_sources()


def names_in_help(binary: Path) -> set[str]:
    """Return the flags that `--help` lists."""
    return set(_IN_HELP.findall(_ask(binary))) - {"help"}


def is_known(binary: Path, flag: str) -> bool:
    """Say whether the binary has the flag, hidden ones included; nothing is started."""
    answer = _ask(binary, f"--{flag}=")
    return not any(words in answer for words in _UNKNOWN)


def _lines(binary: Path) -> Iterator[str]:
    listed = names_in_help(binary)
    candidates = {flag for flags in REMOVED_FLAGS.values() for flag in flags} | set(_SURELY_HIDDEN_TRIED)
    candidates |= {flag for minor in RELEASES for flag in flags_of(minor, binary.name)}
    with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
        tried = sorted(candidates - listed)
        hidden = {
            flag
            for flag, known in zip(tried, pool.map(partial(is_known, binary), tried), strict=True)
            if known
        }
        names = sorted(listed | hidden)
        for name, type_ in zip(names, pool.map(partial(_type, binary), names), strict=True):
            yield f"{name} {type_}"
    for plugin in sorted(_plugins(binary)):
        yield f"admission-plugin:{plugin} plugin"


def _type(binary: Path, flag: str) -> str:
    answer = _ask(binary, f"--{flag}=x")
    if "parse error" in answer and "boolean" not in answer:
        return next((type_ for value, type_ in _BY_VALUE if _takes(binary, flag, value)), "text")
    return next((type_ for words, type_ in _TYPES if words in answer), "text")


def _takes(binary: Path, flag: str, value: str) -> bool:
    return "invalid value" not in _ask(binary, f"--{flag}={value}")


def _plugins(binary: Path) -> Iterable[str]:
    found = _PLUGINS.search(_ask(binary))
    return [name.strip() for name in found[1].split(",")] if found else []


def _ask(binary: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(binary), *arguments, "--help"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


if __name__ == "__main__":
    main()
