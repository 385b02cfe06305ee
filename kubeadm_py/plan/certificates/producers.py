"""Make late content: certificates, kubeconfigs and objects that hold a secret."""

from __future__ import annotations

import base64
import json
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import LIVE_REPLICAS, Late, Producer
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.joined import JoinedCluster, KubeletCredentials
from kubeadm_py.model.phases import EVERYTHING, Selection
from kubeadm_py.pki import files, kubeconfig, requests, shared
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.keys import KeyMaker, generate
from kubeadm_py.pki.node_request import GROUP, KEY_ALGORITHM, user_of
from kubeadm_py.pki.requests import CertificateRequest, KeyPairRequest, KubeconfigRequest
from kubeadm_py.plan.certificates import key_holders
from kubeadm_py.render import objects
from kubeadm_py.steps import applied
from kubeadm_py.steps.certificates import upload_certs
from kubeadm_py.steps.kubelet import finalize as kubelet_finalize
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.objects import groups as object_groups
from kubeadm_py.token import bootstrap

BOOTSTRAP_USER = "tls-bootstrap-token-user"


@dataclass
class ControlPlaneProducers:
    """Make what control planes need, with the cluster's authorities: read from the host, or made now.

    Private keys of authorities are read only once something must be signed, and dropped with `forget`.
    """

    cluster: ResolvedCluster
    session: Session
    """The leader's."""
    now: datetime
    key_maker: KeyMaker = generate
    phases: Selection = EVERYTHING
    """What of the phase certs this run does: no other authority is made."""
    others: Sequence[Session] = ()
    """Those of the other control planes that are made in this run: the authorities may lie there, too."""
    etcd: Sequence[Session] = ()
    """Those of the hosts of role etcd: etcd's authority lies there, and nowhere else."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _made: Authorities | None = field(default=None, repr=False)

    def prepare(self) -> None:
        """Start making the keys of a new cluster while the hosts are being prepared."""
        if not self._shared.authorities and not self._shared.external:
            self._authorities.prepare(wanted_keys(self.cluster, self._sessions))

    def kubelets(self, names: Iterable[str]) -> Mapping[str, KubeletCredentials]:
        """Return what joining kubelets log in with, by node name; each is signed once it is asked for."""
        return _SignedKubelets(names, self._kubelet)

    def _kubelet(self, name: str) -> KubeletCredentials:
        issued = self._authorities.issue(
            CertificateRequest(
                name="kubelet",
                path=paths.KUBELET_CLIENT_CURRENT,
                common_name=user_of(name),
                organizations=(GROUP,),
                validity=self.cluster.certificate_validity,
                algorithm=KEY_ALGORITHM,
                usages=("clientAuth",),
                signer="ca",
                node=name,
            )
        )
        return KubeletCredentials(issued.public_pem, issued.key)

    @property
    def _sessions(self) -> list[Session]:
        return [self.session, *self.others, *self.etcd]

    def forget(self) -> None:
        """Drop all private keys."""
        if self._made is not None:
            self._made.forget()

    def table(self) -> dict[str, Producer]:
        """Return the producers by name."""
        return {
            **{name: self._pki(name) for name in PKI_PRODUCERS},
            object_groups.CLUSTER_INFO_PRODUCER: self._cluster_info,
            object_groups.TOKEN_PRODUCER: self._token_secret,
            object_groups.COREDNS_PRODUCER: _coredns,
            applied.PRODUCER: lambda _host, late: applied.authority_note(self._noted(late.args)),
            kubelet_finalize.PRODUCER: self._rotating_kubeconfig,
            upload_certs.PRODUCER: self._kubeadm_certs,
        }

    def ca_pem(self) -> bytes:
        """Return the cluster's CA certificate, as a host has it or as it is made in this run."""
        return self._ca_certificate()

    @property
    def _authorities(self) -> Authorities:
        # All hosts ask at once, and from Python 3.12 on a cached_property may be made twice: two CAs.
        with self._lock:
            if self._made is None:
                self._made = self._make_authorities()
            return self._made

    def _make_authorities(self) -> Authorities:
        shared = self._shared
        content: dict[str, bytes] = {}
        for session in self._sessions:
            content |= read_files(session, shared.paths_on(session))
        return Authorities(
            {
                request.name: (content[request.certificate_path], content[request.key_path])
                for request, _ in shared.authorities
            }
            | {request.name: (content[request.certificate_path], None) for request, _ in shared.external},
            now=self.now,
            fresh=[
                request
                for request in key_holders.authorities(self.cluster)
                if self.phases.wants(f"certs/{request.name}")
            ],
            key_pairs={pair.name: content[pair.key_path] for pair, _ in shared.key_pairs},
            key_maker=self.key_maker,
        )

    @cached_property
    def _shared(self) -> key_holders.Shared:
        return key_holders.find(self.cluster, [self.session, *self.others], self.etcd)

    def _pki(self, name: str) -> Producer:
        return lambda _host, late: files.producers(self._authorities)[name](late.args)

    def _cluster_info(self, _host: str, late: Late) -> bytes:
        config_map, *_ = objects.cluster_info(late.args, self._ca_certificate())
        return json.dumps(config_map).encode()

    def _ca_certificate(self) -> bytes:
        for session in self._sessions:
            known = session.facts.files.get(f"{self.cluster.certificates_dir}/ca.crt")
            if known is not None and known.content:
                return known.content
        return self._authorities.ca_pem()

    def _noted(self, authority: str) -> bytes:
        return self._ca_certificate() if authority == "ca" else self._authorities.ca_pem(authority)

    def _token_secret(self, _host: str, late: Late) -> bytes:
        token: BootstrapToken = late.args
        return json.dumps(bootstrap.secret_object(token, self.now)).encode()

    def _kubeadm_certs(self, _host: str, late: Late) -> bytes:
        """Encrypt what control planes share: as it is on the host, or as this run makes it."""
        wanted = shared.shared_paths(self.cluster)
        present = [each.path for each in wanted if each.path in self.session.facts.files]
        made: dict[str, bytes] = {}
        for request in requests.authority_requests(self.cluster):
            if request.certificate_path not in present:
                issued = self._authorities.issue(request)
                made |= {request.certificate_path: issued.public_pem, request.key_path: issued.key.reveal()}
        for pair in requests.key_pair_requests(self.cluster):
            if pair.key_path not in present:
                issued = self._authorities.key_pair(pair)
                made |= {pair.public_key_path: issued.public_pem, pair.key_path: issued.key.reveal()}
        content = {**read_files(self.session, present), **made}
        missing = [each.path for each in wanted if each.required and each.path not in content]
        if missing:
            raise KubeadmPyError(
                f"what control planes share is not all there: {', '.join(missing)}",
                host=self.session.name,
                fix="put it back from another control plane or a backup",
            )
        secret = shared.secret_object(self.cluster, content, late.args)
        return upload_certs.document(secret, bootstrap.generate(), self.now)

    def _rotating_kubeconfig(self, _host: str, late: Late) -> bytes:
        request, current = late.args
        return rotating_kubeconfig(request, self._ca_certificate(), current)


