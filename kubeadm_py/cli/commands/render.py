"""Define `render` and its flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def render(
    config: options.Config,
    output: Annotated[
        str, options.our_option("--output", "-o", help="Empty or new folder to write to.", metavar="DIR")
    ],
    host: options.Hosts = None,
    facts: Annotated[
        str,
        options.our_option(
            help="What preflight --save-facts saved of the host; else a plain Debian 12.", metavar="FILE"
        ),
    ] = "",
    no_secrets: Annotated[
        bool, options.our_option("--no-secrets", help="Leave out files that hold keys.")
    ] = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Render a config into a folder; reach no host.

    Every file that init and join would write, host by host, and every API object.
    """
    display = Display()

    def body() -> None:
        from kubeadm_py.cli.verbs import render

        render.run(
            config=config,
            output=output,
            hosts=host or [],
            facts=facts,
            no_secrets=no_secrets,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
