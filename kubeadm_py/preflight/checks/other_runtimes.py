"""Check hosts on which pods run in another runtime than ours, or that have one which runs no pods."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model import runtimes
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.versions import Version
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit


def other_runtime(ctx: CheckContext) -> Iterator[Hit]:
    """Look for Docker and rkt, which no kubelet uses: who works with them should know what comes instead."""
    chosen = runtimes.of_socket(ctx.node.cri_socket)
    name = chosen.name if chosen else ctx.node.cri_socket
    docker = ctx.facts.units.get(runtimes.DOCKER_UNIT)
    there = docker is not None and docker.load_state == "loaded"
    if chosen is not runtimes.CRI_DOCKERD and ("docker" in ctx.facts.executables or there):
        running = docker is not None and docker.active_state == "active"
        yield Hit(
            f"Docker is here{' and runs' if running else ''}; pods will run in {name}, and Docker's own "
            "containers stay where they are",
            f"{runtimes.OTHER_COMMANDS['docker']}; to have pods in Docker, install cri-dockerd and set "
            f"nodeRegistration.criSocket: {runtimes.CRI_DOCKERD.socket}",
        )
    if "rkt" in ctx.facts.executables:
        yield Hit(
            f"rkt is here, which nobody maintains and no Kubernetes uses any more; pods will run in {name}",
            f"{runtimes.OTHER_COMMANDS['rkt']}; its pods stay until somebody removes them: rkt gc",
        )


def cri_dockerd(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether both halves of Docker's way are there."""
    if runtimes.of_socket(ctx.node.cri_socket) is not runtimes.CRI_DOCKERD:
        return
    docker = ctx.facts.units.get(runtimes.DOCKER_UNIT)
    if "docker" not in ctx.facts.executables or docker is None or docker.active_state != "active":
        yield Hit("criSocket is cri-dockerd's, and Docker does not run", "systemctl enable --now docker")
    if runtimes.CRI_DOCKERD.program not in ctx.facts.executables:
        yield Hit(
            "criSocket is cri-dockerd's, and cri-dockerd is not installed",
            "install it (github.com/Mirantis/cri-dockerd), or leave criSocket out and get containerd",
        )


def crio_version(ctx: CheckContext) -> Iterator[Hit]:
    """Compare CRI-O's minor version with the cluster's: it is made for one of them."""
    if runtimes.of_socket(ctx.node.cri_socket) is not runtimes.CRIO:
        return
    text, wanted = ctx.facts.binary_versions.get(runtimes.CRIO.program, ""), ctx.cluster.kubernetes_version
    if not text and runtimes.CRIO.program not in ctx.facts.executables:
        yield Hit(
            "criSocket is CRI-O's, and CRI-O is not installed",
            f"install cri-o {wanted.minor_text} (download.opensuse.org/repositories/isv:/cri-o:), or leave "
            "criSocket out and get containerd",
        )
    elif text and Version.parse(text).minor_text != wanted.minor_text:
        yield Hit(
            f"CRI-O is {text}, and Kubernetes {wanted.minor_text} wants CRI-O {wanted.minor_text}",
            f"install cri-o {wanted.minor_text}; its packages have a repository for each minor version",
        )


def runtime_images(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether what comes with a bundle can be brought to this runtime."""
    runtime = runtimes.of_socket(ctx.node.cri_socket)
    if ctx.cluster.artifacts is not ArtifactSource.BUNDLE or runtime is runtimes.CONTAINERD:
        return
    if not any(each.mirrors for each in ctx.cluster.registries.values()):
        name = runtime.name if runtime else ctx.node.cri_socket
        yield Hit(
            f"images of a bundle are imported into containerd only, and pods run in {name}",
            "push them to a registry (kubeadm-py bundle push) and name it: spec.registries.NAME.mirrors",
        )


CHECKS = (
    Check(
        "OtherRuntime",
        Severity.WARNING,
        Gate.HOST,
        EVERYWHERE,
        "Docker and rkt, where they are, are known not to run the pods.",
        other_runtime,
        kubeadm=False,
    ),
    Check(
        "CriDockerd",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "Docker runs, and cri-dockerd is installed, where criSocket is cri-dockerd's.",
        cri_dockerd,
        kubeadm=False,
    ),
    Check(
        "CrioVersion",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "CRI-O is installed in the cluster's minor version, where criSocket is its.",
        crio_version,
        kubeadm=False,
    ),
    Check(
        "RuntimeImages",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "Images of a bundle go into containerd; other runtimes have a registry.",
        runtime_images,
        kubeadm=False,
    ),
)
