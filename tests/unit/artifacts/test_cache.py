"""The operator's cache folder, and files that are hashed once."""

from __future__ import annotations

import hashlib

import pytest

from kubeadm_py.artifacts import cache


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("/elsewhere", "/elsewhere/kubeadm-py"),
        ("relative", "HOME/.cache/kubeadm-py"),
        ("", "HOME/.cache/kubeadm-py"),
    ],
)
def test_the_folder_follows_the_environment(monkeypatch, tmp_path, variable, expected):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert str(cache.default_folder()) == expected.replace("HOME", str(tmp_path))


def test_a_file_is_hashed_once_and_again_when_it_changes(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    counted = []
    original = cache.sha256_file
    monkeypatch.setattr(cache, "sha256_file", lambda path: counted.append(path) or original(path))
    digests = cache.Digests(tmp_path / "cache")
    for _ in range(2):
        assert digests.sha256(path) == hashlib.sha256(b"one").hexdigest()
    digests.save()
    assert cache.Digests(tmp_path / "cache").sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert len(counted) == 1
    path.write_bytes(b"three")
    assert digests.sha256(path) == hashlib.sha256(b"three").hexdigest()
    assert len(counted) == 2


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError("disk full")

    monkeypatch.setattr(cache.Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.write_atomically(tmp_path / "folder" / "file", b"content")
    assert list((tmp_path / "folder").iterdir()) == []
