"""Look after the standard streams: they may be closed, full, or a pipe that nobody reads any more."""

from __future__ import annotations

import errno
import os
import sys

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def open_streams() -> None:
    """Open what is closed (`>&-`) on nothing: no write fails then, and no connection takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # For the life of the process; the lowest free number is the one that is closed.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def abandon_output() -> None:
    """Let what is still to be written go nowhere: the interpreter must not fail with it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def give_up_if_unwritable() -> None:
    """Abandon the output where what is left of it cannot be written: the exit code must stay the run's."""
    try:
        sys.stdout.flush()
    except OSError:
        abandon_output()


def is_full(error: OSError) -> bool:
    """Say whether an error is that of an output that takes no more; one about a named file is not."""
    return error.errno in _UNWRITABLE and error.filename is None
