"""Measure what reaches no host: rendering a whole cluster, and validating its config."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.process import say

from bench.contestants import our_command
from bench.stopwatch import spent

CONFIG = Path(__file__).with_name("ha.yaml")
_ALGORITHM = "encryptionAlgorithm: RSA-2048"
_RENDER = "render of three control planes, all keys {}"


@dataclass(frozen=True)
class Limited:
    """Hold one figure: the command's seconds from start to end, and of processors, and the most it may take.

    Other programs on the machine make a command slower, never faster: the fastest round is judged.
    """

    name: str
    elapsed: tuple[float, ...]
    processors: tuple[float, ...]
    at_most: float

    @property
    def met(self) -> bool:
        """Say whether the goal is reached."""
        return min(self.elapsed) <= self.at_most

    def line(self) -> str:
        """Return the figure as people read it."""
        return (
            f"{self.name:<52} {min(self.elapsed):5.2f} s  (goal: at most {self.at_most:.1f} s,"
            f" {'met' if self.met else 'missed'}; median {statistics.median(self.elapsed):.2f} s,"
            f" {statistics.median(self.processors):.2f} s of processors)"
        )


def measure(rounds: int) -> list[Limited]:
    """Run each command so many times."""
    with tempfile.TemporaryDirectory(prefix="kubeadm-py-bench-") as name:
        folder = Path(name)
        rsa, ecdsa = folder / "rsa.yaml", folder / "ecdsa.yaml"
        text = CONFIG.read_text(encoding="utf-8")
        rsa.write_text(text, encoding="utf-8")
        ecdsa.write_text(text.replace(_ALGORITHM, "encryptionAlgorithm: ECDSA-P256"), encoding="utf-8")
        return [
            _limited(_RENDER.format("RSA-2048"), 2.0, rounds, _render(rsa)),
            _limited(_RENDER.format("ECDSA-P256"), 0.8, rounds, _render(ecdsa)),
            _limited("config validate of the same file", 0.5, rounds, lambda: _validate(rsa)),
        ]


def _limited(name: str, at_most: float, rounds: int, once: Callable[[], tuple[float, float]]) -> Limited:
    seconds = [once() for _ in range(rounds)]
    elapsed, processors = zip(*seconds, strict=True)
    figure = Limited(name, elapsed, processors, at_most)
    say(f"bench: {figure.line()}")
    return figure


def _render(config: Path) -> Callable[[], tuple[float, float]]:
    def once() -> tuple[float, float]:
        with tempfile.TemporaryDirectory(dir=config.parent) as output:
            return _timed("render", "--config", str(config), "--output", output)

    return once


def _validate(config: Path) -> tuple[float, float]:
    return _timed("config", "validate", "--config", str(config))


def _timed(*arguments: str) -> tuple[float, float]:
    """Run kubeadm-py and return its seconds from start to end, and those of processors."""
    used = spent(our_command(*arguments))
    return used.seconds, used.processors
