"""Host keys, login keys, the SSH config and bastions, over real connections."""

import socket
import sys
import threading
from pathlib import Path

import paramiko
import pytest
from paramiko.client import AutoAddPolicy

from kubeadm_py.errors import ExitCode, HostKeyError, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.model.ssh import SSH, HostKeys
from kubeadm_py.transport.fanout import fan_out
from kubeadm_py.transport.ssh import link
from kubeadm_py.transport.ssh.host import SSHHost
from kubeadm_py.transport.ssh.settings import connection_for

PROXY = Path(__file__).parent / "data" / "proxy.py"


def public_line(key):
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


def remember(home, server, key):
    with (home / ".ssh" / "known_hosts").open("a") as file:
        file.write(f"[127.0.0.1]:{server.port} {public_line(key)}\n")


class TestHostKeys:
    def test_an_unknown_host_gets_nothing_from_us(self, any_server, host, home):
        with pytest.raises(HostKeyError, match="host key is not known: ED25519 SHA256:"):
            host(any_server, host_keys=HostKeys.KNOWN_HOSTS).connect()
        assert not (home / ".ssh" / "known_hosts").exists()

    def test_a_known_host(self, any_server, host, home, keys):
        remember(home, any_server, keys["host"])
        assert host(any_server, host_keys=HostKeys.KNOWN_HOSTS).run("echo hi").ok

    def test_a_changed_key(self, any_server, host, home, keys):
        remember(home, any_server, keys["other"])
        for mode in (HostKeys.KNOWN_HOSTS, HostKeys.ACCEPT_NEW):
            with pytest.raises(HostKeyError, match="host key has changed"):
                host(any_server, host_keys=mode).connect()

    def test_accept_new_remembers_and_then_insists(self, server, host, home, keys):
        host(server, host_keys=HostKeys.ACCEPT_NEW).connect()
        assert public_line(keys["host"]) in (home / ".ssh" / "known_hosts").read_text()
        host(server, host_keys=HostKeys.KNOWN_HOSTS).connect()
        server.host_keys[:] = [keys["other"]]
        with pytest.raises(HostKeyError, match="host key has changed"):
            host(server, host_keys=HostKeys.ACCEPT_NEW).connect()

    def test_a_pinned_key(self, server, host, keys):
        host(server, host_key=public_line(keys["host"])).connect()
        with pytest.raises(HostKeyError, match="not the pinned one"):
            host(server, host_key=public_line(keys["other"])).connect()

    def test_the_server_is_asked_for_the_key_that_we_know(self, server, host, home, keys):
        # It has two keys; it would show the ed25519 one by itself.
        server.host_keys[:] = [keys["host"], keys["host-rsa"]]
        remember(home, server, keys["host-rsa"])
        host(server, host_keys=HostKeys.KNOWN_HOSTS).connect()

    def test_the_file_named_in_the_config(self, server, host, tmp_path, keys):
        file = tmp_path / "known"
        file.write_text(f"[127.0.0.1]:{server.port} {public_line(keys['host'])}\n")
        host(server, known_hosts=str(file)).connect()

    def test_fabrics_policy_is_never_in_force(self, server, keys, monkeypatch):
        used = []
        monkeypatch.setattr(AutoAddPolicy, "missing_host_key", lambda *_: used.append(1))
        with pytest.raises(HostKeyError):
            SSHHost("n1", SSH("127.0.0.1", user="u", port=server.port)).connect()
        assert used == []

    def test_a_pin_that_cannot_be_read(self, server, host):
        with pytest.raises(UsageError, match=r"ssh\.hostKey cannot be read"):
            host(server, host_key="ssh-ed25519").connect()
        with pytest.raises(UsageError, match=r"there is no ssh\.hostKey"):
            host(server, host_keys=HostKeys.PINNED).connect()


