"""Let a host know that who holds its lock is still there."""

from __future__ import annotations

import threading

from kubeadm_py.transport.base import Held

BEAT_SECONDS = 15.0
PATIENCE_SECONDS = 120
"""How long a host waits for a beat: a machine that sleeps or loses its network would keep the lock for hours.

A connection that stands still for half a minute comes through: what was lost of it is sent again in time.
"""
SCRIPT = f"""# Of an operator that vanishes without a word sshd may know nothing for hours.
while [ -n "$(exec 9>&-; exec timeout {PATIENCE_SECONDS} head -c 1)" ]; do :; done
"""
"""What a script does while it is held: it ends with its standard input, or once that is silent too long."""


class Pulse:
    """Send beats to a held script from a thread of its own, until it is stopped or the script has ended."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._stopped = threading.Event()
        # One for each: a connection that stands still must hold up nobody else's.
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more; a beat that is under way may still end."""
        self._stopped.set()
        self._thread.join(1.0)

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS) and self._held.alive():
            self._held.beat()
