"""Hosts without a way out: a cluster from its own bundle, and one from a mirror and a private registry."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from lab import nodes, topology

from kubeadm_py.artifacts import bundle, official
from kubeadm_py.config.load import load
from kubeadm_py.model import paths
from kubeadm_py.plan.artifacts import bundles

from . import debs, registries
from .conftest import LAB

pytestmark = pytest.mark.long
WITHIN = 900.0
LOGIN = "puller:hunter2"
PORT = 5443
PROXY = "registry.k8s.io/kube-proxy:v1.36.3"
KNOWN = ", ".join(("127.0.0.0/8", topology.NETWORKS[LAB], topology.POD_SUBNET, topology.SERVICE_SUBNET))
CUT = f"""\
ip route del default 2>/dev/null || :
nft -f - <<'RULES'
table inet way-out {{
  chain output {{
    type filter hook output priority 0;
    ip daddr {{ {KNOWN} }} accept
    meta nfproto ipv4 counter drop
  }}
}}
RULES
"""
MEND = f"""\
nft delete table inet way-out
ip route add default via {topology.gateway(LAB)}
"""
RECEIVED = "cat /sys/class/net/eth0/statistics/rx_bytes"
INCOMING = f"stat -c %s {paths.INCOMING_BLOBS}/* 2>/dev/null || :"


def shell(node, script: str) -> str:
    return nodes.exec(node, ["sh", "-c", script]).stdout.strip()


@pytest.fixture
def pair(fleet):
    """A control plane and a worker with nothing of ours on them, and no way out."""
    fleet.bare(artifacts=False)
    two = [fleet.node("cp1"), fleet.node("w1")]
    for node in two:
        shell(node, CUT)
    yield two
    for node in two:
        shell(node, MEND)
    fleet.bare(artifacts=False)


def of_two(documents) -> dict:
    spec = documents["Cluster"]["spec"]
    spec["hosts"] = [host for host in spec["hosts"] if host["name"] in ("cp1", "w1")]
    return spec


def received(node) -> int:
    return int(shell(node, RECEIVED))


def cut_off(cli, config, node) -> int:
    """Run apply, and kill it while it sends; return what lies on the node then."""
    run = cli.start("apply", "--config", config)
    deadline = time.monotonic() + WITHIN
    while not (sizes := shell(node, INCOMING).split()) or sum(map(int, sizes)) < 20 << 20:
        assert run.process.poll() is None, str(run.end())
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.signal(signal.SIGKILL)
    run.end()
    time.sleep(2)
    return sum(map(int, shell(node, INCOMING).split()))


def test_a_cluster_comes_from_its_own_bundle(cli, fleet, pair, tmp_path):
    key, public = tmp_path / "bundle.key", tmp_path / "bundle.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, umask=0o077)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)

    def edit(documents):
        tar = {"source": "bundle", "path": str(tmp_path / "demo.tar"), "publicKey": str(public)}
        of_two(documents)["artifacts"] = tar

    config = fleet.variant("bundled", edit)
    made = ["bundle", "create", "--config", config, "--from", fleet.lab.bundle, "--sign-key", key, "--output"]
    cli.run(*made, tmp_path / "demo.tar", within=WITHIN)
    cli.run(*made, tmp_path / "again.tar", within=WITHIN)
    assert (tmp_path / "demo.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()
    (tmp_path / "again.tar").unlink()
    cli.run("bundle", "verify", "--config", config, within=WITHIN)

    _, w1 = pair
    before = received(w1)
    there = cut_off(cli, config, w1)
    assert there > 0
    sent = received(w1) - before
    cli.run("apply", "--config", config, within=WITHIN)
    fleet.runs(config)
    whole = bundle.read(tmp_path / "demo.tar", cli.home / ".cache/kubeadm-py")
    needed = sum(file.size for name, file in whole.files.items() if "etcd" not in name)
    assert received(w1) - before - sent < needed - there + (30 << 20)

    # The worker has what its role needs, and nobody pulled.
    on_worker = shell(w1, "ctr -n k8s.io images ls -q")
    assert "kube-proxy" in on_worker
    assert "/etcd:" not in on_worker
    assert "kube-apiserver" not in on_worker
    for node in pair:
        assert shell(node, "journalctl -u containerd | grep -c 'PullImage' || :") == "0"
        assert shell(node, INCOMING) == ""
    cli.run("verify", "--config", config, within=WITHIN)
    assert cli.run("apply", "--config", config, "--format", "json").report["changed"] == 0

    # One image is lost: it alone comes again, without the layers that others have.
    image = next(name for name in on_worker.splitlines() if "agnhost" in name)
    shell(w1, f"ctr -n k8s.io images rm --sync {image}")
    again = cli.run("apply", "--config", config, "--format", "json")
    titles = [event["title"] for event in again.events if event["type"] == "action-done"]
    assert titles.count("import 1 image") == 1
    assert image in shell(w1, "ctr -n k8s.io images ls -q")


def from_elsewhere(source: str, url: str, registry: str, folder: Path):
    """Return what makes a config of two hosts take binaries from a mirror and images from a registry."""
    (folder / "login").write_text(LOGIN)
    (folder / "login").chmod(0o600)

    def edit(documents):
        spec = of_two(documents)
        spec["artifacts"] = {"source": source, "path": url}
        spec["registries"] = {
            registry: {"caFile": str(folder / "ca.crt"), "credentialsFile": str(folder / "login")},
            **{
                each: {"mirrors": [f"{registry}/all"]} for each in ("registry.k8s.io", "ghcr.io", "docker.io")
            },
        }

    return edit


def relay(node, here: str, there: str) -> None:
    """Let what listens on this machine's loopback be reached under the same URL on a node."""
    listen, to = (each.removeprefix("http://").rpartition(":") for each in (here, there))
    words = f"TCP-LISTEN:{listen[2]},fork,reuseaddr,bind=127.0.0.1 TCP:{to[0]}:{to[2]}"
    shell(node, f"systemd-run --quiet --unit=mirror-relay --collect socat {words}")


