import base64
import hashlib
import hmac
import threading

import pytest

from kubeadm_py.errors import ExitCode, HostKeyError
from kubeadm_py.model.ssh import HostKeys
from kubeadm_py.transport.known_hosts import Key, Verifier, host_label, lookup


def key(seed: str, kind: str = "ssh-ed25519") -> Key:
    blob = len(kind).to_bytes(4, "big") + kind.encode() + hashlib.sha256(seed.encode()).digest()
    return Key(kind, blob)


def line(names: str, one: Key) -> str:
    return f"{names} {one.type} {base64.b64encode(one.blob).decode()}"


def hashed(label: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, label.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


A, B, RSA = key("a"), key("b"), key("r", "ssh-rsa")


@pytest.fixture
def verifier(tmp_path):
    def make(*lines: str, mode=HostKeys.KNOWN_HOSTS, host="10.0.0.1", port=22, **more) -> Verifier:
        path = tmp_path / "known_hosts"
        if lines:
            path.write_text("\n".join(lines) + "\n")
        return Verifier("n1", host, port, "root", mode, (str(path),), **more)

    return make


@pytest.mark.parametrize(
    ("names", "host", "port", "known"),
    [
        ("10.0.0.1", "10.0.0.1", 22, True),
        ("10.0.0.1", "10.0.0.1", 2222, False),
        ("[10.0.0.1]:2222", "10.0.0.1", 2222, True),
        ("[10.0.0.1]:2222", "10.0.0.1", 22, False),
        ("other,Cp1.Example", "cp1.example", 22, True),
        ("cp1.example", "CP1.example", 22, True),
        ("*.example", "cp1.example", 22, True),
        ("cp?.example", "cp1.example", 22, True),
        ("*.example,!cp1.example", "cp1.example", 22, False),
        ("!cp1.example,*.example", "cp1.example", 22, False),
        ("[*.example]:2222", "cp1.example", 2222, True),
        ("[fd00::1]:2222", "fd00::1", 2222, True),
        ("fd00::1", "fd00::1", 22, True),
        (hashed("10.0.0.1"), "10.0.0.1", 22, True),
        (hashed("[10.0.0.1]:2222"), "10.0.0.1", 2222, True),
        (hashed("10.0.0.2"), "10.0.0.1", 22, False),
        ("|1|broken", "10.0.0.1", 22, False),
        ("|1|!!|!!", "10.0.0.1", 22, False),
    ],
)
def test_names_match_as_in_openssh(verifier, tmp_path, names, host, port, known):
    verifier(line(names, A))
    found = lookup([str(tmp_path / "known_hosts")], host_label(host, port))
    assert [entry.key for entry in found] == ([A] if known else [])


def test_lines_that_cannot_be_read_are_passed_over(verifier, tmp_path):
    one = verifier(
        "# comment",
        "",
        "10.0.0.1",
        "10.0.0.1 ssh-ed25519 !!!",
        "10.0.0.1 ssh-rsa " + line("", A).split()[-1],
        line("10.0.0.1", A) + " a comment",
    )
    one.check(A)
    assert [entry.line for entry in lookup(one.files, "10.0.0.1")] == [6]
    assert lookup([str(tmp_path)], "10.0.0.1") == []


def test_any_key_of_the_host_will_do(verifier):
    one = verifier(line("10.0.0.1", A), line("10.0.0.1", B), line("10.0.0.1", RSA))
    for offered in (A, B, RSA):
        one.check(offered)
    assert one.known_types() == ["ssh-ed25519", "ssh-ed25519", "ssh-rsa"]


def test_an_unknown_host_is_refused_and_nothing_is_written(verifier, tmp_path):
    with pytest.raises(HostKeyError) as caught:
        verifier(port=2222).check(A)
    error = caught.value
    assert error.exit_code is ExitCode.HOST_KEY
    assert error.host == "n1"
    assert error.summary == f"host key is not known: ED25519 {A.fingerprint}"
    assert error.details == (f"looked for [10.0.0.1]:2222 in {tmp_path}/known_hosts",)
    assert "ssh -p 2222 root@10.0.0.1 true" in error.fix
    assert "accept-new" in error.fix
    assert not (tmp_path / "known_hosts").exists()


@pytest.mark.parametrize("mode", [HostKeys.KNOWN_HOSTS, HostKeys.ACCEPT_NEW])
def test_a_changed_key_always_stops_with_both_fingerprints_and_the_place(verifier, tmp_path, mode):
    one = verifier("# first line", line("10.0.0.1", A), mode=mode)
    before = (tmp_path / "known_hosts").read_text()
    with pytest.raises(HostKeyError) as caught:
        one.check(B)
    assert caught.value.summary == (
        f"host key has changed: the host shows ED25519 {B.fingerprint}, "
        f"{tmp_path}/known_hosts:2 has ED25519 {A.fingerprint}"
    )
    assert f"ssh-keygen -R 10.0.0.1 -f {tmp_path}/known_hosts" in caught.value.fix
    assert "/etc/ssh/ssh_host_ed25519_key.pub" in caught.value.fix
    assert (tmp_path / "known_hosts").read_text() == before


@pytest.mark.parametrize("mode", [HostKeys.KNOWN_HOSTS, HostKeys.ACCEPT_NEW])
def test_a_key_of_another_type_does_not_slip_in_beside_the_known_one(verifier, mode):
    with pytest.raises(HostKeyError, match="has changed"):
        verifier(line("10.0.0.1", A), mode=mode).check(RSA)


@pytest.mark.parametrize("mode", list(HostKeys))
def test_a_revoked_key_is_refused_even_where_another_line_has_it(verifier, mode):
    one = verifier(line("@revoked *", A), line("10.0.0.1", A), mode=mode, pinned=A)
    with pytest.raises(HostKeyError, match="marked as revoked"):
        one.check(A)


def test_a_certificate_authority_is_no_key_and_is_named(verifier):
    with pytest.raises(HostKeyError, match="not known") as caught:
        verifier(line("@cert-authority *", A)).check(B)
    assert "certificate authority" in caught.value.details[1]


class TestPinned:
    def test_only_the_pinned_key_counts(self, verifier):
        one = verifier(line("10.0.0.1", B), mode=HostKeys.PINNED, pinned=A)
        one.check(A)
        assert one.known_types() == ["ssh-ed25519"]
        with pytest.raises(HostKeyError) as caught:
            one.check(B)
        assert A.fingerprint in caught.value.summary
        assert B.fingerprint in caught.value.summary

    def test_no_pin_pins_nothing(self, verifier):
        one = verifier(mode=HostKeys.PINNED)
        assert one.known_types() == []
        with pytest.raises(HostKeyError):
            one.check(A)


class TestAcceptNew:
    def test_a_key_that_cannot_be_remembered_is_not_accepted(self, verifier, tmp_path):
        one = verifier(mode=HostKeys.ACCEPT_NEW)
        (tmp_path / "known_hosts").mkdir()
        with pytest.raises(HostKeyError, match="is new and cannot be remembered") as caught:
            one.check(A)
        assert caught.value.details == (f"{tmp_path}/known_hosts: Is a directory",)

    def test_it_remembers_once_privately(self, verifier, tmp_path):
        one = verifier(mode=HostKeys.ACCEPT_NEW, port=2222)
        one.check(A)
        one.check(A)
        path = tmp_path / "known_hosts"
        assert path.read_text() == line("[10.0.0.1]:2222", A) + "\n"
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(HostKeyError, match="has changed"):
            one.check(B)

    def test_it_keeps_a_last_line_that_lacks_its_newline(self, verifier, tmp_path):
        one = verifier("x", mode=HostKeys.ACCEPT_NEW)
        (tmp_path / "known_hosts").write_text("# no newline")
        one.check(A)
        assert (tmp_path / "known_hosts").read_text() == "# no newline\n" + line("10.0.0.1", A) + "\n"

    def test_it_makes_the_folder_privately(self, tmp_path):
        path = tmp_path / "new" / "known_hosts"
        Verifier("n1", "h", 22, "root", HostKeys.ACCEPT_NEW, (str(path),)).check(A)
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_many_hosts_at_once_each_get_their_line(self, tmp_path):
        path = tmp_path / "known_hosts"
        keys = {f"10.0.0.{number}": key(str(number)) for number in range(20)}
        threads = [
            threading.Thread(
                target=Verifier("n", host, 22, "root", HostKeys.ACCEPT_NEW, (str(path),)).check, args=(one,)
            )
            for host, one in keys.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(path.read_text().splitlines()) == sorted(line(*item) for item in keys.items())

    def test_without_a_file_there_is_nowhere_to_remember(self):
        with pytest.raises(HostKeyError, match="not known") as caught:
            Verifier("n1", "h", 22, "root", HostKeys.ACCEPT_NEW, ()).check(A)
        assert "no file" in caught.value.details[0]

    def test_what_another_process_learnt_meanwhile_counts(self, verifier, tmp_path, monkeypatch):
        import kubeadm_py.transport.known_hosts as module

        one = verifier(mode=HostKeys.ACCEPT_NEW)
        real, looks = module.lookup, []

        def first_look_sees_nothing(files, label):
            looks.append(label)
            if len(looks) == 1:
                (tmp_path / "known_hosts").write_text(line("10.0.0.1", B) + "\n")
                return []
            return real(files, label)

        monkeypatch.setattr(module, "lookup", first_look_sees_nothing)
        with pytest.raises(HostKeyError, match="has changed"):
            one.check(A)


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519", "ssh-ed25519 not-base64!", "ssh-rsa " + line("", A).split()[-1]]
)
def test_a_malformed_key_is_refused(text):
    with pytest.raises(ValueError, match=r"form|base64|type"):
        Key.parse(text)


def test_an_alias_replaces_address_and_port(verifier):
    verifier(line("cluster-node", A), port=2222, alias="cluster-node").check(A)


def test_key_types_have_short_names():
    assert [key("x", kind).short_type for kind in ("ssh-rsa", "ecdsa-sha2-nistp256")] == ["RSA", "ECDSA"]
