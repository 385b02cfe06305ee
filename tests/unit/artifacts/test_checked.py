"""What is sent is what was verified, or its end is never sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest

from kubeadm_py.artifacts import checked

CONTENT = bytes(range(256)) * 20
SIZE = len(CONTENT)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(checked, "CHUNK", 1024)


def read(path, content, size=SIZE, digest=DIGEST):
    """Return what came before the error, and the error."""
    path.write_bytes(content)
    came = bytearray()
    try:
        for chunk in checked.chunks(path, size, digest):
            came += chunk
    except checked.ChangedError as error:
        return bytes(came), error
    return bytes(came), None


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, len(CONTENT)])
def test_a_file_that_is_as_it_was(tmp_path, size):
    content = CONTENT[:size]
    digest = hashlib.sha256(content).hexdigest()
    assert read(tmp_path / "f", content, size, digest) == (content, None)


@pytest.mark.parametrize("size", [1, 1024, len(CONTENT)])
def test_a_swapped_file_is_named_and_never_sent_whole(tmp_path, size):
    swapped = b"x" * size
    came, error = read(tmp_path / "f", swapped, size)
    assert len(came) < size
    assert str(tmp_path / "f") in error.summary
    found = hashlib.sha256(swapped).hexdigest()
    assert error.details == (f"expected sha256 {DIGEST}", f"found sha256 {found}")
    assert "nothing of it was installed" in error.fix


def test_a_swap_of_the_first_bytes_is_noticed_too(tmp_path):
    came, error = read(tmp_path / "f", b"y" + CONTENT[1:])
    assert error is not None
    assert len(came) < len(CONTENT)


def test_an_empty_file_that_should_be_another_one(tmp_path):
    assert read(tmp_path / "f", b"", 0, DIGEST)[1] is not None


def test_a_file_that_shrank(tmp_path):
    came, error = read(tmp_path / "f", CONTENT[:-7])
    assert "7 bytes shorter" in error.details[1]
    assert len(came) < len(CONTENT) - 7


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        list(checked.chunks(tmp_path / "nowhere", 1, DIGEST))


@pytest.mark.parametrize("skip", [0, 1, 1000, 1024, 2000, SIZE - 1, SIZE])
def test_what_is_there_already_is_read_and_not_sent(tmp_path, skip):
    path = tmp_path / "f"
    path.write_bytes(CONTENT)
    assert b"".join(checked.chunks(path, SIZE, DIGEST, skip)) == CONTENT[skip:]
    path.write_bytes(b"x" + CONTENT[1:])
    with pytest.raises(checked.ChangedError):
        list(checked.chunks(path, SIZE, DIGEST, skip))


@pytest.fixture
def settled(tmp_path, monkeypatch):
    """A file that has been as it is for long, and how often its content was hashed."""
    monkeypatch.setattr(checked, "SETTLED_SECONDS", -60.0)
    monkeypatch.setattr(checked, "_READINGS", checked._Readings())
    monkeypatch.setattr(checked, "_PATIENCE", 0.01)
    path = tmp_path / "f"
    path.write_bytes(CONTENT)
    hashed: list[int] = []

    class Counted:
        def __init__(self) -> None:
            self._real = real()

        def update(self, chunk: bytes) -> None:
            hashed.append(len(chunk))
            self._real.update(chunk)

        def hexdigest(self) -> str:
            return self._real.hexdigest()

    real: Callable = hashlib.sha256
    monkeypatch.setattr(checked.hashlib, "sha256", Counted)
    return path, hashed


def test_one_of_several_senders_hashes(settled):
    path, hashed = settled
    senders = [checked.chunks(path, SIZE, DIGEST) for _ in range(3)]
    sent = [b"", b"", b""]
    for _ in range(SIZE // 1024):
        sent = [came + next(sender) for came, sender in zip(sent, senders, strict=True)]
    assert sent == [CONTENT] * 3
    assert b"".join(checked.chunks(path, SIZE, DIGEST)) == CONTENT, "and none that comes later does"
    assert sum(hashed) == SIZE


def test_who_hashes_may_fall_behind_or_away(settled):
    path, _ = settled
    slow = checked.chunks(path, SIZE, DIGEST)
    next(slow)
    assert b"".join(checked.chunks(path, SIZE, DIGEST)) == CONTENT
    slow.close()
    assert b"".join(checked.chunks(path, SIZE, DIGEST)) == CONTENT


@pytest.mark.parametrize("who", ["hashes", "follows"])
def test_a_file_that_changes_while_it_is_sent_to_several(settled, who):
    path, _ = settled
    first, second = (checked.chunks(path, SIZE, DIGEST) for _ in range(2))
    came = [next(first), next(second)]
    with path.open("r+b") as file:
        file.seek(SIZE - 10)
        file.write(b"swapped")
    os.utime(path, ns=(1, 1))
    with pytest.raises(checked.ChangedError) as caught:
        came.extend(first if who == "hashes" else second)
    first.close()
    second.close()
    assert sum(map(len, came)) < SIZE + 1024
    assert ("changed while" in caught.value.details[1]) is (who == "follows")


def test_a_file_that_has_just_been_written_is_hashed_by_each(settled, monkeypatch):
    path, hashed = settled
    monkeypatch.setattr(checked, "SETTLED_SECONDS", 60.0)
    for _ in range(2):
        assert b"".join(checked.chunks(path, SIZE, DIGEST)) == CONTENT
    assert sum(hashed) == 2 * SIZE