def test_kubernetes_comes_as_packages_from_its_own_repository(cli, fleet, pair, tmp_path):
    """By the node's own apt; what there are no packages of from a mirror, images from a registry."""
    name = f"{topology.gateway(LAB)}:{PORT}"
    files = tmp_path / "files"
    fields = "${Package} ${db:Status-Abbrev}${Version}\\n"
    status = f"dpkg-query -W -f '{fields}' cri-tools kubectl kubelet kubernetes-cni"

    files.mkdir()
    with (
        registries.mirror(files) as url,
        registries.mirror(files, topology.gateway(LAB)) as outside,
        registries.registry(tmp_path, topology.gateway(LAB), PORT, LOGIN, tls=True),
    ):
        config = fleet.variant("packaged", from_elsewhere("packages", url, name, tmp_path))
        cluster = load(str(config)).cluster
        lab_bundle = bundle.read(fleet.lab.bundle)
        registries.publish(
            lab_bundle.view(),
            bundles.wanted(cluster, ["amd64"]).binaries,
            official.component_versions(cluster.kubernetes_version),
            files,
        )
        debs.publish(lab_bundle.view(), cluster.kubernetes_version, "amd64", files)
        cli.run(
            "bundle", "push", fleet.lab.bundle, "--config", config, "--registry", f"{name}/all", within=WITHIN
        )
        for node in pair:
            relay(node, url, outside)
        cli.run("apply", "--config", config, within=WITHIN)
        fleet.runs(config)
        for node in pair:
            assert shell(node, status).splitlines() == [
                "cri-tools hi 1.9.1-1.1",
                "kubectl hi 1.36.3-1.1",
                "kubelet hi 1.36.3-1.1",
                "kubernetes-cni hi 1.9.1-1.1",
            ]
            assert shell(node, "command -v kubelet") == "/usr/bin/kubelet"
            drop_in = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
            assert shell(node, f"systemctl cat kubelet | grep -c '^# {drop_in}'") == "1"
        assert "nothing changed" in cli.run("apply", "--config", config).out
        cli.run("verify", "--config", config, within=WITHIN)

        cli.run("reset", "--config", config, "--yes", within=WITHIN)
        for node in pair:
            assert shell(node, f"{status} 2>/dev/null || :") == ""
            assert shell(node, "apt-mark showhold; ls /etc/apt/sources.list.d") == ""
            shell(node, "systemctl stop mirror-relay")