class TestLogin:
    @pytest.fixture
    def use_agent(self, monkeypatch, tmp_path):
        """Make paramiko talk to a stand-in for the agent, which a socket says is there."""
        path = str(tmp_path / "agent")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            monkeypatch.setenv("SSH_AUTH_SOCK", path)
            yield lambda agent: monkeypatch.setattr(paramiko, "Agent", agent)

    def test_a_refused_key_is_named_with_what_to_type(self, server, host, keys):
        with pytest.raises(UnreachableError) as caught:
            host(server, identity_file=str(keys["other"])).connect()
        assert caught.value.exit_code is ExitCode.UNREACHABLE
        assert "was refused" in caught.value.summary
        assert caught.value.details[0].startswith(f"refused: {keys['other']} (SHA256:")
        assert f"ssh-copy-id -p {server.port} " in caught.value.fix

    def test_an_encrypted_key_without_an_agent(self, server, host, keys):
        with pytest.raises(UnreachableError) as caught:
            host(server, identity_file=str(keys["encrypted"])).connect()
        assert caught.value.fix == f"ssh-add {keys['encrypted']}"
        assert caught.value.details == (f"encrypted, and no agent holds it: {keys['encrypted']}",)

    def test_no_key_at_all(self, server, host):
        with pytest.raises(UnreachableError) as caught:
            host(server, identity_file="").connect()
        assert "no private key was found" in caught.value.details[0]

    def test_default_identities(self, server, host, home, keys):
        for suffix in ("", ".pub"):
            (home / ".ssh" / f"id_ed25519{suffix}").write_bytes(
                Path(f"{keys['client']}{suffix}").read_bytes()
            )
        assert host(server, identity_file="").run("true").ok

    def test_a_missing_identity_file(self, server, host, tmp_path):
        with pytest.raises(UsageError, match=f"identityFile {tmp_path}/absent is not there"):
            host(server, identity_file=f"{tmp_path}/absent").connect()

    def test_a_file_that_is_no_key(self, server, host, tmp_path):
        (tmp_path / "garbage").write_text("hello")
        with pytest.raises(UnreachableError) as caught:
            host(server, identity_file=str(tmp_path / "garbage")).connect()
        assert "not a private key" in caught.value.details[0]

    def test_an_ecdsa_key(self, server, host, keys):
        from kubeadm_py.transport.known_hosts import Key

        path = keys["client-ecdsa"]
        server.allowed.add(Key.parse(Path(f"{path}.pub").read_text()).blob)
        assert host(server, identity_file=str(path)).run("true").ok

    def test_the_agent_holds_the_key_that_is_encrypted_on_disk(self, server, host, keys, use_agent):
        real = paramiko.PKey.from_path(keys["encrypted"], b"passphrase")
        server.allowed.add(real.asbytes())
        agents = []

        class Agent:
            def __init__(self):
                agents.append(self)
                self.closed = False

            def get_keys(self):
                return (paramiko.PKey.from_path(keys["other"]), real)

            def close(self):
                self.closed = True

        use_agent(Agent)
        assert host(server, identity_file=str(keys["encrypted"])).run("true").ok
        assert agents[0].closed

    def test_an_agents_keys_come_after_the_named_file(self, server, host, keys, use_agent):
        class Agent:
            def get_keys(self):
                return (paramiko.PKey.from_path(keys["client"]),)

            def close(self):
                pass

        use_agent(Agent)
        assert host(server, identity_file=str(keys["other"])).run("true").ok

    def test_an_agent_that_is_gone_is_no_obstacle(self, server, host, monkeypatch, tmp_path):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
        assert host(server).run("true").ok

    def test_a_server_that_wants_a_second_factor(self, server, host):
        server.methods, server.login_result = (
            "publickey,keyboard-interactive",
            paramiko.AUTH_PARTIALLY_SUCCESSFUL,
        )
        with pytest.raises(UnreachableError) as caught:
            host(server).connect()
        assert caught.value.details[0].startswith("the host wants a second factor: ")

    def test_a_server_that_takes_passwords_only(self, server, host, keys):
        server.methods = "password"
        with pytest.raises(UnreachableError) as caught:
            host(server, identity_file=str(keys["other"])).connect()
        assert caught.value.details[0] == "the host takes no public keys, only: password"

    def test_a_server_that_hangs_up_after_too_many_keys(self, server, host, keys, monkeypatch):
        def hang_up(transport, *_):
            transport.close()
            raise paramiko.SSHException("too many")

        monkeypatch.setattr(paramiko.Transport, "auth_publickey", hang_up)
        with pytest.raises(UnreachableError) as caught:
            host(server).connect()
        assert "MaxAuthTries" in caught.value.details[0]

    def test_identities_only_leaves_the_agent_out(self, server, host, home, keys, use_agent):
        class Agent:
            def get_keys(self):
                return (paramiko.PKey.from_path(keys["client"]),)

            def close(self):
                pass

        use_agent(Agent)
        (home / ".ssh" / "config").write_text("Host *\n  IdentitiesOnly yes\n")
        with pytest.raises(UnreachableError):
            host(server, identity_file=str(keys["other"])).connect()

    def test_an_agent_that_fails_is_no_obstacle(self, server, host, use_agent):
        def broken():
            raise paramiko.SSHException("lost ssh-agent")

        use_agent(broken)
        assert host(server).run("true").ok

    def test_no_algorithm_in_common(self, server, host):
        server.disabled = {"ciphers": list(link.CIPHERS)}
        with pytest.raises(UnreachableError, match="no SSH algorithm in common"):
            host(server).connect()


