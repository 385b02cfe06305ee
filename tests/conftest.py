"""What all tests share."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether the code is right; and examples may
# share a test's temporary folder, for each overwrites what it puts there.
settings.register_profile(
    "kubeadm-py",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("kubeadm-py")


@pytest.fixture
def heard_hangups():
    """Hear SIGHUP, and let children hear it, though nohup started the tests: it is inherited as ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
