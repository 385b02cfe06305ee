"""Start the command line."""

from __future__ import annotations

import gc
import sys

from kubeadm_py.errors import ExitCode


def main() -> None:
    """Run `kubeadm-py`."""
    # What is loaded stays: looking for garbage in it takes a tenth of the start.
    gc.set_threshold(50_000, 20, 20)
    try:
        from kubeadm_py.cli import streams

        streams.open_streams()
        from kubeadm_py.cli.app import app

        app(prog_name="kubeadm-py")
    except KeyboardInterrupt:
        # Before any command has begun: there is nothing to tell.
        sys.exit(ExitCode.INTERRUPTED)
    except OSError as error:
        # Help into a full disk; what commands print is looked after by cli.frame.
        if not streams.is_full(error):
            raise
        streams.abandon_output()
        sys.stderr.write(f"kubeadm-py: standard output cannot be written: {error.strerror}\n")
        sys.exit(ExitCode.FAILED)


if __name__ == "__main__":
    main()
