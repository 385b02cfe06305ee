"""Compare what we render with what real kubeadm made of the same config (tests/golden/kubeadm)."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from oracle import cases, compare
from oracle.ours import Ours
from oracle.record import TOKEN

from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import keys
from kubeadm_py.token import bootstrap

CASES = cases.names()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True, scope="module")
def _nothing_random() -> Iterator[None]:
    """Make each kind of key once, as nothing here looks at more than its kind, and the recording's token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "generate", lambda: Secret(TOKEN))
        for name, make in keys.ALGORITHMS.items():
            patch.setitem(keys.ALGORITHMS, name, functools.cache(make))
        yield


@functools.cache
def ours(case: str) -> Ours:
    return Ours(cases.read(case))


def config(case: str) -> str:
    return cases.read(case).config.decode()


@functools.cache
def found_differences(case: str) -> list[compare.Difference]:
    folder, mine = cases.CASES / case, ours(case)
    modes = compare.found_modes(compare.recorded_modes(folder), mine.modes)
    return compare.found(compare.recorded(folder), mine.told) + modes


def test_equals_kubeadm_but_for_the_wanted_differences(case: str) -> None:
    """What we write besides is listed in tests/golden/render/differences.yaml."""
    assert compare.unwanted(found_differences(case), case, config(case)) == []


@pytest.mark.parametrize(
    ("where", "path", "newer", "older"),
    [
        ("/etc/kubernetes/manifests/etcd.yaml", "spec.containers[0].image", "etcd:3.6.8-0", "etcd:3.6.6-0"),
        (
            "Deployment kube-system/coredns",
            "spec.template.spec.containers[0].image",
            "coredns:v1.14.2",
            "coredns:v1.13.1",
        ),
    ],
)
def test_a_releases_components_differ_in_every_registry(
    where: str, path: str, newer: str, older: str
) -> None:
    found = (where, path, f"registry.test:5000/a/{newer}", f"registry.test:5000/a/{older}")
    assert compare.unwanted([found], config="kubernetesVersion: v1.35.4\n") == []
    assert compare.unwanted([found], config="kubernetesVersion: v1.36.3\n") == [found]


def test_every_wanted_difference_occurs() -> None:
    for entry in compare.wanted():
        any_of = [case for case in CASES if entry.concerns(case, config(case))]
        for named in [any_of] if entry.cases is None else [[case] for case in entry.cases]:
            assert any(entry.explains(found) for case in named for found in found_differences(case)), entry


@pytest.mark.parametrize("case", [name for name in CASES if cases.read(name).joining is None])
def test_objects_come_in_kubeadms_order(case: str) -> None:
    """One that a side lacks is a difference, which the list must know."""
    theirs = [compare.identify(item) for item in compare.recorded_objects(cases.CASES / case)]
    mine = [compare.identify(item) for item in ours(case).rendered.objects]
    assert [name for name in mine if name in theirs] == [name for name in theirs if name in mine]
    assert mine


def test_manifests_are_kubeadms_bytes(case: str) -> None:
    """An operator's diff then sees no change where there is none."""
    manifests = compare.recorded_files(cases.CASES / case)
    other = {where for where, *_ in found_differences(case)}
    for path, text in manifests.items():
        assert "/manifests/" not in path or ours(case).files[path] == text or path in other, path
