"""The table of breakages names real checks and holds valid shell."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
import yaml

import kubeadm_py.verify.suite
from kubeadm_py.verify.checks import Level

TABLE = yaml.safe_load((Path(__file__).parent / "breakages.yaml").read_text())


def checks() -> dict[str, str]:
    """Return every check of the suite with its level's name."""
    found = {}
    for path in Path(kubeadm_py.verify.suite.__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check":
                identity, level = node.args
                found[identity.value] = level.attr
    return found


@pytest.mark.parametrize("row", TABLE, ids=[row["name"] for row in TABLE])
def test_rows(row):
    assert set(row) <= {"name", "host", "break", "settled", "mend", "mended", "level", "fails", "where"}
    level = Level[checks()[row["fails"]]]
    assert Level(row["level"]).includes(level)
    assert ("where" in row) is (level is Level.HOSTS)
    for key in ("break", "settled", "mend", "mended"):
        script = row.get(key, "").replace("${service_subnet}", "10.96.0.0/16")
        assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_at_least_ten_different_checks_are_broken():
    assert len({row["fails"] for row in TABLE}) >= 10


def test_needs_name_checks():
    known = checks()
    for path in Path(kubeadm_py.verify.suite.__file__).parent.glob("test_*.py"):
        tree = ast.parse(path.read_text())
        needed = [
            word.value
            for node in ast.walk(tree)
            if isinstance(node, ast.keyword) and node.arg == "needs"
            for word in ast.walk(node.value)
            if isinstance(word, ast.Constant)
        ]
        assert set(needed) <= set(known), path.name
