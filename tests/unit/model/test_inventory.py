"""The record of what we made on a host."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    FileSpec,
    ImportImages,
    MakeDirectories,
    Remove,
    RunScript,
    Unit,
    WriteFiles,
)
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.model.inventory import SCHEMA, Inventory, settled

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize("raw", [None, b"", b"  \n"])
def test_nothing_is_an_empty_one(raw):
    assert Inventory.parse(raw).empty


@given(words, st.lists(words, unique=True), st.dictionaries(words, words))
def test_it_comes_back_as_it_was(cluster, directories, images):
    files = {path: {"sha256": "", "mode": "0644", "made": True} for path in directories}
    kept = Inventory(cluster, files, directories, directories, images, directories)
    assert Inventory.parse(kept.dump()) == kept
    assert Inventory.parse(kept.dump()).dump() == kept.dump()


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b'{"files": {}}',
        b'{"schema": "one"}',
        b'{"schema": 1, "files": 3}',
        b"\xff\xfe",
        b'{"schema": 1, "files": {"/a": "x"}}',
        b'{"schema": 1, "files": {"/a": {"mode": "0644"}}}',
        b'{"schema": 1, "files": {"/a": {"made": "yes"}}}',
        b'{"schema": 1, "directories": [["/etc"]]}',
        b'{"schema": 1, "cluster": {}}',
        b'{"schema": 1, "packages": [1]}',
        b'"x"',
    ],
)
def test_a_broken_one_is_refused(raw):
    """Guessing would remove foreign files."""
    with pytest.raises(KubeadmPyError, match="cannot be read") as caught:
        Inventory.parse(raw, "w1")
    assert caught.value.host == "w1"
    assert paths.INVENTORY in caught.value.fix


def test_a_newer_one_is_refused():
    raw = json.dumps({"schema": SCHEMA + 1}).encode()
    with pytest.raises(KubeadmPyError, match=f"has schema {SCHEMA + 1}; this kubeadm-py knows {SCHEMA}"):
        Inventory.parse(raw)


def test_what_is_recorded():
    facts = HostFacts(
        files={"/etc/theirs": FileFact("/etc/theirs", 0o644, "root:root")}, directories={"/srv": 2}
    )
    inventory = Inventory("demo")
    inventory.extend(
        [
            WriteFiles(
                (
                    FileSpec("/etc/theirs", b"x"),
                    FileSpec("/etc/ours", b"y", 0o600),
                    FileSpec("/srv/cluster.crt", b"z", of_cluster=True),
                    FileSpec(paths.INVENTORY, b""),
                )
            ),
            MakeDirectories((("/srv", 0o755), ("/var/lib/etcd", 0o700))),
            Unit("kubelet.service", "restarted"),
            ImportImages("/l", (("a:1", "sha256:1"),)),
            RunScript("anything", ":"),
            RunScript("install", ":", packages=("kubelet", "kubectl")),
            RunScript("install again", ":", packages=("kubelet",)),
        ],
        facts,
        {"/etc/ours": "abc"},
    )
    assert inventory.files == {
        "/etc/theirs": {"sha256": "", "mode": "0644", "made": False},
        "/etc/ours": {"sha256": "abc", "mode": "0600", "made": True},
        "/srv/cluster.crt": {"sha256": "", "mode": "0644", "made": True, "cluster": True},
    }
    assert inventory.directories == ["/var/lib/etcd"], "a directory that was there is not ours"
    assert (inventory.units, inventory.images) == (["kubelet.service"], {"a:1": "sha256:1"})
    assert inventory.packages == ["kubelet", "kubectl"]
    assert not inventory.empty


def test_what_is_ours_stays_ours():
    """At the second write the file is there, and yet we made it."""
    write = [WriteFiles((FileSpec("/etc/ours", b"y"),)), Unit("u"), MakeDirectories((("/d", 0o700),))]
    inventory = Inventory()
    inventory.extend(write, HostFacts(), {})
    there = HostFacts(files={"/etc/ours": FileFact("/etc/ours", 0o644, "root:root")}, directories={"/d": 0})
    before = inventory.dump()
    inventory.extend(write, there, {})
    assert inventory.dump() == before


def test_what_was_theirs_stays_theirs():
    """It was recorded as changed; that somebody removed it since does not make it ours."""
    inventory = Inventory(files={"/etc/theirs": {"sha256": "", "mode": "0644", "made": False}})
    inventory.extend([WriteFiles((FileSpec("/etc/theirs", b"x"),))], HostFacts(), {})
    assert inventory.files["/etc/theirs"]["made"] is False


def test_the_same_content_is_the_same_bytes():
    one = Inventory(
        "d",
        {
            "/b": {"made": True, "mode": "0644", "sha256": ""},
            "/a": {"made": True, "mode": "0644", "sha256": ""},
        },
    )
    other = Inventory("d", dict(reversed(one.files.items())))
    assert one.dump() == other.dump()


def test_what_we_removed_is_told_apart_from_what_others_removed():
    inventory = Inventory("demo")
    write = WriteFiles((FileSpec("/etc/a", b"x"), FileSpec("/etc/b", b"x")))
    inventory.extend([write], HostFacts(), {})
    inventory.extend([Remove(("/etc/a", "/etc/unknown"))], HostFacts(), {})
    assert inventory.files["/etc/a"]["removed"] is True
    assert inventory.files["/etc/a"]["made"] is True, "a crash may leave it: reset still takes it away"
    assert "removed" not in inventory.files["/etc/b"]
    assert "/etc/unknown" not in inventory.files
    inventory.extend([write], HostFacts(), {})
    assert "removed" not in inventory.files["/etc/a"], "it is there again"


def test_a_record_is_settled_once_its_last_stage_has_ended():
    inventory = Inventory("demo")
    raw = inventory.dump()
    digest = hashlib.sha256(settled(raw)).hexdigest()
    note = FileFact(paths.SETTLED, 0o600, "root:root", digest)
    assert inventory.is_settled(HostFacts(inventory=raw, files={paths.SETTLED: note}))
    assert not inventory.is_settled(HostFacts(inventory=raw))
    begun = Inventory("demo", units=["kubelet.service"]).dump()
    assert not inventory.is_settled(HostFacts(inventory=begun, files={paths.SETTLED: note}))
