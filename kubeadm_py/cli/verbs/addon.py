"""Run `kubeadm-py addon ...`."""

from __future__ import annotations

import sys

from kubeadm_py.addons import load


def list_() -> None:
    """Print the add-ons in columns."""
    rows = [("NAME", "VERSION", "STATUS", "VERIFIED", "PROVIDES", "DESCRIPTION")]
    rows += [
        (addon.name, addon.version, addon.status, addon.verified, ",".join(addon.provides), addon.description)
        for addon in load.available()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        sys.stdout.write("   ".join([*cells, row[5]]).rstrip() + "\n")
