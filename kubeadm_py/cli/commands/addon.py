"""Define `addon list|show|render|diff|install|remove` and their flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.errors import ExitCode

Name = Annotated[
    str, typer.Argument(help="An add-on by name, or the folder of one.", metavar="NAME", show_default=False)
]
Names = Annotated[list[str], typer.Argument(help="Add-ons by name.", metavar="NAME...", show_default=False)]


def list_() -> None:
    """List the add-ons that come with the product."""

    def body() -> None:
        from kubeadm_py.cli.verbs import addon

        addon.list_()

    guarded(Display(), body)


def show(name: Name, output: options.Output = "text") -> None:
    """Show an add-on: its parameters, images, needs and notes."""

    def body() -> None:
        from kubeadm_py.cli.verbs import addon

        addon.show(name, output)

    guarded(Display(), body)


def render(
    name: Name,
    config: options.Config = "",
    set_: Annotated[
        list[str] | None,
        options.our_option(
            "--set",
            help="A parameter, as YAML. Repeatable.",
            metavar="PARAMETER=VALUE",
        ),
    ] = None,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Print the API objects of an add-on, by a config or with its defaults; no host is reached."""

    def body() -> None:
        from kubeadm_py.cli.verbs import addon

        addon.render(name, config=config, settings=set_ or [], allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def diff(
    config: options.Config,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Add-ons of the file; all where none is named.", metavar="NAME..."),
    ] = None,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Say in what the cluster's add-ons differ from the file, as the API server sees it.

    Ends with exit code 4 where anything differs, else with 0.
    """

    def body() -> ExitCode:
        from kubeadm_py.cli.verbs import addon

        return addon.diff(config, names or [], allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def install(
    names: Names,
    config: options.Config,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Bring add-ons of the file to the running cluster, and nothing else of the file."""
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import addon

        addon.install(
            display, config=config, names=names, dry_run=dry_run, allow_unknown_fields=allow_unknown_fields
        )

    guarded(display, body)


def remove(
    names: Names,
    config: options.Config,
    purge: Annotated[
        bool,
        options.our_option(
            "--purge",
            help="Also delete its namespaces, types, storage classes and claims, with all that is in them.",
        ),
    ] = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    format_: options.Format = "text",
    no_color: options.NoColor = False,
    allow_unknown_fields: options.AllowUnknown = False,
    verbosity: options.Verbosity = 0,
) -> None:
    """Take add-ons out of the cluster.

    What they brought is deleted, by the list that the cluster keeps of it. It asks first.
    """
    display = Display(format_, no_color, verbosity)

    def body() -> None:
        from kubeadm_py.cli.verbs import addon

        addon.remove(
            display,
            config=config,
            names=names,
            purge=purge,
            yes=yes,
            dry_run=dry_run,
            allow_unknown_fields=allow_unknown_fields,
        )

    guarded(display, body)
