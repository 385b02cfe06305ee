from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeadm_py.model.components import Arg
from kubeadm_py.render import component_flags
from kubeadm_py.render.arguments import extra_value, flags, merge_variables, proxy_variables

NAMES = st.sampled_from(["a", "b", "c", "d"])
EXTRAS = st.lists(st.builds(Arg, NAMES, st.sampled_from(["1", "2"])), max_size=6)
DEFAULTS = st.dictionaries(NAMES, st.just("default"))

TABLES = {
    name: table for name, table in vars(component_flags).items() if name.isupper() and isinstance(table, dict)
}


def args(*pairs: tuple[str, str]) -> tuple[Arg, ...]:
    return tuple(Arg(name, value) for name, value in pairs)


def test_defaults_are_sorted_and_extra_flags_follow_in_the_users_order() -> None:
    merged = flags({"b": "2", "a": "1"}, args(("z", "9"), ("c", "3")))
    assert merged == ["--a=1", "--b=2", "--z=9", "--c=3"]


def test_an_extra_flag_replaces_the_default_and_may_be_repeated() -> None:
    merged = flags({"b": "2", "a": "1"}, args(("a", "x"), ("a", "y")))
    assert merged == ["--b=2", "--a=x", "--a=y"]


@given(DEFAULTS, EXTRAS)
def test_every_extra_flag_stays_and_no_overridden_default(defaults: dict[str, str], extra: list[Arg]) -> None:
    merged = flags(defaults, extra)
    tail = [f"--{arg.name}={arg.value}" for arg in extra]
    assert merged[len(merged) - len(tail) :] == tail
    kept = {name for name in defaults if name not in {arg.name for arg in extra}}
    assert merged[: len(merged) - len(tail)] == [f"--{name}=default" for name in sorted(kept)]


def test_a_component_obeys_the_last_of_equal_flags() -> None:
    assert extra_value(args(("a", "1"), ("b", "2"), ("a", "3")), "a") == "3"
    assert extra_value(args(("a", "1")), "b") is None
    assert extra_value(args(("a", "")), "a") == ""


def test_a_proxy_whose_password_the_probe_withheld_is_not_handed_on() -> None:
    """With the placeholder in its place every request would be refused by the proxy."""
    environment = {"https_proxy": "http://withheld@proxy:3128", "no_proxy": "10.0.0.0/8"}
    assert proxy_variables(environment) == [{"name": "no_proxy", "value": "10.0.0.0/8"}]


def test_only_proxy_variables_with_a_value_are_taken_in_any_case() -> None:
    environment = {
        "no_proxy": "x",
        "HTTPS_PROXY": "y",
        "http_proxy": "",
        "PROXY": "z",
        "HTTP_PROXY_USER": "u",
    }
    assert proxy_variables(environment) == [
        {"name": "HTTPS_PROXY", "value": "y"},
        {"name": "no_proxy", "value": "x"},
    ]


def test_later_variables_replace_earlier_ones_and_all_are_sorted() -> None:
    proxies = [{"name": "HTTPS_PROXY", "value": "host's"}]
    extra = [
        {"name": "Z", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "HTTPS_PROXY", "value": "user's"},
        {"name": "A", "value": "1"},
    ]
    assert merge_variables(proxies, extra) == [extra[2], extra[1], extra[0]]


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_sorted_by_flag(table: str) -> None:
    assert list(TABLES[table]) == sorted(TABLES[table])


def test_tables_are_found() -> None:
    assert len(TABLES) == 9
