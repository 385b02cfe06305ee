from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import yaml
from cryptography import x509

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.actions import Late
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import files, inspect, keys, presence
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.presence import Presence
from kubeadm_py.pki.requests import (
    CertificateRequest,
    authority_requests,
    key_pair_requests,
    kubeconfig_requests,
    leaf_requests,
    requests,
)


def test_certificate_and_key_are_one_pair_from_many_threads(
    authorities: Authorities, cluster: ResolvedCluster, node: Node
) -> None:
    wanted = [*requests(cluster, node)] * 8
    start = threading.Barrier(8, timeout=10)

    def ask(number: int) -> dict[str, tuple[bytes, bytes]]:
        start.wait()
        return {request.name: authorities.sign(request) for request in wanted[number::8]}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    for request in requests(cluster, node):
        pairs = {answer[request.name] for answer in answers if request.name in answer}
        assert len(pairs) == 1
        assert inspect.key_matches(*pairs.pop())


def test_keys_are_made_before_they_are_asked_for(cluster: ResolvedCluster, node: Node, now: datetime) -> None:
    made = threading.Semaphore(0)

    def maker(algorithm: str) -> keys.PrivateKey:
        try:
            return keys.generate(algorithm)
        finally:
            made.release()

    with Authorities.from_fresh(cluster, now=now, key_maker=maker) as authorities:
        leaves = leaf_requests(cluster, node)
        authorities.prepare(leaves)
        authorities.prepare(leaves)
        wanted = len(authority_requests(cluster)) + len(key_pair_requests(cluster)) + len(leaves)
        for _ in range(wanted):
            assert made.acquire(timeout=20)
        authorities.sign(leaves[0])
        assert not made.acquire(blocking=False)


def test_it_never_shows_a_key(authorities: Authorities, apiserver: CertificateRequest) -> None:
    issued = authorities.issue(apiserver)
    authorities.ca_pem()
    for text in (repr(authorities), str(authorities), repr(issued), repr(authorities._authorities["ca"])):
        assert "PRIVATE" not in text
        assert "key=" not in text.replace("key=Secret(***)", "")
    assert repr(authorities) == "Authorities(ca, etcd-ca, front-proxy-ca; keys ***)"


def existing(
    authorities: Authorities, cluster: ResolvedCluster
) -> dict[str, tuple[bytes, bytes | Secret | None]]:
    return {request.name: authorities.sign(request) for request in authority_requests(cluster)}


def test_existing_authorities_sign(
    authorities: Authorities, cluster: ResolvedCluster, node: Node, now: datetime
) -> None:
    reused = Authorities.from_existing(existing(authorities, cluster), now=now)
    assert reused.warnings == []
    for request in leaf_requests(cluster, node):
        found, _ = reused.sign(request)
        assert inspect.fits(found, request, authorities.ca_pem(request.signer), now) == []
    assert reused.sign(authority_requests(cluster)[0]) == authorities.sign(authority_requests(cluster)[0])


def test_what_is_missing_is_made_and_what_exists_is_kept(
    authorities: Authorities, cluster: ResolvedCluster, now: datetime
) -> None:
    pairs = existing(authorities, cluster)
    del pairs["etcd-ca"]
    mixed = Authorities(pairs, now=now, fresh=authority_requests(cluster))
    assert mixed.ca_pem() == authorities.ca_pem()
    assert mixed.ca_pem("etcd-ca") != authorities.ca_pem("etcd-ca")
    assert mixed.ca_pem("etcd-ca") == mixed.ca_pem("etcd-ca")


def test_an_external_authority_signs_nothing(
    authorities: Authorities, apiserver: CertificateRequest, cluster: ResolvedCluster, now: datetime
) -> None:
    external = Authorities.from_existing({"ca": (authorities.ca_pem(), None)}, now=now)
    assert external.ca_pem() == authorities.ca_pem()
    with pytest.raises(KubeadmPyError, match="apiserver cannot be signed: the authority ca is external"):
        external.sign(apiserver)
    with pytest.raises(KubeadmPyError, match="the authority ca is external"):
        external.sign(authority_requests(cluster)[0])


def test_an_authority_that_is_not_at_hand(apiserver: CertificateRequest, now: datetime) -> None:
    with pytest.raises(KubeadmPyError, match="the authority ca is not at hand"):
        Authorities.from_existing({}, now=now).sign(apiserver)


def test_unusable_authorities(
    authorities: Authorities, apiserver: CertificateRequest, cluster: ResolvedCluster, now: datetime
) -> None:
    certificate, key = authorities.sign(authority_requests(cluster)[0])
    other_key = keys.private_pem(keys.generate("ECDSA-P256"))
    for pair, message in (
        (authorities.sign(apiserver), "the authority ca cannot be used: CN=kube-apiserver is not a CA"),
        ((b"junk", key), "the authority ca cannot be used: the CA certificate holds no certificate"),
        ((certificate, other_key), "the key of the authority ca does not belong to its certificate"),
        ((certificate, b"junk"), "the key of the authority ca is not a private key"),
    ):
        with pytest.raises(KubeadmPyError, match=message) as caught:
            Authorities.from_existing({"ca": pair}, now=now)
        assert caught.value.fix


