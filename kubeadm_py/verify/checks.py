"""Name the checks of the suite and say how one fails: what was found, what was expected, where to look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

MARK = "check"
SAID = "said"
"""Key of a test's user property that holds a thing worth saying which is no failure."""


class Level(StrEnum):
    """Name how far a verification goes; each level includes the ones before it."""

    HOSTS = "hosts"
    CLUSTER = "cluster"
    WORKLOADS = "workloads"

    def includes(self, other: Level) -> bool:
        """Say whether a run of this level makes the checks of `other`."""
        levels = list(Level)
        return levels.index(other) <= levels.index(self)


@dataclass(frozen=True, slots=True)
class Check:
    """Describe one check of the suite.

    `needs` names checks without which this one cannot tell its own trouble from theirs: where one of
    them failed, this one is skipped and says so. `changes` marks what makes objects in the cluster.
    """

    id: str
    level: Level
    title: str
    needs: tuple[str, ...] = ()
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold one thing that is not as it should be; `look` is what to type to see more."""

    found: str
    expected: str = ""
    host: str = ""
    look: str = ""


class CheckError(Exception):
    """Fail a check with its problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(_text(problem) for problem in self.problems))


def fail(found: str, *, expected: str = "", host: str = "", look: str = "") -> CheckError:
    """Return the error of a check that has one problem."""
    return CheckError([Problem(found, expected, host, look)])


def expect_none(problems: Iterable[Problem]) -> None:
    """Raise CheckError where there are problems."""
    listed = list(problems)
    if listed:
        raise CheckError(listed)


def check(
    identity: str,
    level: Level,
    *,
    needs: tuple[str, ...] = (),
    changes: bool = False,
    control_planes_only: bool = False,
    etcd_members_only: bool = False,
) -> pytest.MarkDecorator:
    """Mark a test function as a check of the suite; the first line of its docstring is the title.

    A function that takes `node` is run once a host, or once a control plane.
    """
    return pytest.mark.check(
        identity,
        level=level,
        needs=needs,
        changes=changes,
        control_planes_only=control_planes_only,
        etcd_members_only=etcd_members_only,
    )


def check_of(item: pytest.Item) -> Check | None:
    """Return the check that a test is; None for a foreign test."""
    mark = item.get_closest_marker(MARK)
    if mark is None:
        return None
    function: Any = getattr(item, "function", None)
    title = (getattr(function, "__doc__", "") or item.name).strip().splitlines()[0].rstrip(".")
    return Check(
        mark.args[0], mark.kwargs["level"], title, tuple(mark.kwargs["needs"]), mark.kwargs["changes"]
    )


def _text(problem: Problem) -> str:
    parts = [f"{problem.host}: {problem.found}" if problem.host else problem.found]
    if problem.expected:
        parts.append(f"expected: {problem.expected}")
    if problem.look:
        parts.append(f"look: {problem.look}")
    return "; ".join(parts)
