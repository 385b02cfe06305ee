"""Run the suite against a cluster and return what it found."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.transport.base import Host
from kubeadm_py.transport.connect import host_for
from kubeadm_py.verify import plugin
from kubeadm_py.verify.checks import Level
from kubeadm_py.verify.record import Listener, Recorder
from kubeadm_py.verify.report import VerifyReport, to_json, to_junit
from kubeadm_py.verify.target import Target, target_of

SUITE = Path(__file__).parent / "suite"
_FOREIGN_SETTINGS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
_ARGUMENTS = (
    "--disable-plugin-autoload",
    f"--config-file={SUITE / 'pytest.ini'}",
    f"--rootdir={SUITE}",
    f"--confcutdir={SUITE}",
    "--import-mode=importlib",
    "--strict-markers",
    "--capture=no",
    *(f"-pno:{name}" for name in ("cacheprovider", "terminal", "logging", "faulthandler")),
)
"""Nothing of the directory or environment in which an operator types `verify` may change the suite."""


class _Handover:
    """Give the suite its cluster and its choices before it is collected."""

    def __init__(self, target: Target, level: Level, read_only: bool, recorder: Recorder) -> None:
        self.notes: list[str] = []
        self._values = (target, level, read_only, recorder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Put the values where the plugin looks for them."""
        target, level, read_only, recorder = self._values
        config.stash[plugin.TARGET] = target
        config.stash[plugin.LEVEL] = level
        config.stash[plugin.READ_ONLY] = read_only
        config.stash[plugin.RECORDER] = recorder
        config.stash[plugin.NOTES] = self.notes


def verify(
    cluster: ResolvedCluster,
    *,
    level: Level | str = Level.CLUSTER,
    read_only: bool = False,
    junit: Path | None = None,
    json: Path | None = None,
    hosts: Callable[[Node], Host] = host_for,
    on_result: Listener | None = None,
) -> VerifyReport:
    """Check the live cluster and return a report whose `exit_code` is the command's.

    `hosts` gives each node's Host; they are closed at the end. `on_result` sees each result as it comes.
    `junit` and `json` are files to write. Raises KubeadmPyError where the suite itself cannot run or a
    file cannot be written; what is wrong with the cluster is in the report.
    """
    opened: list[Host] = []

    def open_host(node: Node) -> Host:
        opened.append(hosts(node))
        return opened[-1]

    recorder = Recorder(on_result)
    handover = _Handover(target_of(cluster, open_host), Level(level), read_only, recorder)
    started = time.monotonic()
    try:
        with _undisturbed():
            ended = pytest.main([*_ARGUMENTS, str(SUITE)], plugins=[handover, plugin, recorder])
    finally:
        for host in opened:
            host.close()
    if recorder.broken:
        raise KubeadmPyError("the suite cannot run", details="\n".join(recorder.broken).splitlines()[-20:])
    if ended == pytest.ExitCode.USAGE_ERROR:
        raise KubeadmPyError("the suite cannot run: pytest refuses its settings")
    report = VerifyReport(
        cluster=cluster.name,
        level=Level(level),
        read_only=read_only,
        results=tuple(recorder.results),
        seconds=time.monotonic() - started,
        hosts=tuple(node.name for node in cluster.nodes),
        interrupted=recorder.interrupted,
        notes=tuple(handover.notes),
    )
    _write(junit, to_junit(report))
    _write(json, to_json(report))
    return report


def _write(path: Path | None, text: str) -> None:
    if path is None:
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the report cannot be written to {path}: {error.strerror}") from error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hide pytest settings of the operator's shell, and let a request to end clean up as Ctrl-C does."""
    hidden = {name: os.environ.pop(name) for name in _FOREIGN_SETTINGS if name in os.environ}
    main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, _interrupt) if main else None
    try:
        yield
    finally:
        os.environ.update(hidden)
        if main:
            signal.signal(signal.SIGTERM, previous)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
