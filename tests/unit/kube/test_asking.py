"""Several questions in one script, by a real shell: each answer whole, with how it ended."""

from __future__ import annotations

import base64
import subprocess

from kubeadm_py.kube import asking
from kubeadm_py.kube.asking import NOTHING, Said


def asked(questions, stdin=b"", **options):
    script = asking.script(questions, **options)
    done = subprocess.run(["sh", "-c", script], input=stdin, capture_output=True, check=True, timeout=30)
    return asking.answers(b"a login's greeting\n" + done.stdout)


def test_each_answer_is_whole_and_says_how_it_ended():
    found = asked(
        {
            "fails": "echo half; echo 'because of\n\nthis' >&2; exit 3",
            "prints": "printf 'a\\nb'",
            "says-nothing": ":",
        }
    )
    assert found["prints"] == Said(0, b"a\nb")
    assert found["says-nothing"] == Said(0, b"")
    assert (found["fails"].code, found["fails"].output) == (3, b"half\n")
    assert found["fails"].error_lines() == ["because of", "this"]
    assert not found["fails"].ok


def test_one_of_them_reads_what_is_sent():
    found = asked({"echoes": "cat", "hears-nothing": "cat"}, stdin=b"objects", reading="echoes")
    assert found["echoes"].output == b"objects"
    assert found["hears-nothing"].output == b""


def test_all_run_at_the_same_time(tmp_path):
    for name in ("one", "other"):
        subprocess.run(["mkfifo", tmp_path / name], check=True)
    # Each ends only once the other has begun.
    found = asked(
        {
            "one": f"echo 1 >{tmp_path}/one; cat {tmp_path}/other",
            "other": f"cat {tmp_path}/one; echo 2 >{tmp_path}/other",
        }
    )
    assert (found["one"].output, found["other"].output) == (b"2\n", b"1\n")


def test_nothing_is_left_behind(tmp_path):
    script = asking.script({"prints": "echo x"}).replace("/run/kubeadm-py", str(tmp_path))
    subprocess.run(["sh", "-c", script], check=True, timeout=30)
    assert list(tmp_path.iterdir()) == []


def test_lists_and_what_is_none():
    assert Said(0, b'{"items": [{"a": 1}, 2]}').items == [{"a": 1}]
    assert Said(0, b"half of i").items == Said(0, b'{"items": 3}').items == NOTHING.items == []


def test_lines_that_are_no_answers_are_left_out():
    good = b"##kubeadm-py said nodes 0 " + base64.b64encode(b"x") + b" "
    lines = [
        b"##kubeadm-py facts {}",
        good,
        b"##kubeadm-py said pods not-base64",
        b"##kubeadm-py said x 0 ! ",
    ]
    assert asking.answers(b"\n".join(lines)) == {"nodes": Said(0, b"x")}
