"""Share what the verbs have in common: a run that is shown and logged, local state."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kubeadm_py.cli.frame import Display, told
from kubeadm_py.engine.events import EventBus, Notice
from kubeadm_py.local_path import expanded
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.plan.run import Options, Run
from kubeadm_py.report.runlog import RunLog
from kubeadm_py.transport.connect import Approached, host_for

KEPT_LOGS = 50
"""Run logs that are kept; the oldest go first."""
_ELSEWHERE = "make room there, or name another folder in $XDG_STATE_HOME"


def state_folder() -> Path:
    """Return the folder of local state; it need not be there."""
    return expanded(os.environ.get("XDG_STATE_HOME") or "~/.local/state") / "kubeadm-py"


def make_state_folder() -> Path:
    """Return the folder of local state, made 0700 where it is missing; raise OSError where it cannot be."""
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def a_run(
    verb: str,
    cluster: ResolvedCluster,
    display: Display,
    options: Options,
    config: str = "",
    *,
    connect: Approached | None = None,
) -> Iterator[Run]:
    """Make a run whose events are shown, and kept in a log of its own.

    `connect` has the hosts that the verb has begun to connect to.
    """
    bus = EventBus()
    with ExitStack() as stack:
        if connect is not None:
            stack.callback(connect.close)
        stack.enter_context(told(display, bus))
        try:
            bus.subscribe(stack.enter_context(_run_log(verb, cluster.name)))
        except OSError as error:
            # A full or read-only home is no reason not to mend a cluster.
            what = f"{error.filename or state_folder()}: {error.strerror}"
            bus.emit(Notice("warning", f"this run is not logged: {what}", fix=_ELSEWHERE))
        yield Run(verb, cluster, bus, connect or host_for, options, config_name=config)


def _run_log(verb: str, cluster: str) -> RunLog:
    folder = make_state_folder() / "runs"
    for old in sorted(folder.glob("*.jsonl"))[: -KEPT_LOGS + 1]:
        old.unlink(missing_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return RunLog(folder / f"{stamp}-{verb}-{cluster}-{os.getpid()}.jsonl")
