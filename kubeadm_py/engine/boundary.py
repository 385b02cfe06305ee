"""Hold a run at one boundary: crash tests kill it, its connection or its host exactly there.

Nothing else sets the variable, and without it a run has no boundary and its scripts no line for one.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "KUBEADM_PY_TEST_HOLD"
"""STAGE/HOST/PLACE; PLACE is `before`, `after`, or the number of the action before which the script stays."""
RELEASE = "KUBEADM_PY_TEST_RELEASE"
"""The file whose coming lets a run go on that is held before or after a stage."""
_LOOK_SECONDS = 0.05
HELD = "held at a boundary"
"""What the event says once the boundary is reached."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Name a boundary of one host's stage."""

    stage: str
    host: str
    place: str | int
    """`before` and `after` the stage, or the number of an action."""

    @classmethod
    def of_environment(cls) -> Boundary | None:
        """Return the boundary that this process is to be held at, usually None."""
        text = os.environ.get(VARIABLE, "")
        stage, _, rest = text.partition("/")
        host, _, place = rest.partition("/")
        if place in ("before", "after"):
            return cls(stage, host, place)
        return cls(stage, host, int(place)) if place.isdecimal() else None

    def is_at(self, stage: str, host: str, place: str) -> bool:
        """Say whether this is the boundary of that stage and host, on this machine."""
        return (self.stage, self.host, self.place) == (stage, host, place)

    def action(self, stage: str, host: str) -> int | None:
        """Return the action before which that host's script is to stay, if any."""
        here = (self.stage, self.host) == (stage, host)
        return self.place if here and isinstance(self.place, int) else None


def stay() -> None:
    """Wait for the end of the process, or until it is let go on."""
    release = os.environ.get(RELEASE, "")
    while not (release and Path(release).exists()):
        time.sleep(_LOOK_SECONDS)
