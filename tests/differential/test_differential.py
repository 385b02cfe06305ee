"""Put generated configs to real kubeadm and to our own code: `make differential`, as root.

SEED=N runs the same configs again, COUNT=N that many. A config that the tools disagree about is made as small
as it can be, and shown. What is wanted stands in tests/golden/kubeadm/differences.yaml.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from oracle import cases, compare
from oracle.acceptance import judge
from oracle.cases import Case
from oracle.ours import Ours
from oracle.record import TOKEN, record
from oracle.sandbox import Host, Sandbox

from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import keys
from kubeadm_py.token import bootstrap

from . import configs
from .conftest import COUNT, SEED

SLOWER = 4
"""Making everything takes that many times as long as a verdict."""


def generated(strategy: Any, count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
        limits = settings(max_examples=count, database=None, suppress_health_check=checks)
        return seed(SEED)(limits(given(strategy)(test)))

    return decorate


@pytest.mark.parametrize("field", configs.fields())
def test_the_same_values_are_accepted(field: str, sandbox: Sandbox, tmp_path: Path) -> None:
    verdicts = {name: judge(config, sandbox, tmp_path) for name, config in configs.one_by_one(field)}
    found = {name: verdict.unexplained for name, verdict in verdicts.items() if verdict.unexplained}
    assert found == {}


@generated(configs.any_config(), COUNT)
def test_the_same_configs_are_accepted(sandbox: Sandbox, tmp_path: Path, config: str) -> None:
    assert judge(config, sandbox, tmp_path).unexplained == "", config


@pytest.fixture
def _nothing_random() -> Iterator[None]:
    """Make each kind of key once, and the recording's token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "generate", lambda: Secret(TOKEN))
        for name, make in keys.ALGORITHMS.items():
            patch.setitem(keys.ALGORITHMS, name, functools.cache(make))
        yield


@pytest.mark.usefixtures("_nothing_random")
@generated(configs.for_init(odd=False), COUNT // SLOWER)
def test_the_same_is_made(sandbox: Sandbox, tmp_path: Path, config: str) -> None:
    (tmp_path / cases.CONFIG).write_text(config)
    verdicts = judge(config, sandbox, tmp_path)
    if verdicts.kubeadm or verdicts.ours:
        return
    case = Case(tmp_path, config.encode(), Host())
    record(case, sandbox)
    ours = Ours(case)
    found = compare.found(compare.recorded(tmp_path), ours.told)
    found += compare.found_modes(compare.recorded_modes(tmp_path), ours.modes)
    assert compare.unwanted(found, config=config) == [], config
    mine = [compare.identify(item) for item in ours.rendered.objects]
    theirs = [compare.identify(item) for item in compare.recorded_objects(tmp_path)]
    assert [name for name in mine if name in theirs] == [name for name in theirs if name in mine]
