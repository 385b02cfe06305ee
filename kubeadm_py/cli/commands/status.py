"""Define `status` and its flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.errors import ExitCode, UsageError


def status(
    config: options.Config = "",
    last: Annotated[
        bool,
        options.our_option("--last", help="Show the last run again; reaches no host."),
    ] = False,
    timing: Annotated[
        bool,
        options.our_option("--timing", help="Show where the last run's time went."),
    ] = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Show what a cluster is like at the moment; changes nothing.

    The exit code is 0 where all is well, else 1, or that of a host that cannot be reached.
    """
    display = Display(format_, no_color)

    def body() -> ExitCode | None:
        from kubeadm_py.cli.verbs import status

        if last or timing:
            status.last(display, timing=timing)
            return None
        if not config:
            raise UsageError(
                "nothing says which cluster", fix="give --config FILE, or --last for what the last run showed"
            )
        return status.run(display, config=config, allow_unknown_fields=allow_unknown_fields)

    guarded(display, body)
