"""Define `reset` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def reset(
    config: options.Config = "",
    host: options.Hosts = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Do not ask.", rich_help_panel=options.KUBEADM)
    ] = False,
    yes: options.Yes = False,
    keep_artifacts: Annotated[
        bool,
        typer.Option(
            "--keep-artifacts",
            help="Leave runtime, binaries and images, as kubeadm reset does.",
            rich_help_panel=options.OURS,
        ),
    ] = False,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Take hosts back to what they were.

    What a host's inventory lists is removed, files that were there before are put back. It asks first.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import reset

        reset.run(
            display,
            config=config,
            hosts=host or [],
            yes=yes or force,
            keep_artifacts=keep_artifacts,
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
