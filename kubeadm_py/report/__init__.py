"""Show a run's events to people and machines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from kubeadm_py.engine.events import Subscriber


@contextmanager
def open_reporter(
    format: str,
    *,
    stream: TextIO,
    no_color: bool = False,
    verbosity: int = 0,
) -> Iterator[Subscriber]:
    """Yield what shows events on `stream`: `json`, or `text` as suits it.

    On a terminal text is a board that is redrawn; in a pipe and on a dumb terminal it is one line an event.
    NO_COLOR in the environment counts as `no_color`.
    """
    # Imported late: rich has no part in `--help`.
    if format == "json":
        from kubeadm_py.report.jsonlines import JSONReporter

        yield JSONReporter(stream)
        return
    from kubeadm_py.report.errors import glyphs_for, terminal_width

    glyphs = glyphs_for(stream)
    if not stream.isatty() or os.environ.get("TERM", "") in {"", "dumb", "unknown"}:
        from kubeadm_py.report.plain import PlainReporter

        yield PlainReporter(stream, glyphs, verbosity, terminal_width() if stream.isatty() else None)
        return
    from kubeadm_py.report.console import ConsoleReporter

    quiet = no_color or bool(os.environ.get("NO_COLOR"))
    with ConsoleReporter(stream, glyphs, no_color=quiet, verbosity=verbosity) as reporter:
        yield reporter
