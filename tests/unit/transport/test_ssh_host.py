import getpass
import os
import queue
import socket
import threading
import time

import paramiko
import pytest

from kubeadm_py.errors import (
    ExitCode,
    KubeadmPyError,
    PreflightError,
    UnreachableError,
    UsageError,
    WaitTimeoutError,
)
from kubeadm_py.transport.ssh import execution, link

BIG = bytes(range(256)) * (5 * 4096)


def test_script_and_input_travel_on_standard_input_and_the_exit_code_comes_back(any_server, host):
    result = host(any_server).run("read -r word; echo got $word; echo oops >&2; exit 3", stdin=b"input\n")
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"got input\n", b"oops\n")
    assert not result.ok


def test_the_command_line_holds_neither_script_nor_input(server, host):
    host(server).run("echo hidden-script", stdin=b"hidden-input")
    assert len(server.commands) == 1
    assert "hidden" not in server.commands[0]


def test_scripts_get_a_known_environment(server, host):
    server.environment["LC_ALL"] = "de_DE.UTF-8"
    result = host(server).run('pwd; umask; echo "$LC_ALL"; echo "$PATH"')
    assert result.stdout.split(b"\n")[:3] == [b"/", b"0022", b"C"]
    assert b"/usr/sbin" in result.stdout


def test_quotes_newlines_and_heredocs_survive(any_server, host):
    script = "cat <<'END'\nit's \"a\" $PATH `x` \\n ümläut!\nEND\necho after\n\n"
    assert host(any_server).run(script).stdout.decode() == ('it\'s "a" $PATH `x` \\n ümläut!\nafter\n')


def test_five_megabytes_both_ways(any_server, host):
    assert host(any_server).run("cat", stdin=BIG, timeout=60).stdout == BIG


def test_input_may_be_an_iterable_and_output_may_be_on_standard_error(any_server, host):
    pieces = (BIG[start : start + 70_000] for start in range(0, len(BIG), 70_000))
    result = host(any_server).run("tee /dev/stderr | wc -c", stdin=pieces, timeout=60)
    assert int(result.stdout) == len(BIG)
    assert result.stderr == BIG


@pytest.mark.parametrize("script", ["exit 7", "head -c 10 >/dev/null; exit 7", "exec <&-; exit 7"])
def test_a_script_may_end_before_its_input_does(any_server, host, script):
    assert host(any_server).run(script, stdin=[BIG] * 8, timeout=60).exit_code == 7


def test_no_input_means_end_of_file(any_server, host):
    assert host(any_server).run("cat; echo end", timeout=20).stdout == b"end\n"


def test_an_error_of_the_source_of_the_input_is_raised(server, host):
    def broken():
        yield b"x" * 100
        raise ValueError("the bundle is damaged")

    with pytest.raises(ValueError, match="the bundle is damaged"):
        host(server).run("cat >/dev/null", stdin=broken(), timeout=20)


def test_lines_are_seen_as_they_arrive(any_server, host):
    here = host(any_server)
    released = threading.Event()

    def lines():
        yield b"one\n"
        assert released.wait(20)
        yield b"two\n"

    seen = []

    def see(line):
        seen.append(line)
        released.set()

    here.run("read -r a; echo $a; read -r b; echo $b; printf last", stdin=lines(), on_line=see, timeout=30)
    assert seen == ["one", "two", "last"]


def test_a_deadline_names_what_was_running(server, host):
    with pytest.raises(WaitTimeoutError) as caught:
        host(server).run("# wait for the moon\necho still dark >&2\nsleep 60", timeout=0.5)
    assert caught.value.summary == "wait for the moon did not end in time"
    assert caught.value.details == ("still dark",)
    assert caught.value.host == "n1"


def test_what_comes_right_after_the_end_counts_however_long_it_was_silent_before(server, host, monkeypatch):
    """sshd may tell how a script ended before it has sent the last of what that printed."""
    monkeypatch.setattr(execution, "_LINGER", 1.5)
    assert host(server).run("sleep 2; { sleep 0.8; echo last; } &", timeout=20).stdout == b"last\n"


def test_children_left_behind_do_not_keep_us_waiting(server, host, monkeypatch):
    monkeypatch.setattr(execution, "_LINGER", 0.2)
    started = time.monotonic()
    assert host(server).run("sleep 30 & echo started", timeout=20).stdout == b"started\n"
    assert time.monotonic() - started < 15


def test_an_incomplete_script_is_not_run(server, host, tmp_path):
    here = host(server)
    here.connect()
    from kubeadm_py.transport.script import Envelope

    envelope = Envelope.of(f"touch {tmp_path}/done")
    channel = here._link.transport.open_session()
    channel.exec_command(f"sh -c '{envelope.bootstrap}'")
    channel.sendall(envelope.payload[:-1])
    channel.shutdown_write()
    assert channel.recv_exit_status() == 255
    assert not (tmp_path / "done").exists()


