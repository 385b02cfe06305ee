"""Keep config tests independent of which add-ons the product has by now."""

from __future__ import annotations

import pytest

from kubeadm_py.config import check_hosts


@pytest.fixture(autouse=True)
def known_addons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_hosts, "known_addons", lambda: ("flannel", "local-path-storage"))
