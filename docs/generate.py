"""Write the pages of this folder that repeat what code and tables say.

    .venv/bin/python docs/generate.py

A test (tests/unit/packaging/test_docs.py) fails where a page is not what this program makes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# The package of this checkout, too: the one that is installed may be another's.
sys.path[:0] = [str(FOLDER), str(FOLDER.parent)]

from pages.addons import addons  # noqa: E402 - both packages lie beside this program
from pages.artifacts import artifacts  # noqa: E402
from pages.certificates import certificates  # noqa: E402
from pages.cluster_document import cluster_document, schema_file  # noqa: E402
from pages.commands import commands  # noqa: E402
from pages.differences import differences  # noqa: E402
from pages.json_events import json_events  # noqa: E402
from pages.old_files import old_files  # noqa: E402
from pages.preflight import preflight  # noqa: E402

SCHEMA = "cluster.schema.json"
NOTE = "<!-- Written by docs/generate.py; change what it reads, then run it. -->\n"
PAGES: dict[str, Callable[[], str]] = {
    "addons.md": addons,
    "artifacts.md": artifacts,
    "preflight.md": preflight,
    "events.md": json_events,
    "differences.md": differences,
    "certificates.md": certificates,
    "commands.md": commands,
    "cluster.md": cluster_document,
    "old-files.md": old_files,
}


def page(name: str) -> str:
    """Return a page as it must be."""
    return NOTE + PAGES[name]().rstrip("\n") + "\n"


if __name__ == "__main__":
    (FOLDER / SCHEMA).write_text(schema_file(), encoding="utf-8")
    for each in PAGES:
        (FOLDER / each).write_text(page(each), encoding="utf-8")
