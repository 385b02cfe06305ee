"""Reading the cluster with a bootstrap token: what goes wrong is said, and no odd answer is a traceback."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.bootstrap import Discovery
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import pem
from kubeadm_py.plan.joining.servers import endpoint_of

TOKEN = Secret("abcdef.0123456789abcdef")


@pytest.fixture
def by_token(joined):
    """The world, and a join of w1 that knows an endpoint, a token and a pin."""
    joined.api.tokens["abcdef"] = TOKEN
    cluster = replace(
        joined.cluster,
        nodes=joined.cluster.workers,
        discovery=Discovery(
            token=TOKEN,
            api_server_endpoint="10.0.0.11:6443",
            ca_cert_hashes=tuple(pem.public_key_hashes(joined.api.ca_pem)),
        ),
    )
    return joined, lambda: joined.join("w1", cluster=cluster)


def answering(world, monkeypatch, part: str, status: int, body: bytes) -> None:
    """Let the API answer paths with `part` in this way."""
    get = world.api.get
    monkeypatch.setattr(
        world.api, "get", lambda path, entry: (status, body) if part in path else get(path, entry)
    )


def test_a_name_that_is_taken(by_token):
    world, join = by_token
    world.api.nodes["w1"] = True
    with pytest.raises(KubeadmPyError, match="w1: the cluster has a Ready node called w1 already"):
        join()
    assert world.machines["w1"].stages == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"null"),
        (200, b"{}"),
        (200, b'{"status": null}'),
        (200, b'{"status": {"conditions": null}}'),
        (200, b'{"status": {"conditions": ["x"]}}'),
        (403, b'{"message": "forbidden"}'),
        (404, b""),
    ],
)
def test_an_odd_answer_about_the_name_takes_none(by_token, monkeypatch, status, body):
    world, join = by_token
    answering(world, monkeypatch, "/nodes/", status, body)
    join()
    assert world.machines["w1"].stages[-1] == "join"


@pytest.mark.parametrize("name", ["kubelet-config", "kubeadm-config"])
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, b'{"message": "no access for you"}', "failed: HTTP status 403"),
        (404, b"<html>not found</html>", "failed: HTTP status 404"),
        (200, b"<html>", "cannot be read"),
        (200, b"[]", "cannot be read"),
        (200, b'{"data": {}}', "cannot be read"),
        (200, b'{"data": null}', "cannot be read"),
        (
            200,
            json.dumps({"data": {"kubelet": "a: [", "ClusterConfiguration": "a: ["}}).encode(),
            "cannot be read",
        ),
    ],
)
def test_config_maps_that_cannot_be_used(by_token, monkeypatch, name, status, body, said):
    world, join = by_token
    answering(world, monkeypatch, f"/{name}", status, body)
    with pytest.raises(KubeadmPyError) as caught:
        join()
    assert name in caught.value.summary
    assert said in caught.value.summary
    assert caught.value.host == "w1"
    assert caught.value.fix
    if status == 403:
        assert caught.value.details == ("no access for you",)
    assert world.machines["w1"].stages == []


@pytest.mark.parametrize(
    ("server", "endpoint"),
    [
        ("https://10.0.0.1:6443", "10.0.0.1:6443"),
        ("https://10.0.0.1:6443/", "10.0.0.1:6443"),
        ("https://api.example.test", "api.example.test:443"),
        ("https://[fd00::1]:6443", "[fd00::1]:6443"),
    ],
)
def test_where_a_server_listens(server, endpoint):
    assert endpoint_of(server) == endpoint


@pytest.mark.parametrize(
    "server", ["http://10.0.0.1:6443", "10.0.0.1:6443", "https://", "https://a/prefix", "", "https://a:x"]
)
def test_a_server_that_is_none(server):
    with pytest.raises((KubeadmPyError, UsageError)):
        endpoint_of(server)