class TestSSHConfig:
    def write(self, home, text):
        (home / ".ssh" / "config").write_text(text)

    def test_names_ports_users_and_files_come_from_it(self, server, host, home, keys):
        (home / ".ssh" / "more").write_text("  UserKnownHostsFile ~/.ssh/cluster_hosts\n")
        self.write(
            home,
            f"Host cp1\n  HostName 127.0.0.1\n  Port {server.port}\n  User deploy\n"
            f"  IdentityFile {keys['client']}\n  Include more\n",
        )
        (home / ".ssh" / "cluster_hosts").write_text(
            f"[127.0.0.1]:{server.port} {public_line(keys['host'])}\n"
        )
        here = SSHHost("cp1", SSH("cp1", sudo=False))
        assert here.run("true").ok
        assert here._link.settings.address == f"deploy@127.0.0.1:{server.port}"
        here.close()

    def test_the_clusters_own_words_win(self, home, keys):
        self.write(home, "Host *\n  User other\n  Port 1\n  HostKeyAlias cluster\n")
        _, given = connection_for("n1", SSH("10.0.0.1", user="root", port=2200))
        assert (given.user, given.port) == ("root", 2200)
        assert given.verifier.label == "cluster"

    def test_a_proxy_command_is_run(self, server, home, keys):
        self.write(home, f"Host far\n  ProxyCommand {sys.executable} {PROXY} {server.port}\n")
        here = SSHHost(
            "far",
            SSH(
                "far",
                user="u",
                identity_file=str(keys["client"]),
                host_key=public_line(keys["host"]),
                sudo=False,
            ),
        )
        assert here.run("echo far").stdout == b"far\n"
        here.close()

    def test_a_config_that_cannot_be_read(self, home):
        self.write(home, "Match\n")
        with pytest.raises(UsageError, match=r"\.ssh/config cannot be read"):
            connection_for("n1", SSH("10.0.0.1"))

    def test_a_config_that_includes_itself(self, home):
        self.write(home, "Include config\n")
        with pytest.raises(UsageError, match="includes itself"):
            connection_for("n1", SSH("10.0.0.1"))

    def test_defaults(self, home):
        _, given = connection_for("n1", SSH("10.0.0.1", user="root"))
        assert (given.port, given.jumps, given.proxy_command) == (22, (), "")
        assert given.identities.files == ()
        assert given.verifier.files[0] == "~/.ssh/known_hosts"

    def test_proxy_command_is_taken_where_there_is_no_bastion(self, home):
        self.write(home, "Host *\n  ProxyCommand nc %h %p\n")
        _, given = connection_for("n1", SSH("10.0.0.1", port=2200))
        assert given.proxy_command == "nc 10.0.0.1 2200"
        _, given = connection_for("n1", SSH("10.0.0.1", bastion="b"))
        assert given.proxy_command == ""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("b", [("", "b", None)]),
            ("admin@b:2022", [("admin", "b", 2022)]),
            ("ssh://admin@b:2022", [("admin", "b", 2022)]),
            ("[fd00::1]:2022", [("", "fd00::1", 2022)]),
            ("u@fd00::1", [("u", "fd00::1", None)]),
            ("a, u@b:1", [("", "a", None), ("u", "b", 1)]),
        ],
    )
    def test_bastions_are_written_as_for_proxyjump(self, text, expected):
        _, given = connection_for("n1", SSH("10.0.0.1", bastion=text))
        assert [(jump.user, jump.host, jump.port) for jump in given.jumps] == expected

    @pytest.mark.parametrize("text", ["b:port", "[fd00::1", "u@"])
    def test_a_malformed_bastion(self, text):
        with pytest.raises(UsageError, match="not of the form"):
            connection_for("n1", SSH("10.0.0.1", bastion=text))

    def test_a_wildcard_does_not_make_the_bastion_its_own_bastion(self, home):
        self.write(home, "Host *\n  ProxyJump b\n")
        assert connection_for("b", SSH("b"))[1].jumps == ()
        assert len(connection_for("n1", SSH("10.0.0.1"))[1].jumps) == 1


