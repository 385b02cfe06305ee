"""Compare what -o prints with what kubectl printed of the same object (tests/golden/output)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import output

from kubeadm_py.cli.printers.shown import TemplateError
from kubeadm_py.cli.verbs import printing
from kubeadm_py.errors import KubeadmPyError, UsageError

RECORDED = yaml.safe_load(output.RECORDED.read_text(encoding="utf-8"))


def ordered(value: Any) -> Any:
    """Sort keys, as Go does when it reads an object without knowing its type."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


def given_object(name: str) -> Any:
    document = yaml.safe_load((output.FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    document["metadata"].setdefault("labels", {})["app"] = "web"
    return ordered(document)


def recorded() -> Iterator[Any]:
    for name, forms in RECORDED.items():
        for form, templates in forms.items():
            for text, said in templates.items():
                yield pytest.param(name, form, text, said, id=f"{name} {form} {text}")


@pytest.mark.parametrize(("name", "form", "text", "said"), list(recorded()))
def test_the_same_is_printed(name, form, text, said, capsys):
    asked = text if form == text else f"{output.STRICT.get(form, form)}={text}"

    def printed() -> str:
        printing.form(asked, allow_missing=form not in output.STRICT).print([given_object(name)])
        return capsys.readouterr().out

    if "refused" in said:
        with pytest.raises(KubeadmPyError) as refused:
            printed()
        assert refused.value.summary.startswith(f"--output {asked!r}: ")
    else:
        assert printed() == said["printed"]


def test_every_template_was_recorded():
    wanted = yaml.safe_load(output.TEMPLATES.read_text(encoding="utf-8"))
    assert {n: {f: list(t) for f, t in forms.items()} for n, forms in RECORDED.items()} == wanted


POD = given_object("pod")
WORDS = st.sampled_from(
    [
        *(
            "{{",
            "}}",
            "{",
            "}",
            "range ",
            "end",
            "if ",
            "else",
            "with ",
            "define ",
            '"x"',
            "$x",
            ":=",
            ".",
            ".name",
        ),
        *(
            "[",
            "]",
            "*",
            "'",
            '"',
            "(",
            ")",
            "|",
            "?(@.",
            "==",
            "-1",
            "0",
            ":",
            "..",
            "\\",
            "index ",
            "printf ",
            " ",
        ),
        *("%d", "-", "/*", "*/", "`", "block ", "template ", "break", "$", "@", "len ", "nil", "é", "\n"),
    ]
)


@settings(max_examples=500)
@given(
    st.lists(WORDS, max_size=12).map("".join),
    st.sampled_from(["jsonpath", "jsonpath-as-json", "go-template"]),
)
def test_whatever_is_typed_prints_something_or_is_refused(text, form):
    try:
        shaped = printing.form(f"{form}={text}")
    except UsageError:
        return
    assert shaped.shape is not None
    with contextlib.suppress(TemplateError):
        assert isinstance(shaped.shape(POD), str)
