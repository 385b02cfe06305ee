"""A kube-proxy that began with an older configuration is started anew: real scripts, /proc is a folder."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.model.actions import RunScript, Wait
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.render import objects
from kubeadm_py.steps.kube_proxy import reads as proxy_reads

NOW = 1_000_000
"""Ticks, of 100 a second, at which the script runs."""


class Host:
    """A host's /proc, with a kube-proxy of process 7, and fakes that know it."""

    def __init__(self, folder: Path, actions: list) -> None:
        self.folder = folder
        self.wait, self.anew = actions
        self.files = folder / "proc/7/root/var/lib/kube-proxy"
        (folder / "bin").mkdir()
        for name, body in {
            "pgrep": "cat pid 2>/dev/null",
            "crictl": 'case $* in *" stop "*) echo "$*" >>stopped; echo 8 >pid ;; *) echo c0ffee ;; esac',
            "sleep": "exit 0",
        }.items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\ncd {folder}\n{body}\n")
            (folder / "bin" / name).chmod(0o755)
        self.awaited = folder / proxy_reads.AWAITED.lstrip("/")
        self.awaited.parent.mkdir(parents=True)
        self.awaited.touch()
        (folder / "proc/self").mkdir(parents=True)
        (folder / "proc/self/stat").write_text(self._stat(NOW))

    def begins(self, ago: float) -> None:
        """Have kube-proxy run since so many seconds."""
        self.files.mkdir(parents=True)
        (self.folder / "proc/7/stat").write_text(self._stat(NOW - int(ago * 100)))
        (self.folder / "pid").write_text("7\n")

    def brings(self, data: dict[str, str], ago: float) -> None:
        """Put files there as a kubelet does, so many seconds ago."""
        (self.files / "..1").mkdir()
        link = self.files / "..data"
        link.symlink_to("..1")
        for name, text in data.items():
            (self.files / "..1" / name).write_text(text)
            (self.files / name).symlink_to(f"..data/{name}")
        then = time.time() - ago
        os.utime(link, (then, then), follow_symlinks=False)

    def runs(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-euc", re.sub("/(?=proc/|run/kubeadm-py)", f"{self.folder}/", script)],
            env={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=20,
        )

    def asks(self) -> subprocess.CompletedProcess[str]:
        return self.runs(f"until_() {{\n{self.wait.until}\n}}\nuntil_")

    @property
    def stopped(self) -> bool:
        return (self.folder / "stopped").exists()

    @staticmethod
    def _stat(ticks: int) -> str:
        return f"7 (kube (-) proxy) S {' '.join(['0'] * 18)} {ticks} 0 0\n"


@pytest.fixture
def data(control_plane) -> dict[str, str]:
    return objects.kube_proxy_config_map(control_plane.cluster)["data"]


@pytest.fixture
def host(tmp_path, control_plane) -> Host:
    return Host(tmp_path, proxy_reads.plan(control_plane))


def test_what_is_planned(host):
    assert (type(host.wait), type(host.anew)) == (Wait, RunScript)


def test_files_that_are_not_the_cluster_s_are_waited_for(host, data):
    host.begins(ago=5)
    host.brings(data | {"config.conf": data["config.conf"] + "\nmode: old"}, ago=6)
    answer = host.asks()
    assert answer.returncode == 1
    assert answer.stdout == "the kubelet has not brought kube-proxy its new configuration yet (config.conf)\n"


def test_the_right_files_are_waited_for_no_longer(host, data):
    host.begins(ago=5)
    host.brings(data, ago=1)
    assert host.asks().returncode == 0


def test_one_that_began_behind_its_files_goes_on(host, data):
    host.begins(ago=5)
    host.brings(data, ago=6)
    assert host.runs(host.anew.script).stdout == "unchanged\n"
    assert not host.stopped
    assert not host.awaited.exists()


def test_one_that_began_before_its_files_came_is_started_anew(host, data):
    host.begins(ago=5)
    host.brings(data, ago=4)
    answer = host.runs(host.anew.script)
    assert answer.returncode == 0, answer.stderr
    assert "unchanged" not in answer.stdout
    assert "stop --timeout 30 c0ffee" in (host.folder / "stopped").read_text()
    assert not host.awaited.exists()


def test_one_that_does_not_come_back_is_said(host, data):
    host.begins(ago=5)
    host.brings(data, ago=4)
    crictl = host.folder / "bin/crictl"
    crictl.write_text(crictl.read_text().replace("echo 8 >pid", "rm -f pid"))
    answer = host.runs(host.anew.script)
    assert answer.returncode == 1
    assert answer.stderr.startswith("the kubelet has not started kube-proxy again within 60 s; look: ")
    assert host.awaited.exists(), "the next run looks again"


def test_where_none_runs_or_it_is_set_up_in_another_way_nothing_is_done(host):
    assert host.asks().returncode == 0
    assert host.runs(host.anew.script).stdout == "unchanged\n"
    host.begins(ago=5)
    assert host.asks().returncode == 0
    assert host.runs(host.anew.script).stdout == "unchanged\n"


def test_words_of_a_hand_that_say_the_same_are_what_the_kubelet_brings(tmp_path, control_plane, data):
    found = {**data, "config.conf": data["config.conf"] + "\n"}
    there = {"ConfigMap kube-system/kube-proxy": {"kind": "ConfigMap", "data": found}}
    host = Host(tmp_path, proxy_reads.plan(replace(control_plane, live=LiveObjects(there))))
    host.begins(ago=5)
    host.brings(found, ago=6)
    assert host.asks().returncode == 0


def test_what_the_run_has_applied_is_what_the_kubelet_brings(tmp_path, control_plane, data):
    name = "ConfigMap kube-system/kube-proxy"
    there = {name: {"kind": "ConfigMap", "data": {**data, "config.conf": "mode: old"}}}
    host = Host(
        tmp_path, proxy_reads.plan(replace(control_plane, live=LiveObjects(there, merged={name: {}})))
    )
    host.begins(ago=5)
    host.brings(data, ago=6)
    assert host.asks().returncode == 0
