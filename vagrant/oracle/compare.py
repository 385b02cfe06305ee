"""Compare a recording with what we render, in meaning: both become plain data by file or object name."""

import base64
import contextlib
import ipaddress
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubeadm_py.config.durations import parse_duration
from oracle.cases import CASES
from oracle.record import MASK

DIFFERENCES = CASES / "differences.yaml"
ABSENT = object()
ANY = "*"
"""Stands in the list for any value, at a path's end for any rest of it, and before the end of a text."""
ANY_OR_NONE = "*?"
"""Stands in the list for any value, or none at all."""
EMPTY = "empty"
"""Stands in the list for 0, false, and what holds nothing."""
NODE = "node"
"""The name under which a node's labels and taints stand."""
_HASH = "kubeadm.kubernetes.io/component-config.hash"
_YAML_IN_CONFIG_MAPS = ("ClusterConfiguration", "kubelet", "kubeconfig", "config.conf", "kubeconfig.conf")

Difference = tuple[str, str, Any, Any]
"""The file or object, the path in it, kubeadm's value, ours."""


@dataclass(frozen=True)
class Wanted:
    """Hold one entry of the list of wanted differences.

    It may be in any config; with `when`, only in those that the pattern is found in; with `cases`, only in
    these recorded cases and in those generated configs.
    """

    cases: tuple[str, ...] | None
    when: re.Pattern[str] | None
    difference: Difference

    def concerns(self, case: str, config: str) -> bool:
        """Say whether a recorded case, or a generated config without a name, may have this difference."""
        if self.cases is not None and case:
            return case in self.cases
        if self.when is not None:
            return self.when.search(config) is not None
        return self.cases is None

    def explains(self, found: Difference) -> bool:
        """Say whether this is what was found."""
        (where, path, *sides), (found_where, found_path, *found_sides) = self.difference, found
        return (
            where == found_where
            and (path == found_path or (path.endswith(ANY) and found_path.startswith(path[: -len(ANY)])))
            and all(_fits(side, value) for side, value in zip(sides, found_sides, strict=True))
        )


def _fits(listed: Any, value: Any) -> bool:
    if listed == ANY_OR_NONE:
        return True
    if value is ABSENT or listed is ABSENT:
        return value is listed
    if isinstance(listed, str) and isinstance(value, str) and listed.startswith(ANY):
        return value.endswith(listed[len(ANY) :])
    return (
        listed == ANY or (listed == EMPTY and not value) or (type(listed) is type(value) and listed == value)
    )


def wanted() -> list[Wanted]:
    """Read the list of wanted differences in what is made."""
    found = []
    for entry in _listed("where"):
        cases = tuple(entry["cases"]) if "cases" in entry else None
        when = re.compile(entry["when"], re.MULTILINE) if "when" in entry else None
        sides = entry.get("kubeadm", ABSENT), entry.get("ours", ABSENT)
        found.append(Wanted(cases, when, (entry["where"], entry["path"], *sides)))
    return found


def refusals() -> list[re.Pattern[str]]:
    """Read the list of what only we refuse: each pattern is looked for in `PATH: MESSAGE`."""
    return [re.compile(entry["refused"]) for entry in _listed("refused")]


def _listed(kind: str) -> list[dict[str, Any]]:
    """Return the list's entries of a kind; raise ValueError for one without a reason."""
    entries: list[dict[str, Any]] = yaml.load(DIFFERENCES.read_text(), yaml.CSafeLoader)
    for entry in entries:
        if len(entry["reason"]) <= 20:
            raise ValueError(f"without a reason: {entry}")
    return [entry for entry in entries if kind in entry]


def recorded_files(folder: Path) -> dict[str, bytes]:
    """Return the files that are recorded byte for byte."""
    files = folder / "files"
    return {f"/{path.relative_to(files)}": path.read_bytes() for path in files.rglob("*") if path.is_file()}


def recorded(folder: Path) -> dict[str, Any]:
    """Return everything of a recording."""
    return {
        **parse_files(recorded_files(folder)),
        **parse_objects(recorded_objects(folder)),
        **_json(folder / "certificates.json"),
        **_json(folder / "kubeconfigs.json"),
        NODE: dict(line.split(": ", 1) for line in (folder / "node.txt").read_text().splitlines()),
    }


