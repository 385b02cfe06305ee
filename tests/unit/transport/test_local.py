import socket
import threading
import time

import pytest

from kubeadm_py.errors import PreflightError, WaitTimeoutError
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.ssh import SSH
from kubeadm_py.transport import local
from kubeadm_py.transport.connect import host_for
from kubeadm_py.transport.local import LocalHost
from kubeadm_py.transport.ssh.host import SSHHost

BIG = bytes(range(256)) * (5 * 4096)


@pytest.fixture
def here(monkeypatch):
    """Be root in LocalHost's eyes, so that nothing needs sudo."""
    monkeypatch.setattr(local.os, "geteuid", lambda: 0)
    return LocalHost("me")


@pytest.fixture
def not_root(monkeypatch, remote_path):
    monkeypatch.setattr(local.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", remote_path)
    return LocalHost("me")


def test_a_node_without_ssh_is_this_machine():
    assert isinstance(host_for(Node("me", Role.WORKER, ("10.0.0.1",))), LocalHost)
    far = host_for(Node("far", Role.WORKER, ("10.0.0.1",), ssh=SSH("10.0.0.1")), connect_timeout=3)
    assert isinstance(far, SSHHost)
    assert (far.name, far._connect_timeout) == ("far", 3)


def test_run(here):
    here.connect()
    result = here.run("pwd; read -r word; echo got $word; echo oops >&2; exit 3", stdin=b"input\n")
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"/\ngot input\n", b"oops\n")
    here.close()


def test_five_megabytes_both_ways(here):
    pieces = [BIG[:1_000_000], BIG[1_000_000:]]
    assert here.run("cat", stdin=pieces, timeout=60).stdout == BIG


def test_a_script_may_end_before_its_input_does(here):
    assert here.run("head -c 10 >/dev/null; exit 7", stdin=[BIG] * 8, timeout=60).exit_code == 7


def test_lines_are_seen(here):
    seen = []
    here.run("echo one; printf two", on_line=seen.append)
    assert seen == ["one", "two"]


def test_a_killed_script_has_the_shells_exit_code(here):
    assert here.run("kill -9 $$").exit_code == 137


def test_a_deadline(here):
    with pytest.raises(WaitTimeoutError, match="wait for the moon did not end in time"):
        here.run("# wait for the moon\nsleep 60", stdin=BIG, timeout=0.3)


def test_a_deadline_after_the_output_has_ended(here):
    with pytest.raises(WaitTimeoutError):
        here.run("exec >/dev/null 2>&1 <&1; sleep 60", timeout=0.5)


def test_an_error_of_the_source_of_the_input_is_raised(here):
    def broken():
        yield b"x"
        raise ValueError("the bundle is damaged")

    with pytest.raises(ValueError, match="damaged"):
        here.run("cat", stdin=broken(), timeout=20)


def test_what_comes_right_after_the_end_counts_however_long_it_was_silent_before(here, monkeypatch):
    """A script may end between two looks at what it prints."""
    monkeypatch.setattr(local, "_LINGER", 1.5)
    assert here.run("sleep 2; { sleep 0.8; echo last; } &", timeout=20).stdout == b"last\n"


def test_children_left_behind_do_not_keep_us_waiting(here, monkeypatch):
    monkeypatch.setattr(local, "_LINGER", 0.2)
    started = time.monotonic()
    assert here.run("sleep 30 & echo started", timeout=20).stdout == b"started\n"
    assert time.monotonic() - started < 15


def test_hold(here, tmp_path):
    held = here.hold(
        f"echo facts; echo READY; cat >/dev/null; touch {tmp_path}/released", until="READY", timeout=20
    )
    assert held.result.stdout == b"facts\n"
    assert held.alive()
    held.release()
    assert not held.alive()
    assert (tmp_path / "released").exists()


def test_a_held_script_gets_beats(here, tmp_path):
    held = here.hold(
        f"echo READY; head -c 2 >{tmp_path}/heard; touch {tmp_path}/end", until="READY", timeout=20
    )
    held.beat()
    held.beat()
    deadline = time.monotonic() + 10
    while held.alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "heard").read_bytes() == b".."
    held.beat()
    held.release()
    held.beat()


def test_hold_given_up(here):
    held = here.hold("echo busy; exit 75", until="READY", timeout=20)
    assert (held.result.exit_code, held.result.stdout, held.alive()) == (75, b"busy\n", False)
    with pytest.raises(WaitTimeoutError):
        here.hold("sleep 60", until="READY", timeout=0.3)


def test_sudo_where_we_are_not_root(not_root, sudo_mode):
    sudo_mode("nopasswd")
    assert not_root.run('echo "$SUDO_MODE"').stdout == b"nopasswd\n"
    sudo_mode("password")
    with pytest.raises(PreflightError, match="sudo wants a password"):
        not_root.run("true")


def test_no_sudo_here(not_root, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(PreflightError, match="there is no sudo on this machine"):
        not_root.run("true")


def test_read(here, tmp_path):
    (tmp_path / "file").write_bytes(b"\0x")
    assert here.read(str(tmp_path / "file")) == b"\0x"
    with pytest.raises(FileNotFoundError):
        here.read(str(tmp_path / "absent"))


@pytest.mark.skipif(local.os.geteuid() != 0, reason="ownership by root takes root")
def test_write(here, tmp_path):
    here.write(str(tmp_path / "file"), b"x", mode=0o640)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_tunnel(here, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def greet():
            with listener.accept()[0] as client:
                client.sendall(b"hi")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        with here.tunnel("127.0.0.1", port, 5) as stream:
            assert stream.recv(10) == b"hi"
        thread.join()
    with pytest.raises(ConnectionRefusedError), here.tunnel("127.0.0.1", port, 5):
        pass

    def no_route(*_):
        raise OSError(113, "No route to host")

    monkeypatch.setattr(local.socket, "create_connection", no_route)
    with pytest.raises(TimeoutError, match="No route"), here.tunnel("10.0.0.9", 1, 5):
        pass
