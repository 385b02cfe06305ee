"""The program that holds a pod's namespaces."""

from __future__ import annotations

import shutil
import signal
import subprocess

import pytest
from lab import images

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="it is compiled with gcc")


@pytest.fixture(scope="module")
def pause(tmp_path_factory):
    return images.compile_pause(tmp_path_factory.mktemp("pause") / "pause")


def test_it_says_its_version_and_ends_as_kubeadm_asks_it_before_an_upgrade(pause):
    said = subprocess.run([pause, "-v"], capture_output=True, text=True, timeout=10, check=True)
    assert said.stdout == f"pause {images.PAUSE}\n"


def test_it_waits_for_a_signal(pause):
    with subprocess.Popen([pause]) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(10) in (0, -signal.SIGTERM)