def test_several_threads_share_one_connection(server, host):
    here = host(server)
    results = {}

    def ask(number):
        results[number] = here.run(f"cat; echo {number}", stdin=BIG[:300_000], timeout=60).stdout[-2:]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n".encode() for number in range(4)}
    assert server.connections == 1


class TestHold:
    def test_a_held_script_lives_until_released(self, any_server, host, tmp_path):
        here = host(any_server)
        held = here.hold(
            f"echo facts; echo READY; cat >/dev/null; touch {tmp_path}/released", until="READY", timeout=20
        )
        assert held.result.stdout == b"facts\n"
        assert held.alive()
        assert here.run("echo beside it").stdout == b"beside it\n"
        held.release()
        assert not held.alive()
        assert (tmp_path / "released").exists()
        held.release()

    def test_a_held_script_gets_beats(self, any_server, host, tmp_path):
        script = f"echo READY; head -c 2 >{tmp_path}/heard; cat >/dev/null; touch {tmp_path}/released"
        held = host(any_server).hold(script, until="READY", timeout=20)
        held.beat()
        held.beat()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and (tmp_path / "heard").read_bytes() != b"..":
            time.sleep(0.05)
        assert (tmp_path / "heard").read_bytes() == b".."
        held.release()
        assert (tmp_path / "released").exists()
        held.beat()

    def test_a_script_that_gives_up_has_its_exit_code(self, any_server, host):
        held = host(any_server).hold("echo held by bob; exit 75", until="READY", timeout=20)
        assert (held.result.exit_code, held.result.stdout) == (75, b"held by bob\n")
        assert not held.alive()

    def test_a_script_that_never_gets_there_runs_out(self, server, host):
        with pytest.raises(WaitTimeoutError):
            host(server).hold("echo NOT READY; sleep 60", until="READY", timeout=0.5)

    def test_a_lost_connection_is_not_alive(self, server, host):
        held = host(server).hold("echo READY; cat >/dev/null", until="READY", timeout=20)
        server.drop()
        deadline = time.monotonic() + 10
        while held.alive() and time.monotonic() < deadline:
            pass
        assert not held.alive()


class TestFiles:
    @pytest.mark.skipif(os.geteuid() != 0, reason="ownership by root takes root")
    def test_write_then_read(self, any_server, host, tmp_path):
        here, path = host(any_server), tmp_path / "it's a file"
        here.write(str(path), b"\0\xff" * 1000, mode=0o640)
        assert here.read(str(path)) == b"\0\xff" * 1000
        assert path.stat().st_mode & 0o777 == 0o640
        assert [entry.name for entry in tmp_path.iterdir() if "kubeadm" in entry.name] == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="ownership by root takes root")
    def test_an_equal_file_is_left_alone(self, server, host, tmp_path):
        here, path = host(server), tmp_path / "file"
        here.write(str(path), b"same", mode=0o600)
        before = path.stat().st_ino
        here.write(str(path), b"same", mode=0o600)
        assert path.stat().st_ino == before
        here.write(str(path), b"same", mode=0o644)
        assert path.stat().st_ino != before
        assert path.stat().st_mode & 0o777 == 0o644

    @pytest.mark.skipif(os.geteuid() != 0, reason="ownership by root takes root")
    def test_a_symlink_is_replaced_and_its_target_left_alone(self, server, host, tmp_path):
        (tmp_path / "target").write_text("keep")
        (tmp_path / "link").symlink_to(tmp_path / "target")
        host(server).write(str(tmp_path / "link"), b"new")
        assert (tmp_path / "target").read_text() == "keep"
        assert not (tmp_path / "link").is_symlink()

    def test_an_absent_file(self, server, host, tmp_path):
        with pytest.raises(FileNotFoundError):
            host(server).read(f"{tmp_path}/absent/file")

    def test_what_cannot_be_read_or_written_says_why(self, server, host, tmp_path):
        here = host(server)
        with pytest.raises(KubeadmPyError, match="cannot be read") as caught:
            here.read(str(tmp_path))
        assert "directory" in caught.value.details[0].lower()
        with pytest.raises(KubeadmPyError, match="cannot be written"):
            here.write(f"{tmp_path}/absent/file", b"x")
        with pytest.raises(ValueError, match="not an absolute path"):
            here.write("relative", b"x")


