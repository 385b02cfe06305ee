"""Ask a person before something is removed."""

from __future__ import annotations

import signal
import sys

from kubeadm_py.engine.interrupt import stopped


def ask(verb: str, text: str) -> bool:
    """Ask on the terminal whether to proceed; Ctrl-C ends the question as a stop."""
    sys.stderr.write(f"[{verb}] {text} Proceed? [y/N]: ")
    sys.stderr.flush()
    # A run lets what is under way end, and a question never would.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        raise stopped() from None
    finally:
        signal.signal(signal.SIGINT, handler)
    return answer.strip().lower() in ("y", "yes")
