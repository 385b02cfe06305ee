import json
import os

import pytest

from kubeadm_py.engine.events import Failed, HostProgress, Notice
from kubeadm_py.report.runlog import RunLog


def test_a_line_an_event_for_the_owner_alone(tmp_path, run):
    path = tmp_path / "state" / "run.jsonl"
    old = os.umask(0)
    try:
        with RunLog(path) as log:
            for event in run[1]:
                log(event)
    finally:
        os.umask(old)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["type"] for line in lines] == [event.type for event in run[1]]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_was_open_to_others_is_closed_to_them_and_kept(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("{}\n")
    path.chmod(0o644)
    with RunLog(path) as log:
        log(Notice("info", "hi"))
        assert len(path.read_text().splitlines()) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_symlink_is_not_followed(tmp_path):
    (tmp_path / "target").write_text("")
    (tmp_path / "run.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        RunLog(tmp_path / "run.jsonl")


@pytest.mark.parametrize(
    "text",
    [
        "kubeadm join --token abcdef.0123456789abcdef",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----- cut short MIIE",
    ],
)
def test_what_looks_like_a_secret_is_masked(tmp_path, text):
    path = tmp_path / "run.jsonl"
    with RunLog(path) as log:
        log(HostProgress("control", "cp1", text))
        log(Failed("x", details=(text,)))
    written = path.read_text()
    assert "0123456789abcdef" not in written
    assert "MIIE" not in written
    assert written.count("***") >= 2