class TestConnection:
    def test_it_is_made_once_and_again_after_close(self, server, host):
        here = host(server)
        here.connect()
        here.connect()
        assert server.connections == 1
        here.close()
        here.close()
        assert here.run("echo again").stdout == b"again\n"
        assert server.connections == 2

    def test_keepalives_are_sent(self, server, host, monkeypatch):
        asked = queue.SimpleQueue()
        answer = paramiko.ServerInterface.check_global_request
        monkeypatch.setattr(
            paramiko.ServerInterface,
            "check_global_request",
            lambda self, kind, message: asked.put(kind) or answer(self, kind, message),
        )
        sped_up = paramiko.Transport.set_keepalive
        monkeypatch.setattr(
            paramiko.Transport, "set_keepalive", lambda self, seconds: sped_up(self, seconds / 150)
        )
        host(server).connect()
        assert asked.get(timeout=20).startswith("keepalive@")

    @pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux counts unanswered data")
    def test_a_peer_that_vanished_is_noticed_after_three_keepalives(self, server, host, monkeypatch):
        made = []
        dial = link._dial
        monkeypatch.setattr(link, "_dial", lambda *words: made.append(dial(*words)) or made[-1])
        host(server).connect()
        [sock] = made
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 45_000

    def test_a_loss_in_the_middle_says_so_and_what_was_running(self, server, host):
        here = host(server)

        def cut(line):
            server.drop()

        with pytest.raises(UnreachableError) as caught:
            here.run("# stage control\necho started; sleep 60", on_line=cut, timeout=30)
        assert caught.value.summary == "the connection was lost while stage control was running"
        with pytest.raises(UnreachableError, match="was lost"):
            here.run("echo not behind our back")
        here.connect()
        assert here.run("echo back").stdout == b"back\n"

    def test_a_loss_while_sending(self, server, host):
        here = host(server)

        def chunks():
            for number in range(10_000):
                if number == 20:
                    server.drop()
                yield b"x" * 100_000

        with pytest.raises(UnreachableError, match="was lost while a script was running"):
            here.run("cat >/dev/null", stdin=chunks(), timeout=30)

    def test_a_shell_that_is_killed_is_told_from_a_loss(self, any_server, host):
        here = host(any_server)
        with pytest.raises(KubeadmPyError, match="stage control was killed on the host") as caught:
            here.run("# stage control\nkill -9 $$", timeout=20)
        assert caught.value.exit_code is ExitCode.FAILED
        assert here.run("echo still there").stdout == b"still there\n"

    def test_nobody_listens(self, server, host, keys):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(UnreachableError) as caught:
            host(server, port=port).connect()
        assert caught.value.summary == f"cannot connect to 127.0.0.1 port {port}: connection refused"

    def test_something_else_listens(self, server, host):
        server.silent = True
        with pytest.raises(UnreachableError, match="answers, but not as an SSH server"):
            host(server, connect_timeout=0.5).connect()

    def test_a_name_that_nobody_knows(self, server, host):
        with pytest.raises(UnreachableError, match=r"cannot resolve nowhere\.invalid"):
            host(server, host="nowhere.invalid").connect()

    def test_no_session_is_opened_any_more(self, server, host, monkeypatch):
        here = host(server)
        here.connect()

        def full(*args, **kwargs):
            raise paramiko.ChannelException(2, "Connect failed")

        monkeypatch.setattr(here._link.transport, "open_session", full)
        with pytest.raises(PreflightError) as caught:
            here.run("true")
        assert "MaxSessions" in caught.value.fix


