"""Define `kubeconfig get|user` and their flags."""

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


def user(
    client_name: Annotated[
        str,
        typer.Option(
            "--client-name",
            help="The user's name: the certificate's common name.",
            rich_help_panel=options.KUBEADM,
            metavar="NAME",
        ),
    ],
    org: Annotated[
        list[str] | None,
        typer.Option(
            "--org",
            help="Groups of the user: the certificate's organizations. Repeatable, comma-separated.",
            rich_help_panel=options.KUBEADM,
            metavar="NAMES",
        ),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            help="Log in with this token; --token-file keeps it out of the process list.",
            rich_help_panel=options.KUBEADM,
            metavar="TOKEN",
        ),
    ] = "",
    token_file: Annotated[
        str,
        typer.Option(
            help="File with a token to log in with; - is standard input.",
            rich_help_panel=options.OURS,
            metavar="FILE",
        ),
    ] = "",
    validity_period: Annotated[
        str,
        typer.Option(
            "--validity-period",
            help="How long the client certificate lasts (the config's certificateValidityPeriod).",
            rich_help_panel=options.KUBEADM,
            metavar="DURATION",
        ),
    ] = "",
    config: options.Config = "",
    host: options.Hosts = None,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Print a kubeconfig for one more user, signed by the cluster's CA."""

    def body() -> None:
        from kubeadm_py.cli.verbs import kubeconfig_user

        kubeconfig_user.user(
            config=config,
            hosts=host or [],
            client_name=client_name,
            organizations=options.split(org),
            token=token,
            token_file=token_file,
            validity_period=validity_period,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)
