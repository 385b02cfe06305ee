"""Keep secrets out of logs, events and plans."""

from __future__ import annotations

import hashlib


class Secret:
    """Carry bytes that must never be shown; `reveal()` is the only way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """Return the value, for the one place that sends or uses it."""
        return self._value

    def text(self) -> str:
        """Return the value as text, for the one place that sends or uses it."""
        return self._value.decode()

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(hashlib.sha256(self._value).digest())
