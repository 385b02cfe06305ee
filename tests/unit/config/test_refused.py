"""Each file in cases/refused is refused with exactly the words of the .txt beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeadm_py.config.load import ConfigError, load
from kubeadm_py.errors import ExitCode

REFUSED = Path(__file__).parent / "cases" / "refused"
CASES = sorted(REFUSED.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_says_everything_at_once_with_its_place(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REFUSED)
    with pytest.raises(ConfigError) as refused:
        load(case.name)
    assert str(refused.value) + "\n" == case.with_suffix(".txt").read_text()
    assert refused.value.exit_code is ExitCode.USAGE
    assert all(problem.file == case.name for problem in refused.value.problems)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_never_repeats_a_token(case: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(str(case))
    assert "secret" not in str(refused.value).lower().replace("secret.", "")
    assert "0123456789abcdef" not in str(refused.value)
