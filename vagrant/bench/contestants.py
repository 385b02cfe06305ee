"""Run the two sides of the comparison: the product, and real kubeadm over plain ssh."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from lab import nodes
from lab.nodes import Lab
from lab.topology import Node

from bench.stopwatch import timed

_KUBEADM_KINDS = (
    "InitConfiguration",
    "ClusterConfiguration",
    "KubeletConfiguration",
    "KubeProxyConfiguration",
)
_KUBEADM_CONFIG = "/root/kubeadm.yaml"
_LEFTOVERS = (
    "rm -rf /var/lib/etcd /etc/cni/net.d/10-flannel.conflist /var/lib/cni /run/flannel; "
    "for link in cni0 flannel.1; do ip link delete $link 2>/dev/null || true; done"
)


def our_command(*arguments: str) -> list[str]:
    """Return the words that run kubeadm-py."""
    return [str(Path(sys.executable).with_name("kubeadm-py")), *arguments]


@dataclass(frozen=True)
class Ours:
    """The product, from the operator's side."""

    config: Path

    def run(self, *arguments: str) -> float:
        """Run kubeadm-py and return its seconds."""
        return timed(our_command(*arguments, "--config", str(self.config)))

    def init(self) -> float:
        """Bring up the control plane."""
        return self.run("init")

    def join(self, *hosts: str) -> float:
        """Join workers."""
        return self.run("join", *(f"--host={host}" for host in hosts))

    def reset(self, *hosts: str) -> None:
        """Take hosts back to prepared."""
        self.run("reset", "--yes", "--keep-artifacts", *(f"--host={host}" for host in hosts))


@dataclass(frozen=True)
class Kubeadm:
    """Real kubeadm, typed by an operator into ssh."""

    lab: Lab

    def install(self, binary: Path) -> None:
        """Put kubeadm and its config on all nodes."""
        documents = yaml.safe_load_all(self.lab.cluster_yaml.read_text(encoding="utf-8"))
        kept = [each for each in documents if each and each["kind"] in _KUBEADM_KINDS]
        text = yaml.safe_dump_all(kept)
        for node in self.lab.nodes:
            timed(["docker", "cp", str(binary), f"{node.container}:/usr/local/bin/kubeadm"])
            nodes.exec(node, ["sh", "-c", f"umask 077; cat >{_KUBEADM_CONFIG}"], stdin=text)

    def ssh(self, node: Node, command: str) -> float:
        """Run a command on a node as an operator does, and return its seconds."""
        ssh = self.lab.ssh
        options = ["-i", str(ssh.key), "-o", f"UserKnownHostsFile={ssh.known_hosts}", "-o", "BatchMode=yes"]
        return timed(["ssh", *options, f"{ssh.user}@{node.address}", command])

    def init(self) -> float:
        """Bring up the control plane with the same config."""
        return self.ssh(self.lab.node("cp1"), f"sudo kubeadm init --config {_KUBEADM_CONFIG}")

    def join(self, name: str, join_command: str) -> float:
        """Join a worker with a token that is there already."""
        return self.ssh(
            self.lab.node(name), f"sudo {join_command} --ignore-preflight-errors=SystemVerification"
        )

    def reset(self, *names: str, more: str = "") -> None:
        """Take hosts back to prepared, CNI's traces included, which kubeadm leaves."""
        for name in names:
            command = f"sudo kubeadm reset --force {more} && sudo sh -c '{_LEFTOVERS}'"
            self.ssh(self.lab.node(name), command)
