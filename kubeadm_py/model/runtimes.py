"""Name the container runtimes that a host may have: the one table of them."""

from __future__ import annotations

from dataclasses import dataclass

from kubeadm_py.model import paths


@dataclass(frozen=True, slots=True)
class Runtime:
    """Describe a runtime: where it listens, its unit, and the program whose version tells its own."""

    name: str
    socket: str
    unit: str
    program: str


CONTAINERD = Runtime("containerd", paths.CONTAINERD_SOCKET, "containerd.service", "containerd")
CRIO = Runtime("CRI-O", paths.CRIO_SOCKET, "crio.service", "crio")
CRI_DOCKERD = Runtime("cri-dockerd", paths.CRI_DOCKERD_SOCKET, "cri-docker.service", "cri-dockerd")
RUNTIMES = (CONTAINERD, CRIO, CRI_DOCKERD)

DOCKER_UNIT = "docker.service"
OTHER_COMMANDS = {
    "docker": "docker ps, logs, exec and images become crictl ps, logs, exec and images",
    "rkt": "rkt list and enter become crictl ps and exec, rkt image list becomes crictl images",
}
"""Programs of runtimes that no kubelet uses itself -> what their users type instead."""


def of_socket(socket: str) -> Runtime | None:
    """Return the runtime behind a CRI socket by the name of its file; None for one that is not known."""
    name = socket.rpartition("/")[2]
    return next((each for each in RUNTIMES if each.socket.endswith(f"/{name}")), None)
