"""Run `kubeadm-py config adopt`: take what was changed by hand into the config."""

from __future__ import annotations

import difflib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import asking, reading, whole
from kubeadm_py.config.adopt import adopted
from kubeadm_py.config.load import Loaded, load
from kubeadm_py.config.problems import ConfigError
from kubeadm_py.config.source import STDIN, read_text
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import keys
from kubeadm_py.model.adoption import Adoption, Left, Setting
from kubeadm_py.transport.connect import Approached


def run(
    display: Display,
    *,
    config: str,
    hosts: Sequence[str],
    ignore: Sequence[str],
    yes: bool,
    dry_run: bool,
    allow_unknown_fields: bool,
) -> None:
    """Find the drift, show what the config would say of it, ask, and write it."""
    if config == STDIN:
        raise UsageError("standard input cannot be written", fix="name the file: --config FILE")
    loaded, ignored = whole.read("adopt", config, ignore, allow_unknown_fields=allow_unknown_fields)
    chosen = [node.name for node in reading.choose(loaded.cluster, hosts)] if hosts else []
    found = _look(display, loaded, config, ignored, chosen)
    old = read_text(config)
    new, done, left = adopted(old, found.settings, config)
    left = [*found.left, *left]
    path = Path(config)
    if new != old:
        _check(path, new, allow_unknown_fields=allow_unknown_fields)
    diff = _diff(old, new, config)
    if display.format == "text":
        _tell(diff, done, left)
    wanted = new != old and not dry_run
    write = wanted and (yes or asking.ask("config", f"{path} is written; the old one is kept."))
    backup = _write(path, new) if write else ""
    if display.format == "json":
        document = _as_json(config, diff, done, left) | {"written": write, "backup": backup}
        sys.stdout.write(json.dumps(document) + "\n")
    elif write:
        sys.stdout.write(f"{path} is written; the old one is {backup}\nkubeadm-py plan --config {config}\n")
    elif new != old:
        sys.stdout.write("nothing was written\n")


def _look(
    display: Display, loaded: Loaded, config: str, ignored: frozenset[str], chosen: Sequence[str]
) -> Adoption:
    cluster = loaded.cluster
    connect = Approached(cluster.nodes)
    # Loaded while the connections are made: each takes about as long as the other.
    from kubeadm_py.cli.verbs import common
    from kubeadm_py.plan.adopt import drift as adopt
    from kubeadm_py.plan.cluster import apply
    from kubeadm_py.plan.run import Options, running
    from kubeadm_py.plan.show import before

    options = Options(ignored, dry_run=True)
    with common.a_run("adopt", cluster, display, options, config, connect=connect) as a_run:
        reading.tell_warnings(loaded, a_run.warn)
        with running(a_run, hosts=cluster.nodes) as end:
            report = apply.apply(a_run)
            known = before.of_sessions(a_run.sessions, report.plan, report.live)
            found = adopt.adoption(report.plan, known, a_run.cluster, report.live, report.leader, chosen)
            number = len(found.settings)
            end.verdict = f"{number} of the settings that were changed by hand can be said in {config}"
            if not number:
                end.verdict = f"nothing that was changed by hand can be said in {config}"
    return found


def _check(path: Path, text: str, *, allow_unknown_fields: bool) -> None:
    """Raise KubeadmPyError where the new config would be refused."""
    trial = _beside(path, text)
    try:
        load(str(trial), allow_unknown_fields=allow_unknown_fields)
    except ConfigError as error:
        raise KubeadmPyError(
            f"{path} would be refused with what the cluster has; it stays as it is",
            details=[line.replace(str(trial), str(path)) for line in error.details],
            fix=f"put back what was changed by hand: kubeadm-py apply --config {path}",
        ) from error
    finally:
        trial.unlink(missing_ok=True)


def _write(path: Path, text: str) -> str:
    """Replace a file with its own mode; keep the old one and return its name."""
    backup = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        trial = _beside(path, text)
        os.link(path.resolve(), backup)
        trial.replace(path.resolve())
    except OSError as error:
        raise KubeadmPyError(
            f"{path} cannot be written: {error.strerror}", fix="is there room, and may you?"
        ) from error
    return str(backup)


def _beside(path: Path, text: str) -> Path:
    """Write a text beside a file, with its mode from the first byte."""
    target = path.resolve()
    trial = target.with_name(f".{target.name}.kubeadm-py-new")
    trial.unlink(missing_ok=True)
    mode = target.stat().st_mode & 0o777
    descriptor = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return trial


def _diff(old: str, new: str, name: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), name, f"{name} (adopted)", lineterm="", n=2
    )
    return "".join(f"{line}\n" for line in lines)


def _tell(diff: str, done: Sequence[Setting], left: Sequence[Left]) -> None:
    lines = [f"  {setting.subject}: {keys.text(setting.path)}" for setting in done]
    if lines:
        lines = ["", "taken into the config:", *lines, "", *diff.splitlines()]
    if left:
        lines += ["", "left, for apply to put back:", *(f"  {each.subject}: {each.reason}" for each in left)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _as_json(config: str, diff: str, done: Sequence[Setting], left: Sequence[Left]) -> dict[str, Any]:
    return {
        "type": "adoption",
        "file": config,
        "diff": diff,
        "adopted": [
            {"kind": each.kind, "path": list(each.path), "value": each.value, "subject": each.subject}
            for each in done
        ],
        "left": [{"subject": each.subject, "reason": each.reason} for each in left],
    }
