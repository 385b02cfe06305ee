"""Let plain `pytest --pyargs kubeadm_py.verify.suite --hosts=...` find the plugin."""

from __future__ import annotations

import pytest

from kubeadm_py.verify import plugin


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.is_registered(plugin):
        config.pluginmanager.register(plugin)
