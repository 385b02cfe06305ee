"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, not whether the code is right; and examples may
# share a test's temporary folder, for each overwrites what it puts there.
settings.register_profile(
    "kubeadm-py",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("kubeadm-py")
