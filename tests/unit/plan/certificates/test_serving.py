"""What processes serve on the wire, asked over a real TLS connection, beside what their files hold."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Arg, Component, Etcd, ExternalEtcd
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import leaf_requests
from kubeadm_py.plan.certificates import serving
from kubeadm_py.plan.certificates.serving import Endpoint
from kubeadm_py.transport.fake import FakeHost, FakeStream

NODE = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.0.0.11")
WORKER = Node("w1", Role.WORKER, ("10.0.0.21",))
CLUSTER = ResolvedCluster("demo", Version.parse("v1.36.3"), (NODE, WORKER), encryption_algorithm="ECDSA-P256")
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def pairs():
    """Two generations of the API server's certificate."""
    request = next(each for each in leaf_requests(CLUSTER, NODE) if each.name == "apiserver")
    made = []
    for _ in range(2):
        with Authorities.from_fresh(CLUSTER, now=NOW) as authorities:
            made.append(authorities.sign(request))
    return made


@pytest.fixture
def served(pairs, tmp_path):
    """Serve the first generation on a socket, and yield where."""
    (tmp_path / "pair.pem").write_bytes(b"".join(pairs[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                raw, _ = listener.accept()
                with context.wrap_socket(raw, server_side=True) as stream:
                    stream.recv(1)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()
    thread.join(5)


class Tunnelled(FakeHost):
    """A host whose tunnels all lead to one socket."""

    where: tuple[str, int] = ("", 0)

    @contextlib.contextmanager
    def tunnel(self, address, port, timeout):
        with socket.create_connection(self.where, timeout) as stream:
            yield stream


def session(host, **files):
    facts = HostFacts(
        files={path: FileFact(path, 0o644, "root:root", content=text) for path, text in files.items()}
    )
    return Session(NODE, host, facts, Inventory(), "")


def ask(host, files, path="/a.crt"):
    return serving._ask(session(host, **files), Endpoint("kube-apiserver", "10.0.0.11", 6443, path))


def test_the_files_own_certificate(pairs, served):
    host = Tunnelled("cp1")
    host.where = served
    found = ask(host, {"/a.crt": pairs[0][0]})
    assert found.matches is True
    assert found.cells(NOW)[2:] == (found.expires.strftime("%b %d, %Y %H:%M UTC"), "364d", "/a.crt")
    assert found.as_json(NOW)["servesFile"] is True
    assert found.as_json(NOW)["serialNumber"]


def test_an_older_one_than_the_file_holds(pairs, served):
    host = Tunnelled("cp1")
    host.where = served
    found = ask(host, {"/a.crt": pairs[1][0]})
    assert found.matches is False
    assert found.cells(NOW)[4] == "not the one in /a.crt: restart kube-apiserver"


def test_one_without_a_file(served):
    host = Tunnelled("cp1")
    host.where = served
    found = ask(host, {}, path="")
    assert found.matches is None
    assert found.cells(NOW)[4] == "made by the process itself"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionRefusedError(), "nothing listens"),
        (TimeoutError(), "no answer: TimeoutError"),
        (KubeadmPyError("the SSH server forbids tunnels"), "the SSH server forbids tunnels"),
    ],
)
def test_what_cannot_be_asked(error, told):
    host = FakeHost("cp1")
    host.tunnels[("10.0.0.11", 6443)] = error
    found = ask(host, {})
    assert found.cells(NOW)[2] == told
    assert found.as_json(NOW)["expirationDate"] is None


def test_something_that_speaks_no_tls():
    found = ask(FakeHost("cp1"), {})
    assert found.expires is None
    host = FakeHost("cp1")
    host.tunnels[("10.0.0.11", 6443)] = FakeStream([b"SSH-2.0-OpenSSH\r\n"])
    assert ask(host, {}).problem.startswith("no answer: ")


def test_where_components_serve():
    listed = {
        (each.component, each.address, each.port, each.path) for each in serving.endpoints(CLUSTER, NODE)
    }
    pki = "/etc/kubernetes/pki"
    assert listed == {
        ("kube-apiserver", "10.0.0.11", 6443, f"{pki}/apiserver.crt"),
        ("kube-controller-manager", "127.0.0.1", 10257, ""),
        ("kube-scheduler", "127.0.0.1", 10259, ""),
        ("etcd", "127.0.0.1", 2379, f"{pki}/etcd/server.crt"),
        ("etcd", "10.0.0.11", 2380, f"{pki}/etcd/peer.crt"),
        ("kubelet", "10.0.0.11", 10250, "/var/lib/kubelet/pki/kubelet.crt"),
    }
    assert [each.component for each in serving.endpoints(CLUSTER, WORKER)] == ["kubelet"]


def test_settings_move_them():
    moved = replace(
        CLUSTER,
        etcd=Etcd(None, ExternalEtcd(("https://e:2379",))),
        api_server=Component(extra_args=(Arg("tls-cert-file", "/own.crt"),)),
        kubelet_config={"serverTLSBootstrap": True},
    )
    listed = {each.component: each.path for each in serving.endpoints(moved, NODE)}
    assert "etcd" not in listed
    assert listed["kube-apiserver"] == "/own.crt"
    assert listed["kubelet"] == "/var/lib/kubelet/pki/kubelet-server-current.pem"
    own = replace(CLUSTER, kubelet_config={"tlsCertFile": "/k.crt"})
    assert serving.endpoints(own, WORKER)[0].path == "/k.crt"


def test_the_kubelets_client_certificate_is_its_files(pairs):
    host = FakeHost("cp1")
    path = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    found = serving.look(CLUSTER, session(host, **{path: pairs[0][0]}))
    assert found[-1].cells(NOW)[:2] == ("kubelet (client)", "-")
    assert found[-1].endpoint.path == path
    assert len(serving.look(CLUSTER, session(host))) == len(found) - 1
