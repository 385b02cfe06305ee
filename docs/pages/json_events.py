"""Write the page of JSON events and exit codes."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

import dataclasses
import inspect

from kubeadm_py.engine import events
from kubeadm_py.errors import EXIT_PRECEDENCE, ExitCode
from pages import markdown

EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed on a host",
    ExitCode.USAGE: "wrong command line or config; no host was reached",
    ExitCode.PREFLIGHT: "preflight refused",
    ExitCode.CHANGES: "`plan` found changes",
    ExitCode.LOCKED: "another run holds a host's lock",
    ExitCode.VERIFY: "`verify` failed",
    ExitCode.UNREACHABLE: "a host cannot be reached, or the connection was lost",
    ExitCode.HOST_KEY: "a host's SSH key is unknown or has changed",
    ExitCode.TIMEOUT: "a wait ran out of time",
    ExitCode.INTERRUPTED: "interrupted",
}


def json_events() -> str:
    """Describe the JSON events."""
    parts = [
        """# JSON events

With `--format json` a verb prints one JSON object a line on standard output: its events as they happen and, at the
end, one object of type `report` that sums them up. `plan` and `--dry-run` add one object of type `plan` before these
last two; `verify` prints one object of type `verify` instead: its report. Nothing else is printed there.

Every event has `type` and `time` (Unix seconds). A value that is not known is null or empty. No event holds a secret.
New fields and new types may be added; those below keep their meaning.
"""
    ]
    for event in _event_types():
        doc = " ".join(inspect.getdoc(event).split())  # type: ignore[union-attr]  # every event has one
        parts.append(f"## `{event.type}`\n\n{doc}\n")
        rows = [
            (f"`{field.name}`", f"`{_json_type(str(field.type))}`")
            for field in dataclasses.fields(event)
            if field.name != "time"
        ]
        parts.append(markdown.table(("Field", "Type"), rows))
    for record in (
        events.RunHost,
        events.StageAhead,
        events.Timing,
        events.Cause,
        events.HostChanges,
        events.Change,
    ):
        doc = " ".join(inspect.getdoc(record).split())  # type: ignore[union-attr]  # so has every record
        rows = [
            (f"`{field.name}`", f"`{_json_type(str(field.type))}`") for field in dataclasses.fields(record)
        ]
        parts.append(f"## `{record.__name__}` (a record inside events)\n\n{doc}\n")
        parts.append(markdown.table(("Field", "Type"), rows))
    parts.append(
        """## `report`

The last line: `verb`, `cluster`, `version`, `source`, `hosts`, `verdict`, `exit_code`, `causes`, `seconds`, `changed`,
`next` and `timings` as in the events above; `stages` (each with its `hosts`), `findings`, `notices` and `failures`
list the events of these kinds without `type` and `time`.

## Exit codes
"""
    )
    rows = [(str(int(code)), EXIT_CODES[code]) for code in ExitCode]
    order = ", ".join(str(int(code)) for code in EXIT_PRECEDENCE)
    parts.append(markdown.table(("Code", "Meaning"), rows))
    parts.append(f"Of several causes the first of {order} decides; `causes` lists them all.\n")
    return "\n".join(parts)


def _event_types() -> list[type[events.Event]]:
    found = [value for value in vars(events).values() if inspect.isclass(value)]
    return [each for each in found if issubclass(each, events.Event) and each is not events.Event]


def _json_type(annotation: str) -> str:
    names = {"str": "string", "int": "number", "float": "number", "bool": "boolean"}
    if annotation.startswith("tuple["):
        return f"array of {_json_type(annotation.removeprefix('tuple[').partition(',')[0])}"
    return names.get(annotation, annotation)