def _coredns(_host: str, late: Late) -> bytes:
    """Keep the number of replicas that an operator has set: only the cluster knows it."""
    deployment: dict[str, Any] = dict(late.args)
    spec = deployment["spec"]
    deployment["spec"] = spec | {"replicas": LIVE_REPLICAS.format(otherwise=spec["replicas"])}
    return json.dumps(deployment).encode()


class _SignedKubelets(Mapping[str, KubeletCredentials]):
    """Know for whom a certificate will be signed, and sign it late: no plan holds a key."""

    def __init__(self, names: Iterable[str], sign: Callable[[str], KubeletCredentials]) -> None:
        self._names = tuple(names)
        self._sign = sign

    def __getitem__(self, name: str) -> KubeletCredentials:
        if name not in self._names:
            raise KeyError(name)
        return self._sign(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def wanted_keys(
    cluster: ResolvedCluster, sessions: Sequence[Session]
) -> list[CertificateRequest | KubeconfigRequest | KeyPairRequest]:
    """List what needs a key where these control planes are made from nothing."""
    wanted: dict[CertificateRequest | KubeconfigRequest | KeyPairRequest, None] = {}
    for session in sessions:
        wanted |= dict.fromkeys(requests.requests(cluster.at(session.node), session.node))
        wanted |= dict.fromkeys(requests.etcd_client_requests(cluster, session.node))
        wanted |= dict.fromkeys(requests.kubeconfig_requests(cluster, session.node))
    return [*wanted, *requests.key_pair_requests(cluster)]


PKI_PRODUCERS = (files.CERTIFICATE, files.KEY, files.PUBLIC_KEY, files.PRIVATE_KEY, files.KUBECONFIG)


def rotating_kubeconfig(request: KubeconfigRequest, ca_pem: bytes, current: str) -> bytes:
    """Return kubelet.conf that names the certificate file which the kubelet renews by itself."""
    return _with_file(kubeconfig.render(request.cluster_name, request.server, ca_pem, request.user), current)


def _with_file(rendered: bytes, current: str) -> bytes:
    document: dict[str, Any] = kubeconfig.load(rendered, "kubelet.conf")
    document["users"][0]["user"] = {"client-certificate": current, "client-key": current}
    return kubeconfig.dump(document)


def joining_producers(cluster: ResolvedCluster) -> dict[str, Producer]:
    """Return the producers that a worker's join needs."""

    def bootstrap_kubeconfig(_host: str, late: Late) -> bytes:
        joined: JoinedCluster = late.args
        certificate = joined.client_certificate_pem
        return kubeconfig.render(
            cluster.cluster_name,
            joined.server,
            joined.ca_pem,
            BOOTSTRAP_USER,
            client_certificate=certificate,
            client_key=joined.client_key,
            token=joined.tls_bootstrap_token if certificate is None else None,
        )

    def kubelet_kubeconfig(_host: str, late: Late) -> bytes:
        joined, node = late.args
        user = user_of(node.name)
        rendered = kubeconfig.render(cluster.cluster_name, joined.server, joined.ca_pem, user)
        return _with_file(rendered, node.kubelet_client_certificate)

    def kubelet_certificate(_host: str, late: Late) -> bytes:
        joined, node = late.args
        signed: KubeletCredentials = joined.kubelet_credentials[node.name]
        return signed.certificate_pem + signed.key_pem.reveal()

    return {
        kubelet_start.BOOTSTRAP_PRODUCER: bootstrap_kubeconfig,
        kubelet_start.KUBECONFIG_PRODUCER: kubelet_kubeconfig,
        kubelet_start.CERTIFICATE_PRODUCER: kubelet_certificate,
    }


def read_files(session: Session, wanted: Sequence[str]) -> dict[str, bytes]:
    """Read files of a host in one round trip; raise KubeadmPyError that names the one that is missing."""
    if not wanted:
        return {}
    script = "set -eu\n" + "".join(f"base64 -w0 {shlex.quote(path)}\necho\n" for path in wanted)
    result = session.host.run(script, timeout=60)
    if not result.ok:
        raise KubeadmPyError(
            "reading the cluster's keys failed",
            host=session.name,
            details=result.stderr.decode(errors="replace").splitlines()[-3:],
            fix=f"look: ls -lR {paths.PKI_DIR}     (on {session.name}, as root)",
        )
    lines = result.stdout.splitlines()
    return {path: base64.b64decode(line) for path, line in zip(wanted, lines, strict=True)}


Complete = Callable[[ResolvedCluster, Any], ResolvedCluster]
"""Fill what only the hosts know into a cluster, from their facts by name."""
Adopt = Callable[[ResolvedCluster, Mapping[str, Any]], ResolvedCluster]
"""Take a live ClusterConfiguration over into a cluster."""
