"""A token, a CA and a cluster-info that the token signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.token import jws
from kubeadm_py.token.bootstrap import Token
from kubeadm_py.token.cluster_info import Clock

TOKEN = Secret("abcdef.0123456789abcdef")
SERVER = "https://k8s.example.test:6443"


@pytest.fixture
def token() -> Secret:
    return TOKEN


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def cluster() -> ResolvedCluster:
    return ResolvedCluster(
        name="demo",
        kubernetes_version=Version.parse("v1.36.3"),
        nodes=(Node("cp1", Role.CONTROL_PLANE, ("127.0.0.1",)),),
        encryption_algorithm="ECDSA-P256",
        certificate_validity=timedelta(days=30),
    )


@pytest.fixture
def authorities(cluster: ResolvedCluster, now: datetime) -> Iterator[Authorities]:
    with Authorities.from_fresh(cluster, now=now) as made:
        yield made


@pytest.fixture
def other_authorities(cluster: ResolvedCluster, now: datetime) -> Iterator[Authorities]:
    with Authorities.from_fresh(cluster, now=now) as made:
        yield made


@pytest.fixture
def config_map() -> Callable[..., bytes]:
    """Return a maker of cluster-info as the API server sends it."""

    def make(
        ca_pem: bytes, *, server: str = SERVER, token: Secret = TOKEN, signed: bool = True, **data: str
    ) -> bytes:
        document = {
            "apiVersion": "v1",
            "clusters": [{"cluster": {"server": server}, "name": ""}],
            "kind": "Config",
        }
        if ca_pem:
            document["clusters"][0]["cluster"]["certificate-authority-data"] = kubeconfig.encoded(ca_pem)
        content = data.pop("kubeconfig", kubeconfig.dump(document).decode())
        parsed = Token.parse(token)
        signatures = {f"{jws.KEY_PREFIX}{parsed.id}": jws.sign(content.encode(), parsed)} if signed else {}
        return json.dumps(
            {"kind": "ConfigMap", "apiVersion": "v1", "data": {"kubeconfig": content, **signatures, **data}}
        ).encode()

    return make


class FakeClock:
    """A clock that moves when one sleeps, and remembers."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self.told: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep, told=self.told.append)


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()
