"""Read pki/certificates.yaml: the table of authorities, certificates, key pairs and kubeconfigs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kubeadm_py import assets
from kubeadm_py.model.versions import Version


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """Hold one certificate authority of the table."""

    name: str
    file: str
    common_name: str
    local_etcd_only: bool = False


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """Hold one certificate of the table."""

    name: str
    file: str
    common_name: str
    usages: tuple[str, ...]
    signer: str
    hosts: tuple[str, ...]
    organizations: tuple[str, ...] = ()
    sans: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    local_etcd_only: bool = False
    organizations_before_minor: str = ""
    organizations_before: tuple[str, ...] = ()

    def organizations_of(self, version: Version) -> tuple[str, ...]:
        """Return the subject's organizations in a cluster of this Kubernetes version."""
        if self.organizations_before_minor:
            change = Version.parse(f"{self.organizations_before_minor}.0")
            if (version.major, version.minor) < (change.major, change.minor):
                return self.organizations_before
        return self.organizations


@dataclass(frozen=True, slots=True)
class KeyPairRow:
    """Hold one bare key pair of the table."""

    name: str
    file: str


@dataclass(frozen=True, slots=True)
class KubeconfigRow:
    """Hold one kubeconfig of the table."""

    file: str
    user: str
    server: str
    hosts: tuple[str, ...]
    organizations: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Hold the whole table in kubeadm's order."""

    authorities: tuple[AuthorityRow, ...]
    certificates: tuple[CertificateRow, ...]
    key_pairs: tuple[KeyPairRow, ...]
    kubeconfigs: tuple[KubeconfigRow, ...]

    def paths(self, certificates_dir: str, *, external_etcd: bool) -> frozenset[str]:
        """Return the path of every certificate and key of the table, whichever host carries it."""
        rows: list[AuthorityRow | CertificateRow] = [*self.authorities, *self.certificates]
        certified = [row.file for row in rows if not (external_etcd and row.local_etcd_only)]
        endings = dict.fromkeys(certified, (".crt", ".key"))
        endings |= {pair.file: (".pub", ".key") for pair in self.key_pairs}
        return frozenset(
            f"{certificates_dir}/{file}{ending}" for file, each in endings.items() for ending in each
        )

    def used_by(self, name: str) -> tuple[str, ...]:
        """Return the static pods that read a certificate or a kubeconfig, by its name for `certs renew`."""
        for row in self.certificates:
            if row.name == name:
                return row.used_by
        return next((row.used_by for row in self.kubeconfigs if row.file == name), ())


@cache
def table() -> Table:
    """Return the table that the product ships."""
    return read(assets.folder("pki") / "certificates.yaml")


def read(path: Path) -> Table:
    """Read a table; raise KeyError or TypeError where a row lacks a key or has one too many."""
    document = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return Table(
        authorities=tuple(AuthorityRow(**_snake(row)) for row in document["authorities"]),
        certificates=tuple(_certificate(row) for row in document["certificates"]),
        key_pairs=tuple(KeyPairRow(**row) for row in document["keyPairs"]),
        kubeconfigs=tuple(KubeconfigRow(**_tuples(_snake(row))) for row in document["kubeconfigs"]),
    )


def _certificate(row: Mapping[str, Any]) -> CertificateRow:
    fields = _snake(row)
    before = fields.pop("organizations_before", None)
    if before:
        fields["organizations_before_minor"] = before["minor"]
        fields["organizations_before"] = before["organizations"]
    return CertificateRow(**_tuples(fields))


def _snake(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key): value
        for key, value in row.items()
    }


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
