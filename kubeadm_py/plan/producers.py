"""Make late content: certificates, kubeconfigs and objects that hold a secret."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from kubeadm_py.engine.execute import Producer
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import kubectl
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Late
from kubeadm_py.model.cluster import BootstrapToken, ResolvedCluster
from kubeadm_py.model.joined import JoinedCluster, KubeletCredentials
from kubeadm_py.model.phases import EVERYTHING, Selection
from kubeadm_py.pki import files, kubeconfig, presence, requests
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.keys import KeyMaker, generate
from kubeadm_py.pki.node_request import user_of
from kubeadm_py.pki.requests import CertificateRequest, KeyPairRequest, KubeconfigRequest
from kubeadm_py.render import objects
from kubeadm_py.steps import applied, cluster_objects, kubelet_finalize, kubelet_start
from kubeadm_py.token import bootstrap

BOOTSTRAP_USER = "tls-bootstrap-token-user"


@dataclass
class ControlPlaneProducers:
    """Make what a control plane needs, with the cluster's authorities: read from the host, or made now.

    Private keys of authorities are read only once something must be signed, and dropped with `forget`.
    """

    cluster: ResolvedCluster
    session: Session
    now: datetime
    key_maker: KeyMaker = generate
    phases: Selection = EVERYTHING
    """What of the phase certs this run does: no other authority is made."""

    def prepare(self) -> None:
        """Start making the keys of a new cluster while the host is being prepared."""
        if not self._existing_authorities():
            node = self.session.node
            wanted: list[CertificateRequest | KubeconfigRequest | KeyPairRequest] = [
                *requests.requests(self.cluster, node),
                *requests.kubeconfig_requests(self.cluster, node),
                *requests.key_pair_requests(self.cluster),
            ]
            self._authorities.prepare(wanted)

    def forget(self) -> None:
        """Drop all private keys."""
        if "_authorities" in self.__dict__:
            self._authorities.forget()

    def table(self) -> dict[str, Producer]:
        """Return the producers by name."""
        return {
            **{name: self._pki(name) for name in PKI_PRODUCERS},
            cluster_objects.CLUSTER_INFO_PRODUCER: self._cluster_info,
            cluster_objects.TOKEN_PRODUCER: self._token_secret,
            cluster_objects.COREDNS_PRODUCER: self._coredns,
            applied.PRODUCER: lambda _host, _late: applied.authority_note(self._ca_certificate()),
            kubelet_finalize.PRODUCER: self._rotating_kubeconfig,
        }

    def ca_pem(self) -> bytes:
        """Return the cluster's CA certificate."""
        return self._authorities.ca_pem()

    @cached_property
    def _authorities(self) -> Authorities:
        existing = self._existing_authorities()
        paths_wanted = [path for request in existing for path in (request.certificate_path, request.key_path)]
        pairs = [
            pair
            for pair in requests.key_pair_requests(self.cluster)
            if pair.key_path in self.session.facts.files
        ]
        content = read_files(self.session, [*paths_wanted, *(pair.key_path for pair in pairs)])
        return Authorities(
            {
                request.name: (content[request.certificate_path], content[request.key_path])
                for request in existing
            },
            now=self.now,
            fresh=[
                request
                for request in requests.authority_requests(self.cluster)
                if self.phases.wants(f"certs/{request.name}")
            ],
            key_pairs={pair.name: content[pair.key_path] for pair in pairs},
            key_maker=self.key_maker,
        )

    def _existing_authorities(self) -> list[CertificateRequest]:
        states = presence.authorities(self.cluster, self.session.facts.files)
        return [
            request
            for request in requests.authority_requests(self.cluster)
            if states[request.name] is presence.Presence.OWN
        ]

    def _pki(self, name: str) -> Producer:
        return lambda _host, late: files.producers(self._authorities)[name](late.args)

    def _cluster_info(self, _host: str, late: Late) -> bytes:
        config_map, *_ = objects.cluster_info(late.args, self._ca_certificate())
        return json.dumps(config_map).encode()

    def _ca_certificate(self) -> bytes:
        known = self.session.facts.files.get(f"{self.cluster.certificates_dir}/ca.crt")
        return known.content if known is not None and known.content else self._authorities.ca_pem()

    def _token_secret(self, _host: str, late: Late) -> bytes:
        token: BootstrapToken = late.args
        return json.dumps(bootstrap.secret_object(token, self.now)).encode()

    def _coredns(self, _host: str, late: Late) -> bytes:
        """Keep the number of replicas that an operator has set; where nobody can say, the usual one it is."""
        asked = ["get", "deployment", "coredns", "-n", "kube-system", "-o", "jsonpath={.spec.replicas}"]
        live = self.session.host.run(kubectl.command(asked), timeout=kubectl.TIMEOUT_SECONDS)
        deployment: dict[str, Any] = dict(late.args)
        if live.ok and live.stdout.strip().isdigit():
            deployment["spec"] = {**deployment["spec"], "replicas": int(live.stdout)}
        return json.dumps(deployment).encode()

    def _rotating_kubeconfig(self, _host: str, late: Late) -> bytes:
        request, current = late.args
        return rotating_kubeconfig(request, self._ca_certificate(), current)


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
