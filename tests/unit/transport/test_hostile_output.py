"""What a script prints because it was asked for it is shown by no error."""

from __future__ import annotations

import pytest

from kubeadm_py.errors import WaitTimeoutError
from kubeadm_py.transport import local
from kubeadm_py.transport.local import LocalHost


def test_a_key_that_was_being_read_when_time_ran_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.os, "geteuid", lambda: 0)
    with pytest.raises(WaitTimeoutError) as caught:
        LocalHost("here").run("# read keys\necho LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVk\nsleep 60", timeout=0.5)
    assert "LS0tLS1CRUdJ" not in repr((caught.value, caught.value.details))
