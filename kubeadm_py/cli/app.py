"""Make the command line of the table of commands; a command's module is imported when it is needed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from kubeadm_py.cli.table import COMMANDS, GROUPS

ABOUT = "Bring up Kubernetes clusters on your own machines, over SSH, in kubeadm's language."


class Group(TyperGroup):
    """Hold the commands that begin with the same words, as the table lists them."""

    def __init__(self, path: str = "") -> None:
        super().__init__(
            name=path.rpartition(" ")[2] or None,
            help=GROUPS[path] if path else ABOUT,
            no_args_is_help=True,
            rich_markup_mode=None,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self.path = path

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the words that can follow, in the table's order."""
        return children(self.path)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - click's signature
        """Return the command or group of a word, or None."""
        path = f"{self.path} {cmd_name}".strip()
        if path in COMMANDS:
            return command(path)
        return Group(path) if path in GROUPS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one line a command; no command's flags are looked at for it."""
        rows = [(name, summary(f"{self.path} {name}".strip())) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def children(path: str) -> list[str]:
    """Return the words that can follow a path, in the table's order."""
    words = path.split()
    found = (each.split() for each in COMMANDS)
    return list(dict.fromkeys(each[len(words)] for each in found if each[:-1][: len(words)] == words))


def function(path: str) -> Callable[..., Any]:
    """Import the function that stands for a command."""
    module, _, name = COMMANDS[path].partition(":")
    found: Callable[..., Any] = getattr(import_module(f"kubeadm_py.cli.commands.{module}"), name)
    return found


def summary(path: str) -> str:
    """Return the line that tells what a command or a group is for."""
    if path in COMMANDS:
        return (inspect.getdoc(function(path)) or "").partition("\n")[0]
    return GROUPS[path]


def command(path: str) -> Any:
    """Build a command with its flags."""
    one = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_show_locals=False,
        pretty_exceptions_enable=False,
    )
    one.command(path.rpartition(" ")[2])(function(path))
    return typer.main.get_command(one)


app = Group()
