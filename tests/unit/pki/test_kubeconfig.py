from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import yaml

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import KubeconfigRequest, kubeconfig_requests

FILE = "conf.yaml"


@pytest.fixture
def admin(cluster: ResolvedCluster, node: Node) -> KubeconfigRequest:
    return kubeconfig_requests(cluster, node)[0]


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def test_bytes_are_in_kubectls_order() -> None:
    rendered = kubeconfig.render(
        "demo",
        "https://10.0.0.1:6443",
        b"CA",
        "me",
        client_certificate=b"CRT",
        client_key=Secret("KEY"),
    )
    assert rendered.decode() == (
        "apiVersion: v1\n"
        "clusters:\n"
        "- cluster:\n"
        f"    certificate-authority-data: {b64('CA')}\n"
        "    server: https://10.0.0.1:6443\n"
        "  name: demo\n"
        "contexts:\n"
        "- context:\n"
        "    cluster: demo\n"
        "    user: me\n"
        "  name: me@demo\n"
        "current-context: me@demo\n"
        "kind: Config\n"
        "users:\n"
        "- name: me\n"
        "  user:\n"
        f"    client-certificate-data: {b64('CRT')}\n"
        f"    client-key-data: {b64('KEY')}\n"
    )


def test_a_token_instead_of_a_certificate() -> None:
    rendered = yaml.safe_load(
        kubeconfig.render("demo", "https://h:1", b"CA", "boot", token=Secret("abcdef.0123456789abcdef"))
    )
    assert rendered["users"] == [{"name": "boot", "user": {"token": "abcdef.0123456789abcdef"}}]


def test_names_that_yaml_would_misread_stay_text() -> None:
    rendered = kubeconfig.render("yes", "https://h:1", b"", "1e3: #", token=Secret("000000.0000000000000000"))
    document = kubeconfig.load(rendered, FILE)
    assert document["clusters"][0]["name"] == "yes"
    assert document["users"][0] == {"name": "1e3: #", "user": {"token": "000000.0000000000000000"}}


