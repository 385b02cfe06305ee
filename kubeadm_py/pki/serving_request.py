"""Read the certificate request by which a kubelet asks for the certificate that it serves with."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from kubeadm_py.pki.node_request import GROUP, user_of

SIGNER = "kubernetes.io/kubelet-serving"
USAGES = frozenset({"digital signature", "key encipherment", "server auth"})
"""All that the signer takes; an elliptic key does without the second."""


@dataclass(frozen=True, slots=True)
class ServingRequest:
    """Hold what a request asks for."""

    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    other_names: bool
    """Whether it asks for names of another kind."""

    def refusal(self, node: str, dns_names: frozenset[str], addresses: frozenset[str]) -> str:
        """Return what keeps it from being this node's, as the rest of a sentence; empty: nothing."""
        if self.common_name != user_of(node) or self.organizations != (GROUP,):
            return f"asks for the subject {self.common_name}, {', '.join(self.organizations)}"
        strange = [name for name in self.dns_names if name not in dns_names]
        strange += [address for address in self.ip_addresses if address not in addresses]
        if strange:
            return f"asks for {', '.join(strange)}, which the file does not know as the host's"
        if self.other_names:
            return "asks for names that are neither DNS names nor addresses"
        return "" if self.dns_names or self.ip_addresses else "asks for no name at all"


def read(pem: bytes) -> ServingRequest | None:
    """Return what a request in PEM form asks for; None where it is none, or not signed by its own key."""
    try:
        request = x509.load_pem_x509_csr(pem)
        if not request.is_signature_valid:
            return None
        subject = request.subject
        names: x509.SubjectAlternativeName | None = None
        for extension in request.extensions:
            if extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
                names = extension.value
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    general = list(names) if names is not None else []
    dns = tuple(each.value for each in general if isinstance(each, x509.DNSName))
    addresses = tuple(str(each.value) for each in general if isinstance(each, x509.IPAddress))
    common = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if len(common) != 1 or len(list(subject)) != len(common) + len(groups):
        return None
    return ServingRequest(common[0], tuple(groups), dns, addresses, len(general) != len(dns) + len(addresses))
