"""Hold a cluster's authorities in memory while something must be signed, and sign with them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import inspect, issue, kubeconfig, pem
from kubeadm_py.pki.issue import SerialSource
from kubeadm_py.pki.keys import (
    KeyMaker,
    PrivateKey,
    generate,
    parse_private,
    private_pem,
    public_pem,
    same_key,
)
from kubeadm_py.pki.requests import (
    CertificateRequest,
    KeyPairRequest,
    KubeconfigRequest,
    authority_requests,
    key_pair_requests,
)


@dataclass(frozen=True, slots=True)
class Issued:
    """Hold a certificate, or a bare public key, and the private key that belongs to it."""

    public_pem: bytes
    key: Secret


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    bundle: bytes
    key: PrivateKey | None = field(repr=False)


class Authorities:
    """Sign certificates, each request once: whoever asks again gets the same pair.

    Safe to use from several threads. Keys are made in background threads from `prepare` on. `forget`
    drops everything; use it as a context manager around a run.
    """

    def __init__(
        self,
        authorities: Mapping[str, tuple[bytes, bytes | Secret | None]],
        *,
        now: datetime,
        fresh: Iterable[CertificateRequest] = (),
        key_pairs: Mapping[str, bytes | Secret] | None = None,
        key_maker: KeyMaker = generate,
        serial: SerialSource = issue.random_serial,
    ) -> None:
        self.now = now
        self.warnings: list[str] = []
        """What is odd about the authorities but does not stop their use (out of their lifetime)."""
        self._key_maker = key_maker
        self._serial = serial
        self._lock = threading.RLock()
        self._pool: ThreadPoolExecutor | None = None
        self._keys: dict[object, Future[PrivateKey]] = {}
        self._issued: dict[object, Issued] = {}
        self._fresh = {request.name: request for request in fresh if request.name not in authorities}
        self._authorities: dict[str, _Authority] = {}
        for name, (certificate_pem, key_pem) in authorities.items():
            self._authorities[name] = self._existing(name, certificate_pem, key_pem)
        self._key_pairs = {
            name: parse_private(key, f"the key {name}.key") for name, key in (key_pairs or {}).items()
        }

    @classmethod
    def from_fresh(
        cls,
        cluster: ResolvedCluster,
        *,
        now: datetime,
        key_maker: KeyMaker = generate,
        serial: SerialSource = issue.random_serial,
    ) -> Authorities:
        """Make all of a new cluster's authorities and start making their keys at once."""
        fresh = authority_requests(cluster)
        made = cls({}, now=now, fresh=fresh, key_maker=key_maker, serial=serial)
        made.prepare([*fresh, *key_pair_requests(cluster)])
        return made

    @classmethod
    def from_existing(
        cls,
        authorities: Mapping[str, tuple[bytes, bytes | Secret | None]],
        *,
        now: datetime,
        key_pairs: Mapping[str, bytes | Secret] | None = None,
        key_maker: KeyMaker = generate,
        serial: SerialSource = issue.random_serial,
    ) -> Authorities:
        """Use authorities as they are: name -> (certificate, key), key None for an external one.

        Raise where a certificate is no CA or a key does not belong to it.
        """
        return cls(authorities, now=now, key_pairs=key_pairs, key_maker=key_maker, serial=serial)

    def __repr__(self) -> str:
        return f"Authorities({', '.join(sorted({*self._authorities, *self._fresh}))}; keys ***)"

    def __enter__(self) -> Authorities:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()

    def prepare(self, requests: Iterable[CertificateRequest | KubeconfigRequest | KeyPairRequest]) -> None:
        """Start making the keys of these requests in the background; a request may come twice."""
        with self._lock:
            for request in requests:
                self._key_of(request, request.algorithm)

    def sign(self, request: CertificateRequest) -> tuple[bytes, bytes]:
        """Return (certificate, key) in PEM form; of an authority, itself.

        Raise for a certificate of an external CA, whose key only the operator has.
        """
        issued = self.issue(request)
        return issued.public_pem, issued.key.reveal()

    def issue(self, request: CertificateRequest) -> Issued:
        """Return the one certificate and key of a request."""
        if request.is_authority:
            return self._authority_pair(request.name)
        return self._once(request, lambda: self._sign(request, not_before=None))

    def key_pair(self, request: KeyPairRequest) -> Issued:
        """Return the one (public key, private key) of a request; the key that exists where one was given."""

        def make() -> Issued:
            key = self._key_pairs.get(request.name) or self._key_of(request, request.algorithm).result()
            return Issued(public_pem(key.public_key()), Secret(private_pem(key)))

        return self._once(request, make)

    def kubeconfig(self, request: KubeconfigRequest) -> bytes:
        """Return a kubeconfig with a client certificate of its own, always the same one for a request."""
        authority = self._authority("ca")
        not_before = authority.certificate.not_valid_before_utc
        issued = self._once(request, lambda: self._sign(request.certificate, not_before, key_id=request))
        return kubeconfig.render(
            request.cluster_name,
            request.server,
            authority.bundle,
            request.user,
            client_certificate=issued.public_pem,
            client_key=issued.key,
        )

    def ca_pem(self, name: str = "ca") -> bytes:
        """Return an authority's certificate, with whatever else its file holds."""
        return self._authority(name).bundle

    def forget(self) -> None:
        """Drop all keys and stop making more; the object is of no use afterwards."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None
            for held in (self._keys, self._issued, self._authorities, self._fresh, self._key_pairs):
                held.clear()

    def _existing(self, name: str, certificate_pem: bytes, key_pem: bytes | Secret | None) -> _Authority:
        errors, warnings = inspect.authority_problems(certificate_pem, self.now)
        if errors:
            raise KubeadmPyError(
                f"the authority {name} cannot be used: {errors[0]}",
                fix=f"Restore its files from a backup of {name}.crt and {name}.key.",
            )
        self.warnings += [f"the authority {name}: {warning}" for warning in warnings]
        certificates = pem.certificates(certificate_pem, f"the authority {name}")
        key = parse_private(key_pem, f"the key of the authority {name}") if key_pem is not None else None
        if key is not None and not same_key(pem.public_key(certificates[0], name), key.public_key()):
            raise KubeadmPyError(
                f"the key of the authority {name} does not belong to its certificate",
                fix="Restore the pair from one and the same backup.",
            )
        return _Authority(certificates[0], certificate_pem, key)

    def _authority(self, name: str) -> _Authority:
        with self._lock:
            known = self._authorities.get(name)
            request = self._fresh.get(name)
        if known is not None:
            return known
        if request is None:
            raise KubeadmPyError(
                f"the authority {name} is not at hand",
                fix="Name a control-plane host that can be reached and has its certificate and key.",
            )
        key = self._key_of(request, request.algorithm).result()
        with self._lock:
            if name not in self._authorities:
                certificate = issue.self_signed(request, key, now=self.now, serial=self._serial)
                self._authorities[name] = _Authority(certificate, pem.encode([certificate]), key)
            return self._authorities[name]

    def _signing_key(self, name: str, wanted: str) -> PrivateKey:
        key = self._authority(name).key
        if key is None:
            raise KubeadmPyError(
                f"{wanted} cannot be signed: the authority {name} is external, its key is not on the host",
                fix=f"Sign {wanted} with your CA and put certificate and key in place, or add the CA's key.",
            )
        return key

    def _authority_pair(self, name: str) -> Issued:
        key = self._signing_key(name, name)
        return Issued(self._authority(name).bundle, Secret(private_pem(key)))

    def _sign(
        self, request: CertificateRequest, not_before: datetime | None, key_id: object | None = None
    ) -> Issued:
        issuer_key = self._signing_key(request.signer, request.name)
        key = self._key_of(key_id or request, request.algorithm).result()
        certificate = issue.sign(
            request,
            key.public_key(),
            issuer=self._authority(request.signer).certificate,
            issuer_key=issuer_key,
            now=self.now,
            not_before=not_before,
            serial=self._serial,
        )
        return Issued(pem.encode([certificate]), Secret(private_pem(key)))

    def _once(self, identity: object, make: Callable[[], Issued]) -> Issued:
        with self._lock:
            if identity in self._issued:
                return self._issued[identity]
        made = make()
        with self._lock:
            return self._issued.setdefault(identity, made)

    def _key_of(self, identity: object, algorithm: str) -> Future[PrivateKey]:
        with self._lock:
            if identity not in self._keys:
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="keys")
                self._keys[identity] = self._pool.submit(self._key_maker, algorithm)
            return self._keys[identity]
