"""Make the images of a lab cluster, under the references and with the entry points of the upstream ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import paths
from lab.components import Component
from lab.oci import Entry, Layer, Layout, Settings
from lab.process import run

RECIPES = paths.VAGRANT / "images"

PAUSE = "3.10.2"
# Debian's busybox under the tag that add-ons and tests ask for.
BUSYBOX = "1.36"
AGNHOST = "2.63.0"
# The tags of the published images; inside are Debian's own packages.
HAPROXY = "3.2.22-alpine"
KEEPALIVED = "2.3.4"
# The tag that flannel's manifest names upstream; the plugin inside is the newest that Go modules offer.
FLANNEL_CNI_PLUGIN = "v1.9.1-flannel1"

_NOT_IN_IMAGES = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/bug/", "usr/sbin/runc")

_NOT_IN_BALANCERS = (
    *("usr/share/", "usr/bin/dpkg", "usr/bin/perl", "usr/include/", "var/", "bin/", "lib/systemd/"),
    *(
        f"usr/lib/{machine}-linux-gnu/{part}"
        for machine in ("x86_64", "aarch64")
        for part in ("perl", "gconv")
    ),
)
"""A node unpacks an image when its first container starts: what nothing runs there only takes time."""

_MAY_BIND_PORT_53 = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)
"""security.capability with cap_net_bind_service permitted and effective: CoreDNS does not run as root."""

_BUSYBOX_TOOLS_OF_BASE = ("cat", "cp", "grep", "ln", "ls", "mkdir", "mv", "rm", "sh", "sleep")


@dataclass(frozen=True)
class Parts:
    """What images are made of: the folder of a component's binaries, Debian's tools, and our own pause."""

    components: dict[str, Component]
    folder: Callable[[str], Path]
    debian: Path
    balancers: Mapping[str, Path]
    busybox: Path
    pause: Path

    def version(self, component: str) -> str:
        """Return the component's version as upstream tags it."""
        return self.components[component].version


def compile_pause(target: Path) -> Path:
    """Compile the program that holds a pod's namespaces."""
    version = f'-DVERSION="{PAUSE}"'
    run(["gcc", "-Os", "-Wall", "-Werror", "-static", "-s", version, "-o", target, RECIPES / "pause.c"])
    return target


def write(layout: Layout, parts: Parts) -> None:
    """Add every image that a lab cluster and its tests run."""
    _control_plane(layout, parts)
    _network(layout, parts)
    _balancers(layout, parts)
    _tools(layout, parts)


def _control_plane(layout: Layout, parts: Parts) -> None:
    kubernetes, version = parts.folder("kubernetes"), parts.version("kubernetes")
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        program = layout.layer([Entry(f"usr/local/bin/{name}", kubernetes / name)])
        layout.image(f"registry.k8s.io/{name}:{version}", [program], Settings([f"/usr/local/bin/{name}"]))

    etcd = parts.folder("etcd")
    programs = [Entry(f"usr/local/bin/{name}", etcd / name) for name in ("etcd", "etcdctl", "etcdutl")]
    tag = f"{parts.version('etcd').removeprefix('v')}-0"
    layout.image(f"registry.k8s.io/etcd:{tag}", [layout.layer(programs)], Settings(command=["etcd"]))

    coredns = [
        Entry("coredns", parts.folder("coredns") / "coredns", capabilities=_MAY_BIND_PORT_53),
        Entry("etc/passwd", b"nonroot:x:65532:65532::/:/sbin/nologin\n", mode=0o644),
    ]
    layout.image(
        f"registry.k8s.io/coredns/coredns:{parts.version('coredns')}",
        [layout.layer(coredns)],
        Settings(["/coredns"], user="65532:65532"),
    )
    layout.image(
        f"registry.k8s.io/pause:{PAUSE}",
        [layout.layer([Entry("pause", parts.pause)])],
        Settings(["/pause"], user="65535:65535"),
    )


