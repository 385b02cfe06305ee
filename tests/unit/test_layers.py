"""What may import what, and what help may load: the contracts are in pyproject.toml."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
HEAVY = (
    "fabric",
    "paramiko",
    "invoke",
    "cryptography",
    "pydantic",
    "jinja2",
    "rich",
    "yaml",
    "pytest",
    "testinfra",
)
LOADED = """
import json, sys
from kubeadm_py.__main__ import main
sys.argv = ["kubeadm-py", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
json.dump(sorted(sys.modules), sys.stderr)
"""


def loaded(*arguments: str) -> set[str]:
    """Return the modules that a command has loaded by its end."""
    ended = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(ended.stderr.splitlines()[-1]))


def test_the_contracts_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.skip("import-linter is not installed")
    ended = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_every_package_has_its_layer():
    """`exhaustive` refuses what is missing; this says so without import-linter."""
    [layers] = [contract for contract in CONTRACTS if contract["type"] == "layers"]
    placed = {name for row in layers["layers"] for name in row.replace("|", " ").replace(":", " ").split()}
    package = ROOT / "kubeadm_py"
    there = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    there |= {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert placed == there
    assert layers["exhaustive"]


def test_nothing_is_excepted():
    assert [contract["id"] for contract in CONTRACTS if contract.get("ignore_imports")] == []


PHASES = {"kubeadm_py.model", "kubeadm_py.model.phases"}
"""Commands are made of this table; it imports nothing."""


def layers(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("kubeadm_py.")}


def test_help_loads_nothing_heavy():
    modules = loaded("--help")
    assert sorted(modules & set(HEAVY)) == []
    assert layers(modules - PHASES) == {"__main__", "cli", "errors"}


@pytest.mark.parametrize("arguments", [["init", "--help"], ["token", "create", "--help"], ["version"]])
def test_the_help_of_a_command_loads_what_typer_brings_and_no_more(arguments):
    """typer converts options with pydantic; rich would come with its rich_markup_mode, which is off."""
    modules = loaded(*arguments)
    assert sorted(modules & set(HEAVY) - {"pydantic"}) == []
    own = {"__main__", "cli", "errors"} | ({"model"} if arguments == ["version"] else set())
    assert layers(modules - PHASES) == own, "a verb's own modules are loaded when it runs"


def test_a_verb_loads_what_it_needs():
    """The check above can fail: validating a config does load the config layer."""
    assert {"pydantic", "kubeadm_py.config.load"} <= loaded("config", "validate", "--config", "/dev/null")


def test_help_is_quick():
    """300 ms; measured as the processor's time, which a busy machine does not stretch."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "kubeadm_py", "--help"], capture_output=True, check=True, timeout=60
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3
