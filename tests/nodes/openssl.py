"""An operator's own certificate authorities, whose keys never come near a host: plain openssl."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import yaml
from lab.process import run

AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd/ca": "etcd-ca"}
"""File below certificatesDir -> common name."""
_SIGNED_BY = {
    "front-proxy-client": "front-proxy-ca",
    "apiserver-etcd-client": "etcd/ca",
    "etcd/server": "etcd/ca",
    "etcd/peer": "etcd/ca",
    "etcd/healthcheck-client": "etcd/ca",
}
_SERVES = {
    "apiserver": "serverAuth",
    "etcd/server": "serverAuth,clientAuth",
    "etcd/peer": "serverAuth,clientAuth",
}


class Authorities:
    """Three authorities in a folder of the operator's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, common_name in AUTHORITIES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]
            words += [
                "-subj",
                f"/CN={common_name}",
                "-addext",
                "keyUsage=critical,digitalSignature,keyCertSign",
            ]
            run([*words, "-keyout", f"{folder / name}.key", "-out", f"{folder / name}.crt"])

    def certificate(self, name: str) -> bytes:
        return (self.folder / f"{name}.crt").read_bytes()

    def sign(self, request: Path, *, by: str = "ca", usages: str = "clientAuth", days: int = 365) -> bytes:
        """Sign a request: the names that it asks for, these usages."""
        rules = request.with_suffix(".ext")
        rules.write_text(
            f"basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usages}\n"
        )
        signed = request.with_suffix(".crt")
        words = ["openssl", "x509", "-req", "-in", request, "-copy_extensions", "copy", "-extfile", rules]
        words += ["-CA", f"{self.folder / by}.crt", "-CAkey", f"{self.folder / by}.key", "-CAcreateserial"]
        run([*map(str, words), "-days", str(days), "-out", str(signed)])
        return signed.read_bytes()

    def complete(self, pki: Path, kubeconfigs: Path) -> Iterator[tuple[str, bytes]]:
        """Sign all that `certs generate-csr` asked for; yield files by their path below /etc/kubernetes."""
        for name in AUTHORITIES:
            yield f"pki/{name}.crt", self.certificate(name)
        for request in sorted(pki.rglob("*.csr")):
            name = str(request.relative_to(pki).with_suffix(""))
            signed = self.sign(request, by=_SIGNED_BY.get(name, "ca"), usages=_SERVES.get(name, "clientAuth"))
            yield f"pki/{name}.key", request.with_suffix(".key").read_bytes()
            yield f"pki/{name}.crt", signed
        for request in sorted(kubeconfigs.glob("*.conf.csr")):
            path = kubeconfigs / request.name.removesuffix(".csr")
            document = yaml.safe_load(path.read_text())
            document["clusters"][0]["cluster"]["certificate-authority-data"] = _text(self.certificate("ca"))
            document["users"][0]["user"]["client-certificate-data"] = _text(self.sign(request))
            yield path.name, yaml.safe_dump(document).encode()


def self_signed(folder: Path, common_name: str, address: str, name: str = "") -> tuple[bytes, bytes]:
    """Return a certificate for an address (and a name) that only itself vouches for, and its key."""
    certificate, key = folder / "self.crt", folder / "self.key"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = f"subjectAltName=IP:{address}" + (f",DNS:{name}" if name else "")
    words += ["-days", "30", "-subj", f"/CN={common_name}", "-addext", names]
    run([*words, "-keyout", str(key), "-out", str(certificate)])
    return certificate.read_bytes(), key.read_bytes()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
