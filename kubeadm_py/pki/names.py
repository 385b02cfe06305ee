"""Build and read certificate subjects as Go's x509 package orders them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

# A node name may make the common name longer than X.520's 64 bytes (`system:node:` and a long FQDN). Go
# and so every Kubernetes component takes that; cryptography warns wherever such a name is touched.
warnings.filterwarnings("ignore", message="Attribute's length must be", category=UserWarning)


def subject(common_name: str, organizations: Iterable[str]) -> x509.Name:
    """Return a subject with the organizations first, all in one relative name."""
    names: list[x509.RelativeDistinguishedName] = []
    groups = [_attribute(NameOID.ORGANIZATION_NAME, group) for group in dict.fromkeys(organizations)]
    if groups:
        names.append(x509.RelativeDistinguishedName(groups))
    return x509.Name([*names, x509.RelativeDistinguishedName([_attribute(NameOID.COMMON_NAME, common_name)])])


def common_name(name: x509.Name) -> str:
    """Return the common name; empty where there is none."""
    return next(iter(_values(name, NameOID.COMMON_NAME)), "")


def organizations(name: x509.Name) -> tuple[str, ...]:
    """Return the organizations, which Kubernetes reads as groups."""
    return tuple(_values(name, NameOID.ORGANIZATION_NAME))


def text(name: x509.Name) -> str:
    """Return a subject as people write it: `CN=NAME, O=GROUP`."""
    return ", ".join([f"CN={common_name(name)}", *(f"O={group}" for group in organizations(name))])


def _values(name: x509.Name, oid: ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]


def _attribute(oid: ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    return x509.NameAttribute(oid, value, _validate=False)