class TestBastion:
    @pytest.fixture
    def bastion(self, another_server):
        return another_server

    def test_hosts_share_one_connection_to_it(self, server, bastion, host, home, keys):
        remember(home, bastion, keys["host"])
        hosts = [host(server, bastion=f"jump@127.0.0.1:{bastion.port}") for _ in range(4)]
        for number, one in enumerate(hosts):
            one.name = f"n{number}"
        outcomes = fan_out(hosts, lambda one: one.run("echo hi", timeout=30).stdout)
        assert [outcome.value for outcome in outcomes.values()] == [b"hi\n"] * 4
        assert (bastion.connections, server.connections) == (1, 4)
        hosts[0].close()
        assert hosts[1].run("true").ok
        for one in hosts[1:]:
            one.close()
        assert link._bastions._shared == {}

    def test_its_key_is_checked_too(self, server, bastion, host):
        with pytest.raises(HostKeyError, match=r"bastion 127\.0\.0\.1: host key is not known"):
            host(server, bastion=f"127.0.0.1:{bastion.port}").connect()
        assert link._bastions._shared == {}

    def test_it_is_not_there(self, server, host):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(UnreachableError) as caught:
            host(server, bastion=f"127.0.0.1:{port}").connect()
        assert caught.value.host == "n1"
        assert "bastion 127.0.0.1: cannot connect" in caught.value.summary

    def test_it_cannot_reach_the_host(self, server, bastion, host, home, keys):
        remember(home, bastion, keys["host"])
        bastion.tunnel_result = paramiko.OPEN_FAILED_CONNECT_FAILED
        with pytest.raises(
            UnreachableError, match=r"the bastion 127\.0\.0\.1 cannot reach 127\.0\.0\.1 port"
        ):
            host(server, bastion=f"127.0.0.1:{bastion.port}").connect()
        assert link._bastions._shared == {}

    def test_after_its_loss_a_new_connection_is_made(self, server, bastion, host, home, keys):
        remember(home, bastion, keys["host"])
        here = host(server, bastion=f"127.0.0.1:{bastion.port}")
        here.connect()
        bastion.drop()
        with pytest.raises(UnreachableError):
            here.run("true", timeout=20)
        here.connect()
        assert here.run("echo back").stdout == b"back\n"
        assert bastion.connections == 2

    def test_two_in_a_row(self, server, bastion, host, home, keys):
        remember(home, bastion, keys["host"])
        remember(home, server, keys["host"])
        way = f"127.0.0.1:{bastion.port},127.0.0.1:{server.port}"
        assert host(server, bastion=way).run("echo far").stdout == b"far\n"


def test_threads_end_with_the_connection(server, host):
    before = threading.active_count()
    here = host(server)
    here.run("true")
    here.close()
    deadline = 100
    while threading.active_count() > before + 1 and deadline:
        threading.Event().wait(0.05)
        deadline -= 1
    assert deadline


def test_nothing_is_printed_on_failures(server, host, capfd):
    with pytest.raises(KubeadmPyError):
        host(server, identity_file=__file__).connect()
    server.silent = True
    with pytest.raises(UnreachableError):
        host(server, connect_timeout=0.3).connect()
    assert tuple(capfd.readouterr()) == ("", "")
