"""Whose serving certificate is approved: a node may ask for itself only."""

from __future__ import annotations

import base64
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.steps.kubelet import serving as kubelet_serving

KEY = ec.generate_private_key(ec.SECP256R1())
CLUSTER = ResolvedCluster(
    "demo",
    Version(1, 36, 3),
    (
        Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.9.9.9"),
        Node("w1", Role.WORKER, ("10.0.0.21", "fd00::21")),
    ),
)


def csr(
    name: str = "w1",
    *,
    common_name: str = "",
    groups: tuple[str, ...] = ("system:nodes",),
    dns: tuple[str, ...] = ("w1",),
    addresses: tuple[str, ...] = ("10.0.0.21", "fd00::21"),
    mail: str = "",
    **spec: object,
) -> dict[str, object]:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name or f"system:node:{name}"))
    general: list[x509.GeneralName] = [x509.DNSName(each) for each in dns]
    general += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    general += [x509.RFC822Name(mail)] if mail else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if general:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    pem = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return {
        "metadata": {"name": "csr-1"},
        "spec": {
            "username": f"system:node:{name}",
            "groups": ["system:nodes", "system:authenticated"],
            "signerName": "kubernetes.io/kubelet-serving",
            "usages": ["digital signature", "server auth"],
            "request": base64.b64encode(pem).decode(),
            **spec,
        },
    }


@pytest.mark.parametrize(
    "item",
    [
        csr(),
        csr(addresses=("10.0.0.21",)),
        csr(dns=(), usages=["digital signature", "key encipherment", "server auth"]),
        csr("cp1", dns=("cp1",), addresses=("10.0.0.11", "10.9.9.9")),
    ],
)
def test_a_host_of_the_file_may_serve_by_its_own_names(item):
    assert kubelet_serving.refusal(item, CLUSTER) == ""


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (csr("w9", dns=("w9",), addresses=()), "system:node:w9 is no host of the file"),
        (csr(username="system:admin"), "system:admin is no host of the file"),
        (csr(username="system:node:cp1"), "asks for the subject system:node:w1"),
        (csr(common_name="system:node:cp1"), "asks for the subject system:node:cp1"),
        (csr(groups=("system:nodes", "system:masters")), "asks for the subject"),
        (csr(groups=()), "asks for the subject"),
        (csr(dns=("w1", "cp1")), "asks for cp1, which"),
        (csr(dns=("kubernetes.default.svc",)), "asks for kubernetes.default.svc"),
        (csr(addresses=("10.0.0.21", "10.0.0.11")), "asks for 10.0.0.11"),
        (csr(mail="root@example.org"), "neither DNS names nor addresses"),
        (csr(dns=(), addresses=()), "asks for no name at all"),
        (csr(usages=["client auth"]), "asks for the usages client auth"),
        (csr(usages=["server auth", "client auth"]), "asks for the usages"),
        (csr(usages=[]), "asks for the usages"),
        ({"metadata": {"name": "csr-1"}, "spec": {}}, "None is no host of the file"),
        (csr(signerName="kubernetes.io/kube-apiserver-client"), "does not ask as a kubelet does"),
        (csr(request="!!!"), "no signed request"),
        (csr(request=base64.b64encode(b"nothing").decode()), "no signed request"),
        (csr(request=None), "no signed request"),
    ],
)
def test_everything_else_is_refused_with_the_reason(item, says):
    assert says in kubelet_serving.refusal(item, CLUSTER)


def test_a_request_that_another_key_signed_is_none():
    item = csr()
    der = x509.load_pem_x509_csr(base64.b64decode(item["spec"]["request"])).public_bytes(
        serialization.Encoding.DER
    )
    broken = der[:-1] + bytes([der[-1] ^ 1])
    pem = (
        b"-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(broken)
        + b"-----END CERTIFICATE REQUEST-----\n"
    )
    item["spec"]["request"] = base64.b64encode(pem).decode()
    assert "no signed request" in kubelet_serving.refusal(item, CLUSTER)
