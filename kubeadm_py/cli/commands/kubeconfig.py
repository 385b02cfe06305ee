"""Define `kubeconfig get|user` and their flags."""

from __future__ import annotations

from typing import Annotated

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def get(
    config: options.Config = "",
    host: options.Hosts = None,
    merge: Annotated[
        bool,
        options.our_option(
            "--merge", help="Merge it into your own kubeconfig ($KUBECONFIG or ~/.kube/config)."
        ),
    ] = False,
    path: Annotated[
        bool, options.our_option("--path", help="Keep it in a file of its own and print that file's path.")
    ] = False,
    output: Annotated[
        str, options.our_option("--output", "-o", help="Write it to this file (0600).", metavar="FILE")
    ] = "",
    yes: Annotated[
        bool,
        options.our_option("--yes", "-y", help="With --merge: replace an older cluster of the same name."),
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
        options.kubeadm_option(
            "--client-name",
            help="The user's name: the certificate's common name.",
            metavar="NAME",
        ),
    ],
    org: Annotated[
        list[str] | None,
        options.kubeadm_option(
            "--org",
            help="Groups of the user: the certificate's organizations. Repeatable, comma-separated.",
            metavar="NAMES",
        ),
    ] = None,
    token: Annotated[
        str,
        options.kubeadm_option(
            help="Log in with this token; --token-file keeps it out of the process list.",
            metavar="TOKEN",
        ),
    ] = "",
    token_file: Annotated[
        str,
        options.our_option(
            help="File with a token to log in with; - is standard input.",
            metavar="FILE",
        ),
    ] = "",
    validity_period: Annotated[
        str,
        options.kubeadm_option(
            "--validity-period",
            help="How long the client certificate lasts (the config's certificateValidityPeriod).",
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
