"""Write commands of this tool as an operator types them."""

from __future__ import annotations

import shlex


def command(*words: str, host: str = "", config: str = "") -> str:
    """Return a command; without a config it is about this very machine."""
    flags = ["--config", config] if config else []
    flags += ["--host", host] if host else []
    return shlex.join(["kubeadm-py", *words, *flags])


def logs(component: str, host: str = "", config: str = "") -> str:
    """Return the command that shows what a component has logged; without a host it is this very machine's."""
    return command("logs", component, host=host, config=config)
