"""Write the page of differences from kubeadm."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

import yaml

from kubeadm_py.cli import app
from kubeadm_py.cli.table import ANYTHING
from pages import markdown
from pages.behaviour import BEHAVIOUR
from pages.place import ROOT


def differences() -> str:
    """Describe every wanted difference from kubeadm."""
    written = yaml.safe_load((ROOT / "tests/golden/kubeadm/differences.yaml").read_text(encoding="utf-8"))
    trees = yaml.safe_load((ROOT / "tests/golden/render/differences.yaml").read_text(encoding="utf-8"))
    content = dict.fromkeys(
        (
            f"`{entry['where']}`",
            f"`{entry['path']}`" if entry["path"] else "whole",
            markdown.line(entry["reason"]),
        )
        for entry in written
        if "where" in entry
    )
    refused = [(entry["what"], markdown.line(entry["reason"])) for entry in written if "refused" in entry]
    flags = yaml.safe_load((ROOT / "tests/golden/kubeadm/flag-differences.yaml").read_text(encoding="utf-8"))
    unlike = [
        (
            f"`{row['command']}`",
            f"`--{row['flag']}`" if "flag" in row else "all",
            row["here"],
            markdown.line(row["reason"]),
        )
        for row in flags
        if _still_unlike(row)
    ]
    more = [(f"`{entry['path']}`", markdown.line(entry["reason"])) for entry in trees]
    return f"""# Differences from kubeadm

All that is wanted. What is not on this page is a bug, or is refused by name as not supported yet.

## What commands do

{markdown.table(("kubeadm-py", "kubeadm", "Why"), BEHAVIOUR)}
## What is refused here only

Here before any host is touched, with the place in the file; `kubeadm config validate` accepts it.
`make differential` holds both against each other, and knows this list.

{markdown.table(("Refused", "Why"), refused)}
## Commands and flags

Compared by tests/unit/cli/test_kubeadm_flags.py with what kubeadm's own help lists. A flag with "no effect" is taken;
`*` is every command.

{markdown.table(("Command", "Flag", "Here", "Why"), unlike)}
## What is in files and API objects

Compared by tests/golden/test_kubeadm_oracle.py with what kubeadm 1.36.3 made of the same configs; a manifest
without a difference is the same bytes.

{markdown.table(("Where", "Field", "Why"), content)}
## Files that kubeadm does not write

Compared by tests/golden/test_render.py. With an artifact source other than `preinstalled`, containerd's, crictl's and
the kubelet's own files are written, too.

{markdown.table(("Path", "Why"), more)}"""


def _still_unlike(row: dict[str, str]) -> bool:
    """Say whether a difference of the list stands: what was not there yet may have come meanwhile."""
    if row["here"] != "not there yet":
        return True
    path, flag = row["command"], row.get("flag")
    if flag is None:
        return path in {name.partition(" ")[0] for name in ANYTHING} or not app.is_path(path)
    options = {option for param in app.command(path).params for option in param.opts}
    return f"--{flag}" not in options
