"""Compare our certificates and kubeconfigs with what real kubeadm made of the same config.

No difference is wanted here: kubeadm checks, renews and reuses what we make, and we what it makes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from kubeadm_py.config import load
from kubeadm_py.pki import files, keys
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import key_pair_requests, kubeconfig_requests, requests

ORACLE = Path(__file__).parent.parent / "kubeadm"
NOW = datetime(2026, 11, 20, 22, 41, 14, 123456, tzinfo=UTC)

CASES = ["stacked", "external-etcd"]


@cache
def made(case: str) -> dict[str, tuple[bytes, int]]:
    """Return path -> (content, mode) of everything under /etc/kubernetes that belongs to the PKI."""
    cluster = load.load(str(ORACLE / case / "config.yaml")).cluster
    (node,) = cluster.nodes
    key = keys.generate("RSA-2048")
    with Authorities.from_fresh(cluster, now=NOW, key_maker=lambda _algorithm: key) as authorities:
        produce = files.producers(authorities)
        specs = [
            *files.certificate_files(requests(cluster, node)),
            *files.key_pair_files(key_pair_requests(cluster)),
            *files.kubeconfig_files(kubeconfig_requests(cluster, node)),
        ]
        return {spec.path: (produce[spec.content.producer](spec.content.args), spec.mode) for spec in specs}


def recorded(case: str, name: str) -> dict[str, Any]:
    return json.loads((ORACLE / case / name).read_text())


def usages_of(certificate: x509.Certificate) -> list[str]:
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    names += ("key_agreement", "key_cert_sign", "crl_sign")
    return [name for name in names if getattr(usage.value, name)]


def read(pem: bytes) -> dict[str, Any]:
    """Read a certificate into the form of the recording."""
    certificate = x509.load_pem_x509_certificate(pem)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    found: dict[str, Any] = {
        "ca": constraints.value.ca,
        "hours": round(lifetime.total_seconds() / 3600, 1),
        "issuer": name_of(certificate.issuer),
        "key": keys.algorithm_of(certificate.public_key()),
        "subject": name_of(certificate.subject),
        "usage": usages_of(certificate),
    }
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            known = {
                ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
                ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
            }
            found["eku"] = sorted(known[oid] for oid in extension.value)
        if isinstance(extension.value, x509.SubjectAlternativeName):
            found["dns"] = extension.value.get_values_for_type(x509.DNSName)
            found["ip"] = [str(address) for address in extension.value.get_values_for_type(x509.IPAddress)]
    return found


def name_of(name: x509.Name) -> str:
    return ",".join(f"{attribute.oid._name}={attribute.value}" for attribute in name)


def only(entries: Iterable[Any]) -> Any:
    (entry,) = entries
    return entry


@pytest.mark.parametrize("case", CASES)
def test_certificates_mean_the_same(case: str) -> None:
    ours = {path: read(content) for path, (content, _) in made(case).items() if path.endswith(".crt")}
    assert ours == recorded(case, "certificates.json")


@pytest.mark.parametrize("case", CASES)
def test_kubeconfigs_mean_the_same(case: str) -> None:
    ours = {}
    for path, (content, _) in made(case).items():
        if not path.endswith(".conf"):
            continue
        document = yaml.safe_load(content)
        cluster, user = only(document["clusters"]), only(document["users"])
        context = only(document["contexts"])
        assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}
        assert (
            base64.b64decode(cluster["cluster"]["certificate-authority-data"])
            == (made(case)["/etc/kubernetes/pki/ca.crt"][0])
        )
        ours[path] = {
            "certificate": read(base64.b64decode(user["user"]["client-certificate-data"])),
            "cluster": cluster["name"],
            "context": context["name"],
            "current": document["current-context"],
            "server": cluster["cluster"]["server"],
            "user": user["name"],
        }
    assert ours == recorded(case, "kubeconfigs.json")


@pytest.mark.parametrize("case", CASES)
def test_the_same_files_with_the_same_modes(case: str) -> None:
    lines = (ORACLE / case / "modes.txt").read_text().splitlines()
    wanted = {path: mode for mode, _owner, path in (line.split() for line in lines)}
    wanted = {
        path: mode
        for path, mode in wanted.items()
        if path.startswith("/etc/kubernetes/pki/") or path.endswith(".conf")
    }
    assert {path: f"{mode:o}" for path, (_, mode) in made(case).items()} == wanted
