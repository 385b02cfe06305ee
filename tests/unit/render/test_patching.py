"""Patches that fit nothing are refused by name; what fitting ones do is compared in tests/golden."""

from __future__ import annotations

import pytest

from kubeadm_py.render.patching import PatchError
from kubeadm_py.render.patching.strategic import apply

POD = {
    "spec": {"containers": [{"name": "a", "ports": []}], "hostAliases": []},
    "metadata": {"finalizers": ["x"]},
}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"spec": {"containers": [{"name": ["a"]}]}}, "the merge key name is a single value"),
        ({"spec": {"containers": [{"image": "x"}]}}, "an item lacks its merge key, name"),
        ({"spec": {"containers": [{"name": "a"}], "$setElementOrder/containers": 5}}, "is a list"),
        ({"metadata": {"finalizers": [["x"]]}}, "its items are single values"),
    ],
)
def test_refused(patch, words):
    with pytest.raises(PatchError, match=words):
        apply(POD, patch, "Pod")
