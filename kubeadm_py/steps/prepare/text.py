"""Render the files of templates/host: every value passes a filter that makes it safe where it stands."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeadm_py import assets
from kubeadm_py.errors import KubeadmPyError, UsageError

if TYPE_CHECKING:
    from jinja2 import Environment

_WORD = re.compile(r"[A-Za-z0-9._/@:+-]+")
_PATH = re.compile(r"/[A-Za-z0-9._/@:+-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _Safe(str):
    """Mark text that a filter has made safe to stand in the output."""

    __slots__ = ()


def render(template: str, **values: object) -> bytes:
    """Render a template of templates/host; TOML is parsed before it is accepted."""
    text = _environment().get_template(f"{template}.j2").render(values)
    if template.endswith(".toml"):
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise KubeadmPyError(
                f"template host/{template} did not make valid TOML: {error}",
                fix="undo the last change to the template",
            ) from error
    return text.encode()


def preload() -> None:
    """Compile the templates: a run does it while it waits for its hosts."""
    environment = _environment()
    for name in environment.list_templates(extensions=["j2"]):
        environment.get_template(name)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(assets.folder("templates") / "host"),
        undefined=StrictUndefined,
        finalize=_only_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - not HTML: `_only_safe` refuses whatever no filter has escaped
    )
    for function in (to_toml, to_comment, to_unit_path, to_unit_word, to_environment_string):
        environment.filters[function.__name__] = function
    return environment


def _only_safe(value: object) -> object:
    if isinstance(value, _Safe):
        return value
    raise TypeError(f"the value {value!r} stands in a template without a filter")


def to_toml(value: Any) -> _Safe:
    """Write a string or a boolean as TOML does; as a string it is good YAML, too."""
    if isinstance(value, bool):
        return _Safe("true" if value else "false")
    return _Safe(json.dumps(_line(value), ensure_ascii=False))


def to_comment(value: Any) -> _Safe:
    """Let through what stays on its line."""
    return _Safe(_line(value))


def to_unit_path(value: Any) -> _Safe:
    """Let through a path that systemd reads as one word without quotes or specifiers."""
    text = str(value)
    if not _PATH.fullmatch(text):
        raise UsageError(
            f"{text!r} cannot stand in a systemd unit as a path", fix="use a plain absolute path"
        )
    return _Safe(text)


def to_unit_word(value: Any) -> _Safe:
    """Let through a word, such as an image's reference, that systemd reads as one without quotes."""
    text = str(value)
    if not _WORD.fullmatch(text):
        raise UsageError(f"{text!r} cannot stand in a systemd unit as one word", fix="use plain characters")
    return _Safe(text)


def to_environment_string(value: Any) -> _Safe:
    """Quote a value for a file that systemd reads variables from: no escape or end of line has a meaning.

    There it knows no specifiers, and inside quotes it undoes a backslash before these four characters.
    """
    text = re.sub(r'([\\"`$])', r"\\\1", _line(value))
    return _Safe(f'"{text}"')


def _line(value: Any) -> str:
    text = str(value)
    if _CONTROL.search(text):
        raise UsageError(f"{text!r} holds a line break or another control character", fix="remove it")
    return text
