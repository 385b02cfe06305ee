"""Define `version` and its flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def version(
    output: Annotated[
        str, options.kubeadm_option("--output", "-o", help="short, json or yaml.", metavar="FORMAT")
    ] = "",
) -> None:
    """Print the version, and the Kubernetes versions that it knows."""

    def body() -> None:
        from kubeadm_py.cli.verbs import version

        version.run(output)

    guarded(Display(), body)
