"""The suite as testinfra's own users run it: `pytest --hosts=... --ssh-config=...`, over the real plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SUITE = ("-p", "kubeadm_py.verify.plugin", "--pyargs", "kubeadm_py.verify.suite", "-p", "no:cacheprovider")
SSH = r"""#!/bin/sh
# What ssh is asked, and the answers that the hosts would give.
printf '%s\n' "$*" | head -n 1 >>"$ANSWERS/asked"
for host in cp1 w1 nobody; do
  case " $* " in *" $host "*) break ;; esac
done
case $*-$host in
  *-nobody) echo 'ssh: connect to host nobody port 22: Connection refused' >&2; exit 255 ;;
  *'ip -o addr'*) cat "$ANSWERS/$host.addresses" ;;
  *'get nodes -o json'*) cat "$ANSWERS/cluster" ;;
  *'survey of the host'*) cat "$ANSWERS/$host.survey" ;;
  *) echo "what is asked is not known here" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def answers(fake, tmp_path: Path) -> Path:
    folder = tmp_path / "answers"
    folder.mkdir()
    for name, survey in fake.surveys.items():
        (folder / f"{name}.survey").write_text(survey.text)
    (folder / "cp1.addresses").write_text("127.0.0.1/8\n10.99.0.11/24\nyes\n")
    (folder / "w1.addresses").write_text("10.99.0.21/24\n")
    config = {"networking": {"podSubnet": "10.244.0.0/16"}, "kubernetesVersion": "v1.36.3"}
    nodes = json.dumps({"items": list(fake.nodes.values())})
    (folder / "cluster").write_text(f"{nodes}\n--- kubeadm-config ---\n{yaml.safe_dump(config)}")
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    return folder


@pytest.fixture
def run(answers: Path, tmp_path: Path):
    def pytest_(*arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-m", "pytest", *SUITE, "-q", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, "ANSWERS": str(answers)},
            cwd=tmp_path,
            timeout=60,
            check=False,
        )

    return pytest_


def test_with_what_vagrant_ssh_config_prints(run, answers, tmp_path):
    ssh_config = tmp_path / "ssh-config"
    ssh_config.write_text("Host cp1\n  HostName 127.0.0.1\n")
    hosts = "--hosts=ssh://cp1,ssh://w1"
    report = tmp_path / "report.xml"
    done = run(hosts, f"--ssh-config={ssh_config}", "--sudo", "--level=hosts", f"--junitxml={report}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_units[cp1]" in report.read_text().replace('name="', "").replace('"', " ")
    asked = (answers / "asked").read_text().splitlines()
    assert all(line.startswith(f"-F {ssh_config} ") and " sudo " in line for line in asked)
    # Two looks, the cluster, and one survey of each host.
    assert len(asked) == 5

    survey = answers / "w1.survey"
    survey.write_text(survey.read_text().replace("config.yaml\t644", "config.yaml\t666"))
    done = run(hosts, f"--ssh-config={ssh_config}", "--sudo", "--level=hosts")
    assert done.returncode == 1
    assert "/var/lib/kubelet/config.yaml is 0666 root:root" in done.stdout
    (failed,) = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert "test_files[w1]" in failed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the hosts: --hosts=ssh://cp1,ssh://w1"),
        (("--hosts=ssh://w1",), "none of the hosts has /etc/kubernetes/admin.conf"),
        (
            ("--hosts=ssh://cp1,ssh://nobody",),
            "nobody cannot be reached: ssh: connect to host nobody port 22:",
        ),
        (("--hosts=gopher://cp1",), "gopher"),
    ],
)
def test_hosts_that_cannot_be_meant_are_no_traceback(run, arguments, said):
    done = run(*arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
