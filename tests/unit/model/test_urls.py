"""Which URLs prove what they give."""

from __future__ import annotations

import pytest

from kubeadm_py.model.urls import proves_itself


@pytest.mark.parametrize(
    ("url", "proves"),
    [
        ("https://mirror.example/k8s", True),
        ("https://10.0.0.1", True),
        ("http://127.0.0.1:8080/k8s", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80/", True),
        ("http://localhost/x", True),
        ("http://mirror.example/k8s", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://127.0.0.1@mirror.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("http://[::1", False),
        ("/srv/mirror", False),
    ],
)
def test_which_urls_prove_what_they_give(url: str, proves: bool) -> None:
    assert proves_itself(url) is proves
