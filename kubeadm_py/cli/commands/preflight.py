"""Define `preflight` and its flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def preflight(
    config: options.Config,
    host: options.Hosts = None,
    ignore_preflight_errors: options.IgnorePreflight = None,
    save_facts: Annotated[
        str,
        options.our_option(
            "--save-facts",
            help="Folder to save what each host's probe says to: NAME.json, as render --facts reads it.",
            metavar="DIR",
        ),
    ] = "",
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Check hosts against a config and change nothing."""
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import preflight

        preflight.run(
            display,
            config=config,
            hosts=host or [],
            ignore=options.split(ignore_preflight_errors),
            save_facts=save_facts,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
