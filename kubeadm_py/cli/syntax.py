"""Read a command line as kubeadm does: flags before and after the words, `-v=5`, `--dry-run=false`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_BEFORE_WORDS = frozenset({"-v", "--v", "--rootfs", "--vmodule", "--config", "--kubeconfig"})
"""Flags with a value that kubeadm's users put before the command, too."""
HELP_COLUMNS = 120
"""Help is no wider, however wide the terminal is."""
ROOTFS = (
    "kubeadm-py cannot go into another root directory; reach that host over SSH, with --host or a Cluster"
)


class Command(TyperCommand):
    """Take flags as kubeadm's own parser does, and the flags that each of kubeadm's commands has."""

    phases: tuple[str, ...] = ()
    """What of a workflow this command runs; empty for all of it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed after the command's words."""
        return super().parse_args(ctx, normal(args, self.params, ctx.fail))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Return what stands behind the command's name in the line that shows its use."""
        words = [f"{each.metavar}" if each.required else f"[{each.metavar}]" for each in self._arguments]
        return [self.options_metavar or "", *words]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what the words and the flags mean, the words by the names that the usage has for them."""
        if self._arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(each.metavar, each.help or "") for each in self._arguments])
        flags = (each for each in self.get_params(ctx) if each.param_type_name == "option")
        records = [record for record in (each.get_help_record(ctx) for each in flags) if record]
        with formatter.section("Options"):
            formatter.write_dl(records)

    @property
    def _arguments(self) -> list[Any]:
        params: list[Any] = self.params
        return [each for each in params if each.param_type_name == "argument" and not each.hidden]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; its function learns from the context which phases are meant."""
        ctx.meta[PHASES] = self.phases
        return super().invoke(ctx)


PHASES = "kubeadm_py.phases"


def phases_of(ctx: Any) -> tuple[str, ...]:
    """Return the phases that are to run alone; empty for the whole workflow."""
    found: tuple[str, ...] = ctx.meta.get(PHASES, ())
    return found


def normal(args: Sequence[str], params: Sequence[Any], fail: Callable[[str], Any]) -> list[str]:
    """Return the arguments in click's form: switches bare, values of short flags apart.

    `fail` is called with what is wrong with a switch's value.
    """
    switches = {name: param for param in params if getattr(param, "is_flag", False) for name in param.opts}
    valued = {
        name
        for param in params
        if not getattr(param, "is_flag", False)
        for name in getattr(param, "opts", ())
    }
    done: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*done, word, *rest]
        name, equals, value = word.partition("=")
        if not word.startswith("-") or not equals:
            done.append(word)
            if word in valued and rest:
                done.append(rest.pop(0))
        elif name in switches:
            if value not in _TRUE | _FALSE:
                fail(f'invalid argument "{value}" for "{name}": true or false')
            param = switches[name]
            done = [each for each in done if each not in (*param.opts, *param.secondary_opts)]
            # One that is on by itself has a second name, which turns it off.
            done += [name] if value in _TRUE else param.secondary_opts[:1]
        elif not name.startswith("--"):
            done += [name, value]
        else:
            done.append(word)
    return done


def words_first(args: Sequence[str], is_path: Callable[[str], bool]) -> list[str]:
    """Return the arguments with the command's words before flags that stand between or before them."""
    path, words, flags = "", [], []
    rest = list(args)
    while rest:
        word = rest[0]
        further = f"{path} {word}".strip()
        if is_path(further):
            path = further
            words.append(rest.pop(0))
        elif word in _BEFORE_WORDS and len(rest) > 1:
            flags += [rest.pop(0), rest.pop(0)]
        elif word.startswith("-") and word.partition("=")[0] in _BEFORE_WORDS and "=" in word:
            flags.append(rest.pop(0))
        else:
            break
    return [*words, *flags, *rest]


def _refuse_rootfs(value: str) -> str:
    if value:
        raise typer.BadParameter(ROOTFS)
    return value


def _everywhere(
    verbosity: Annotated[int, typer.Option("-v", "--v", metavar="N", hidden=True)] = 0,
    rootfs: Annotated[str, typer.Option(hidden=True, callback=_refuse_rootfs)] = "",
    vmodule: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Take the flags that each of kubeadm's commands takes; they change nothing here."""


def _silent(
    allow_experimental_api: Annotated[bool, typer.Option("--allow-experimental-api", hidden=True)] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", hidden=True)] = False,
    kubeconfig: Annotated[str, typer.Option(hidden=True)] = "",
    show_managed_fields: Annotated[bool, typer.Option("--show-managed-fields", hidden=True)] = False,
) -> None:
    """Take flags of single commands of kubeadm's that change nothing; the table says which."""


def build(
    name: str, function: Callable[..., Any], *, silent: Sequence[str] = (), anything: bool = False
) -> Any:
    """Build a command of a function whose parameters are its flags.

    `silent` are flags that are taken besides, to no effect; with `anything` whatever is typed is.
    """
    built = _built(name, function, anything=anything)
    known = {option for param in built.params for option in param.opts}
    chosen = {f"--{flag}" for flag in silent}
    more = [param for param in _built(name, _silent).params if chosen & set(param.opts)] if silent else []
    for param in (*more, *_built(name, _everywhere).params):
        if not known & set(param.opts):
            param.expose_value = False
            built.params.append(param)
    return built


def _built(name: str, function: Callable[..., Any], *, anything: bool = False) -> Any:
    one = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_show_locals=False,
        pretty_exceptions_enable=False,
    )
    lenient = {"ignore_unknown_options": True, "allow_extra_args": True} if anything else {}
    settings = {"max_content_width": HELP_COLUMNS, **lenient}
    one.command(name, cls=Command, context_settings=settings)(function)
    return typer.main.get_command(one)