MALFORMED = {
    "a list": (b"- a\n", "not a mapping"),
    "empty": (b"", "not a mapping"),
    "another kind": (b"kind: Pod\n", "its kind is not Config"),
    "clusters": (b"clusters: {}\n", "its clusters are not a list"),
    "nameless": (b"users: [{user: {}}]\n", "one of its users has no name"),
    "number as name": (b"users: [{name: 1}]\n", "one of its users has no name"),
    "inner": (
        b"contexts: [{name: a, context: [1]}]\n",
        "the context of 'a' in its contexts is not a mapping",
    ),
    "twice": (b"users: [{name: a}, {name: a}]\n", "it has two users named 'a'"),
    "current": (b"current-context: [a]\n", "its current-context is not a name"),
    "yaml": (b"a: b\nc: [client-key-data\n", r"it is not YAML \(line 3\)"),
    "tab": (b"a:\n\tb: c\n", r"it is not YAML \(line 2\)"),
    "control": (b"a: \x01\n", "it is not YAML"),
    "two documents": (b"a: b\n---\nc: d\n", "it is not YAML"),
    "utf8": (b"\xff\xfe\x00", "it is not UTF-8 text"),
    "aliases": (b"a: &a [1]\nb: [*a, *a]\n", r"it uses YAML aliases \(line 2\)"),
    "deep": (b"[\n" * 100_000, "it is not YAML"),
    "python": (b"!!python/object/apply:os.system [id]\n", "it is not YAML"),
    "date": (b"a: 2026-99-99\n", "it is not YAML"),
    "huge": (b" " * (kubeconfig.MAXIMUM_SIZE + 1), "it is larger than 10 MiB"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_clear_errors(content: bytes, message: str) -> None:
    with pytest.raises(KubeadmPyError, match=message) as caught:
        kubeconfig.load(content, FILE)
    assert caught.value.summary.startswith("conf.yaml is not a usable kubeconfig: ")
    assert "client-key-data" not in str(caught.value)
    assert caught.value.fix


def test_absent_and_null_parts_are_empty() -> None:
    document = kubeconfig.load("clusters: null\ncontexts: [{name: a, context: null}]\n", FILE)
    assert document["clusters"] == document["users"] == []
    assert document["contexts"] == [{"name": "a", "context": {}}]


DISCOVERY = """
clusters:
- {name: one, cluster: {server: "https://one:6443", certificate-authority-data: Q0Ex}}
- {name: two, cluster: {server: "https://two:6443", tls-server-name: api.two}}
contexts:
- {name: c, context: {cluster: two, user: u}}
current-context: c
users:
- {name: u, user: {token: t0}}
"""


def test_the_current_contexts_cluster_with_its_credentials() -> None:
    found = kubeconfig.cluster_of(DISCOVERY)
    assert (found.name, found.server, found.tls_server_name) == ("two", "https://two:6443", "api.two")
    assert found.token == Secret("t0")
    assert found.ca_pem is None
    assert "t0" not in repr(found)


def test_the_unnamed_cluster_wins() -> None:
    text = DISCOVERY + "apiVersion: v1\n"
    text = text.replace("name: one", 'name: ""')
    found = kubeconfig.cluster_of(text)
    assert (found.server, found.ca_pem) == ("https://one:6443", b"CA1")


def test_a_single_cluster_needs_no_context() -> None:
    found = kubeconfig.cluster_of("clusters: [{name: x, cluster: {server: 'https://x'}}]")
    assert found.server == "https://x"
    assert (found.token, found.client_certificate_pem) == (None, None)
    assert not found.insecure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "neither a cluster without a name nor a current context"),
        (DISCOVERY.replace("current-context: c", ""), "neither a cluster without a name"),
        (
            DISCOVERY.replace("cluster: two", "cluster: gone"),
            "names the cluster 'gone', which it does not hold",
        ),
        (DISCOVERY.replace("https://two", "http://two"), "the server of its cluster 'two' is not an https"),
        ("clusters: [{name: x}]", "the server of its cluster 'x' is not an https"),
        (
            DISCOVERY.replace("token: t0", "client-certificate-data: '!'"),
            "client-certificate-data is not base64",
        ),
        (DISCOVERY.replace("token: t0", "client-key-data: [1]"), "its client-key-data is not base64"),
        (DISCOVERY.replace("token: t0", "client-key: /k"), "it names the file /k instead of holding"),
    ],
)
def test_unusable_discovery_files(text: str, message: str) -> None:
    with pytest.raises(KubeadmPyError, match=message):
        kubeconfig.cluster_of(text)


def test_files_that_it_names_are_read() -> None:
    contents = {"/ca": b"CA", "/crt": b"CRT", "/key": b"KEY", "/token": b"tok\n"}
    user = "{client-certificate: /crt, client-key: /key, tokenFile: /token}"
    text = DISCOVERY.replace("{token: t0}", user).replace(
        "tls-server-name: api.two", "certificate-authority: /ca"
    )
    found = kubeconfig.cluster_of(text, read=contents.__getitem__)
    assert (found.ca_pem, found.client_certificate_pem) == (b"CA", b"CRT")
    assert (found.client_key, found.token) == (Secret("KEY"), Secret("tok"))


def test_embedded_data_wins_over_a_file() -> None:
    text = DISCOVERY.replace(
        "tls-server-name: api.two", "certificate-authority: /ca, certificate-authority-data: Q0E="
    )
    assert kubeconfig.cluster_of(text).ca_pem == b"CA"


def test_cluster_info_has_exactly_one_cluster() -> None:
    assert kubeconfig.only_cluster("clusters: [{name: '', cluster: {server: 'https://x'}}]", FILE).name == ""
    with pytest.raises(KubeadmPyError, match="it has 2 clusters instead of one"):
        kubeconfig.only_cluster(DISCOVERY, FILE)


def without_key(content: bytes) -> bytes:
    return b"\n".join(line for line in content.splitlines() if b"client-key-data" not in line)


def test_what_we_make_fits_without_its_key(
    authorities: Authorities, cluster: ResolvedCluster, node: Node, now: datetime
) -> None:
    for request in kubeconfig_requests(cluster, node):
        content = without_key(authorities.kubeconfig(request))
        assert kubeconfig.kubeconfig_fits(content, request, authorities.ca_pem(), now) == []


