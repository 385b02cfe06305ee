"""What a download may be; test_fetch.py carries them out."""

from __future__ import annotations

import io
import urllib.request
from http.client import HTTPMessage

import pytest

from kubeadm_py.artifacts import download
from kubeadm_py.artifacts.download import DownloadError
from kubeadm_py.artifacts.redirects import Redirects


@pytest.mark.parametrize("target", ["http://mirror.lan/x", "http://127.0.0.1/x"])
def test_https_never_becomes_http(target):
    request = urllib.request.Request("https://dl.k8s.io/x")
    with pytest.raises(DownloadError, match="sends on to http://"):
        Redirects(download.redirect_rule).redirect_request(
            request, io.BytesIO(), 302, "Found", HTTPMessage(), target
        )
