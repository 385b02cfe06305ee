"""Define `remove` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def remove(
    hosts: Annotated[
        list[str], typer.Argument(help="Hosts of the file, or nodes that it has no more.", metavar="HOST...")
    ],
    config: options.Config,
    force: Annotated[
        bool,
        options.our_option(
            "--force",
            "-f",
            help="Delete pods that cannot be evicted; remove a silent host whose node is Ready, and the one"
            " that the endpoint leads to.",
        ),
    ] = False,
    drain_timeout: Annotated[
        str,
        options.our_option(help="How long its pods may take to leave.", metavar="DURATION"),
    ] = "5m0s",
    keep_artifacts: options.KeepArtifacts = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Take hosts out of the cluster.

    Their pods are evicted, an etcd member leaves, the host is reset, its Node is deleted. What would cost
    etcd its quorum is refused before anything is changed. A host that cannot be reached is removed from the
    cluster alone. It asks first.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import remove

        remove.run(
            display,
            config=config,
            names=hosts,
            force=force,
            drain_timeout=drain_timeout,
            keep_artifacts=keep_artifacts,
            yes=yes,
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
