"""Start the command line."""

from __future__ import annotations

import gc
import os
import sys

from kubeadm_py.errors import ExitCode, UsageError


def main() -> None:
    """Run `kubeadm-py`."""
    # What is loaded stays: looking for garbage in it takes a tenth of the start.
    gc.set_threshold(50_000, 20, 20)
    try:
        from kubeadm_py.cli import streams

        streams.open_streams()
        from kubeadm_py.cli import complete, shells
        from kubeadm_py.cli.app import app
        from kubeadm_py.cli.old_spellings import refuse_old

        if shells.VARIABLE in os.environ:
            complete.answer(sys.argv[1:], os.environ[shells.VARIABLE])
            return
        refuse_old(sys.argv[1:])
        app(prog_name="kubeadm-py")
    except UsageError as error:
        from kubeadm_py.report.errors import format_error

        sys.stderr.write(format_error(error))
        sys.exit(error.exit_code)
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
