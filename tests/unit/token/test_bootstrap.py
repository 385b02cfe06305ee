from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError
from kubeadm_py.model import times
from kubeadm_py.model.bootstrap import NODE_TOKEN_GROUP, BootstrapToken
from kubeadm_py.model.secret import Secret
from kubeadm_py.token import bootstrap, listing
from kubeadm_py.token.bootstrap import Token

NOW = datetime(2026, 11, 20, 22, 41, 14, tzinfo=UTC)


def decoded(secret: dict) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


@pytest.mark.parametrize(
    "given", ["abcdef.0123456789abcdef", b"abcdef.0123456789abcdef\n", Secret(" abcdef.0123456789abcdef ")]
)
def test_parse(given: str | bytes | Secret) -> None:
    token = Token.parse(given)
    assert (token.id, token.secret) == ("abcdef", Secret("0123456789abcdef"))
    assert token.full == Secret("abcdef.0123456789abcdef")
    assert token.secret_name == "bootstrap-token-abcdef"
    assert "0123" not in repr(token)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "abcdef",
        "abcdef.0123456789abcde",
        "abcdef.0123456789abcdef0",
        "ABCDEF.0123456789abcdef",
        "abcdef.0123456789abcdeF",
        "abcdef:0123456789abcdef",
        "abcdef.0123456789abcdef\nabcdef.0123456789abcdef",
        "äbcdef.0123456789abcdef",
        "٠bcdef.0123456789abcdef",
        b"\xff\xfe",
    ],
)
def test_a_bad_token_is_refused_and_never_repeated(given: str | bytes) -> None:
    with pytest.raises(UsageError) as caught:
        Token.parse(given)
    assert caught.value.exit_code is ExitCode.USAGE
    shown = " ".join([str(caught.value), *caught.value.details, caught.value.fix])
    assert "0123456789" not in shown
    assert "\xff" not in shown
    assert "token create" in caught.value.fix


def test_generated_tokens_are_tokens_and_differ() -> None:
    made = {bootstrap.generate() for _ in range(50)}
    assert len(made) == 50
    for token in made:
        assert Token.parse(token).full == token


def test_generate_takes_its_randomness_as_a_parameter() -> None:
    letters: Iterator[str] = iter("abcdef0123456789uvwxyz")
    assert bootstrap.generate(lambda _alphabet: next(letters)) == Secret("abcdef.0123456789uvwxyz")


def test_generate_uses_the_whole_alphabet() -> None:
    drawn = "".join(bootstrap.generate().text() for _ in range(200))
    assert set(drawn) == {*bootstrap.ALPHABET, "."}


def test_secret_object_is_what_kubeadm_makes() -> None:
    """The recording of real kubeadm is in tests/golden/kubeadm/stacked/objects.yaml."""
    wanted = BootstrapToken(
        token=Secret("abcdef.0123456789abcdef"), description="first token", ttl=timedelta(hours=2)
    )
    assert bootstrap.secret_object(wanted, NOW) == yaml.safe_load(
        """
        apiVersion: v1
        kind: Secret
        metadata: {name: bootstrap-token-abcdef, namespace: kube-system}
        type: bootstrap.kubernetes.io/token
        data:
          auth-extra-groups: c3lzdGVtOmJvb3RzdHJhcHBlcnM6a3ViZWFkbTpkZWZhdWx0LW5vZGUtdG9rZW4=
          description: Zmlyc3QgdG9rZW4=
          expiration: MjAyNi0xMS0yMVQwMDo0MToxNFo=
          token-id: YWJjZGVm
          token-secret: MDEyMzQ1Njc4OWFiY2RlZg==
          usage-bootstrap-authentication: dHJ1ZQ==
          usage-bootstrap-signing: dHJ1ZQ==
        """
    )


@pytest.mark.parametrize(
    ("given", "expiration"),
    [
        ({}, "2026-11-21T22:41:14Z"),
        ({"ttl": timedelta(0)}, None),
        ({"ttl": None}, None),
        ({"ttl": None, "expires": "2026-12-24T18:00:00+01:00"}, "2026-12-24T17:00:00Z"),
        ({"expires": "2026-12-24T18:00:00"}, "2026-12-24T18:00:00Z"),
    ],
)
def test_expiry(given: dict, expiration: str | None) -> None:
    wanted = BootstrapToken(token=bootstrap.generate(), **given)
    assert decoded(bootstrap.secret_object(wanted, NOW)).get("expiration") == expiration


def test_no_usages_and_no_groups_leave_no_trace() -> None:
    """The token that only carries kubeadm-certs through its life has neither."""
    wanted = BootstrapToken(token=bootstrap.generate(), usages=(), groups=())
    assert set(bootstrap.secret_object(wanted, NOW)["data"]) == {"token-id", "token-secret", "expiration"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"usages": ("login",)}, "'login' is not a token usage"),
        ({"groups": ("system:masters",)}, "'system:masters' is not a group"),
        ({"groups": ("system:bootstrappers:",)}, "is not a group"),
        ({"groups": ("system:bootstrappers:a,b",)}, "is not a group"),
        ({"usages": ("signing",)}, "a token that nobody can log in with has no groups"),
    ],
)
def test_usages_and_groups_that_do_not_exist(given: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bootstrap.secret_object(BootstrapToken(token=bootstrap.generate(), **given), NOW)


def test_a_token_without_value_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="generate"):
        bootstrap.secret_object(BootstrapToken(), NOW)


