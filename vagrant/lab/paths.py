"""Say where things are: what is worth keeping in the cache, what belongs to a run in the checkout."""

import os
from pathlib import Path

VAGRANT = Path(__file__).resolve().parents[1]
"""The folder of the Vagrantfile."""

COMPONENTS = VAGRANT / "components.yaml"
STATE = VAGRANT / ".lab"


def cache() -> Path:
    """Return the cache folder, which outlives checkouts and runs."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kubeadm-py"


def product_state() -> Path:
    """Return where the product keeps what it knows about clusters."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "kubeadm-py"


def cluster_file(lab: str) -> Path:
    """Return where the lab's generated cluster file is; the demo lab's has the short, documented path."""
    return STATE / "cluster.yaml" if lab == "demo" else STATE / lab / "cluster.yaml"