def recorded_objects(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded API objects, in their order; a join makes none."""
    recording = folder / "objects.yaml"
    return list(yaml.load_all(recording.read_text(), yaml.CSafeLoader)) if recording.exists() else []


def recorded_modes(folder: Path) -> dict[str, str]:
    """Return mode and owner of every file that kubeadm made."""
    lines = (line.split(" ", 2) for line in (folder / "modes.txt").read_text().splitlines())
    return {path: f"{mode} {owner}" for mode, owner, path in lines}


def parse_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the files of a host as plain data, a component's flags by name."""
    return {path: _parse_file(path, content.decode()) for path, content in files.items()}


def parse_objects(documents: Iterable[Any], ca: bytes = b"") -> dict[str, Any]:
    """Return API objects as plain data; what trusts `ca` is masked as a recording is."""
    parsed = {}
    for document in documents:
        data = {
            key: value.replace(base64.b64encode(ca).decode(), MASK) if ca else value
            for key, value in document.get("data", {}).items()
        }
        data |= {key: yaml.load(data[key], yaml.CSafeLoader) for key in _YAML_IN_CONFIG_MAPS if key in data}
        document = {**document, "data": data} if data else dict(document)
        if hashed := document["metadata"].get("annotations", {}).get(_HASH):
            # It is over the tool's own bytes, by which an edited config is known.
            annotations = document["metadata"]["annotations"] | {_HASH: hashed.partition(":")[0]}
            document["metadata"] = document["metadata"] | {"annotations": annotations}
        parsed[identify(document)] = document
    return parsed


def identify(document: Mapping[str, Any]) -> str:
    """Return an object's name: `ConfigMap kube-system/kubeadm-config`."""
    metadata = document["metadata"]
    namespace = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{document['kind']} {namespace}{metadata['name']}"


def found(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Difference]:
    """Return every difference in meaning."""
    return [
        (where, *difference)
        for where in sorted({*theirs, *ours})
        for difference in _differences(theirs.get(where, ABSENT), ours.get(where, ABSENT))
    ]


def found_modes(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[Difference]:
    """Return every file of kubeadm's that we give another mode or owner, or lack."""
    return [
        (path, "mode", mode, ours.get(path, ABSENT))
        for path, mode in theirs.items()
        if ours.get(path) != mode
    ]


def unwanted(differences: Iterable[Difference], case: str = "", config: str = "") -> list[Difference]:
    """Return what the list does not explain of a recorded case, or of a generated config without a name."""
    listed = [entry for entry in wanted() if entry.concerns(case, config)]
    return [one for one in differences if not any(entry.explains(one) for entry in listed)]


def _differences(theirs: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        for key in sorted({*theirs, *ours}):
            below = f"{path}.{key}" if path else key
            yield from _differences(theirs.get(key, ABSENT), ours.get(key, ABSENT), below)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for index in range(max(len(theirs), len(ours))):
            left = theirs[index] if index < len(theirs) else ABSENT
            right = ours[index] if index < len(ours) else ABSENT
            yield from _differences(left, right, f"{path}[{index}]")
    elif type(theirs) is not type(ours) or _meaning(theirs) != _meaning(ours):
        yield path, theirs, ours


def _meaning(value: Any) -> Any:
    """Return durations and addresses as such: 1m is 1m0s, and an IPv6 address has many spellings."""
    if isinstance(value, str):
        for read in (parse_duration, ipaddress.ip_address):
            with contextlib.suppress(ValueError):
                return read(value)
    return value


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def _parse_file(path: str, text: str) -> Any:
    if not path.endswith(".env"):
        document = yaml.load(text, yaml.CSafeLoader)
        if document.get("kind") == "Pod":
            for container in document["spec"]["containers"]:
                program, *arguments = container.get("command", [""])
                container["command"] = {"": program, **_flags(arguments)}
        return document
    name, _, quoted = text.removesuffix("\n").partition("=")
    (line,) = shlex.split(quoted)
    return {name: _flags(line.split())}


def _flags(arguments: list[str]) -> dict[str, Any]:
    flags: dict[str, list[str]] = {}
    for argument in arguments:
        flag, _, value = argument.removeprefix("--").partition("=")
        flags.setdefault(flag, []).append(value)
    return {flag: values[0] if len(values) == 1 else values for flag, values in flags.items()}
