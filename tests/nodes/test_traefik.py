"""traefik as its users meet it: requests from outside, told apart by name and path, plain and over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
from lab import nodes

from .cli import Cli
from .fleet import Cluster, Fleet
from .openssl import self_signed
from .workloads import apply, fetch, rolled_out, until, web, with_addons

pytestmark = pytest.mark.long

NAME = "shop.example.org"
PATHS = "paths.example.org"
SECURE = "secure.example.org"
WITHIN = 60.0


def ingress(name: str, host: str, routes: dict[str, str], secret: str = "") -> dict:
    paths = [
        {
            "path": path,
            "pathType": "Prefix",
            "backend": {"service": {"name": service, "port": {"number": 80}}},
        }
        for path, service in routes.items()
    ]
    spec: dict = {"rules": [{"host": host, "http": {"paths": paths}}]}
    if secret:
        spec["tls"] = [{"hosts": [host], "secretName": secret}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli) -> Iterator[Cluster]:
    made = with_addons(fleet, cli, "traefik", ["traefik"], built=["traefik"])
    apply(made, *web("one"), *web("two"))
    for name in ("one", "two"):
        rolled_out(made, name)
    yield made
    fleet.bare()


@pytest.fixture(scope="module")
def outside(cluster: Cluster) -> str:
    """The worker's own address, as a name server would give it to people."""
    [worker] = cluster.workers
    return worker.address


def served(address, host, path="/hostname", port=80, **how):
    """Return the name of the Deployment whose pod answers, once any does."""
    answer = until(
        lambda: fetch(address, port, host, path, **how),
        lambda seen: seen is not None and seen.status == 200,
        WITHIN,
        f"{host}{path} is answered",
    )
    return answer.text.split("-")[0]


@pytest.mark.runs_addon("traefik")
def test_a_name_leads_to_its_service_and_another_to_nothing(cluster, outside):
    apply(cluster, ingress("name", NAME, {"/": "one"}))
    assert served(outside, NAME) == "one"
    unknown = fetch(outside, 80, "unknown.example.org")
    assert unknown is not None
    assert unknown.status == 404


def test_paths_of_one_name_lead_to_several(cluster, outside):
    apply(cluster, ingress("paths", PATHS, {"/hostname": "one", "/healthz": "one", "/": "two"}))
    assert served(outside, PATHS, "/hostname") == "one"
    apply(cluster, ingress("paths", PATHS, {"/hostname": "two"}))
    until(
        lambda: fetch(outside, 80, PATHS, "/hostname"),
        lambda seen: seen is not None and seen.text.startswith("two-"),
        WITHIN,
        "the changed path leads to the other service",
    )
    gone = until(
        lambda: fetch(outside, 80, PATHS, "/healthz"),
        lambda seen: seen is not None and seen.status == 404,
        WITHIN,
        "what has no path any more",
    )
    assert gone.status == 404


def test_tls_is_answered_with_the_certificate_of_the_ingress(cluster, outside, tmp_path):
    certificate, key = self_signed(tmp_path, SECURE, outside, SECURE)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "secure", "namespace": "default"},
        "stringData": {"tls.crt": certificate.decode(), "tls.key": key.decode()},
    }
    apply(cluster, secret, ingress("secure", SECURE, {"/": "two"}, "secure"))
    trusted = tmp_path / "trusted.crt"
    trusted.write_bytes(certificate)

    def checked() -> str:
        try:
            answer = fetch(outside, 443, SECURE, "/hostname", ca=trusted)
        except ssl.SSLCertVerificationError as error:
            # traefik's own, until it has seen the Secret.
            return str(error)
        return answer.text if answer else ""

    until(checked, lambda seen: seen.startswith("two-"), WITHIN, "TLS with the Ingress's certificate")


def test_an_ingress_that_names_no_class_is_traefiks(cluster):
    chosen = cluster.kubectl("get", "ingress", "name", "-o", "jsonpath={.spec.ingressClassName}")
    assert chosen == "traefik"


def test_a_pod_that_dies_is_replaced_and_requests_go_on(cluster, outside):
    cluster.kubectl("delete", "pods", "-l", "app=one", "--now")
    assert served(outside, NAME) == "one"
    [worker] = cluster.workers
    nodes.exec(worker, ["sh", "-c", "pkill -x traefik"])
    assert served(outside, NAME) == "one"


def test_a_second_apply_changes_nothing(cluster, cli):
    assert "nothing changed" in cli.run("apply", "--config", cluster.config).out
