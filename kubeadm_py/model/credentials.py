"""Withhold lines that hold a credential from text that is shown, as the probe does on the host."""

from __future__ import annotations

import re

WITHHELD = "# a line with a credential, withheld"
"""What stands in place of such a line; the probe writes the same."""

_NAMES_ONE = re.compile(r"name.*:.*(pass|secret|token|key|cred)", re.IGNORECASE)
_AFTER_NAME = re.compile(r"name[^:]*:(.*)")
_HOLDS_ONE = re.compile(
    r"passw|[Ii]dentity[Tt]oken|[Tt]oken=|[Ss]ecret=|://.*:.*@|auth =|[Aa]uthorization =|[Aa]uthorization: .|"
    r"- value:|- \"value\"",
    re.IGNORECASE,
)
_NAME = re.compile(r"name\"?:")
_VALUE = re.compile(r"value\"?:")


def withheld(text: str) -> str:
    """Return `text` with each line that holds a credential replaced."""
    shown: list[str] = []
    hide_value = False
    for line in text.split("\n"):
        kept = line
        if _NAMES_ONE.search(line):
            # An environment variable's value follows its name, on the same line or a later one.
            hide_value = True
            after = _AFTER_NAME.search(line)
            rest = after[1] if after else ""
            if re.search(r"[:=]|,.", rest):
                kept = WITHHELD
        elif _HOLDS_ONE.search(line):
            kept = WITHHELD
        elif _NAME.search(line):
            hide_value = False
        elif _VALUE.search(line) and hide_value:
            kept = WITHHELD
        shown.append(kept)
    return "\n".join(shown)
