"""What a lock file may hold, and what is said of one that holds something else."""

from __future__ import annotations

import pytest

from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.errors import KubeadmPyError

SHA256 = "0123456789" * 6 + "0123"


def beside(folder, text: str) -> LockFile:
    config = folder / "cluster.yaml"
    config.touch()
    (folder / "cluster.lock.yaml").write_text(text)
    return LockFile.beside(str(config))


def test_what_is_pinned_is_read_again_though_it_looks_like_a_number(tmp_path):
    config = tmp_path / "cluster.yaml"
    config.touch()
    LockFile.beside(str(config)).pin("https://example.test/kubelet", SHA256)
    assert LockFile.beside(str(config)).pins == {"https://example.test/kubelet": SHA256}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no lock file: it has no pins"),
        ("pins: [a]", "is no lock file: it has no pins"),
        ("pins: {a: [", "cannot be read"),
        ("pins: {a: 12}", "12 is no SHA-256 to pin a to"),
        ("pins: {a: F00}", "F00 is no SHA-256 to pin a to"),
        ("pins: {a: }", "None is no SHA-256 to pin a to"),
    ],
    ids=["empty", "a list", "no YAML", "without quotes", "short", "nothing"],
)
def test_what_is_wrong_is_named(tmp_path, text, said):
    with pytest.raises(KubeadmPyError) as caught:
        beside(tmp_path, text)
    assert said in str(caught.value)
