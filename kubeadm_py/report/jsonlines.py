"""Report to machines: one event a line, then one line with the whole report."""

from __future__ import annotations

import json
from typing import Any, TextIO

from kubeadm_py.engine.events import (
    Event,
    Failed,
    Found,
    HostDone,
    Notice,
    RunDone,
    RunStarted,
    StageDone,
)


class JSONReporter:
    """Write each event's JSON as a line; after `run-done` the report.

    The report is one object: `type` "report", `verb`, `cluster`, `version`, `source`, `hosts` (name, role),
    `verdict`, `exit_code`, `causes`, `seconds`, `changed`, `stages` (stage, ok, seconds, changed, hosts
    with their seconds, changed and error), `findings`, `notices`, `failures`, `timings`, `next`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started: dict[str, Any] = {}
        self._stages: list[dict[str, Any]] = []
        self._hosts: dict[str, list[dict[str, Any]]] = {}
        self._lists: dict[str, list[dict[str, Any]]] = {"findings": [], "notices": [], "failures": []}

    def __call__(self, event: Event) -> None:
        """Write `event`."""
        fields = event.to_json()
        self._write(fields)
        bare = {key: value for key, value in fields.items() if key not in {"type", "time"}}
        match event:
            case RunStarted():
                self._started = bare
            case HostDone():
                self._hosts.setdefault(bare.pop("stage"), []).append(bare)
            case StageDone():
                self._stages.append(bare | {"hosts": self._hosts.pop(event.stage, [])})
            case Found():
                self._lists["findings"].append(bare)
            case Notice():
                self._lists["notices"].append(bare)
            case Failed():
                self._lists["failures"].append(bare)
            case RunDone():
                bare.pop("hosts")
                self._write(
                    {"type": "report", **self._started, **bare, "stages": self._stages, **self._lists}
                )
            case _:
                return

    def _write(self, fields: dict[str, Any]) -> None:
        self._stream.write(json.dumps(fields) + "\n")
        self._stream.flush()