def test_a_cluster_comes_from_a_mirror_and_a_registry_with_a_password(cli, fleet, pair, tmp_path):
    """Binaries from a server laid out as the official ones, images from a registry with a CA of its own."""
    name = f"{topology.gateway(LAB)}:{PORT}"
    files = tmp_path / "files"

    with (
        registries.mirror(files) as url,
        registries.registry(tmp_path, topology.gateway(LAB), PORT, LOGIN, tls=True),
    ):
        config = fleet.variant("mirrored", from_elsewhere("official", url, name, tmp_path))
        cluster = load(str(config)).cluster
        wanted = bundles.wanted(cluster, ["amd64"])
        lab_bundle = bundle.read(fleet.lab.bundle)
        versions = official.component_versions(cluster.kubernetes_version)
        registries.publish(lab_bundle.view(), wanted.binaries, versions, files)
        pushed = cli.run(
            "bundle", "push", fleet.lab.bundle, "--config", config, "--registry", f"{name}/all", within=WITHIN
        )
        assert "hunter2" not in pushed.text
        assert f"registry.k8s.io: {{mirrors: [{name}/all]}}" in pushed.out
        again = cli.run("bundle", "push", fleet.lab.bundle, "--config", config, "--registry", f"{name}/all")
        assert " 0 blobs" in again.out

        applied = cli.run("apply", "--config", config, "-v", "5", within=WITHIN)
        fleet.runs(config)
        assert "hunter2" not in applied.text
        pins = yaml.safe_load(config.with_suffix(".lock.yaml").read_text())["pins"]
        assert "https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet" in pins
        # What the tags came to is pinned, by the digests that were pushed.
        pinned = {
            name.removeprefix("oci://"): f"sha256:{sha}" for name, sha in pins.items() if "oci://" in name
        }
        assert pinned == {each: lab_bundle.images["amd64"][each] for each in pinned}
        assert {PROXY, "registry.k8s.io/pause:3.10.2", "registry.k8s.io/coredns/coredns:v1.14.2"} <= set(
            pinned
        )
        for node in pair:
            assert int(shell(node, "journalctl -u containerd | grep -c 'PullImage' || :")) > 0
            modes = shell(node, "stat -c '%a %n' /etc/containerd/certs.d/*/hosts.toml").splitlines()
            assert {line.split()[0] for line in modes} == {"600"}
        cli.run("verify", "--config", config, within=WITHIN)

        # A tag that leads elsewhere than it did at first is not run.
        _, w1 = pair
        lock = config.with_suffix(".lock.yaml")
        kept = lock.read_text()
        lock.write_text(kept.replace(pinned[PROXY].removeprefix("sha256:"), "f" * 64))
        shell(w1, f"ctr -n k8s.io images rm --sync {PROXY}")
        refused = cli.run("apply", "--config", config, code=1)
        assert f"{PROXY} is {pinned[PROXY]} in its registry; the lock file pins sha256:fff" in refused.text
        assert PROXY not in shell(w1, "ctr -n k8s.io images ls -q").splitlines()
        lock.write_text(kept)
        cli.run("apply", "--config", config, within=WITHIN)
        assert PROXY in shell(w1, "ctr -n k8s.io images ls -q").splitlines()
        assert lock.read_text() == kept

        # The same bundle comes out of the mirror and the registry as went in.
        made = cli.run("bundle", "create", "--config", config, "--output", tmp_path / "made", within=WITHIN)
        assert "hunter2" not in made.text
        cli.run("bundle", "verify", tmp_path / "made", "--config", config, within=WITHIN)
        held = bundle.read(tmp_path / "made").images["amd64"]
        assert held == {each: lab_bundle.images["amd64"][each] for each in held}