class TestSudo:
    @pytest.fixture
    def password(self, tmp_path):
        def write(text: str, mode: int = 0o600) -> str:
            path = tmp_path / "sudo-password"
            path.write_text(text)
            path.chmod(mode)
            return str(path)

        return write

    def test_without_a_password(self, any_server, host, sudo_mode):
        sudo_mode("nopasswd")
        result = host(any_server, **_not_root(any_server)).run('echo "$SUDO_MODE"; cat', stdin=b"input")
        assert result.stdout == b"nopasswd\ninput"
        assert result.stderr == b""

    def test_the_password_answers_the_prompt_and_nothing_else(self, any_server, host, sudo_mode, password):
        sudo_mode("password")
        here = host(any_server, sudo=True, sudo_password_file=password("open sesame\n"))
        result = here.run('echo "$SUDO_MODE"; wc -c', stdin=BIG, timeout=60)
        assert result.stdout.split() == [b"password", str(len(BIG)).encode()]
        assert b"sesame" not in result.stderr

    def test_a_password_that_is_not_asked_for_is_not_sent(self, any_server, host, sudo_mode, password):
        sudo_mode("nopasswd")
        here = host(any_server, sudo=True, sudo_password_file=password("open sesame\n"))
        assert here.run("cat", stdin=b"only this").stdout == b"only this"

    @pytest.mark.parametrize(
        ("mode", "given", "expected"),
        [
            ("password", None, "sudo wants a password of .*, and none is configured"),
            ("password", "wrong", "sudo did not take the password of"),
            ("requiretty", "open sesame", "sudo wants a terminal"),
            ("requiretty", None, "sudo wants a terminal"),
            ("sudoers", None, "may not become root with sudo"),
        ],
    )
    def test_each_refusal_has_its_own_words(
        self, any_server, host, sudo_mode, password, mode, given, expected
    ):
        sudo_mode(mode)
        file = password(given) if given else ""
        with pytest.raises(PreflightError, match=expected) as caught:
            host(any_server, sudo=True, sudo_password_file=file).run("touch /never", timeout=20)
        assert caught.value.host == "n1"
        assert caught.value.fix
        assert "sesame" not in str((caught.value.summary, caught.value.details, caught.value.fix))

    def test_another_question_than_the_password(self, server, host, sudo_mode, password, monkeypatch):
        monkeypatch.setattr("kubeadm_py.transport.ssh.execution._SUDO_PATIENCE", 0.5)
        sudo_mode("otp")
        with pytest.raises(PreflightError, match="something that is not the password") as caught:
            host(server, sudo=True, sudo_password_file=password("open sesame")).run("true")
        assert "One-time code:" in caught.value.details[-1]

    def test_a_held_script_may_need_the_password_too(self, server, host, sudo_mode, password):
        sudo_mode("password")
        here = host(server, sudo=True, sudo_password_file=password("open sesame"))
        held = here.hold("echo READY; cat", until="READY", timeout=20)
        assert held.alive()
        held.release()

    def test_a_password_file_that_everybody_can_read_is_refused(self, server, host, password):
        with pytest.raises(UsageError, match="can be read by everybody") as caught:
            host(server, sudo=True, sudo_password_file=password("x", 0o644)).connect()
        assert caught.value.fix.startswith("chmod 600 ")

    @pytest.mark.parametrize("text", ["", "\n"])
    def test_an_empty_password_file_is_refused(self, server, host, password, text):
        with pytest.raises(UsageError, match="is empty"):
            host(server, sudo=True, sudo_password_file=password(text)).connect()

    def test_an_absent_password_file_is_refused(self, server, host, tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            host(server, sudo=True, sudo_password_file=f"{tmp_path}/absent").connect()

    def test_a_login_shell_that_runs_nothing(self, server, host, monkeypatch):
        original = server.execute

        def refuse(channel, command):
            original(channel, "echo This account is currently not available.; exit 1")

        monkeypatch.setattr(server, "execute", refuse)
        with pytest.raises(PreflightError, match="starts no command"):
            host(server).run("true")


class TestTunnel:
    @pytest.fixture
    def echo(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def serve():
                client, _ = listener.accept()
                with client:
                    while data := client.recv(1000):
                        client.sendall(data.upper())

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            yield listener.getsockname()[1]
            thread.join(5)

    def test_bytes_go_through(self, any_server, host, echo):
        with host(any_server).tunnel("127.0.0.1", echo, 5) as stream:
            stream.sendall(b"hello")
            assert stream.recv(100) == b"HELLO"

    def test_refused(self, any_server, host):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        if hasattr(any_server, "tunnel_result"):
            pytest.skip("paramiko's server gives no reason")
        with pytest.raises(ConnectionRefusedError), host(any_server).tunnel("127.0.0.1", port, 5):
            pass

    def test_no_answer(self, server, host):
        server.tunnel_delay = 1.0
        with pytest.raises(TimeoutError), host(server).tunnel("127.0.0.1", 9, 0.1):
            pass

    @pytest.mark.parametrize(
        ("reason", "error"),
        [
            ("Connection refused", ConnectionRefusedError),
            ("No route to host", TimeoutError),
            ("Connection timed out", TimeoutError),
        ],
    )
    def test_the_servers_reason_decides(self, server, host, reason, error):
        server.tunnel_result = paramiko.OPEN_FAILED_CONNECT_FAILED
        here = host(server)
        here.connect()
        original = here._link.transport._parse_channel_open_failure

        def with_reason(message):
            changed = paramiko.Message()
            changed.add_int(message.get_int()).add_int(message.get_int())
            changed.add_string(reason).add_string("en")
            changed.rewind()
            original(changed)

        here._link.transport._handler_table[92] = with_reason
        with pytest.raises(error, match=r"127\.0\.0\.1:9"), here.tunnel("127.0.0.1", 9, 5):
            pass

    def test_forbidden_has_its_own_words(self, server, host):
        server.tunnel_result = paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        with pytest.raises(KubeadmPyError, match="AllowTcpForwarding no"), host(server).tunnel("::1", 9, 5):
            pass


def _not_root(server):
    """Have sudo used: by another user's name, or because we say so where only our own name gets in."""
    if hasattr(server, "commands"):
        return {"user": "deploy", "sudo": None}
    return {"user": getpass.getuser(), "sudo": True}
