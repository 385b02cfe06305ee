"""What shells offer behind kubeadm-py: the scripts are run by the shells themselves, where they are here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

OFFERED = [
    ("", {"init", "join", "reset", "token"}),
    ("init phase certs api", {"apiserver", "apiserver-kubelet-client", "apiserver-etcd-client"}),
    ("init ", {"phase"}),
    ("join --discovery-to", {"--discovery-token", "--discovery-token-ca-cert-hash"}),
    ("token cr", {"create"}),
    ("token create --ttl ", set()),
]
SHELLS = {
    # Each prints what it would offer for the line that it is given.
    "bash": """source <(kubeadm-py completion bash)
IFS=" " read -r -a COMP_WORDS <<<"kubeadm-py $1"
[ "${1% }" = "$1" ] && [ -n "$1" ] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_kubeadm_py
for word in "${COMPREPLY[@]}"; do echo "$word"; done""",
    "zsh": """compdef() { :; }
_describe() { print -l -- "${(@P)2}"; }
_files() { :; }
source <(kubeadm-py completion zsh)
words=(kubeadm-py ${=1})
if [[ -z $1 || $1 == *" " ]]; then words+=(""); fi
CURRENT=$#words
_kubeadm_py""",
    "fish": """function __fish_complete_path; end
kubeadm-py completion fish | source
complete --do-complete "kubeadm-py $argv" """,
}
BARE = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}


def offered(shell: str, line: str, environment: dict[str, str]) -> set[str]:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} here")
    given = [line] if shell == "fish" else [shell, line]
    command = [found, *BARE[shell], "-c", SHELLS[shell], *given]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.stderr == ""
    lines = [each.partition("\t")[0].partition(":")[0] for each in ended.stdout.splitlines()]
    return {each for each in lines if each}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("typed", "wanted"), OFFERED, ids=[typed or "nothing" for typed, _ in OFFERED])
def test_what_a_shell_offers(environment, shell, typed, wanted):
    found = offered(shell, typed, environment)
    assert wanted <= found
    last = typed.split(" ")[-1]
    assert all(name.startswith(last) for name in found)
    assert found if wanted else not found


def test_another_shell_is_refused(kpy):
    ended = kpy("completion", "tcsh")
    assert (ended.code, "one of bash, zsh, fish" in ended.err) == (2, True)


def test_what_is_asked_of_kubeadm_py_itself(kpy):
    ended = kpy("token", "l", env={"_KUBEADM_PY_COMPLETE": "tabbed"})
    assert ended.out == "list\tList the cluster's bootstrap tokens.\n"
