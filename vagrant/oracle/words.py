"""Put certificates and kubeconfigs into words: what they mean, without keys and signatures."""

import base64
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_EXTENDED_USAGES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
}


def read_certificate(pem: bytes) -> dict[str, Any]:
    """Return subject, issuer, key, names, usages and lifetime in hours of a certificate."""
    certificate = x509.load_pem_x509_certificate(pem)
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    found: dict[str, Any] = {
        "ca": constraints.ca,
        "hours": round(lifetime.total_seconds() / 3600, 1),
        "issuer": _name(certificate.issuer),
        "key": _key(certificate),
        "subject": _name(certificate.subject),
        "usage": [name for name in _USAGES if getattr(usage, name)],
    }
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            found["eku"] = sorted(_EXTENDED_USAGES[oid] for oid in extension.value)
        if isinstance(extension.value, x509.SubjectAlternativeName):
            found["dns"] = extension.value.get_values_for_type(x509.DNSName)
            found["ip"] = [str(address) for address in extension.value.get_values_for_type(x509.IPAddress)]
    return found


def read_kubeconfig(text: bytes, ca: bytes) -> dict[str, Any]:
    """Return what a kubeconfig of one cluster and one user says; `ca` is what it must trust.

    A client certificate is put into words, a token is only noted as there. Raise ValueError where the file
    is not of that form.
    """
    document = yaml.safe_load(text)
    (cluster,), (user,), (context,) = document["clusters"], document["users"], document["contexts"]
    if context["context"] != {"cluster": cluster["name"], "user": user["name"]}:
        raise ValueError(f"the context is {context['context']}")
    if base64.b64decode(cluster["cluster"]["certificate-authority-data"]) != ca:
        raise ValueError("the kubeconfig trusts another CA")
    found = {
        "cluster": cluster["name"],
        "context": context["name"],
        "current": document["current-context"],
        "server": cluster["cluster"]["server"],
        "user": user["name"],
    }
    credentials = user["user"]
    if "client-certificate-data" in credentials:
        found["certificate"] = read_certificate(base64.b64decode(credentials["client-certificate-data"]))
    if "token" in credentials:
        found["token"] = True
    return found


def _name(name: x509.Name) -> str:
    return ",".join(f"{attribute.oid._name}={attribute.value!s}" for attribute in name)


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA-P{key.key_size}"
    raise ValueError(f"a key of another kind: {type(key).__name__}")
