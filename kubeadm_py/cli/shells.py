"""Hold how shells ask what can follow: their scripts, and the words that these speak with."""

from __future__ import annotations

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
