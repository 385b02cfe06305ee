"""Define the grouped commands: token, config, kubeconfig, addon."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded

token_app = typer.Typer(help="Create, list and delete bootstrap tokens.", no_args_is_help=True)
config_app = typer.Typer(help="Look at configs and the images that they need.", no_args_is_help=True)
images_app = typer.Typer(help="Images that a config needs.", no_args_is_help=True)
kubeconfig_app = typer.Typer(help="Get the cluster's kubeconfig.", no_args_is_help=True)
addon_app = typer.Typer(help="Look at the add-ons.", no_args_is_help=True)
config_app.add_typer(images_app, name="images")


@token_app.command("create")
def token_create(
    token: Annotated[str, typer.Argument(help="The token; by default a random one.", metavar="TOKEN")] = "",
    config: options.Config = "",
    host: options.Hosts = None,
    ttl: Annotated[str, typer.Option(help="Lifetime; 0 never ends.", metavar="DURATION")] = "24h0m0s",
    description: Annotated[str, typer.Option(help="What it is for.", metavar="TEXT")] = "",
    groups: Annotated[
        list[str] | None, typer.Option(help="Groups that it authenticates as.", metavar="NAMES")
    ] = None,
    usages: Annotated[
        list[str] | None, typer.Option(help="signing, authentication.", metavar="NAMES")
    ] = None,
    print_join_command: Annotated[
        bool, typer.Option("--print-join-command", help="Print the lines that join a worker.")
    ] = False,
    dry_run: options.DryRun = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Create a bootstrap token and print it."""

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
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(Display(), body)


@token_app.command("list")
def token_list(
    config: options.Config = "",
    host: options.Hosts = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="text, json or yaml.", metavar="FORMAT")
    ] = "text",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """List the cluster's bootstrap tokens."""

    def body() -> None:
        from kubeadm_py.cli.verbs import token as tokens

        tokens.list_(
            config=config, hosts=host or [], output=output, allow_unknown_fields=allow_unknown_fields
        )

    guarded(Display(), body)


@token_app.command("delete")
def token_delete(
    tokens_: Annotated[list[str], typer.Argument(help="Token ids, or whole tokens.", metavar="TOKEN...")],
    config: options.Config = "",
    host: options.Hosts = None,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Delete bootstrap tokens."""

    def body() -> None:
        from kubeadm_py.cli.verbs import token as tokens

        tokens.delete(
            config=config, hosts=host or [], names=tokens_, allow_unknown_fields=allow_unknown_fields
        )

    guarded(Display(), body)


@token_app.command("generate")
def token_generate() -> None:
    """Print a random token and touch nothing."""

    def body() -> None:
        from kubeadm_py.cli.verbs import token as tokens

        tokens.generate()

    guarded(Display(), body)


@config_app.command("validate")
def config_validate(config: options.Config, allow_unknown_fields: options.AllowUnknown = False) -> None:
    """Read a config and report every problem."""

    def body() -> None:
        from kubeadm_py.cli.verbs import config as configs

        configs.validate(config, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


@images_app.command("list")
def config_images_list(
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


@kubeconfig_app.command("get")
def kubeconfig_get(
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


@addon_app.command("list")
def addon_list() -> None:
    """List the add-ons that come with the product."""

    def body() -> None:
        from kubeadm_py.cli.verbs import addon

        addon.list_()

    guarded(Display(), body)
