from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from kubeadm_py.errors import ExitCode, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig, pem
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.kubeconfig import ClusterEntry
from kubeadm_py.token import errors
from kubeadm_py.token.cluster_info import PATH, Patience
from kubeadm_py.token.discovery import Discovered, discover, discover_by_file

SERVER = "https://k8s.example.test:6443"
ENDPOINT = "10.0.0.11:6443"
NOT_FOUND = (404, json.dumps({"kind": "Status", "code": 404}).encode())
FORBIDDEN = (403, json.dumps({"kind": "Status", "code": 403}).encode())
UNAUTHORIZED = (401, json.dumps({"kind": "Status", "code": 401}).encode())

Answer = tuple[int, bytes] | Exception
ConfigMap = Callable[..., bytes]


class Server:
    """Answer with what was prepared, the last answer again and again, and remember the questions."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[bytes | None] = []

    def __call__(self, path: str, ca_pem: bytes | None) -> tuple[int, bytes]:
        assert path == PATH
        self.asked.append(ca_pem)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def pin(authorities: Authorities) -> str:
    return pem.public_key_sha256(authorities.ca_pem())


@pytest.fixture
def good(authorities: Authorities, config_map: ConfigMap) -> tuple[int, bytes]:
    return 200, config_map(authorities.ca_pem())


@pytest.fixture
def ask(token: Secret, pin: str, fake_clock) -> Callable[..., Discovered]:
    def run(server: Server, pins: tuple[str, ...] | None = None, **options) -> Discovered:
        options.setdefault("token", token)
        wanted = (pin,) if pins is None else pins
        return discover(server, ENDPOINT, pins=wanted, clock=fake_clock.clock, **options)

    return run


def test_twice_asked_once_without_and_once_with_trust(
    ask, good, authorities: Authorities, fake_clock
) -> None:
    server = Server(good)
    found = ask(server)
    assert found == Discovered(SERVER, authorities.ca_pem())
    assert server.asked == [None, authorities.ca_pem()]
    assert fake_clock.slept == []


def test_any_pin_of_several_in_any_case(ask, good, pin: str) -> None:
    assert ask(Server(good), pins=("sha256:" + "0" * 64, pin.upper().replace("SHA", "sha"))).server == SERVER


def test_any_ca_of_a_bundle_may_be_pinned(
    ask, config_map: ConfigMap, authorities: Authorities, other_authorities: Authorities
) -> None:
    bundle = other_authorities.ca_pem() + authorities.ca_pem()
    assert ask(Server((200, config_map(bundle)))).ca_pem == bundle


def test_without_pins_only_when_asked_for(ask, good, authorities: Authorities) -> None:
    server = Server(good)
    with pytest.raises(UsageError, match="cannot be told from an impostor"):
        ask(server, pins=())
    assert server.asked == []
    found = ask(server, pins=(), unsafe_skip_ca_verification=True)
    assert (found.server, found.ca_pem) == (SERVER, authorities.ca_pem())
    assert found.warnings == ("the cluster's CA was not verified",)
    assert server.asked == [None]


def test_a_malformed_token_asks_nobody(ask, good) -> None:
    server = Server(good)
    with pytest.raises(UsageError):
        ask(server, token=Secret("nonsense"))
    assert server.asked == []


def test_waiting_for_a_cluster_that_comes_up(
    ask, good, config_map: ConfigMap, authorities: Authorities, fake_clock
) -> None:
    refused = errors.EndpointUnreachableError(f"{ENDPOINT} cannot be reached: refused")
    unsigned = (200, config_map(authorities.ca_pem(), signed=False))
    server = Server(refused, refused, (503, b"no"), NOT_FOUND, FORBIDDEN, (429, b""), unsigned, good)
    assert ask(server).server == SERVER
    assert fake_clock.slept == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert fake_clock.told == [
        f"{ENDPOINT} cannot be reached: refused",
        f"{ENDPOINT} answers with HTTP status 503",
        f"{ENDPOINT} has no cluster-info (yet)",
        f"{ENDPOINT} does not let this client read cluster-info",
        f"{ENDPOINT} answers with HTTP status 429",
        f"the cluster at {ENDPOINT} does not know a token with the id abcdef",
    ]


def outcome(ask, server: Server, **options) -> KubeadmPyError:
    with pytest.raises(KubeadmPyError) as caught:
        ask(server, **options)
    assert caught.value.fix
    assert "0123456789abcdef" not in str(caught.value) + caught.value.fix + "".join(caught.value.details)
    return caught.value


def test_unreachable_until_the_deadline(ask, fake_clock) -> None:
    error = errors.EndpointUnreachableError("10.0.0.11:6443 cannot be reached", fix="look")
    found = outcome(ask, Server(error))
    assert found is error
    assert found.exit_code is ExitCode.UNREACHABLE
    assert 290 < sum(fake_clock.slept) <= 300


def test_the_deadline_is_the_configs(ask, fake_clock) -> None:
    found = outcome(ask, Server(NOT_FOUND), patience=Patience(deadline=10))
    assert isinstance(found, errors.DiscoveryTimeoutError)
    assert found.exit_code is ExitCode.TIMEOUT
    assert sum(fake_clock.slept) <= 10


def test_an_unknown_token_is_known_to_be_one_soon(
    ask, config_map: ConfigMap, authorities: Authorities, fake_clock
) -> None:
    found = outcome(ask, Server((200, config_map(authorities.ca_pem(), signed=False))))
    assert isinstance(found, errors.UnknownTokenError)
    assert found.exit_code is ExitCode.PREFLIGHT
    assert "the id abcdef" in found.summary
    assert "expired" in found.details[0]
    assert "token create --print-join-command" in found.fix
    assert 20 <= sum(fake_clock.slept) <= 26


def test_forbidden_until_the_deadline(ask, fake_clock) -> None:
    found = outcome(ask, Server(FORBIDDEN))
    assert isinstance(found, errors.AnonymousRefusedError)
    assert sum(fake_clock.slept) > 290


AT_ONCE = {
    "no anonymous clients": (UNAUTHORIZED, errors.AnonymousRefusedError),
    "a web server": ((200, b"<html>"), errors.NotAnAPIServerError),
    "a web server without the page": ((404, b"not found"), errors.NotAnAPIServerError),
    "a redirect": ((302, b"{}"), errors.NotAnAPIServerError),
    "another json": ((200, b"[1]"), errors.NotAnAPIServerError),
    "deep json": ((200, b"[" * 100_000), errors.NotAnAPIServerError),
    "another object": ((200, b'{"kind": "Status"}'), errors.NotAnAPIServerError),
    "no data": ((200, b'{"kind": "ConfigMap", "data": []}'), errors.NotAnAPIServerError),
    "untrusted": (errors.UntrustedCertificateError("x", fix="y"), errors.UntrustedCertificateError),
}


@pytest.mark.parametrize(("answer", "kind"), AT_ONCE.values(), ids=AT_ONCE)
def test_what_cannot_get_better_ends_at_once(ask, fake_clock, answer: Answer, kind: type) -> None:
    found = outcome(ask, Server(answer))
    assert type(found) is kind
    assert fake_clock.slept == []


def test_a_lost_ssh_connection_is_not_retried(ask, fake_clock) -> None:
    lost = UnreachableError("the connection was lost", host="w1", fix="x")
    assert outcome(ask, Server(lost)) is lost
    assert fake_clock.slept == []


def test_a_wrong_secret(ask, good, fake_clock) -> None:
    with pytest.raises(errors.WrongTokenError, match="the token's secret is wrong") as caught:
        ask(Server(good), token=Secret("abcdef.fedcba9876543210"))
    assert "fedcba9876543210" not in "".join(caught.value.details) + str(caught.value)
    assert caught.value.fix == errors.NEW_TOKEN
    assert fake_clock.slept == []


def test_a_forged_signature(ask, config_map: ConfigMap, authorities: Authorities) -> None:
    for forged in ("", "a..b", "ü"):
        body = config_map(authorities.ca_pem(), **{"jws-kubeconfig-abcdef": forged})
        assert isinstance(outcome(ask, Server((200, body))), errors.WrongTokenError)


def test_a_wrong_pin_names_both_hashes(ask, good, pin: str) -> None:
    given = "sha256:" + "0" * 64
    server = Server(good)
    found = outcome(ask, server, pins=(given,))
    assert isinstance(found, errors.PinMismatchError)
    assert found.details == (f"given: {given}", f"found: {pin}")
    assert server.asked == [None]


def test_an_impostor_with_a_stolen_token(ask, config_map: ConfigMap, other_authorities: Authorities) -> None:
    """Who knows the token can sign a cluster-info of their own; the pin catches it."""
    assert isinstance(
        outcome(ask, Server((200, config_map(other_authorities.ca_pem())))), errors.PinMismatchError
    )


def test_cluster_info_must_stay_the_same(ask, good, config_map: ConfigMap, authorities: Authorities) -> None:
    other = config_map(authorities.ca_pem(), server="https://evil.example.test:6443")
    found = outcome(ask, Server(good, (200, other)))
    assert isinstance(found, errors.ClusterInfoChangedError)


def two_clusters() -> str:
    entries = [{"name": name, "cluster": {"server": "https://x"}} for name in "ab"]
    return kubeconfig.dump({"clusters": entries}).decode()


UNUSABLE = {
    "no cluster": ("{}", "it has 0 clusters instead of one"),
    "two clusters": (two_clusters(), "it has 2 clusters instead of one"),
    "no yaml": ("[", "it is not YAML"),
    "no ca": ("clusters: [{name: '', cluster: {server: 'https://x'}}]", "holds no CA certificate"),
    "ca file": (
        "clusters: [{name: '', cluster: {server: 'https://x', certificate-authority: /etc/shadow}}]",
        "names the file /etc/shadow",
    ),
    "no server": ("clusters: [{name: '', cluster: {}}]", "is not an https:// address"),
    "no certificate": (
        "clusters: [{name: '', cluster: {server: 'https://x', certificate-authority-data: anVuaw==}}]",
        "holds no certificate in PEM form",
    ),
}


@pytest.mark.parametrize(("content", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_signed_but_unusable_cluster_info(ask, config_map: ConfigMap, content: str, message: str) -> None:
    found = outcome(ask, Server((200, config_map(b"", kubeconfig=content))))
    assert isinstance(found, errors.ClusterInfoError)
    assert message in found.summary


def test_cluster_info_without_kubeconfig_is_waited_for(ask, good, config_map: ConfigMap) -> None:
    body = json.loads(config_map(b""))
    del body["data"]["kubeconfig"]
    assert ask(Server((200, json.dumps(body).encode()), good)).server == SERVER


def by_file(server: Server, fake_clock, **fields) -> Discovered:
    entry = ClusterEntry(name="", server="https://lb:6443", **fields)
    return discover_by_file(server, entry, clock=fake_clock.clock, patience=Patience(deadline=30))


def test_file_discovery_uses_the_files_server_and_ca(
    good, authorities: Authorities, other_authorities: Authorities, fake_clock
) -> None:
    server = Server(good)
    found = by_file(server, fake_clock, ca_pem=other_authorities.ca_pem())
    assert (found.server, found.ca_pem) == ("https://lb:6443", other_authorities.ca_pem())
    assert found.warnings == (
        "the discovery file names the server https://lb:6443, cluster-info names https://k8s.example.test:6443",
    )
    assert server.asked == [other_authorities.ca_pem()]
    assert by_file(server, fake_clock).ca_pem == authorities.ca_pem()


def test_file_discovery_of_the_same_server_is_silent(
    config_map: ConfigMap, authorities: Authorities, fake_clock
) -> None:
    server = Server((200, config_map(authorities.ca_pem(), server="https://lb:6443", signed=False)))
    assert by_file(server, fake_clock, ca_pem=authorities.ca_pem()).warnings == ()


def test_file_discovery_where_cluster_info_is_forbidden(authorities: Authorities, fake_clock) -> None:
    found = by_file(Server(FORBIDDEN), fake_clock, ca_pem=authorities.ca_pem())
    assert (found.server, found.ca_pem) == ("https://lb:6443", authorities.ca_pem())
    assert "trusted as it is" in found.warnings[0]
    with pytest.raises(errors.AnonymousRefusedError, match="the discovery file holds no CA"):
        by_file(Server(FORBIDDEN), fake_clock)


def test_file_discovery_retries_and_then_fails(authorities: Authorities, fake_clock) -> None:
    with pytest.raises(errors.DiscoveryTimeoutError):
        by_file(Server((500, b"")), fake_clock, ca_pem=authorities.ca_pem())
    assert 20 < sum(fake_clock.slept) <= 30


def test_an_insecure_discovery_file_is_refused(good, fake_clock) -> None:
    server = Server(good)
    with pytest.raises(errors.DiscoveryError, match="insecure-skip-tls-verify"):
        by_file(server, fake_clock, insecure=True)
    assert server.asked == []
