"""Derive from the table what a host of this cluster must carry: pure values, nothing is signed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from string import Template
from typing import Any

from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki import sans
from kubeadm_py.pki.table import AuthorityRow, CertificateRow, KubeconfigRow, table

ETCD_CA = "etcd-ca"
ETCD_CLIENT = "apiserver-etcd-client"
"""The table's names of etcd's authority, and of what API servers show to etcd."""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Describe one certificate and its key; hashable, and equal requests are the same certificate."""

    name: str
    """kubeadm's own name: `apiserver`, `etcd-server`, ..."""
    path: str
    """Absolute path on the host without .crt and .key."""
    common_name: str
    validity: timedelta
    algorithm: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    usages: tuple[str, ...] = ()
    signer: str = ""
    """Name of the authority; empty for an authority itself."""
    node: str = ""
    """Host that carries it; empty for an authority, which all control planes share."""

    @property
    def is_authority(self) -> bool:
        """Say whether this is a self-signed CA."""
        return not self.signer

    @property
    def certificate_path(self) -> str:
        """Return where the certificate lies."""
        return f"{self.path}.crt"

    @property
    def key_path(self) -> str:
        """Return where the key lies."""
        return f"{self.path}.key"

    def describe(self) -> dict[str, Any]:
        """Return what a plan may show."""
        described: dict[str, Any] = {"certificate": self.name, "subject": subject_text(self)}
        if self.dns_names or self.ip_addresses:
            described["sans"] = [*self.dns_names, *self.ip_addresses]
        if self.usages:
            described["usages"] = list(self.usages)
        described["signer"] = self.signer or "self"
        return described | {"lifetime": hours_text(self.validity), "key": self.algorithm}


@dataclass(frozen=True, slots=True)
class KeyPairRequest:
    """Describe a bare key pair: `PATH.key` and `PATH.pub`."""

    name: str
    path: str
    algorithm: str

    @property
    def key_path(self) -> str:
        """Return where the private key lies."""
        return f"{self.path}.key"

    @property
    def public_key_path(self) -> str:
        """Return where the public key lies."""
        return f"{self.path}.pub"

    def describe(self) -> dict[str, Any]:
        """Return what a plan may show."""
        return {"key pair": self.name, "key": self.algorithm}


@dataclass(frozen=True, slots=True)
class KubeconfigRequest:
    """Describe one kubeconfig with a client certificate of its own, signed by the authority `ca`."""

    name: str
    """Its file's name, which is also its name for `certs renew`: `admin.conf`."""
    path: str
    user: str
    organizations: tuple[str, ...]
    server: str
    cluster_name: str
    validity: timedelta
    algorithm: str
    node: str = ""

    @property
    def certificate(self) -> CertificateRequest:
        """Return the request for the client certificate inside."""
        return CertificateRequest(
            name=self.name,
            path=self.path,
            common_name=self.user,
            organizations=self.organizations,
            validity=self.validity,
            algorithm=self.algorithm,
            usages=("clientAuth",),
            signer="ca",
            node=self.node,
        )

    def describe(self) -> dict[str, Any]:
        """Return what a plan may show."""
        described = self.certificate.describe()
        del described["certificate"]
        return {"kubeconfig": self.name, "server": self.server, **described}


def requests(cluster: ResolvedCluster, node: Node) -> list[CertificateRequest]:
    """List authorities and certificates of a control-plane host, each authority before what it signs."""
    leaves = leaf_requests(cluster, node)
    listed: list[CertificateRequest] = []
    for authority in host_authorities(cluster, node):
        listed += [authority, *(leaf for leaf in leaves if leaf.signer == authority.name)]
    return listed


def authority_requests(cluster: ResolvedCluster) -> list[CertificateRequest]:
    """List the authorities that control planes share."""
    return [_authority(cluster, row) for row in table().authorities if _wanted(row, cluster)]


def host_authorities(cluster: ResolvedCluster, node: Node) -> list[CertificateRequest]:
    """List the authorities that a host carries; one of role etcd has etcd's alone."""
    found = authority_requests(cluster)
    return [each for each in found if each.name == ETCD_CA] if node.role is Role.ETCD else found


def etcd_client_requests(cluster: ResolvedCluster, node: Node) -> list[CertificateRequest]:
    """List what a control plane shows to members on hosts of role etcd, signed by their authority."""
    if cluster.etcd.members is None or node.role is not Role.CONTROL_PLANE:
        return []
    row = next(row for row in table().certificates if row.name == ETCD_CLIENT)
    return [_leaf(cluster, node, row)]


