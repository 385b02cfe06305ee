"""Tell people what goes beside a verb's result: on standard error, no line wider than the terminal."""

from __future__ import annotations

import sys


def warn(text: str, host: str = "") -> None:
    """Tell what stops nothing and should not go unseen."""
    say(f"{host}: {text}" if host else text, "warning: ")


def say(text: str, first: str = "") -> None:
    """Tell something; `first` begins it. In a pipe it is one line."""
    # Imported late: most commands have nothing to tell.
    from kubeadm_py.report.errors import glyphs_for, terminal_width
    from kubeadm_py.report.text import wrap

    width = terminal_width() if sys.stderr.isatty() else None
    lines = wrap(glyphs_for(sys.stderr).text(text), width, first, "  ")
    sys.stderr.write("".join(f"{line}\n" for line in lines))
