"""Copy what explains a failure out of the nodes, before they are gone."""

import subprocess
from pathlib import Path

from lab import nodes
from lab.topology import Node

_QUESTIONS = {
    "journal.txt": "journalctl --no-pager --output=short-precise",
    "units.txt": "systemctl --no-pager list-units --all; systemctl --no-pager --failed",
    "network.txt": "ip -details address; ip route show table all; bridge fdb show; ss -lntup",
    "sysctls.txt": "sysctl --all 2>/dev/null | grep -e ^net -e ^vm -e ^kernel.panic",
    "iptables.txt": "iptables-save; ip6tables-save; nft list ruleset",
    "containers.txt": "crictl pods; crictl ps --all; crictl images",
    "files.txt": "find /etc/kubernetes /etc/cni /var/lib/kubelet /var/lib/kubeadm-py -maxdepth 3 -ls",
    "mounts.txt": "df -h; mount",
    "inventory.json": "cat /var/lib/kubeadm-py/inventory.json",
}
"""File -> shell commands; each may fail, on a node that is not that far yet."""

_POD_LOGS = "cd /var/log/pods 2>/dev/null && tar --create --dereference --file=- . || true"
_WITHIN = 60.0


def collect(name: str, folder: Path) -> None:
    """Write a folder for each running node of a lab; a question without an answer costs only that file."""
    for node in nodes.running(name):
        target = folder / node.name
        target.mkdir(parents=True, exist_ok=True)
        for file, commands in _QUESTIONS.items():
            (target / file).write_bytes(_ask(node, f"{{ {commands}; }} 2>&1"))
        logs = _ask(node, _POD_LOGS)
        if logs:
            (target / "pods.tar").write_bytes(logs)


def _ask(node: Node, commands: str) -> bytes:
    argv = ["docker", "exec", node.container, "sh", "-c", commands]
    try:
        return subprocess.run(argv, capture_output=True, timeout=_WITHIN, check=False).stdout
    except subprocess.TimeoutExpired as error:
        return error.stdout or b""
