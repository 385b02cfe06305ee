"""Define `kubeconfig get` and its flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def get(
    config: options.Config = "",
    host: options.Hosts = None,
    merge: Annotated[
        bool,
        typer.Option("--merge", help="Merge it into your own kubeconfig ($KUBECONFIG or ~/.kube/config)."),
    ] = False,
    path: Annotated[
        bool, typer.Option("--path", help="Keep it in a file of its own and print that file's path.")
    ] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Write it to this file (0600).", metavar="FILE")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="With --merge: replace an older cluster of the same name.")
    ] = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Fetch admin.conf from a control plane: print it, keep it, or merge it into your own."""

    def body() -> None:
        from kubeadm_py.cli.verbs import kubeconfig

        kubeconfig.get(
            config=config,
            hosts=host or [],
            merge=merge,
            path=path,
            output=output,
            replace=yes,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)
