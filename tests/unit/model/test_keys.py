"""Which keys of a configuration differ."""

from __future__ import annotations

import pytest

from kubeadm_py.model import keys


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c"]),
        ({"a": 1}, {}, ["a"]),
        ({}, {"a": {"b": 1}}, ["a"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a"]),
        (
            {"args": [{"name": "v", "value": "1"}]},
            {"args": [{"name": "v", "value": "2"}, {"name": "w", "value": "3"}]},
            ["args.v", "args.w"],
        ),
        ({}, {"args": [{"name": "v", "value": "1"}]}, ["args.v"]),
        ({"args": [{"name": "v", "value": "1"}]}, {"args": []}, ["args.v"]),
        ({"a": [{"x": 1}]}, {"a": [{"x": 2}]}, ["a"]),
        ({"a": None}, {}, []),
    ],
)
def test_changed(before, after, paths):
    assert [keys.text(path) for path in keys.changed(before, after)] == paths