def test_reasons_why_a_kubeconfig_does_not_fit(
    authorities: Authorities, other_authorities: Authorities, admin: KubeconfigRequest, now: datetime
) -> None:
    content = authorities.kubeconfig(admin)

    def reasons(request: KubeconfigRequest = admin, ca_pem: bytes = authorities.ca_pem(), **kind: object):
        return kubeconfig.kubeconfig_fits(content, request, ca_pem, now, **kind)

    assert reasons(replace(admin, server="https://new:6443")) == [
        "its server is https://k8s.example.test:6443, not https://new:6443"
    ]
    assert reasons(ca_pem=other_authorities.ca_pem()) == [
        "its CA is not the cluster's",
        "its client certificate: it is not signed by the CA CN=kubernetes"
        " but by another one of the same name",
    ]
    assert reasons(replace(admin, organizations=())) == [
        "its client certificate: its subject is CN=kubernetes-admin, O=kubeadm:cluster-admins, "
        "not CN=kubernetes-admin"
    ]
    assert reasons(minimum_remaining=timedelta(days=400)) == [
        "its client certificate: it expires at 2027-11-20T22:41:14Z, in less than 400 days"
    ]


def test_kubeconfigs_with_parts_missing(
    authorities: Authorities, admin: KubeconfigRequest, now: datetime
) -> None:
    def reasons(content: bytes) -> list[str]:
        return kubeconfig.kubeconfig_fits(content, admin, authorities.ca_pem(), now)

    assert reasons(b"{}") == ["it has no current context with a cluster and a user"]
    assert reasons(b"[") == ["the kubeconfig is not a usable kubeconfig: it is not YAML (line 1)"]
    document = yaml.safe_load(authorities.kubeconfig(admin))
    del document["users"][0]["user"]["client-certificate-data"]
    assert reasons(kubeconfig.dump(document)) == ["it holds no client certificate"]
    del document["clusters"][0]["cluster"]["certificate-authority-data"]
    assert reasons(kubeconfig.dump(document)) == [
        "it holds no CA certificate",
        "it holds no client certificate",
    ]
    document["clusters"][0]["cluster"]["certificate-authority-data"] = b64("junk")
    (reason,) = reasons(kubeconfig.dump(document))
    assert reason == "the CA bundle holds no certificate in PEM form"


def test_a_kubelet_that_rotates_its_own_certificate(
    authorities: Authorities, cluster: ResolvedCluster, node: Node, now: datetime
) -> None:
    (request,) = [each for each in kubeconfig_requests(cluster, node) if each.name == "kubelet.conf"]
    document = yaml.safe_load(authorities.kubeconfig(request))
    embedded = base64.b64decode(document["users"][0]["user"]["client-certificate-data"])
    document["users"][0]["user"] = {"client-certificate": "/var/lib/kubelet/pki/x.pem"}
    content = kubeconfig.dump(document)
    ca_pem = authorities.ca_pem()
    assert kubeconfig.kubeconfig_fits(content, request, ca_pem, now) == []
    assert kubeconfig.kubeconfig_fits(content, request, ca_pem, now, certificate_pem=embedded) == []
    wrong = authorities.sign(replace(request.certificate, common_name="other"))[0]
    (reason,) = kubeconfig.kubeconfig_fits(content, request, ca_pem, now, certificate_pem=wrong)
    assert reason.startswith("its client certificate: its subject is CN=other")


def test_at_another_address_keeps_all_but_the_way_there() -> None:
    content = kubeconfig.render("demo", "https://api.demo.internal:6443", b"CA", "me", token=Secret("t"))
    moved = kubeconfig.at_another_address(content, "https://10.0.0.11:6443", "api.demo.internal")
    found = kubeconfig.cluster_of(moved)
    assert (found.server, found.tls_server_name) == ("https://10.0.0.11:6443", "api.demo.internal")
    back = yaml.safe_load(moved)
    del back["clusters"][0]["cluster"]["tls-server-name"]
    back["clusters"][0]["cluster"]["server"] = "https://api.demo.internal:6443"
    assert back == yaml.safe_load(content)