def test_an_expired_authority_only_warns(
    authorities: Authorities, cluster: ResolvedCluster, now: datetime
) -> None:
    late = Authorities.from_existing(existing(authorities, cluster), now=now + timedelta(days=4000))
    assert late.warnings[0] == "the authority ca: it expired at 2036-11-17T22:41:14Z"


def test_a_bundle_is_handed_on_whole_and_its_first_certificate_signs(
    authorities: Authorities,
    other_authorities: Authorities,
    apiserver: CertificateRequest,
    cluster: ResolvedCluster,
    node: Node,
    now: datetime,
) -> None:
    certificate, key = authorities.sign(authority_requests(cluster)[0])
    bundle = certificate + other_authorities.ca_pem()
    rotating = Authorities.from_existing({"ca": (bundle, key)}, now=now)
    assert inspect.fits(rotating.sign(apiserver)[0], apiserver, certificate, now) == []
    document = yaml.safe_load(rotating.kubeconfig(kubeconfig_requests(cluster, node)[0]))
    import base64

    assert base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"]) == bundle


def test_key_pairs(authorities: Authorities, cluster: ResolvedCluster, now: datetime) -> None:
    (request,) = key_pair_requests(cluster)
    pair = authorities.key_pair(request)
    assert pair == authorities.key_pair(request)
    private = keys.parse_private(pair.key, "sa.key")
    assert pair.public_pem == keys.public_pem(private.public_key())
    kept = Authorities({}, now=now, key_pairs={"sa": pair.key})
    assert kept.key_pair(request) == pair


def test_a_kubeconfig_is_always_the_same_one(
    authorities: Authorities, cluster: ResolvedCluster, node: Node
) -> None:
    admin, super_admin, *_ = kubeconfig_requests(cluster, node)
    assert authorities.kubeconfig(admin) == authorities.kubeconfig(admin)
    assert authorities.kubeconfig(admin) != authorities.kubeconfig(super_admin)


def test_forgotten_authorities_are_of_no_use(
    cluster: ResolvedCluster, apiserver: CertificateRequest, now: datetime
) -> None:
    with Authorities.from_fresh(cluster, now=now) as authorities:
        authorities.sign(apiserver)
    assert not authorities._keys
    assert not authorities._issued
    with pytest.raises(KubeadmPyError, match="not at hand"):
        authorities.sign(apiserver)


def test_another_request_is_another_certificate(
    authorities: Authorities, apiserver: CertificateRequest
) -> None:
    one, other = authorities.sign(apiserver), authorities.sign(replace(apiserver, node="cp2"))
    assert one[0] != other[0]
    serials = {x509.load_pem_x509_certificate(pair[0]).serial_number for pair in (one, other)}
    assert len(serials) == 2


def test_files_have_keys_before_certificates_and_their_modes(
    authorities: Authorities, cluster: ResolvedCluster, node: Node, apiserver: CertificateRequest
) -> None:
    key, certificate = files.certificate_files([apiserver])
    assert (key.path, key.mode, key.secret) == ("/etc/kubernetes/pki/apiserver.key", 0o600, True)
    assert (certificate.path, certificate.mode, certificate.secret) == (
        "/etc/kubernetes/pki/apiserver.crt",
        0o644,
        False,
    )
    private, public = files.key_pair_files(key_pair_requests(cluster))
    assert (private.mode, public.mode) == (0o600, 0o600)
    (admin, *_) = files.kubeconfig_files(kubeconfig_requests(cluster, node))
    assert (admin.path, admin.mode, admin.secret) == ("/etc/kubernetes/admin.conf", 0o600, True)
    produce = files.producers(authorities)

    def content(spec: object) -> bytes:
        late = spec.content
        assert isinstance(late, Late)
        return produce[late.producer](late.args)

    assert inspect.key_matches(content(certificate), content(key))
    assert content(public) == keys.public_pem(keys.parse_private(content(private), "sa.key").public_key())
    assert kubeconfig_loads(content(admin))
    for spec in (key, certificate, private, public, admin):
        assert "PRIVATE" not in repr(spec)


def kubeconfig_loads(content: bytes) -> bool:
    return yaml.safe_load(content)["kind"] == "Config"


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([], Presence.MISSING),
        (["ca.crt", "ca.key"], Presence.OWN),
        (["ca.crt"], Presence.EXTERNAL),
        (["ca.key"], Presence.KEY_ONLY),
    ],
)
def test_presence_of_authorities(cluster: ResolvedCluster, present: list[str], expected: Presence) -> None:
    found = presence.authorities(cluster, [f"/etc/kubernetes/pki/{name}" for name in present])
    assert found == {"ca": expected, "front-proxy-ca": Presence.MISSING, "etcd-ca": Presence.MISSING}
