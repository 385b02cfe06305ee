"""Define `apply` and its flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def apply(
    config: options.Config,
    ignore_preflight_errors: options.IgnorePreflight = None,
    prune: Annotated[
        bool,
        options.our_option(
            "--prune",
            help="Take out add-ons and hosts that are in the cluster and in the config no more: hosts are"
            " drained, their etcd members removed, reset, their Nodes deleted. It asks first.",
        ),
    ] = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Bring a whole cluster to what its config says.

    All hosts at once: control planes start together, workers join the moment the API answers. Run it
    again after an edit, a new host, or a run that was cut off: it does what is missing.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import apply

        apply.run(
            display,
            config=config,
            ignore=options.split(ignore_preflight_errors),
            dry_run=dry_run,
            prune=prune,
            yes=yes,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
