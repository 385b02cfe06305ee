"""Let one process at a time work on something of the lab."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from lab import paths
from lab.process import say


@contextmanager
def held(name: str) -> Iterator[None]:
    """Hold the lock of that name, after whoever holds it now.

    The file lies in the cache and stays: removing it would let two holders in, one on each file.
    """
    folder = paths.cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that holds {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
