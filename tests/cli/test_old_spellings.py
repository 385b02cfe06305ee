"""An old command line ends at once, with today's spelling and exit code 2."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("init --experimental-upload-certs", "--upload-certs"),
        ("join 10.0.0.1:6443 --experimental-control-plane", "--control-plane"),
        ("init --skip-preflight-checks", "--ignore-preflight-errors=all"),
        ("alpha certs renew all", "certs renew"),
        ("config upload from-file", "upload-config"),
        ("init --feature-gates SelfHosting=true", "there are no self-hosted control planes any more"),
        ("init --cri-socket /var/run/dockershim.sock", "dockershim was removed in Kubernetes 1.24"),
        ("join 10.0.0.1:6443 --token abcdef.0123456789abcdef --cri-socket=/var/run/dockershim.sock", "1.24"),
    ],
)
def test_says_what_is_typed_today(kpy: Any, typed: str, words: str) -> None:
    ended = kpy(*typed.split())
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "0123456789abcdef" not in ended.err
