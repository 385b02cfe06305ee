"""Write the page of commands and flags."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

from typing import Any

from kubeadm_py.cli import app, options
from kubeadm_py.cli.table import COMMANDS
from pages import markdown


def commands() -> str:
    """Describe every command and its flags."""
    parts = [
        """# Commands and flags

kubeadm's commands, phases and flags have kubeadm's names and meaning; what is not the same stands in
[differences](differences.md). kubeadm's own flags are refused together with `--config`, as kubeadm refuses them; ours
may always be given. A switch takes `=true` and `=false`, a list commas or the flag again, and flags may stand before the
command's words. `-v N` goes with every command. `kubeadm-py completion bash|zsh|fish` prints what makes a shell complete
them; [exit codes](events.md#exit-codes).
"""
    ]
    phases = [path for path in app.PHASES if not app.PHASES[path].hidden]
    for path in COMMANDS:
        command = app.command(path)
        parts.append(f"## `kubeadm-py {path}`\n\n{_help(command)}\n")
        parts.append(_flag_table(command))
        mine = [each for each in phases if each.startswith(f"{path} phase ")]
        if mine:
            parts.append(f"### Single phases of {path}\n")
            rows = [(f"`{each}`", app.summary(each), _flag_names(app.command(each))) for each in mine]
            parts.append(
                markdown.table(("Command", "What it does", "Flags besides --config and --dry-run"), rows)
            )
    return "\n".join(parts)


def _help(command: Any) -> str:
    paragraphs = str(command.help or "").split("\n\n")
    return "\n\n".join(markdown.line(paragraph) for paragraph in paragraphs)


def _flag_table(command: Any) -> str:
    rows = []
    for param in command.params:
        if param.hidden:
            continue
        name = param.metavar or param.name if param.param_type_name == "argument" else ", ".join(param.opts)
        value = "" if param.param_type_name == "argument" or param.is_flag else param.metavar or ""
        ours = "yes" if getattr(param, "rich_help_panel", "") == options.OURS else ""
        rows.append((f"`{name}`", f"`{value}`" if value else "", ours, markdown.line(param.help or "")))
    return markdown.table(("Flag", "Value", "Ours", "What it does"), rows) if rows else ""


def _flag_names(command: Any) -> str:
    every = {"--config", "--dry-run", "--v"}
    kept = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    named = [
        max(param.opts, key=len)
        for param in kept
        if param.rich_help_panel != options.OURS and not every & set(param.opts)
    ]
    return ", ".join(f"`{name}`" for name in named)
