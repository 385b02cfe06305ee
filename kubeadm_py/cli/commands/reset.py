"""Define `reset` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.cli.syntax import phases_of

_Taken = Annotated[
    str, typer.Option(help="Taken as kubeadm's; the host's inventory says it.", metavar="PATH")
]
"""Flags that say what a host's inventory knows better: nothing else is removed."""


def reset(
    ctx: typer.Context,
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
    cert_dir: _Taken = "",
    cleanup_tmp_dir: Annotated[
        bool,
        typer.Option("--cleanup-tmp-dir", help="Taken as kubeadm's; it goes in any case."),
    ] = False,
    cri_socket: _Taken = "",
    kubeconfig: _Taken = "",
    ignore_preflight_errors: options.IgnorePreflight = None,
    skip_phases: options.SkipPhases = None,
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
    taken = {"cert-dir": cert_dir, "cleanup-tmp-dir": cleanup_tmp_dir, "cri-socket": cri_socket}
    taken |= {"force": force, "kubeconfig": kubeconfig}

    def body() -> None:
        from kubeadm_py.cli.verbs import reset

        reset.run(
            display,
            config=config,
            hosts=host or [],
            yes=yes or force,
            keep_artifacts=keep_artifacts,
            skip_phases=options.split(skip_phases),
            only_phases=phases_of(ctx),
            flags=[name for name, value in taken.items() if value],
            ignore=options.split(ignore_preflight_errors),
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
