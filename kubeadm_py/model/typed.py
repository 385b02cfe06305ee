"""Write commands of this tool as an operator types them."""

from __future__ import annotations

import shlex


def logs(component: str, host: str = "", config: str = "") -> str:
    """Return the command that shows what a component has logged; without a host it is this very machine's."""
    words = ["kubeadm-py", "logs", component]
    words += ["--config", config] if config else []
    words += ["--host", host] if host else []
    return shlex.join(words)