def etcd_authority(cluster: ResolvedCluster) -> CertificateRequest:
    """Return the authority of etcd's certificates, wherever it lies."""
    return _authority(cluster, next(row for row in table().authorities if row.name == ETCD_CA))


def leaf_requests(cluster: ResolvedCluster, node: Node) -> list[CertificateRequest]:
    """List the certificates that this host carries; none on a worker."""
    return [
        _leaf(cluster, node, row)
        for row in table().certificates
        if _wanted(row, cluster) and _carries(row.hosts, cluster, node)
    ]


def key_pair_requests(cluster: ResolvedCluster, node: Node | None = None) -> list[KeyPairRequest]:
    """List the bare key pairs that control planes share: the service account key; an etcd host has none."""
    if node is not None and node.role is Role.ETCD:
        return []
    return [
        KeyPairRequest(row.name, f"{cluster.certificates_dir}/{row.file}", cluster.key_algorithm)
        for row in table().key_pairs
    ]


def kubeconfig_requests(cluster: ResolvedCluster, node: Node) -> list[KubeconfigRequest]:
    """List the kubeconfigs that are signed for this host; a joining kubelet gets its own from the cluster.

    super-admin.conf is listed only for the cluster's first control plane.
    """
    return [
        _kubeconfig(cluster, node, row) for row in table().kubeconfigs if _carries(row.hosts, cluster, node)
    ]


def subject_text(request: CertificateRequest) -> str:
    """Return the subject as people write it: `CN=NAME, O=GROUP`."""
    return ", ".join([f"CN={request.common_name}", *(f"O={group}" for group in request.organizations)])


def hours_text(lifetime: timedelta) -> str:
    """Return a lifetime as kubeadm's config writes it: `8760h0m0s`."""
    minutes, seconds = divmod(int(lifetime.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s"


def _wanted(row: AuthorityRow | CertificateRow, cluster: ResolvedCluster) -> bool:
    return cluster.etcd.external is None or not row.local_etcd_only


def _carries(hosts: tuple[str, ...], cluster: ResolvedCluster, node: Node) -> bool:
    if node.role.value in hosts:
        return True
    if "etcd-member" in hosts:
        return cluster.etcd.local is not None and node.role in (Role.CONTROL_PLANE, Role.ETCD)
    is_first = node.role is Role.CONTROL_PLANE and cluster.control_planes[0].name == node.name
    return "first-control-plane" in hosts and is_first


def _named(text: str, node: Node) -> str:
    substitutes: Mapping[str, str] = {"node": node.name}
    return Template(text).substitute(substitutes)


def _authority(cluster: ResolvedCluster, row: AuthorityRow) -> CertificateRequest:
    return CertificateRequest(
        name=row.name,
        path=f"{cluster.certificates_dir}/{row.file}",
        common_name=row.common_name,
        dns_names=(row.common_name,),
        validity=cluster.ca_certificate_validity,
        algorithm=cluster.key_algorithm,
    )


def _leaf(cluster: ResolvedCluster, node: Node, row: CertificateRow) -> CertificateRequest:
    dns_names, ip_addresses = sans.resolve(row.sans, cluster, node)
    return CertificateRequest(
        name=row.name,
        path=f"{cluster.certificates_dir}/{row.file}",
        common_name=_named(row.common_name, node),
        organizations=row.organizations_of(cluster.kubernetes_version),
        dns_names=dns_names,
        ip_addresses=ip_addresses,
        usages=row.usages,
        signer=row.signer,
        validity=cluster.certificate_validity,
        algorithm=cluster.key_algorithm,
        node=node.name,
    )


def _kubeconfig(cluster: ResolvedCluster, node: Node, row: KubeconfigRow) -> KubeconfigRequest:
    endpoint = node.local_endpoint
    if row.server == "endpoint" and cluster.control_plane_endpoint:
        endpoint = cluster.control_plane_endpoint
    return KubeconfigRequest(
        name=row.file,
        path=f"{paths.KUBERNETES_DIR}/{row.file}",
        user=_named(row.user, node),
        organizations=row.organizations,
        server=f"https://{endpoint}",
        cluster_name=cluster.cluster_name,
        validity=cluster.certificate_validity,
        algorithm=cluster.key_algorithm,
        node=node.name,
    )
