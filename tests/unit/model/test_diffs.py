"""Diffs say under which key or section a change is."""

from __future__ import annotations

from kubeadm_py.model import diffs

YAML = """\
spec:
  containers:
  - command:
    - etcd
    - --a=1
    image: x
  volumes: []
"""
TOML = """\
version = 3
[plugins.a]
  one = 1
[plugins.b]
  two = 2
"""


def compact(before, after):
    return diffs.compact(diffs.unified(before, after, "/f"))


def test_the_same_text_has_no_diff():
    assert diffs.unified(YAML, YAML, "/f") == ""


def test_a_list_item_is_below_its_key():
    assert compact(YAML, YAML.replace("--a=1", "--a=2")) == ["@@ command", "-    - --a=1", "+    - --a=2"]


def test_a_key_is_below_what_it_lies_in():
    assert compact(YAML, YAML.replace("image: x", "image: y"))[0] == "@@ containers"


def test_a_section():
    assert compact(TOML, TOML.replace("two = 2", "two = 3")) == ["@@ [plugins.b]", "-  two = 2", "+  two = 3"]


def test_a_new_key_at_the_top():
    assert compact(YAML, YAML + "maxPods: 50\n") == ["+maxPods: 50"]
    assert compact(YAML, YAML.replace("  volumes", "  name: x\n  volumes")) == ["@@ spec", "+  name: x"]


def test_a_new_file():
    assert compact("", "a\nb\n") == ["+a", "+b"]


def test_machines_get_the_whole_diff():
    lines = diffs.unified(YAML, YAML.replace("--a=1", "--a=2"), "/f").splitlines()
    assert lines[:3] == ["--- /f (now)", "+++ /f (planned)", "@@ -2,6 +2,6 @@ command"]
    assert "     - etcd" in lines
