"""Make the command line of the table of commands; a command's module is imported when it is needed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from typer.core import TyperGroup

from kubeadm_py.cli import phases, syntax
from kubeadm_py.cli.options import OF_PHASES
from kubeadm_py.cli.table import ANYTHING, COMMANDS, GROUPS, SILENT

ABOUT = "Bring up Kubernetes clusters on your own machines, over SSH, in kubeadm's language."

HELP = "help"

PHASES = phases.commands()
PHASE_GROUPS = phases.groups()


class Group(TyperGroup):
    """Hold the commands that begin with the same words, as the table lists them."""

    def __init__(self, path: str = "") -> None:
        super().__init__(
            name=path.rpartition(" ")[2] or None,
            help=summary(path) if path else ABOUT,
            no_args_is_help=True,
            rich_markup_mode=None,
            context_settings={
                "help_option_names": ["-h", "--help"],
                "max_content_width": syntax.HELP_COLUMNS,
            },
        )
        self.path = path

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the words that can follow, in the table's order."""
        return children(self.path)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - click's signature
        """Return the command or group of a word, or None."""
        path = f"{self.path} {cmd_name}".strip()
        if path in COMMANDS or path in PHASES:
            return command(path)
        return Group(path) if is_path(path) else None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed after the group's words; `help COMMAND` is `COMMAND --help`."""
        if not self.path and args[:1] == [HELP]:
            args = [*args[1:], "--help"]
        mine = f"{self.path} ".lstrip()
        return super().parse_args(ctx, syntax.words_first(args, lambda words: is_path(mine + words)))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return (name, command, its arguments); after `init` may come `phase`."""
        path = f"{self.path} {args[0]}".strip()
        if path in COMMANDS and len(args) > 1 and args[1] in children(path):
            return args[0], Group(path), args[1:]
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from kubeadm_py.model import near

            hint = near.did_you_mean(args[0], self.list_commands(ctx))
            ctx.fail(f"No such command {args[0]!r}{hint or '.'}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one line a command; no command's flags are looked at for it."""
        rows = [(name, summary(f"{self.path} {name}".strip())) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def children(path: str) -> list[str]:
    """Return the words that can follow a path, in the table's order."""
    words = path.split()
    found = (each.split() for each in (*COMMANDS, *(path for path in PHASES if not PHASES[path].hidden)))
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
    return PHASES[path].title if path in PHASES else {**GROUPS, **PHASE_GROUPS}[path]


def command(path: str) -> Any:
    """Build a command with its flags."""
    if path in PHASES:
        verb = path.partition(" ")[0]
        whole = syntax.build(verb, function(verb), silent=SILENT.get(path, ()))
        return phases.narrowed(whole, path, PHASES[path])
    built = syntax.build(
        path.rpartition(" ")[2],
        function(path),
        silent=SILENT.get(path, ()),
        anything=path in ANYTHING,
    )
    built.params = [param for param in built.params if getattr(param, "rich_help_panel", "") != OF_PHASES]
    return built


def is_path(words: str) -> bool:
    """Say whether words are a command, or the beginning of one."""
    return words in COMMANDS or words in PHASES or words in GROUPS or words in PHASE_GROUPS


app = Group()
