"""Bring what control planes share to one that joins: held in memory for the time of a join, and dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.actions import Late, Producer
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.joined import SharedFile
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import files, shared
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.keys import KeyMaker, generate
from kubeadm_py.pki.requests import authority_requests
from kubeadm_py.plan.certificates.producers import PKI_PRODUCERS, read_files
from kubeadm_py.steps import applied
from kubeadm_py.steps.control_plane import prepare as control_plane_prepare


@dataclass
class SharedKeys:
    """Hold what control planes share: described at once, read once something is to be written or signed."""

    cluster: ResolvedCluster
    described: tuple[SharedFile, ...]
    read: Callable[[], Mapping[str, bytes]]
    now: datetime
    key_maker: KeyMaker = generate
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _content: Mapping[str, bytes] | None = field(default=None, repr=False)
    _authorities: Authorities | None = field(default=None, repr=False)

    def table(self, ca_pem: bytes) -> dict[str, Producer]:
        """Return the producers of a joining control plane, by name."""
        return {
            **{name: self._pki(name) for name in PKI_PRODUCERS},
            control_plane_prepare.PRODUCER: lambda _host, late: self._read()[late.args],
            applied.PRODUCER: lambda _host, _late: applied.authority_note(ca_pem),
        }

    def forget(self) -> None:
        """Drop all keys."""
        with self._lock:
            if self._authorities is not None:
                self._authorities.forget()
            self._content = None

    def _read(self) -> Mapping[str, bytes]:
        with self._lock:
            if self._content is None:
                self._content = self.read()
            return self._content

    def _pki(self, name: str) -> Producer:
        def produce(_host: str, late: Late) -> bytes:
            return files.producers(self._signers())[name](late.args)

        return produce

    def _signers(self) -> Authorities:
        with self._lock:
            if self._authorities is None:
                content = self._read()
                self._authorities = Authorities.from_existing(
                    {
                        request.name: (content[request.certificate_path], content.get(request.key_path))
                        for request in authority_requests(self.cluster)
                    },
                    now=self.now,
                    key_maker=self.key_maker,
                )
            return self._authorities


def of_host(cluster: ResolvedCluster, session: Session, now: datetime) -> SharedKeys:
    """Take them from a control plane that runs, or from the joining host, where an operator has put them.

    Raise KubeadmPyError where one is missing there; the key of an authority may be (external CA).
    """
    facts = session.facts.files
    wanted = shared.shared_paths(cluster)
    missing = [each.path for each in wanted if each.required and each.path not in facts]
    if missing:
        raise KubeadmPyError(
            f"what control planes share is not all there: {', '.join(missing)}",
            host=session.name,
            details=["a joining control plane gets these files from the cluster, or has them already"],
            fix="give --certificate-key-file with the key of an upload (kubeadm-py init phase upload-certs"
            " --upload-certs), or copy the files from a control plane",
        )
    present = [each for each in wanted if each.path in facts]

    def read() -> Mapping[str, bytes]:
        content = read_files(session, [each.path for each in present])
        shared.refuse_halves(cluster, content, session.name)
        return content

    return SharedKeys(
        cluster,
        tuple(_described(facts[each.path], is_key=each.is_key) for each in present),
        read,
        now,
    )


def _described(fact: FileFact, *, is_key: bool) -> SharedFile:
    return SharedFile(fact.path, shared.mode_of(fact.path), fact.sha256, None if is_key else fact.content)


def of_secret(
    cluster: ResolvedCluster, secret: Mapping[str, object], key: Secret, now: datetime
) -> SharedKeys:
    """Take them from the cluster's Secret kubeadm-certs; raise KubeadmPyError where the key does not fit."""
    content = shared.decrypt(cluster, secret, key)
    shared.refuse_halves(cluster, content)
    return SharedKeys(cluster, shared.describe(content, sha256), lambda: content, now)
