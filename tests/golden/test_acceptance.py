"""Accept and refuse the files that `kubeadm config validate` does (tests/golden/acceptance)."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest
from oracle import compare

from kubeadm_py.config import load

FOLDER = Path(__file__).parent / "acceptance"
_SPEC = importlib.util.spec_from_file_location("acceptance_cases", FOLDER / "cases.py")
assert _SPEC is not None
assert _SPEC.loader is not None
cases = importlib.util.module_from_spec(_SPEC)
sys.modules["acceptance_cases"] = cases
_SPEC.loader.exec_module(cases)


@pytest.mark.parametrize("kind", ["fields", "files", "texts"])
def test_every_verdict_is_kubeadms_but_for_the_wanted_differences(kind: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    # Kubeadm was asked where /tmp is empty; here everybody's files lie in it.
    empty = tmp_path / "empty"
    empty.mkdir()
    wrong = []
    placed: list[bool] = []
    unlisted: list[str] = []
    listed = compare.refusals()
    seen: Counter[str] = Counter()
    for case in getattr(cases, kind)():
        config.write_text(case.text.replace("/tmp", str(empty)))
        try:
            load.load(str(config))
            accepted = True
        except load.ConfigError as error:
            accepted = False
            placed += [bool(problem.line) for problem in error.problems]
            if case.verdict == cases.REFUSED_HERE:
                said = [f"{problem.path}: {problem.message}" for problem in error.problems]
                unlisted += [text for text in said if not any(known.search(text) for known in listed)]
        seen[case.verdict] += 1
        if accepted != case.we_accept:
            wrong.append(case.name)
    assert wrong == []
    assert unlisted == [], "not in tests/golden/kubeadm/differences.yaml"
    assert all(placed) or kind == "texts"
    assert min(seen.values()) >= (1 if kind == "texts" else 50)
    assert seen.keys() >= {cases.ACCEPTED, cases.REFUSED, cases.REFUSED_HERE}
