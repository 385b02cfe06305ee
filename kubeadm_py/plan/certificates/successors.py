"""Sign what `certs renew` writes to one host, with the authorities' keys that lie there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from kubeadm_py.engine.session import Session
from kubeadm_py.model.actions import Late
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import files, renewal
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.keys import KeyMaker
from kubeadm_py.pki.requests import CertificateRequest
from kubeadm_py.plan.certificates import key_holders
from kubeadm_py.plan.certificates.producers import read_files
from kubeadm_py.steps import renew as steps
from kubeadm_py.steps.kubelet import certificate as kubelet_certificate
from kubeadm_py.steps.renew import Decision


@dataclass
class Successors:
    """Sign one host's successors with the authorities' keys that lie there; all is read in one round trip."""

    cluster: ResolvedCluster
    session: Session
    decision: Decision
    now: datetime
    key_maker: KeyMaker
    etcd: key_holders.Shared
    """What hosts of role etcd keep: the authority of etcd's certificates."""

    def make(self, name: str, late: Late) -> bytes:
        """Return the content of a Late."""
        if name == kubelet_certificate.PRODUCER:
            signed = self._authorities.issue(late.args)
            return signed.public_pem + signed.key.reveal()
        if name != steps.RENEWED_KUBECONFIG:
            produced: Callable[[Any], bytes] = files.producers(self._authorities)[name]
            return produced(late.args)
        request, path = late.args
        issued = self._authorities.issue(request)
        return renewal.renewed_kubeconfig(
            self._content[path], self._authorities.ca_pem(), issued.public_pem, issued.key, path
        )

    def forget(self) -> None:
        """Drop all keys."""
        if "_authorities" in self.__dict__:
            self._authorities.forget()
        self.__dict__.pop("_content", None)

    @cached_property
    def _authorities(self) -> Authorities:
        made = Authorities.from_existing(
            {
                each.name: (self._content[each.certificate_path], Secret(self._content[each.key_path]))
                for each in self._signers
            },
            now=self.now,
            key_maker=self.key_maker,
        )
        made.prepare(self.decision.signed)
        return made

    @property
    def _signers(self) -> list[CertificateRequest]:
        names = {request.signer for request in self.decision.signed}
        return [each for each in key_holders.authorities(self.cluster) if each.name in names]

    @cached_property
    def _content(self) -> dict[str, bytes]:
        apart = {request.name: session for request, session in self.etcd.authorities}
        by_session: dict[str, list[str]] = {}
        for each in self._signers:
            owner = apart.get(each.name, self.session)
            by_session.setdefault(owner.name, []).extend((each.certificate_path, each.key_path))
        own = self.decision.kubeconfigs
        by_session.setdefault(self.session.name, []).extend(
            own[request.name] for request in self.decision.renewed if request.name in own
        )
        content = read_files(self.session, by_session.pop(self.session.name))
        for session in apart.values():
            content |= read_files(session, by_session.pop(session.name, []))
        return content
