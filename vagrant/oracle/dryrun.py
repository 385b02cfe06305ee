"""Read the API objects out of what `kubeadm init --dry-run` prints."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ACTION = re.compile(r'\[dryrun\] Would perform action (?P<verb>[A-Z]+) on resource "(?P<resource>[^"]+)"')
_OBJECT = "[dryrun] Attached object:"
_NEXT = "["
"""No YAML that kubeadm prints begins a line with it, and each line of its own words does."""


@dataclass(frozen=True)
class Action:
    """Hold one request to the API and the object that went with it, as YAML."""

    verb: str
    resource: str
    text: str


def actions(printed: str) -> Iterator[Action]:
    """Yield the requests that carry an object, in their order."""
    verb, resource = "", ""
    text: list[str] | None = None
    for line in [*printed.splitlines(), _NEXT]:
        if line.startswith(_NEXT):
            if text is not None:
                yield Action(verb, resource, "\n".join(text).strip() + "\n")
            text = [] if line == _OBJECT else None
            if match := _ACTION.match(line):
                verb, resource = match["verb"], match["resource"]
        elif text is not None:
            text.append(line)
