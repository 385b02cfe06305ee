"""Frame a verb whose result is all that it prints: hosts are looked at without a lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kubeadm_py.cli import telling
from kubeadm_py.engine.events import Event, EventBus, Notice
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError
from kubeadm_py.facts.collect import LITTLE
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.transport.connect import host_for


@contextmanager
def errand(verb: str, cluster: ResolvedCluster, config: str = "") -> Iterator[Run]:
    """Make a run that shows nothing but its warnings, on standard error; connections end with it."""
    bus = EventBus()
    bus.subscribe(_tell)
    run = Run(verb, cluster, bus, host_for, config_name=config)
    try:
        yield run
    finally:
        run.close()


def first(run: Run, candidates: Sequence[Node], parts: Sequence[str] = LITTLE) -> Session:
    """Look at the candidates in turn and return the first that can be reached; raise why none of them can."""
    failed: list[KubeadmPyError] = []
    for node in candidates:
        try:
            run.look([node], lock=False, parts=parts)
        except RunFailedError as error:
            if error.exit_code is not ExitCode.UNREACHABLE:
                raise
            failed += error.errors
        else:
            return run.sessions[node.name]
    if failed:
        raise RunFailedError(failed)
    raise UsageError("the config has no control-plane host", fix="give a host the role control-plane")


def reachable(run: Run, nodes: Sequence[Node], parts: Sequence[str] = LITTLE) -> tuple[KubeadmPyError, ...]:
    """Look at all of them at once, go on with those that answer, and return why others do not."""
    try:
        run.look(nodes, lock=False, parts=parts)
    except RunFailedError as error:
        if any(each.exit_code is not ExitCode.UNREACHABLE for each in error.errors):
            raise
        return error.errors
    return ()


def _tell(event: Event) -> None:
    if isinstance(event, Notice) and event.level == "warning":
        telling.warn(event.text, event.host)
