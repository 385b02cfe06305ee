"""Single values: durations as Go writes them, scalars as sigs.k8s.io/yaml reads them, and so on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kubeadm_py.config import image_values, scalars, ssh_values
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.config.problems import Problem, Problems, key_path, redact, show
from kubeadm_py.config.yaml_nodes import plain, read_stream
from kubeadm_py.model.near import closest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
        ("24h0m0s", timedelta(days=1)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("1m30s500ms", timedelta(seconds=90.5)),
        ("2us3µs", timedelta(microseconds=5)),
        ("+1h", timedelta(hours=1)),
    ],
)
def test_duration(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1", "h", "1 h", "-1h", "1d", "1h x", "9999999h", "1" * 200 + "h", "٣h", "+"]
)
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", True),
        ("y", True),
        ("Off", False),
        ("N", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-0x1F", -31),
        ("0b101", 5),
        ("0o17", 15),
        ("017", 15),
        ("08", 8.0),
        ("0", 0),
        ("1_000", 1000),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("1e999", "1e999"),
        ("'12'", "12"),
        ('"yes"', "yes"),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("<<x", "<<x"),
    ],
)
def test_scalar_as_kubernetes_reads_it(written: str, value: object) -> None:
    (document,) = read_stream(f"[{written}, x]" if written else "[~, x]", "f").documents
    found = plain(document)[0]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text() -> None:
    (document,) = read_stream("{on: 1, 7: 2, a: null}", "f").documents
    assert plain(document) == {"true": 1, "7": 2}


@pytest.mark.parametrize(
    "value",
    ["k8s", "registry.example", "registry.example:5000", "localhost/k8s", "[fd00::1]:5000/a/b", "Host/a__b"],
)
def test_image_repository(value: str) -> None:
    assert image_values.image_repository(value) == value


@pytest.mark.parametrize(
    "value", ["a/b:tag", "https://a", "a//b", "/a", "a/", "A", "a@sha256:0", "-a/b", "a/B"]
)
def test_no_image_repository(value: str) -> None:
    with pytest.raises(ValueError, match=r"image repository|URL"):
        image_values.image_repository(value)


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ("a.example", "a.example"),
        ("a.example:1", "a.example:1"),
        ("FD00:0::1", "fd00::1"),
        ("[FD00::1]:6443", "[fd00::1]:6443"),
        ("10.0.0.1:6443", "10.0.0.1:6443"),
    ],
)
def test_endpoint(written: str, resolved: str) -> None:
    assert scalars.endpoint(written) == resolved


@pytest.mark.parametrize("value", ["::", "0.0.0.0"])
def test_advertise_address_of_all_interfaces_means_the_default_route(value: str) -> None:
    assert scalars.advertise_address(value) == ""


def test_advertise_address_has_no_zone() -> None:
    with pytest.raises(ValueError, match="not an IP address"):
        scalars.advertise_address("fe80::1%eth0")


def test_what_is_shown_is_short_and_printable() -> None:
    assert show("a\nb\x1b[31m") == '"a\\nb\\x1b[31m"'
    assert len(show("x" * 1000)) < 70
    assert key_path(("a", 0, "b\nc", "d" * 100)) == f"a[0].b?c.{'d' * 60}…"
    assert closest("x" * 100, ["x" * 99]) == ""


def test_tokens_are_masked_wherever_they_stand() -> None:
    assert redact("got abcdef.0123456789abcdef, hm") == "got <token>, hm"
    assert redact("api.example.org") == "api.example.org"


def test_a_flood_of_problems_is_cut_short() -> None:
    class Place:
        def locate(self, path: tuple[str | int, ...]) -> tuple[str, int, int]:
            return "f", int(path[0]), 1

        def label(self, path: tuple[str | int, ...]) -> str:
            return str(path[0])

    problems, place = Problems(), Place()
    for line in range(200, 0, -1):
        problems.error(place, (line,), "wrong")
    with pytest.raises(Exception, match="and 150 more from here on") as refused:
        problems.raise_if_any("f")
    assert str(refused.value).splitlines()[2].split() == ["f:1:1", "1", "wrong"]


def test_a_problem_reads_as_one_line() -> None:
    assert str(Problem("f", 1, 2, "a.b", "wrong")) == "f:1:2  a.b  wrong"
    assert str(Problem("", 0, 0, "--token", "wrong")) == "--token  wrong"


@pytest.mark.parametrize("value", ["root:hunter2", "root:hunter2@bastion", "a@b:hunter2@c d"])
def test_passwords_are_not_repeated(value: str) -> None:
    with pytest.raises(ValueError, match=r"password|user") as refused:
        ssh_values.bastion(value + "@h")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ValueError, match=r"^this is not an http"):
        scalars.url(f"htp://{value}@proxy")


@pytest.mark.parametrize("value", ["jump", "me@jump", "me@jump:22", "me@[fd00::1]:22"])
def test_bastion(value: str) -> None:
    assert ssh_values.bastion(value) == value


@pytest.mark.parametrize("value", ["ssh-ed25519 !!!!", "ssh-ed25519 AAAA", "ssh-dss AAAA", "ssh-rsa"])
def test_no_host_key(value: str) -> None:
    with pytest.raises(ValueError, match=r"key"):
        ssh_values.ssh_host_key(value)
