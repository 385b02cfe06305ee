"""Write translated documents as YAML, with the comments of the old file."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.config.migrate.comments import Comments
from kubeadm_py.config.migrate.tree import OldDocument, Value, walk
from kubeadm_py.config.yaml_values import scalar

_STEP = "  "


def write(documents: list[OldDocument], comments: Comments) -> str:
    """Return the documents as one YAML stream; every comment is in it once."""
    writer = _Writer(comments, documents)
    parts = ["".join(f"{line}\n" for line in writer.document(document)) for document in documents]
    return "---\n".join(parts) + "".join(f"{line}\n" for line in writer.rest())


class _Writer:
    def __init__(self, comments: Comments, documents: list[OldDocument]) -> None:
        self._above = {line: list(texts) for line, texts in comments.above.items()}
        self._beside = dict(comments.beside)
        self._last = comments.last
        written = sorted({line for document in documents for line in _lines(document)})
        self._adopt(written)

    def document(self, document: OldDocument) -> Iterator[str]:
        api, kind = document.head or (0, 0)
        yield from self._before(api, "")
        yield f"apiVersion: {document.api}{self._after(api)}"
        yield from self._before(kind, "")
        yield f"kind: {document.kind}{self._after(kind)}"
        yield from self._entries(document.root, "")

    def rest(self) -> Iterator[str]:
        """Yield the comments that stand at the end."""
        yield from self._last

    def _entries(self, value: Value, indent: str) -> Iterator[str]:
        for key, entry in value.mapping.items():
            yield from self._before(entry.line, indent)
            yield from self._written(f"{indent}{scalar(key)}:", entry, indent)

    def _written(self, start: str, value: Value, indent: str) -> Iterator[str]:
        """Yield the lines of a value behind its key."""
        content = value.content
        beside = "" if value.made else self._after(value.line)
        if isinstance(content, dict) and content:
            yield start + beside
            yield from self._entries(value, indent + _STEP)
        elif isinstance(content, list) and content:
            yield start + beside
            for item in content:
                yield from self._item(item, indent)
        elif isinstance(content, dict | list):
            yield f"{start} {'{}' if isinstance(content, dict) else '[]'}{beside}"
        elif isinstance(content, str) and _is_block(content):
            yield f"{start} |{'' if content.endswith(chr(10)) else '-'}{beside}"
            yield from (f"{indent}{_STEP}{line}" if line else "" for line in content.splitlines())
        else:
            yield f"{start} {scalar(content, value.raw)}{beside}"

    def _item(self, item: Value, indent: str) -> Iterator[str]:
        yield from self._before(item.line, indent)
        if isinstance(item.content, dict) and item.content:
            lines = list(self._entries(item, indent + _STEP))
            first = next(number for number, line in enumerate(lines) if not line.lstrip().startswith("#"))
            lines[first] = f"{indent}- {lines[first][len(indent) + len(_STEP) :]}"
            yield from lines
        elif isinstance(item.content, list) and item.content:
            yield f"{indent}-"
            for inner in item.content:
                yield from self._item(inner, indent + _STEP)
        else:
            yield from self._written(f"{indent}-", item, indent)

    def _before(self, line: int, indent: str) -> Iterator[str]:
        for comment in self._above.pop(line, ()):
            yield indent + comment

    def _after(self, line: int) -> str:
        comment = self._beside.pop(line, "")
        return f"  {comment}" if comment else ""

    def _adopt(self, written: list[int]) -> None:
        """Give comments of lines that are gone to the next line that is written."""
        for line in sorted(self._beside):
            if line not in written:
                self._above.setdefault(line, []).append(self._beside.pop(line))
        for line in sorted(self._above):
            if line in written:
                continue
            later = next((other for other in written if other > line), None)
            texts = self._above.pop(line)
            if later is None:
                self._last = [*texts, *self._last]
            else:
                self._above[later] = [*texts, *self._above.get(later, [])]


def _lines(document: OldDocument) -> Iterator[int]:
    yield from document.head
    for value in walk(document.root):
        if value is not document.root:
            yield value.line


def _is_block(text: str) -> bool:
    """Say whether a string is best written line by line, and can be."""
    lines = text.splitlines()
    return (
        text.rstrip("\n").count("\n") > 0
        and not text.endswith("\n\n")
        and not text[0].isspace()
        and all(line == line.rstrip() and line.isprintable() for line in lines)
        and text.splitlines() == text.removesuffix("\n").split("\n")
    )
