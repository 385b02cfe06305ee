"""Guess what somebody meant who mistyped a word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_COMPARED = 64


def closest(word: str, known: Iterable[str], *, nearness: float = 0.7) -> str:
    """Return the one of `known` that the user probably meant, or an empty string."""
    if not word or len(word) > _LONGEST_COMPARED:
        return ""
    by_lower = {candidate.lower(): candidate for candidate in known if candidate}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=nearness)
    return by_lower[matches[0]] if matches else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?`, or an empty string where nothing is near."""
    guess = closest(word, known)
    return f"; did you mean {guess}?" if guess else ""
