"""Check the container runtime and its images."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from kubeadm_py.model import images, paths, runtimes, versions
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.versions import Version
from kubeadm_py.preflight.context import CONTROL_PLANES, EVERYWHERE, Check, CheckContext, Hit


def cri(ctx: CheckContext) -> Iterator[Hit]:
    """Look for the runtime's socket and for its own account of itself."""
    socket = ctx.node.cri_socket
    if not _same_socket(socket, ctx.facts.cri_sockets):
        known = f"; there is {', '.join(ctx.facts.cri_sockets)}" if ctx.facts.cri_sockets else ""
        yield Hit(
            f"there is no socket {socket}{known}",
            "start the container runtime, or name its socket in nodeRegistration.criSocket",
        )
    elif ctx.facts.cri_ready is False:
        yield Hit(
            f"the container runtime is not ready: {ctx.facts.cri_message or 'it gives no reason'}",
            f"journalctl -u {_unit(socket)} -n 50 on the host says more",
        )


def masked(ctx: CheckContext) -> Iterator[Hit]:
    """Look for units that are to run and that somebody has forbidden systemd to start."""
    runtime = runtimes.of_socket(ctx.node.cri_socket)
    for name in (*([runtime.unit] if runtime else []), posixpath.basename(paths.KUBELET_UNIT)):
        unit = ctx.facts.units.get(name)
        if unit is not None and unit.load_state == "masked":
            yield Hit(
                f"{name} is masked: systemd does not start it, whoever asks",
                f"systemctl unmask {name} on the host, once whoever masked it agrees",
            )


def _unit(socket: str) -> str:
    runtime = runtimes.of_socket(socket)
    return runtime.unit.removesuffix(".service") if runtime else "UNIT"


def _same_socket(socket: str, found: tuple[str, ...]) -> bool:
    """Compare endpoints; /var/run is /run."""
    short = {one.replace("/var/run/", "/run/") for one in found}
    return socket.replace("/var/run/", "/run/") in short


def container_runtime_version(ctx: CheckContext) -> Iterator[Hit]:
    """Look at containerd's version: older ones do not tell the kubelet their cgroup driver."""
    text = ctx.facts.binary_versions.get("containerd", "")
    if "containerd" in ctx.node.cri_socket and text:
        since = versions.CONTAINERD_RUNTIME_CONFIG_SINCE
        if Version.parse(text) < since:
            yield Hit(
                f"containerd is {text}; kubelets will soon need {since}, which tells its cgroup driver",
                "upgrade containerd before Kubernetes 1.38",
            )


def sandbox_image(ctx: CheckContext) -> Iterator[Hit]:
    """Compare the runtime's pause image with the cluster's."""
    found, wanted = ctx.facts.cri_sandbox_image, images.pause_image(ctx.cluster)
    if found and found != wanted:
        yield Hit(
            f"the runtime starts pods with {found}, the cluster's image is {wanted}",
            f"set the sandbox image in {paths.CONTAINERD_CONFIG}: two of them need two pulls and two mirrors",
        )


def image_pull(ctx: CheckContext) -> Iterator[Hit]:
    """Look for the images of a control plane where nobody can pull them later."""
    if not ctx.facts.images_known:
        return
    held = {image.reference.removeprefix("docker.io/") for image in ctx.facts.images}
    wanted = images.control_plane_images(ctx.cluster)
    missing = [image for image in wanted if image.removeprefix("docker.io/") not in held]
    if not missing:
        return
    never = ctx.node.image_pull_policy == "Never"
    if never or ctx.cluster.artifacts is ArtifactSource.BUNDLE:
        why = "imagePullPolicy is Never" if never else "the bundle is the only source"
        yield Hit(
            f"not on the host, and {why}: {', '.join(missing)}", "add them to the bundle, or import them"
        )
    else:
        yield Hit(
            f"not on the host yet: {', '.join(missing)}",
            "the kubelet will pull them; that the registry answers is not checked",
            severity=Severity.WARNING,
        )


CHECKS = (
    Check(
        "MaskedUnits",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The units of the container runtime and of the kubelet are not masked.",
        masked,
        tested="node",
        kubeadm=False,
    ),
    Check(
        "CRI",
        Severity.ERROR,
        Gate.PREPARED,
        EVERYWHERE,
        "The container runtime answers on its socket and is ready.",
        cri,
        tested="node",
    ),
    Check(
        "ContainerRuntimeVersion",
        Severity.WARNING,
        Gate.PREPARED,
        EVERYWHERE,
        "The container runtime tells the kubelet its cgroup driver (containerd 2.0 and newer).",
        container_runtime_version,
    ),
    Check(
        "SandboxImage",
        Severity.WARNING,
        Gate.PREPARED,
        EVERYWHERE,
        "The runtime's pause image is the cluster's.",
        sandbox_image,
        kubeadm=False,
    ),
    Check(
        "ImagePull",
        Severity.ERROR,
        Gate.PREPARED,
        CONTROL_PLANES,
        "The images of a control plane are on the host, or can be pulled.",
        image_pull,
        tested="node",
    ),
)
