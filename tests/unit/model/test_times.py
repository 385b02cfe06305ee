"""Durations as Kubernetes' programs and files write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kubeadm_py.model.times import go_duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=8760), "8760h0m0s"),
        (timedelta(hours=87600), "87600h0m0s"),
        (timedelta(hours=1, seconds=1), "1h0m1s"),
        (timedelta(minutes=1, seconds=30), "1m30s"),
        (timedelta(seconds=90.5), "1m30.5s"),
        (timedelta(seconds=10), "10s"),
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(milliseconds=250), "250ms"),
        (timedelta(microseconds=1), "0.001ms"),
        (timedelta(0), "0s"),
        (timedelta(minutes=-5), "-5m0s"),
    ],
)
def test_durations_are_written_as_go_writes_them(duration: timedelta, text: str) -> None:
    assert go_duration(duration) == text
