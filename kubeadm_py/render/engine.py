"""Render the templates: values go in only as YAML literals, output is parsed before it is accepted."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeadm_py import assets
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.render.yaml_text import dump as dump
from kubeadm_py.render.yaml_text import inline

if TYPE_CHECKING:
    from jinja2 import Environment

_WORD = re.compile(r"[A-Za-z0-9._/:\[\]-]+")


class _Literal(str):
    """Mark text that a filter has made safe to stand in a template's output."""

    __slots__ = ()


def render_yaml(template_name: str, **values: object) -> Any:
    """Render a template of one YAML document and return it parsed."""
    documents = render_documents(template_name, **values)
    if len(documents) != 1:
        raise KubeadmPyError(f"template {template_name} made {len(documents)} YAML documents instead of one")
    return documents[0]


def render_documents(template_name: str, **values: object) -> list[Any]:
    """Render a template and return its YAML documents parsed, in order."""
    import yaml

    text = render_text(template_name, **values)
    try:
        return list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise KubeadmPyError(
            f"template {template_name} did not make valid YAML",
            details=str(error).splitlines(),
            fix="undo the last change to the template",
        ) from error


def render_text(template_name: str, **values: object) -> str:
    """Render a template whose output is not YAML; its filters make the values safe there."""
    from jinja2 import TemplateError

    try:
        return _environment().get_template(template_name).render(values)
    except TemplateError as error:
        raise KubeadmPyError(
            f"cannot render template {template_name}: {error}", fix="undo the last change to the template"
        ) from error


def preload() -> None:
    """Compile the templates of this engine: a run does it while it waits for its hosts."""
    environment = _environment()
    for name in environment.list_templates(extensions=["j2"]):
        # Host preparation has an engine of its own, with other filters.
        if not name.startswith("host/"):
            environment.get_template(name)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(assets.folder("templates")),
        undefined=StrictUndefined,
        finalize=_only_literals,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - not HTML: `_only_literals` refuses whatever no filter has escaped
    )
    environment.filters["to_yaml"] = _to_yaml
    environment.filters["to_word"] = _to_word
    environment.filters["to_environment_file"] = _to_environment_file
    return environment


def _only_literals(value: object) -> object:
    from jinja2 import TemplateRuntimeError

    if isinstance(value, _Literal):
        return value
    raise TemplateRuntimeError("a value stands in the template without a filter like to_yaml")


def _to_yaml(value: object) -> _Literal:
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        return _Literal(str(value))  # StrictUndefined raises here and names the value
    return _Literal(inline(value))


def _to_word(value: object) -> _Literal:
    """Let through what cannot end a word in a config file; anything else is an error, never escaped."""
    text = str(value)
    if not _WORD.fullmatch(text):
        raise KubeadmPyError(
            f"{text!r} cannot stand in a configuration file as one word",
            fix="use letters, digits and . _ / : - [ ] only",
        )
    return _Literal(text)


def _to_environment_file(value: object) -> _Literal:
    """Quote one value for a systemd EnvironmentFile (systemd.exec(5)); it has no line breaks."""
    return _Literal('"' + re.sub(r'([\\"`$])', r"\\\1", str(value)) + '"')
