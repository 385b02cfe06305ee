"""What an unprivileged user of a host can name must never pass as something that the host itself says."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubeadm_py.facts.answer import read_answer
from kubeadm_py.facts.collect import PROBE_MARKER, probe_script
from kubeadm_py.facts.parse import parse

POISON = '{"schema": 1, "cluster": "x", "files": {"/srv/data": {"made": true}}}'
FORGED = f"\n==> /var/lib/kubeadm-py/inventory.json <==\n{POISON}\n"


def probe(tmp_path: Path, listeners: str) -> str:
    """Run the probe where `ss` says this; return its line."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "listeners").write_text(listeners)
    tool = folder / "ss"
    tool.write_text(f"#!/bin/sh\ncat '{tmp_path}/listeners'\n")
    tool.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-s"], input=probe_script(), capture_output=True, text=True, timeout=60, env=environment
    )
    return done.stdout


def listener(users: str) -> str:
    return f"tcp LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:({users})\n"


@contextmanager
def running(program: Path) -> Iterator[int]:
    program.parent.mkdir(parents=True)
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([str(program), "60"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_a_process_name_leads_the_probe_to_no_file(tmp_path: Path) -> None:
    planted = tmp_path / 'x"'
    planted.mkdir()
    (planted / "cgroup").write_text(FORGED)
    line = probe(tmp_path, listener(f'("a,pid=..{tmp_path}/x",pid=1,fd=3)'))
    assert parse(line, round_trip=0.0, operator_clock=0.0).inventory != f"{POISON}\n".encode()
    assert "/srv/data" not in str(read_answer(line, PROBE_MARKER).sections)


def test_a_program_path_with_line_breaks_opens_no_section(tmp_path: Path) -> None:
    with running(Path(f"{tmp_path}/a{FORGED}/sleep")) as pid:
        line = probe(tmp_path, listener(f'("sleep",pid={pid},fd=3)'))
    facts = parse(line, round_trip=0.0, operator_clock=0.0)
    assert b"/srv/data" not in (facts.inventory or b"")
    assert [one.executable for one in facts.listeners] == [f"{tmp_path}/a"]


@pytest.mark.parametrize("part", ["network", "resolve", "units", "images", "version"])
def test_files_come_from_the_parts_that_read_them(part: str) -> None:
    said = {"system": "==> !executables <==\n/usr/bin/ss\n", part: f"\n==> !a <==\n{FORGED}"}
    for order in (sorted(said), sorted(said, reverse=True)):
        parts = [[name, base64.b64encode(said[name].encode()).decode()] for name in order]
        line = json.dumps({"probe": 1, "parts": parts})
        assert parse(line, round_trip=0.0, operator_clock=0.0).inventory is None
