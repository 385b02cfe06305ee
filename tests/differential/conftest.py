"""Give the tests a sandbox with real kubeadm, and say which seed they run with."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from oracle.sandbox import Sandbox

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**9))
COUNT = int(os.environ.get("COUNT") or 300)


def pytest_report_header() -> str:
    return f"SEED={SEED} COUNT={COUNT}"


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
