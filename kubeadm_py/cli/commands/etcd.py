"""Define `etcd status|members|keys|get|defrag` and their flags."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli import options
from kubeadm_py.cli.frame import Display, guarded
from kubeadm_py.errors import ExitCode


def status(
    config: options.Config = "",
    host: options.Hosts = None,
    output: options.Output = "text",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Show each member's version, size, leader and health; the exit code is 1 where one is not well."""

    def body() -> ExitCode:
        from kubeadm_py.cli.verbs import etcd

        return etcd.status(config, host or [], output=output, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def members(
    config: options.Config = "",
    host: options.Hosts = None,
    output: options.Output = "text",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """List the members: id, name, URLs, who has a vote."""

    def body() -> None:
        from kubeadm_py.cli.verbs import etcd

        etcd.members(config, host or [], output=output, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def keys(
    prefix: Annotated[str, typer.Argument(help="What the keys begin with.", metavar="PREFIX")] = "/",
    config: options.Config = "",
    host: options.Hosts = None,
    output: options.Output = "text",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """List keys, without their values."""

    def body() -> None:
        from kubeadm_py.cli.verbs import etcd

        etcd.keys(config, host or [], prefix, output=output, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def get(
    key: Annotated[str, typer.Argument(help="The key.", metavar="KEY")],
    config: options.Config = "",
    host: options.Hosts = None,
    output: options.Output = "text",
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Print one key's value, byte by byte; -o json gives it in base64, with its revisions."""

    def body() -> None:
        from kubeadm_py.cli.verbs import etcd

        etcd.get(config, host or [], key, output=output, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)


def defrag(
    config: options.Config = "",
    host: options.Hosts = None,
    dry_run: options.DryRun = False,
    allow_unknown_fields: options.AllowUnknown = False,
) -> None:
    """Give unused space back to the disk: one member after the other, the leader last.

    An etcd that has used up its quota (alarm NOSPACE) is compacted first, and takes writes again in the end.
    """

    def body() -> None:
        from kubeadm_py.cli.verbs import etcd_defrag

        etcd_defrag.defrag(config, host or [], dry_run=dry_run, allow_unknown_fields=allow_unknown_fields)

    guarded(Display(), body)
