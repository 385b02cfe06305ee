"""Run `kubeadm-py status`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from kubeadm_py.cli.frame import Display, told
from kubeadm_py.cli.verbs import common, reading
from kubeadm_py.cli.verbs.errand import errand
from kubeadm_py.engine import events
from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError, worst
from kubeadm_py.plan.status import survey as status
from kubeadm_py.report import replay, status_text
from kubeadm_py.report import timing as timings
from kubeadm_py.report.errors import glyphs_for, terminal_width


def run(display: Display, *, config: str, allow_unknown_fields: bool = False) -> ExitCode:
    """Show what the config's cluster is like; the exit code tells whether all of it is well."""
    loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
    if not loaded.has_cluster_document:
        raise UsageError(
            "the config has no Cluster document: nothing says which hosts there are",
            fix="name a file with one: kubeadm-py status --config cluster.yaml",
        )
    reading.tell_warnings(loaded)
    with errand("status", loaded.cluster, config) as a_run:
        found = status.survey(a_run)
    wrong = status_text.troubles(found.status, config)
    code = worst([error.exit_code for error in found.errors] or [ExitCode.FAILED] * bool(wrong))
    if display.format == "json":
        told = found.status.to_json() | {"troubles": [asdict(each) for each in wrong], "exit_code": int(code)}
        sys.stdout.write(json.dumps(told) + "\n")
        return code
    shown = status_text.lines(
        found.status,
        terminal_width() if sys.stdout.isatty() else None,
        glyphs_for(sys.stdout),
        config,
        unreached=[events.Failed.of(error) for error in found.errors],
        exit_code=int(code),
    )
    sys.stdout.write("\n".join(shown) + "\n")
    return code


def last(display: Display, *, timing: bool = False) -> None:
    """Show the last run's log again, or only where its time went."""
    logs = sorted((common.state_folder() / "runs").glob("*.jsonl"))
    if not logs:
        raise UsageError("there is no log of any run", fix="runs are logged as they go: kubeadm-py apply")
    try:
        lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(
            f"{logs[-1]} cannot be read: {error.strerror}", fix="it belongs to whoever ran kubeadm-py then"
        ) from error
    if display.format == "json" and not timing:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        return
    found = list(replay.read(lines))
    if timing:
        _tell_timing(display, found)
        return
    bus = events.EventBus()
    with told(display, bus):
        for event in found:
            bus.emit(event)


def _tell_timing(display: Display, found: list[events.Event]) -> None:
    done = next((event for event in reversed(found) if isinstance(event, events.RunDone)), None)
    if done is None:
        raise KubeadmPyError(
            "the last run has no end: it goes on still, or was killed", fix="kubeadm-py status --last"
        )
    if display.format == "json":
        sys.stdout.write(json.dumps({"type": "timing", "timings": done.to_json()["timings"]}) + "\n")
        return
    width = terminal_width() if sys.stdout.isatty() else None
    sys.stdout.write("".join(f"{line}\n" for line in timings.table(done.timings, width, done.hosts)))
