"""`plan` beside recorded output: the hosts are saved answers of real machines behind SSH servers on loopback.

After a wanted change of what it says: KPY_RECORD=1 pytest tests/cli/test_plan.py, and read the difference.
"""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"
SAVED = Path(__file__).parents[1] / "unit" / "steps" / "prepare" / "cases" / "lab-bare.probe"
CLUSTER = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {{name: demo}}
spec:
  ssh: {{user: {user}, port: {port}, identityFile: {key}, sudo: false}}
  hosts:
  - {{name: cp1, role: control-plane, address: {address}, ssh: {{host: 127.0.0.1}}}}
  artifacts: {{source: official}}
  addons: [flannel]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {{ignorePreflightErrors: [SystemVerification]}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
networking: {{serviceSubnet: 10.200.0.0/16}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: {cgroup}
"""
# The bootstrap reads a script of ours with `head`: this one hands it one that prints a saved answer instead.
_HEAD = """#!/bin/sh
script=$(/usr/bin/head "$@")
case $script in
  *kubeadm_py_probe*) echo 'cat {answer}'; printf '%s\\n' "$script" | tail -n 1 ;;
  *) printf '%s\\n' "$script" ;;
esac
"""
CASES = {
    "bare": (4, {"address": "10.99.0.22", "cgroup": "false"}),
    "refused": (3, {"address": "192.0.2.99", "cgroup": "false"}),
}
"""Case -> exit code, and what its config says."""
_MASKS = (
    (r"^\d\d:\d\d:\d\d ", "TIME "),
    (r"\d+(\.\d+)? ?s\b", "N s"),
    (r"\d+ min behind", "N min behind"),
    (r'"(time|seconds)": [0-9.]+', r'"\1": 0'),
    (r" +N s +N s$", " N s"),
    (r"[0-9a-f]{64}", "SHA256"),
)


def masked(text: str, folder: Path) -> str:
    """Return a text without what differs from run to run: clocks, durations, folders."""
    text = text.replace(str(folder), "FOLDER")
    for pattern, instead in _MASKS:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text


@pytest.fixture
def config(server, known, keys, write, tmp_path) -> Callable[..., Path]:
    """Return a function that writes a cluster whose host is a saved answer of a bare node."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "head").write_text(_HEAD.format(answer=SAVED))
    (tools / "head").chmod(0o755)
    server.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    known(server)

    def make(**values: str) -> Path:
        whole = {"user": getpass.getuser(), "port": server.port, "key": keys["client"], **values}
        return write("cluster.yaml", CLUSTER.format(**whole))

    return make


def recorded(name: str, text: str) -> str:
    """Return what was recorded under a name; with KPY_RECORD=1 record it."""
    path = RECORDED / name
    if os.environ.get("KPY_RECORD") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path.read_text()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_plan_says(case, form, config, kpy, tmp_path):
    code, values = CASES[case]
    ended = kpy("plan", "--config", config(**values), "--format", form)
    said = masked(ended.text, tmp_path)
    assert said == recorded(f"plan-{case}.{form}", said)
    assert ended.code == code
    if form == "json":
        assert json.loads(ended.out.splitlines()[-1])["exit_code"] == code
