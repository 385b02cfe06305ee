"""A manifest that says the same in another form is left alone: its pod would restart for nothing."""

from __future__ import annotations

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.steps.base import is_so

MANIFEST = f"{paths.MANIFESTS_DIR}/etcd.yaml"
POD = b"kind: Pod\nspec:\n  containers:\n  - command:\n    - etcd\n    - --a=1\n    - --b=2\n    image: i\n"


def so(there, wanted=POD, path=MANIFEST, *, partial=False, mode=0o600):
    digest = sha256(there)
    fact = FileFact(path, mode, "root:root", digest, len(there), there, partial)
    return is_so(FileSpec(path, wanted, 0o600), HostFacts(files={path: fact}))


@pytest.mark.parametrize(
    "there",
    [
        POD,
        b"# a comment\n" + POD,
        POD.replace(b"    - --a=1\n    - --b=2\n", b"    - --b=2\n    - --a=1\n"),
        POD.replace(b"image: i", b'"image": "i"'),
    ],
)
def test_another_form(there):
    assert so(there)


@pytest.mark.parametrize(
    "there",
    [
        POD.replace(b"--a=1", b"--a=2"),
        POD.replace(b"- etcd", b"- --z"),
        POD + b"status: {}\n",
        b"kind: Pod\nspec: null\n",
        b"kind: Pod\nspec: {containers: [1]}\n",
        b"{",
        b"",
    ],
)
def test_other_words(there):
    assert not so(there)


def test_only_where_order_says_nothing():
    path = "/etc/containerd/config.toml"
    assert not so(b"# mine\na = 1\n", b"a = 1\n", path)
    assert so(b"b: 2\na: 1\n", b"a: 1\nb: 2\n", paths.KUBELET_CONFIG)


def test_mode_and_what_was_withheld_count():
    assert not so(POD, mode=0o644)
    assert not so(b"# a comment\n" + POD, partial=True)
