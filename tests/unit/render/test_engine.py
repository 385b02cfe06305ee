from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2.meta
import jinja2.nodes
import pytest
import yaml

from kubeadm_py import assets
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.render import engine

OTHERS = ("host/",)
"""Template folders with filters and tests of their own."""

HOSTILE = [
    'it\'s "quoted"',
    "two\nlines: here",
    "{{ 7 * 7 }}{% raw %}",
    "a: b",
    "x # no comment",
    "- item",
    "*anchor &other !tag",
    "}, injected: {a: b",
    "---\nkind: Pod\n",
    "tab\tand \\n backslash",
    " leading and trailing ",
    "ünïcode \u2028 \x85 \U0001f600",
    "%YAML 1.1",
    "null",
]


def yaml_templates() -> list[str]:
    folder = assets.folder("templates")
    names = (str(path.relative_to(folder)) for path in folder.rglob("*.yaml.j2"))
    return sorted(name for name in names if not name.startswith(OTHERS) and name != "static-pods/pod.yaml.j2")


def variables(name: str) -> set[str]:
    """Return what a template wants, but for what it or its child sets itself."""
    parsed = engine._environment().parse((assets.folder("templates") / name).read_text())
    wanted = jinja2.meta.find_undeclared_variables(parsed)
    for parent in jinja2.meta.find_referenced_templates(parsed):
        assert parent is not None
        own = {target.name for target in parsed.find_all(jinja2.nodes.Name) if target.ctx == "store"}
        wanted |= variables(parent) - own
    return wanted - {"dict"}


def values(name: str, text: str) -> dict[str, Any]:
    return {
        variable: {text: text} if variable in {"probe", "annotations", "data"} else text
        for variable in variables(name)
    }


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def test_there_are_templates_to_test() -> None:
    assert {"static-pods/etcd.yaml.j2", "coredns/objects.yaml.j2"} <= set(yaml_templates())


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", yaml_templates())
def test_hostile_values_come_out_as_they_went_in(name: str, hostile: str) -> None:
    harmless = list(leaves(engine.render_documents(name, **values(name, "HARMLESS"))))
    found = list(leaves(engine.render_documents(name, **values(name, hostile))))
    expected = [
        (tuple(hostile if part == "HARMLESS" else part for part in path), hostile if v == "HARMLESS" else v)
        for path, v in harmless
    ]
    assert found == expected
    assert not variables(name) or any(value == hostile for _, value in found)


@pytest.mark.parametrize("hostile", [text for text in HOSTILE if text != "null"])
def test_a_corefile_refuses_what_is_not_one_word(hostile: str) -> None:
    with pytest.raises(KubeadmPyError, match="as one word"):
        engine.render_text("coredns/Corefile.j2", dns_domain=hostile)


def test_every_value_of_a_template_is_needed() -> None:
    with pytest.raises(KubeadmPyError, match="'server' is undefined"):
        engine.render_yaml("kube-proxy/kubeconfig.yaml.j2")


def test_a_missing_template_is_named() -> None:
    with pytest.raises(KubeadmPyError, match=r"no-such\.yaml\.j2"):
        engine.render_yaml("no-such.yaml.j2")


@pytest.fixture
def own_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(assets, "folder", lambda name: tmp_path)
    engine._environment.cache_clear()
    yield tmp_path
    engine._environment.cache_clear()


def test_a_value_without_a_filter_is_refused(own_templates: Path) -> None:
    (own_templates / "t.j2").write_text("a: {{ value }}\n")
    with pytest.raises(KubeadmPyError, match="without a filter"):
        engine.render_yaml("t.j2", value="x: y")


def test_output_that_is_no_yaml_is_refused(own_templates: Path) -> None:
    (own_templates / "t.j2").write_text("a: {{ value | to_yaml }}: b\n")
    with pytest.raises(KubeadmPyError, match="valid YAML") as caught:
        engine.render_yaml("t.j2", value="x")
    assert caught.value.details


def test_one_document_is_asked_for(own_templates: Path) -> None:
    (own_templates / "t.j2").write_text("a: 1\n---\nb: 2\n")
    assert engine.render_documents("t.j2") == [{"a": 1}, {"b": 2}]
    with pytest.raises(KubeadmPyError, match="2 YAML documents"):
        engine.render_yaml("t.j2")


def test_a_template_that_does_not_parse_is_named(own_templates: Path) -> None:
    (own_templates / "t.j2").write_text("{% if %}")
    with pytest.raises(KubeadmPyError, match=r"t\.j2"):
        engine.render_text("t.j2")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", '""'),
        ("--v=3", '"--v=3"'),
        ('a"b', r'"a\"b"'),
        (r"a\b", r'"a\\b"'),
        ("$HOME `id`", r'"\$HOME \`id\`"'),
    ],
)
def test_environment_files_get_systemds_quoting(own_templates: Path, value: str, written: str) -> None:
    (own_templates / "t.j2").write_text("A={{ value | to_environment_file }}\n")
    assert engine.render_text("t.j2", value=value) == f"A={written}\n"


def test_templates_hold_no_duplicate_keys() -> None:
    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
            return super().construct_mapping(node, deep)

    for name in yaml_templates():
        list(yaml.load_all(engine.render_text(name, **values(name, "x")), Loader=Strict))


def test_jinja_is_loaded_by_the_first_rendering_only() -> None:
    code = (
        "import sys; from kubeadm_py.render import kubelet, objects, static_pods;"
        "sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_preload_compiles_the_templates_that_rendering_uses():
    engine.preload()
    assert "static-pods/pod.yaml.j2" in {key[1] for key in engine._environment().cache}