def test_what_we_write_we_read() -> None:
    wanted = BootstrapToken(
        token=bootstrap.generate(), description="d", groups=(NODE_TOKEN_GROUP, "system:bootstrappers:x")
    )
    found = bootstrap.stored(bootstrap.secret_object(wanted, NOW))
    assert found.token.full == wanted.token
    assert found.description == "d"
    assert found.expires == NOW + timedelta(hours=24)
    assert found.usages == ("authentication", "signing")
    assert found.groups == wanted.groups


@pytest.mark.parametrize(("given", "expected"), [("abcdef", "abcdef"), ("abcdef.0123456789abcdef", "abcdef")])
def test_token_id(given: str, expected: str) -> None:
    assert bootstrap.token_id(given) == expected


def test_what_is_no_id_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        bootstrap.token_id("abcdef.0123456789abcdeX")
    assert "0123" not in str(caught.value)


def stored_secret(**changes: str | None) -> dict:
    secret = bootstrap.secret_object(BootstrapToken(token=Secret("abcdef.0123456789abcdef")), NOW)
    for key, value in changes.items():
        name = key.replace("_", "-")
        if value is None:
            del secret["data"][name]
        else:
            secret["data"][name] = base64.b64encode(value.encode()).decode()
    return secret


BROKEN = {
    "no data": ({"metadata": {"name": "bootstrap-token-x"}}, "token-id or token-secret is missing"),
    "nothing": ({}, "token-id or token-secret is missing"),
    "short secret": (stored_secret(token_secret="short"), "is missing or malformed"),
    "no id": (stored_secret(token_id=None), "is missing or malformed"),
    "another name": (stored_secret(token_id="fedcba"), "its name does not fit its token-id fedcba"),
    "expiration": (stored_secret(expiration="tomorrow"), "its expiration 'tomorrow' is not a time"),
    "base64": ({"metadata": {"name": "x"}, "data": {"a": "!"}}, "its data is not base64 text"),
    "binary": ({"metadata": {"name": "x"}, "data": {"a": "//8="}}, "its data is not base64 text"),
    "null": ({"metadata": None, "data": {"a": None}}, "its data is not base64 text"),
}


@pytest.mark.parametrize(("secret", "message"), BROKEN.values(), ids=BROKEN)
def test_secrets_that_hold_no_token(secret: dict, message: str) -> None:
    with pytest.raises(KubeadmPyError, match=message) as caught:
        bootstrap.stored(secret)
    assert "0123456789" not in str(caught.value)
    rows, problems = listing.rows([secret], NOW)
    assert (rows, problems) == ([], [caught.value.summary])


def test_rows_have_kubeadms_columns() -> None:
    wanted = [
        BootstrapToken(token=Secret("aaaaaa.0123456789abcdef"), description="two words"),
        BootstrapToken(token=Secret("bbbbbb.0123456789abcdef"), ttl=None, usages=(), groups=()),
        BootstrapToken(token=Secret("cccccc.0123456789abcdef"), expires="2026-11-20T22:00:00Z"),
    ]
    rows, problems = listing.rows([bootstrap.secret_object(each, NOW) for each in wanted], NOW)
    assert problems == []
    assert listing.COLUMNS == ("TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS")
    usages = "authentication,signing"
    assert [row.cells() for row in rows] == [
        ("aaaaaa.0123456789abcdef", "1d", "2026-11-21T22:41:14Z", usages, "two words", NODE_TOKEN_GROUP),
        ("bbbbbb.0123456789abcdef", "<forever>", "<never>", "<none>", "<none>", "<none>"),
        ("cccccc.0123456789abcdef", "<invalid>", "2026-11-20T22:00:00Z", usages, "<none>", NODE_TOKEN_GROUP),
    ]
    assert "0123" not in repr(rows)


def test_what_others_wrote_is_shown_as_kubeadm_shows_it() -> None:
    """Usages that nobody knows, a time of another zone, and groups in their own order."""
    data = {
        "token-id": "zzzzz5",
        "token-secret": "0123456789abcdef",
        "expiration": "2030-01-01T00:00:00+02:00",
        "usage-bootstrap-foo": "true",
        "usage-bootstrap-signing": "false",
        "auth-extra-groups": "system:bootstrappers:b,system:bootstrappers:a",
    }
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    secret = {"metadata": {"name": "bootstrap-token-zzzzz5"}, "data": encoded}
    ((row,), _) = listing.rows([secret], NOW)
    groups = "system:bootstrappers:b,system:bootstrappers:a"
    assert row.cells()[1:] == ("3y", "2030-01-01T00:00:00+02:00", "foo", "<none>", groups)
    assert row.as_json()["expires"] == "2029-12-31T22:00:00Z"
    assert row.as_json()["usages"] == ["foo"]


def test_json_form() -> None:
    full, bare = (
        BootstrapToken(token=Secret("aaaaaa.0123456789abcdef"), description="d"),
        BootstrapToken(token=Secret("bbbbbb.0123456789abcdef"), ttl=None, usages=(), groups=()),
    )
    rows, _ = listing.rows([bootstrap.secret_object(each, NOW) for each in (full, bare)], NOW)
    kind = {"kind": "BootstrapToken", "apiVersion": "output.kubeadm.k8s.io/v1alpha3"}
    assert [row.as_json() for row in rows] == [
        kind
        | {
            "token": "aaaaaa.0123456789abcdef",
            "description": "d",
            "expires": "2026-11-21T22:41:14Z",
            "usages": ["authentication", "signing"],
            "groups": [NODE_TOKEN_GROUP],
        },
        kind | {"token": "bbbbbb.0123456789abcdef"},
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86399, "23h"),
        (86400, "1d"),
        (86400 * 364, "364d"),
        (86400 * 366, "1y"),
    ],
)
def test_short_durations(seconds: int, text: str) -> None:
    assert times.short_duration(timedelta(seconds=seconds)) == text
