"""Make the config files of fields.yaml and files.yaml."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
API = "kubeadm.k8s.io/v1beta4"
ACCEPTED, REFUSED, REFUSED_HERE = "accepted", "refused", "refused here only"
ACCEPTED_HERE = "accepted here only"
LEAST = f"apiVersion: {API}\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.3\n"
BASES: dict[str, dict[str, Any]] = {
    "ClusterConfiguration": {"kubernetesVersion": "v1.36.3"},
    "JoinConfiguration": {
        "discovery": {
            "bootstrapToken": {
                "token": "abcdef.0123456789abcdef",
                "apiServerEndpoint": "10.0.0.1:6443",
                "unsafeSkipCAVerification": True,
            }
        }
    },
}
TOKEN = {"token": "abcdef.0123456789abcdef"}


@dataclass(frozen=True)
class Case:
    """Hold one config file with kubeadm's verdict."""

    name: str
    verdict: str
    text: str

    @property
    def kubeadm_accepts(self) -> bool:
        """Say whether real kubeadm accepts it."""
        return self.verdict in (ACCEPTED, REFUSED_HERE)

    @property
    def we_accept(self) -> bool:
        """Say whether it is accepted here."""
        return self.verdict in (ACCEPTED, ACCEPTED_HERE)


def fields() -> Iterator[Case]:
    """Yield a case for every value of every field."""
    for kind, paths in _read("fields.yaml").items():
        for path, verdicts in paths.items():
            for verdict, values in verdicts.items():
                for value in values:
                    yield Case(f"{kind}.{path} = {value!r}", verdict, _dump([_with(kind, path, value)]))


def files() -> Iterator[Case]:
    """Yield a case for every whole file."""
    for verdict, listed in _read("files.yaml").items():
        for documents in listed:
            yield Case(str(documents), verdict, _dump(documents))


def texts() -> Iterator[Case]:
    """Yield a case for every text that is no more than text."""
    for verdict, listed in _read("texts.yaml").items():
        for text in listed:
            yield Case(text, verdict, text.replace("CC", LEAST))


def _with(kind: str, path: str, value: Any) -> dict[str, Any]:
    document = {"apiVersion": API, "kind": kind, **copy.deepcopy(BASES.get(kind, {}))}
    current: Any = document
    *steps, last = path.split(".")
    for step in steps:
        if step == "0":
            current.append(dict(TOKEN))
            current = current[0]
        else:
            empty: Any = [] if step == "bootstrapTokens" else {}
            if not isinstance(current.get(step), dict | list):
                current[step] = empty
            current = current[step]
    current[last] = value
    return document


def _read(name: str) -> Any:
    return yaml.load((HERE / name).read_text(), yaml.CSafeLoader)


def _dump(documents: list[Any]) -> str:
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
