"""Define `logs` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.errors import ExitCode


def logs(
    component: Annotated[
        str,
        typer.Argument(
            help="kubelet, containerd, or a container by its name: etcd, kube-apiserver, haproxy, ...",
            metavar="COMPONENT",
        ),
    ],
    config: options.Config = "",
    host: options.Hosts = None,
    tail: Annotated[
        int,
        options.our_option("--tail", help="How many lines.", metavar="N"),
    ] = 100,
    previous: Annotated[
        bool,
        options.our_option("--previous", "-p", help="Of the container before the present one."),
    ] = False,
    format_: options.Format = "text",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Show what a component has logged last, on each host that has it; needs no API and no runtime."""
    display = Display(format_)

    def body() -> ExitCode:
        from kubeadm_py.cli.verbs import logs

        return logs.run(
            display,
            component,
            config,
            host or [],
            tail=tail,
            previous=previous,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
