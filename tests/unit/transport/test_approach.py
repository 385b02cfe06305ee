"""Connections that begin before anybody needs them."""

import contextlib
import socket
import time

import pytest

from kubeadm_py.errors import UnreachableError
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.ssh import SSH
from kubeadm_py.transport import connect
from kubeadm_py.transport.fake import FakeHost


def test_what_was_approached_is_connected_once(server, host):
    here = host(server)
    here.approach()
    here.approach()
    here.connect()
    here.connect()
    assert here.run("echo there").stdout == b"there\n"
    assert server.connections == 1


def test_a_script_waits_for_the_approach(server, host):
    here = host(server)
    here.approach()
    assert here.run("echo there").stdout == b"there\n"
    assert server.connections == 1


def test_a_failed_approach_is_told_by_connect_and_not_waited_for_twice(server, host):
    tried = []
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        here = host(server, port=deaf.getsockname()[1], connect_timeout=0.3)
        here.approach()
        started = time.monotonic()
        with pytest.raises(UnreachableError):
            here.connect()
        assert time.monotonic() - started < 5
        deaf.settimeout(0.0)
        with contextlib.suppress(BlockingIOError):
            while True:
                tried.append(deaf.accept())
    assert len(tried) == 1
    for connection, _ in tried:
        connection.close()


def test_a_host_that_is_closed_while_it_is_approached_leaves_no_connection(server, host):
    here = host(server)
    here.approach()
    here.close()
    deadline = time.monotonic() + 10
    while (server.connections == 0 or server.open_connections()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.connections == 1
    assert server.open_connections() == 0
    # It can still be used again.
    assert here.run("echo again").stdout == b"again\n"


class TestApproached:
    nodes = (Node("a", Role.WORKER, ("192.0.2.1",), SSH("192.0.2.1")), Node("b", Role.WORKER, ("192.0.2.2",)))

    @pytest.fixture
    def made(self, monkeypatch):
        made = []

        class Noted(FakeHost):
            approached = 0

            def approach(self):
                self.approached += 1

        def host_for(node):
            made.append(Noted(node.name))
            return made[-1]

        monkeypatch.setattr(connect, "host_for", host_for)
        return made

    def test_each_host_is_handed_out_once(self, made):
        approached = connect.Approached(self.nodes)
        assert [each.approached for each in made] == [1, 1]
        assert approached(self.nodes[0]) is made[0]
        assert approached(self.nodes[0]) is made[2]
        assert made[2].approached == 0

    def test_a_node_that_is_reached_differently_by_now_gets_another_host(self, made):
        approached = connect.Approached(self.nodes)
        assert approached(Node("b", Role.WORKER, ("192.0.2.2",), SSH("192.0.2.9"))) is made[2]

    def test_what_nobody_called_for_is_closed(self, made):
        approached = connect.Approached(self.nodes)
        approached(self.nodes[1])
        approached.close()
        assert [[call.kind for call in each.calls] for each in made] == [["close"], []]
