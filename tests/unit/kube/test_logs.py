"""What components have logged: the script runs for real on files as the kubelet lays them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kubeadm_py.kube import logs


@pytest.fixture
def pods(tmp_path: Path) -> Path:
    folder = tmp_path / "pods"
    write(folder, "kube-system_etcd-cp1_old", "etcd", 0, ["F of another manifest"], 10)
    write(folder, "kube-system_etcd-cp1_new", "etcd", 3, ["F it fell"], 20)
    write(
        folder, "kube-system_etcd-cp1_new", "etcd", 4, ["F one", "P two, ", "F in parts", "F ", "F three"], 30
    )
    for name in ("a", "b"):
        write(folder, f"kube-system_coredns-{name}_{name}{name}", "coredns", 0, [f"F from {name}"], 5)
    return folder


def write(folder: Path, pod: str, container: str, attempt: int, lines: list[str], when: float) -> None:
    path = folder / pod / container / f"{attempt}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"2026-11-30T20:00:00.123456789+01:00 stderr {line}\n" for line in lines)
    path.write_text(text)
    os.utime(path, (when, when))


def ask(pods: Path, component: str, lines: int = 100, *, previous: bool = False):
    script = logs.question(component, lines=lines, previous=previous).replace(logs.PODS_DIR, str(pods))
    done = subprocess.run(["sh", "-eu"], input=script.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    return logs.answers(b"{}\n" + done.stdout)


def test_the_newest_container_of_a_pod_counts(pods):
    found, known = ask(pods, "etcd")
    assert [(log.source, log.lines) for log in found] == [
        ("kube-system_etcd-cp1", ["one", "two, in parts", "", "three"])
    ]
    assert known == ["coredns", "etcd"]


def test_the_one_before_it(pods):
    [log] = ask(pods, "etcd", previous=True)[0]
    assert log.lines == ["it fell"]


def test_the_last_lines_only(pods):
    [log] = ask(pods, "etcd", 2)[0]
    assert log.lines == ["", "three"]


def test_two_pods_of_a_name(pods):
    assert [(log.source, log.text) for log in ask(pods, "coredns")[0]] == [
        ("kube-system_coredns-a", "from a\n"),
        ("kube-system_coredns-b", "from b\n"),
    ]
    assert ask(pods, "coredns", previous=True)[0] == []


def test_what_is_not_there(pods, tmp_path):
    assert ask(pods, "kube-apiserver") == ([], ["coredns", "etcd"])
    assert ask(tmp_path / "none", "etcd") == ([], [])
    (tmp_path / "empty").mkdir()
    assert ask(tmp_path / "empty", "etcd")[0] == []


def test_a_unit_is_asked_of_the_journal(tmp_path):
    tool = tmp_path / "journalctl"
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o755)
    script = logs.question("kubelet", lines=7, previous=False)
    done = subprocess.run(
        ["sh", "-eu"],
        input=script.encode(),
        capture_output=True,
        check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    [log] = logs.answers(done.stdout)[0]
    assert (log.source, log.text.split()[:4]) == ("kubelet", ["--unit", "kubelet", "--lines", "7"])


def test_what_is_no_answer_is_passed_over():
    assert logs.answers(b"##kubeadm-py log x !!!\nnoise\n\xff\n") == ([], [])
