"""Say what can follow the words that were typed so far: shells ask this for each press of the Tab key."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from kubeadm_py.cli import app
from kubeadm_py.cli.table import COMMANDS

VARIABLE = "_KUBEADM_PY_COMPLETE"
"""Set by a shell that asks; its value is how the answer is written, the arguments are the words so far."""
PLAIN = "plain"
DESCRIBED = "described"
TABBED = "tabbed"
SCRIPTS = {
    "bash": f"""_kubeadm_py() {{
    local IFS=$'\\n'
    COMPREPLY=($({VARIABLE}={PLAIN} kubeadm-py "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null))
}}
complete -o default -F _kubeadm_py kubeadm-py
""",
    "zsh": f"""#compdef kubeadm-py
_kubeadm_py() {{
    local -a found
    found=("${{(@f)$({VARIABLE}={DESCRIBED} kubeadm-py "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    if [[ -n "$found" ]]; then _describe kubeadm-py found; else _files; fi
}}
compdef _kubeadm_py kubeadm-py
""",
    "fish": f"""function __kubeadm_py
    set -l words (commandline -opc) (commandline -ct)
    set -l found ({VARIABLE}={TABBED} kubeadm-py $words[2..-1] 2>/dev/null)
    if test -n "$found"
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command kubeadm-py --no-files --arguments '(__kubeadm_py)'
""",
}


def candidates(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return (word, what it is for) of all that the last of the words can become; none where it is free."""
    *typed, last = words or [""]
    path = ""
    for word in typed:
        further = f"{path} {word}".strip()
        path = further if app.is_path(further) else path
    command = app.command(path) if path in COMMANDS or path in app.PHASES else None
    params = [param for param in getattr(command, "params", ()) if param.param_type_name == "option"]
    if typed and _takes_value(params, typed[-1]):
        return []
    if last.startswith("-"):
        shown = [param for param in params if not param.hidden]
        found = [(name, param.help or "") for param in shown for name in param.opts]
        found.append(("--help", "Show help and exit."))
    else:
        found = [(name, app.summary(f"{path} {name}".strip())) for name in app.children(path)]
    return [(name, help_) for name, help_ in found if name.startswith(last)]


def _takes_value(params: Sequence[Any], word: str) -> bool:
    return any(word in param.opts and not param.is_flag for param in params)


def answer(words: Sequence[str], form: str) -> None:
    """Print the candidates as a shell wants them."""
    for name, help_ in candidates(words):
        line = {DESCRIBED: f"{name}:{help_}", TABBED: f"{name}\t{help_}"}.get(form, name)
        sys.stdout.write(line + "\n")
