"""Define `completion bash|zsh|fish`."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli.frame import Display, guarded


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", metavar="SHELL")],
) -> None:
    """Print what makes a shell complete kubeadm-py's commands and flags.

    For this shell only: source <(kubeadm-py completion bash), the same with zsh, and kubeadm-py completion
    fish | source. For every new one put that line into ~/.bashrc, ~/.zshrc after compinit, or
    ~/.config/fish/config.fish.
    """

    def body() -> None:
        from kubeadm_py.cli.verbs import completion

        completion.run(shell)

    guarded(Display(), body)
