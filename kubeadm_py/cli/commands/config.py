"""Define `config validate` and `config images ...` and their flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def validate(config: options.Config, allow_unknown_fields: options.AllowUnknown = False) -> None:
    """Read a config and report every problem."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs

        configs.validate(config, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def images_list(
    config: options.Config = "",
    output: Annotated[
        str, typer.Option("--output", "-o", help="text, json or yaml.", metavar="FORMAT")
    ] = "text",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """List the images that a config needs, add-ons included."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs

        configs.images_list(config, output=output, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)
