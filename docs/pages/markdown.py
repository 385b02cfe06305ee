"""Write what pages are made of."""

from __future__ import annotations

from collections.abc import Iterable


def line(text: str) -> str:
    """Return a text on one line."""
    return " ".join(str(text).split())


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table."""
    lines = [list(heads), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
