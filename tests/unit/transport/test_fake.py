import re

import pytest

from kubeadm_py.errors import UnreachableError
from kubeadm_py.transport.base import Host, Result
from kubeadm_py.transport.fake import Call, FakeHost, FakeStream


def test_it_is_a_host():
    host: Host = FakeHost("n1")
    host.connect()
    assert host.run("anything").ok
    host.close()


def test_the_last_fitting_answer_wins_and_once_is_once():
    host = FakeHost("n1").answer("probe", "general\n").answer(re.compile(r"^probe \d"), b"numbered")
    host.answer("probe", "first", once=True, exit_code=3)
    assert host.run("probe 1") == Result(3, b"first", b"")
    assert host.run("probe 1").stdout == b"numbered"
    assert host.run("probe x").stdout == b"general\n"
    assert host.run("other") == Result(0, b"", b"")


def test_answers_may_be_computed_or_errors():
    host = FakeHost("n1").answer(lambda script: "sum" in script, lambda call: Result(0, call.data[::-1], b""))
    host.answer("boom", UnreachableError("gone", host="n1"))
    assert host.run("sum", stdin=[b"a", b"b"]).stdout == b"ba"
    with pytest.raises(UnreachableError):
        host.run("boom")


def test_everything_is_recorded_in_order():
    host = FakeHost("n1")
    host.connect()
    host.run("one", stdin=b"in")
    held = host.hold("lock", until="READY", timeout=1)
    host.write("/etc/x", b"content", mode=0o640)
    assert host.read("/etc/x") == b"content"
    held.release()
    host.close()
    assert [call.kind for call in host.calls] == [
        "connect",
        "run",
        "hold",
        "write",
        "read",
        "release",
        "close",
    ]
    assert host.calls[1] == Call("run", "one", b"in")
    assert host.modes == {"/etc/x": 0o640}
    assert host.round_trips() == 4
    assert host.round_trips("write", "read") == 2
    assert host.scripts == ["one", "lock"]
    with pytest.raises(FileNotFoundError):
        host.read("/absent")


def test_lines_and_holds():
    host = FakeHost("n1").answer("probe", "facts\nmore\nREADY\nafter\n")
    seen = []
    host.run("probe", on_line=seen.append)
    assert seen == ["facts", "more", "READY", "after"]
    held = host.hold("probe", until="READY", timeout=1)
    assert held.result.stdout == b"facts\nmore\n"
    assert held.alive()
    held.release()
    assert not held.alive()
    host.answer("probe", "busy", exit_code=75)
    held = host.hold("probe", until="READY", timeout=1)
    assert (held.result.exit_code, held.result.stdout, held.alive()) == (75, b"busy", False)


def test_a_lost_connection_and_an_unreachable_host():
    host = FakeHost("n1")
    held = host.hold("lock", until="READY", timeout=1)
    host.lost = True
    assert not held.alive()
    with pytest.raises(UnreachableError, match="lost while stage one was running"):
        host.run("# stage one\ntrue")
    with pytest.raises(UnreachableError, match="lost while read /etc/x"):
        host.read("/etc/x")
    host.unreachable = UnreachableError("nobody there", host="n1")
    with pytest.raises(UnreachableError, match="nobody there"):
        host.connect()


def test_tunnels():
    host = FakeHost("n1")
    stream = host.tunnels["10.0.0.1", 6443] = FakeStream([b"HTTP/1.1 200", b"OK"])
    host.tunnels["10.0.0.2", 6443] = TimeoutError("no answer")
    with host.tunnel("10.0.0.1", 6443, 1) as opened:
        opened.sendall(b"GET")
        assert [opened.recv(4), opened.recv(100), opened.recv(100), opened.recv(1)] == [
            b"HTTP",
            b"/1.1 200",
            b"OK",
            b"",
        ]
    assert stream.sent == b"GET"
    with pytest.raises(TimeoutError), host.tunnel("10.0.0.2", 6443, 1):
        pass
    with pytest.raises(ConnectionRefusedError), host.tunnel("10.0.0.3", 6443, 1):
        pass
