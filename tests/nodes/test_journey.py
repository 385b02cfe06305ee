"""The journey of the README: init, join, verify, and a kubectl that works, from bare nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from lab import nodes
from lab.topology import Node

from .cli import Cli, Done
from .fleet import Cluster, Fleet

GOLDEN = Path(__file__).parents[1] / "golden" / "kubeadm" / "stacked" / "modes.txt"
JOIN = ("--host", "w1", "--host", "w2")


@dataclass(frozen=True)
class Journey:
    init: Done
    join: Done
    cluster: Cluster


@pytest.fixture(scope="module")
def journey(fleet: Fleet, cli: Cli) -> Journey:
    fleet.bare(artifacts=False)
    init = cli.run("init", "--config", fleet.config)
    join = cli.run("join", "--config", fleet.config, *JOIN)
    fleet.runs(fleet.config)
    return Journey(
        init, join, Cluster(fleet.config, fleet.control_plane, (fleet.node("w1"), fleet.node("w2")))
    )


def test_init_says_what_to_type_next(journey):
    assert "the control plane on cp1 is up" in journey.init.out
    assert f"kubeadm-py join --config {journey.cluster.config} --host w1 --host w2\n" in journey.init.out


def test_two_workers_join_at_once(journey):
    assert "w1, w2 joined the cluster and are Ready" in journey.join.out
    assert journey.cluster.node_names() == ["cp1", "w1", "w2"]


def test_the_token_of_a_join_is_gone_after_it(journey, cli):
    rows = cli.run("token", "list", "--config", journey.cluster.config).out.splitlines()
    # What stays is init's own, as with kubeadm.
    assert [row for row in rows if "kubeadm-py join" in row] == []


@pytest.mark.runs_addon("flannel", "local-path-storage")
def test_verify_is_green_up_to_workloads(journey, cli, tmp_path):
    report = tmp_path / "verify.json"
    config = journey.cluster.config
    done = cli.run("verify", "--config", config, "--level", "workloads", "--json", report, within=420)
    assert "checks passed on 3 hosts" in done.out
    results = json.loads(report.read_text())["results"]
    assert {result["level"] for result in results} == {"hosts", "cluster", "workloads"}
    left = journey.cluster.kubectl("get", "namespaces", "-o", "name").split()
    assert [name for name in left if "verify" in name] == []


def test_the_suite_runs_under_plain_pytest_as_the_readme_says(journey, fleet, tmp_path):
    config = tmp_path / "ssh-config"
    config.write_text(nodes.ssh_config(fleet.lab))
    hosts = ",".join(f"ssh://{node.name}" for node in fleet.lab.nodes)
    suite = ["-p", "kubeadm_py.verify.plugin", "--pyargs", "kubeadm_py.verify.suite", "--level", "cluster"]
    command = [sys.executable, "-m", "pytest", *suite, f"--hosts={hosts}", f"--ssh-config={config}", "--sudo"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout.splitlines()[-1]


def test_rerun_changes_nothing(journey, cli):
    before = {node.name: managed(node) for node in journey.cluster.nodes}
    init = cli.run("init", "--config", journey.cluster.config, "--format", "json")
    join = cli.run("join", "--config", journey.cluster.config, *JOIN, "--format", "json")
    assert (init.report["changed"], join.report["changed"]) == (0, 0)
    assert init.report["verdict"].endswith("nothing changed")
    assert join.report["verdict"] == "w1, w2 joined before: nothing changed"
    assert {node.name: managed(node) for node in journey.cluster.nodes} == before


def managed(node: Node) -> list[str]:
    """Return every file that we manage with its content and time, and the ids of all containers."""
    script = r"""
sed -n 's/^  "\(\/[^"]*\)": {$/\1/p' /var/lib/kubeadm-py/inventory.json |
  while read -r file; do [ ! -e "$file" ] || { stat -c '%a %U:%G %Y %n' "$file"; sha256sum "$file"; }; done
