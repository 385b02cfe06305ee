"""Define `upgrade plan|apply|node|diff`: kubeadm's names, which are answered and do nothing yet."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeadm_py.cli.frame import Display, guarded

_Words = Annotated[list[str] | None, typer.Argument(hidden=True)]


def plan(words: _Words = None) -> None:
    """Say which versions the cluster could go to; not there yet."""
    _not_yet("upgrade plan", words)


def apply(words: _Words = None) -> None:
    """Upgrade the cluster; not there yet."""
    _not_yet("upgrade apply", words)


def node(words: _Words = None) -> None:
    """Upgrade a node; not there yet."""
    _not_yet("upgrade node", words)


def diff(words: _Words = None) -> None:
    """Show what an upgrade would change; not there yet."""
    _not_yet("upgrade diff", words)


def _not_yet(command: str, typed: list[str] | None) -> None:
    words = [word for word in typed or () if word.isalpha()]

    def body() -> None:
        from kubeadm_py.errors import UsageError

        raise UsageError(
            f"{' '.join([command, *words])} is not there yet",
            details=["nothing was looked at and nothing was changed"],
            fix="the cluster is a kubeadm cluster: kubeadm upgrade plan can look at it",
        )

    guarded(Display(), body)
