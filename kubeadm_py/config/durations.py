"""Read durations as Go writes them (metav1.Duration): `2h0m0s`, `90s`, `1.5h`."""

from __future__ import annotations

import re
from datetime import timedelta

from kubeadm_py.config.defaults import MAX_DURATION

_MICROSECONDS = {
    "ns": 0.001,
    "us": 1,
    "µs": 1,
    "μs": 1,
    "ms": 1000,
    "s": 10**6,
    "m": 60 * 10**6,
    "h": 3600 * 10**6,
}
_PART = re.compile(r"([0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = 100


def parse_duration(text: str) -> timedelta:
    """Return the duration; raise ValueError for anything that Go would refuse and for negative ones."""
    if text == "0":
        return timedelta()
    matches = list(_PART.finditer(text)) if len(text) <= _LONGEST else []
    if not matches or "".join(match[0] for match in matches) != text.removeprefix("+"):
        raise ValueError("not a duration; write it like 24h0m0s, 90s or 0s")
    microseconds = sum(float(match[1]) * _MICROSECONDS[match[2]] for match in matches)
    if microseconds > MAX_DURATION / timedelta(microseconds=1):
        raise ValueError("longer than a duration can be (about 292 years)")
    return timedelta(microseconds=microseconds)