stat -c '%y %n' /var/lib/kubeadm-py/inventory.json
systemctl show -p ActiveEnterTimestamp kubelet containerd
crictl ps -q | sort
"""
    lines = nodes.exec(node, ["sh", "-c", script]).stdout.splitlines()
    assert len(lines) > 30, lines
    return lines


def test_files_are_as_kubeadm_makes_them(journey):
    script = (
        "find /etc/kubernetes /var/lib/kubelet/config.yaml /var/lib/kubelet/instance-config.yaml"
        " /var/lib/kubelet/kubeadm-flags.env -type f -printf '%m %u:%g %p\\n'"
    )
    found = nodes.exec(journey.cluster.control_plane, ["sh", "-c", script]).stdout.splitlines()
    assert sorted(found) == sorted(GOLDEN.read_text().splitlines())


def test_etcd_lists_the_keys_to_its_own_certificate_only(journey):
    ask = "etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt"
    certificate = "--cert /etc/kubernetes/pki/etcd/peer.crt --key /etc/kubernetes/pki/etcd/peer.key"
    keys = "get / --prefix --keys-only"
    node = journey.cluster.control_plane
    listed = nodes.exec(node, ["sh", "-c", f"{ask} {certificate} {keys}"]).stdout.split()
    assert "/registry/minions/w2" in listed
    refused = nodes.exec(node, ["sh", "-c", f"{ask} --command-timeout 3s {keys}"], check=False)
    assert refused.returncode != 0
    assert "/registry" not in refused.stdout


class TestKubeconfig:
    def test_path_gives_a_private_file_that_kubectl_takes(self, journey, cli, fleet):
        done = cli.run("kubeconfig", "get", "--config", journey.cluster.config, "--path")
        path = Path(done.out.strip())
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert "w2" in kubectl(fleet, cli, path, "get", "nodes")

    def test_merge_keeps_what_others_put_there(self, journey, cli, fleet, tmp_path):
        target = tmp_path / "config"
        target.write_text(FOREIGN)
        target.chmod(0o644)
        merging = ("kubeconfig", "get", "--config", journey.cluster.config, "--merge")
        cli.run(*merging, env={"KUBECONFIG": str(target)})
        assert target.stat().st_mode & 0o777 == 0o600
        merged = yaml.safe_load(target.read_text())
        foreign = yaml.safe_load(FOREIGN)
        for kind in ("clusters", "contexts", "users"):
            assert [entry for entry in merged[kind] if entry["name"] == foreign[kind][0]["name"]] == foreign[
                kind
            ]
        assert "# theirs" in target.read_text()
        (backup,) = tmp_path.glob("config.*.bak")
        assert backup.read_text() == FOREIGN
        assert backup.stat().st_mode & 0o777 == 0o600
        assert merged["current-context"] == "kubernetes-admin@lab-test"
        assert "w1" in kubectl(fleet, cli, target, "get", "nodes")
        # Once more changes nothing, and makes no second backup.
        before = target.stat().st_mtime_ns
        cli.run(*merging, env={"KUBECONFIG": str(target)})
        assert target.stat().st_mtime_ns == before
        assert len(list(tmp_path.glob("config.*.bak"))) == 1


def kubectl(fleet: Fleet, cli: Cli, kubeconfig: Path, *argv: str) -> str:
    """Run the bundle's kubectl on this machine, as the operator does."""
    bundle = fleet.lab.bundle
    if bundle is None:
        pytest.skip("kubectl of this machine comes from a bundle")
    (binary,) = bundle.glob("bin/*/kubectl/*/kubectl")
    return subprocess.run(
        [binary, "--request-timeout=20s", *argv],
        capture_output=True,
        text=True,
        env={**cli.environment(), "KUBECONFIG": str(kubeconfig)},
        timeout=60,
        check=True,
    ).stdout


FOREIGN = """\
apiVersion: v1
kind: Config
current-context: elsewhere
clusters:
- name: elsewhere
  cluster: {server: "https://192.0.2.1:6443"}
contexts:
- name: elsewhere  # theirs
  context: {cluster: elsewhere, user: someone, namespace: shop}
users:
- name: someone
  user: {token: not-a-real-one}
preferences: {}
"""
