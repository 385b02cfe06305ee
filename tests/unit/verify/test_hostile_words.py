"""What a config, or the cluster's own answers, say stays a word in the scripts that verify runs as root."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.verify import network, survey

NODE = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.0.0.11")


@pytest.mark.parametrize("hostile", ["; touch {0}; :", "$(touch {0})", "' ; touch {0}; '", '"; touch {0}; "'])
def test_nothing_in_a_word_is_run(tmp_path: Path, hostile: str) -> None:
    touched, tools = tmp_path / "touched", tmp_path / "bin"
    tools.mkdir()
    (tools / "touch").symlink_to("/usr/bin/touch")
    word = hostile.format(touched)
    cluster = ResolvedCluster(
        "demo",
        Version.parse("v1.36.3"),
        (NODE,),
        certificates_dir=f"/etc/{word}",
        ca_cert_path=f"/etc/{word}/ca.crt",
    )
    source = network.Server("echo-1", "cp1", "10.244.0.2")
    probe = network.Probe("node-port-tcp", source, f"10.0.0.11{word}", 30000, "http", 1, "x")
    # mktemp is not there: what follows it is what counts.
    surveyed = survey.script(cluster, NODE).replace("|| exit 1", "|| :")
    for text in (surveyed, network._dial(0, probe) + "\nwait"):
        subprocess.run(
            ["/bin/sh", "-c", text], env={"PATH": str(tools)}, cwd=tmp_path, capture_output=True, check=False
        )
        assert not touched.exists()