def _network(layout: Layout, parts: Parts) -> None:
    base = _debian_base(layout, parts)
    proxy = layout.layer([Entry("usr/local/bin/kube-proxy", parts.folder("kubernetes") / "kube-proxy")])
    layout.image(
        f"registry.k8s.io/kube-proxy:{parts.version('kubernetes')}",
        [*base, proxy],
        Settings(["/usr/local/bin/kube-proxy"]),
    )
    flanneld = layout.layer([Entry("opt/bin/flanneld", parts.folder("flannel") / "flanneld")])
    layout.image(
        f"ghcr.io/flannel-io/flannel:{parts.version('flannel')}",
        [*base, flanneld],
        Settings(["/opt/bin/flanneld"]),
    )
    plugin = layout.layer([Entry("flannel", parts.folder("flannel-cni-plugin") / "flannel")])
    layout.image(
        f"ghcr.io/flannel-io/flannel-cni-plugin:{FLANNEL_CNI_PLUGIN}",
        [_busybox(layout, parts), plugin],
        Settings(command=["cp"]),
    )


def _balancers(layout: Layout, parts: Parts) -> None:
    """Add what answers at the API's endpoint; busybox gives keepalived's check a shell."""
    for name, reference in (
        ("haproxy", f"docker.io/library/haproxy:{HAPROXY}"),
        ("keepalived", f"docker.io/osixia/keepalived:{KEEPALIVED}"),
    ):
        with parts.balancers[name].open("rb") as tar:
            packages = layout.layer_from_tar(tar, leave_out=_NOT_IN_BALANCERS)
        layout.image(reference, [packages, _busybox(layout, parts)], Settings(command=[name]))


def _tools(layout: Layout, parts: Parts) -> None:
    busybox = _busybox(layout, parts)
    layout.image(f"docker.io/library/busybox:{BUSYBOX}", [busybox], Settings(command=["sh"]))

    name = "local-path-provisioner"
    provisioner = layout.layer([Entry(f"usr/bin/{name}", parts.folder(name) / name)])
    layout.image(f"docker.io/rancher/{name}:{parts.version(name)}", [provisioner], Settings(command=[name]))

    agnhost = layout.layer(
        [
            Entry("agnhost", parts.folder("kubernetes") / "agnhost"),
            Entry("usr/local/bin/agnhost", link="/agnhost"),
        ]
    )
    layout.image(
        f"registry.k8s.io/e2e-test-images/agnhost:{AGNHOST}",
        [busybox, agnhost],
        Settings(["/agnhost"], ["pause"]),
    )


def _debian_base(layout: Layout, parts: Parts) -> list[Layer]:
    with parts.debian.open("rb") as tar:
        tools = layout.layer_from_tar(tar, leave_out=_NOT_IN_IMAGES)
    wrapper = (RECIPES / "iptables-wrapper.sh").read_bytes()
    chosen_at_run_time = [
        Entry(f"usr/sbin/{family}{tool}", wrapper)
        for family in ("iptables", "ip6tables")
        for tool in ("", "-save", "-restore")
    ]
    links = [Entry(f"bin/{name}", link="/bin/busybox") for name in _BUSYBOX_TOOLS_OF_BASE]
    return [tools, layout.layer([*chosen_at_run_time, *links, *_USERS])]


def _busybox(layout: Layout, parts: Parts) -> Layer:
    applets = [name for name in run([parts.busybox, "--list"]).split() if name != "busybox"]
    links = [Entry(f"bin/{name}", link="/bin/busybox") for name in applets]
    return layout.layer([Entry("bin/busybox", parts.busybox), *links, *_USERS])


_USERS: Sequence[Entry] = (
    Entry("etc/group", b"root:x:0:\nnogroup:x:65534:\n", mode=0o644),
    Entry("etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", mode=0o644),
    Entry("root", mode=0o700),
    Entry("tmp", mode=0o1777),
)
