"""Words of a config or an add-on stay words in the shell text that reaches a host."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kubeadm_py.model.actions import RunScript, Wait
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Arg
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.kubelet import finalize as kubelet_finalize
from kubeadm_py.steps.nodes import leave
from kubeadm_py.steps.nodes import waits as node_waits
from kubeadm_py.steps.nodes.waits import Workload
from kubeadm_py.steps.prepare import runtime

NODE = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.0.0.11")
HOSTILE = ["; touch {0}; :", "$(touch {0})", "`touch {0}`", "' ; touch {0}; '", '"; touch {0}; "']


def context(node: Node) -> StepContext:
    cluster = ResolvedCluster("demo", Version.parse("v1.36.3"), (node,))
    return StepContext(cluster, node, HostFacts(), "init", datetime(2026, 1, 1, tzinfo=UTC))


def scripts(word: str) -> list[str]:
    """Return the shell text of every step that takes such a word."""
    in_socket = replace(NODE, cri_socket=f"unix:///run/{word}/containerd.sock")
    in_flag = replace(NODE, kubelet_extra_args=(Arg("cert-dir", f"/var/{word}"),))
    wait = node_waits.workloads_ready(
        "t", [Workload("DaemonSet", word, "x")], "/etc/x", "https://x", timedelta(seconds=1)
    )
    finalize = [a.script for a in kubelet_finalize.plan(context(in_flag)) if isinstance(a, RunScript)]
    assert finalize
    texts: list[str] = [*finalize, f"kpy_last() {{ :; }}\n{wait.diagnose}"]
    forget = leave.forget_itself(word, f"/etc/{word}", timedelta(seconds=1))
    assert isinstance(forget, RunScript)
    # Where the Node cannot be deleted, a person is told its name.
    texts.append(f"kpy_warn() {{ :; }}\n{forget.script}")
    drain = leave.drain(word, "https://x", timedelta(seconds=1), force=False)
    assert isinstance(drain, RunScript)
    texts.append(drain.script)
    for each in (runtime.ready(context(in_socket)),):
        assert isinstance(each, Wait)
        texts += [each.until, each.diagnose]
    return texts


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_a_word_is_run(tmp_path: Path, hostile: str) -> None:
    touched = tmp_path / "touched"
    for text in scripts(hostile.format(touched)):
        # Every other command fails at once: what is asked here is what the shell makes of the words.
        subprocess.run(
            ["/bin/sh", "-c", text],
            env={"PATH": str(_only_touch(tmp_path)), "INPUT": "/dev/null"},
            capture_output=True,
            check=False,
            timeout=20,
        )
        assert not touched.exists(), text


def _only_touch(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    if not (folder / "touch").exists():
        (folder / "touch").symlink_to("/usr/bin/touch")
    return folder
