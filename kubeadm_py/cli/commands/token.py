"""Define `token create|list|delete|generate` and their flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded


def create(
    token: Annotated[str, typer.Argument(help="The token; by default a random one.", metavar="TOKEN")] = "",
    config: options.Config = "",
    host: options.Hosts = None,
    ttl: Annotated[
        str, options.kubeadm_option(help="Lifetime (24h0m0s); 0 never ends.", metavar="DURATION")
    ] = "",
    description: Annotated[str, options.kubeadm_option(help="What it is for.", metavar="TEXT")] = "",
    groups: Annotated[
        list[str] | None, options.kubeadm_option(help="Groups that it authenticates as.", metavar="NAMES")
    ] = None,
    usages: Annotated[
        list[str] | None, options.kubeadm_option(help="signing, authentication.", metavar="NAMES")
    ] = None,
    print_join_command: Annotated[
        bool, options.kubeadm_option("--print-join-command", help="Print the lines that join a host.")
    ] = False,
    certificate_key: Annotated[
        str,
        options.kubeadm_option(
            help="With --print-join-command: the lines for a control plane.", metavar="KEY"
        ),
    ] = "",
    kubeconfig: options.Kubeconfig = "",
    dry_run: options.DryRun = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Create a bootstrap token and print it.

    A config of kubeadm's documents alone says by its bootstrapTokens what is created; one with a Cluster
    document says which cluster is meant.
    """

    def body() -> None:
        from kubeadm_py.cli.verbs import token as tokens

        tokens.create(
            config=config,
            hosts=host or [],
            token=token,
            ttl=ttl,
            description=description,
            groups=options.split(groups),
            usages=options.split(usages),
            print_join_command=print_join_command,
            certificate_key=certificate_key,
            kubeconfig=kubeconfig,
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def list_(
    config: options.Config = "",
    host: options.Hosts = None,
    output: options.Output = "text",
    allow_missing_template_keys: options.AllowMissing = True,
    kubeconfig: options.Kubeconfig = "",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """List the cluster's bootstrap tokens."""

    def body() -> None:
        from kubeadm_py.cli.verbs import token as tokens

        tokens.list_(
            config=config,
            hosts=host or [],
            output=output,
            allow_missing=allow_missing_template_keys,
            kubeconfig=kubeconfig,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def delete(
    tokens_: Annotated[list[str], typer.Argument(help="Token ids, or whole tokens.", metavar="TOKEN...")],
    config: options.Config = "",
    host: options.Hosts = None,
    kubeconfig: options.Kubeconfig = "",
    dry_run: options.DryRun = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Delete bootstrap tokens."""

    def body() -> None:
        from kubeadm_py.cli.verbs import token as tokens

        tokens.delete(
            config=config,
            hosts=host or [],
            names=tokens_,
            dry_run=dry_run,
            kubeconfig=kubeconfig,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


def generate() -> None:
    """Print a random token and touch nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import token as tokens

        tokens.generate()

    guarded(Display(), body)
