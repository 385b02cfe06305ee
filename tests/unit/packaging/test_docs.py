"""The pages say what the code says, their links lead somewhere, and their examples work."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from kubeadm_py.addons import load as addons
from kubeadm_py.cli import app
from kubeadm_py.cli.table import COMMANDS
from kubeadm_py.config import schema
from kubeadm_py.config.load import load
from kubeadm_py.preflight.run import catalogue

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE = "<!-- Written by docs/generate.py"
PAGES_MADE = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.read_text().startswith(MADE))


@pytest.mark.parametrize("name", PAGES_MADE)
def test_pages_are_what_the_program_makes(generate: ModuleType, name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == generate.page(name), "run docs/generate.py"


def test_the_program_reads_its_own_checkout_whatever_is_installed(tmp_path: Path) -> None:
    installed = tmp_path / "kubeadm_py"
    installed.mkdir()
    (installed / "__init__.py").write_text("raise ImportError('of another checkout')\n")
    load = f"import runpy; runpy.run_path({str(ROOT / 'docs' / 'generate.py')!r})"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_schema_is_what_the_program_makes(generate: ModuleType) -> None:
    assert (ROOT / "docs" / generate.SCHEMA).read_text() == generate.schema_file(), "run docs/generate.py"


def test_every_command_and_key_is_on_its_page(generate: ModuleType) -> None:
    commands, document = generate.page("commands.md"), generate.page("cluster.md")
    assert all(f"`kubeadm-py {path}`" in commands for path in COMMANDS)
    assert all(f"`{phase}`" in commands for phase in app.PHASES if not app.PHASES[phase].hidden)
    assert all(f"`{path}`" in document for path in schema.DESCRIPTIONS)


def test_every_check_and_event_is_on_its_page(generate: ModuleType) -> None:
    preflight, events = generate.page("preflight.md"), generate.page("events.md")
    assert all(f"| `{row.name}` |" in preflight for row in catalogue())
    assert {"run-started", "found", "failed", "run-done"} <= set(
        re.findall(r"^## `([a-z-]+)`$", events, re.M)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_backquotes_exist(page: Path) -> None:
    """A path of this checkout that a page names is there; paths on hosts begin with a slash."""
    named = re.findall(
        r"`((?:kubeadm_py|tests|templates|pki|addons|docs|vagrant)/[\w./-]*)`", page.read_text()
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)


@pytest.mark.parametrize("page", ["README.md", "docs/workloads.md"])
def test_the_config_of_a_page_is_a_good_one(page: str, tmp_path: Path) -> None:
    (text,) = [block for block in blocks(page, "yaml") if "kind: Cluster\n" in block]
    assert list(yaml.safe_load_all(text))
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    loaded = load(str(path))
    assert loaded.has_cluster_document
    assert loaded.warnings == ()
    assert addons.resolve(loaded.cluster)


def test_the_architectures_example_of_a_check_works() -> None:
    (check, test) = blocks("ARCHITECTURE.md", "python")
    namespace: dict[str, object] = {}
    exec(compile(check + test, "ARCHITECTURE.md", "exec"), namespace)
    tests = [value for name, value in namespace.items() if name.startswith("test_")]
    assert tests
    for each in tests:
        each()  # type: ignore[operator]
