"""Offer facts without a host: a built-in profile and saved answers."""

from __future__ import annotations

from kubeadm_py.facts.answer import Answer, read_answer, split_sections
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.facts.parse import read_facts
from kubeadm_py.model import kernel, paths
from kubeadm_py.model.facts import Disk, FileFact, HostFacts, Interface

_GIB = 1 << 30


def plain_debian_12(hostname: str, address: str) -> HostFacts:
    """Return the facts of a fresh Debian 12 machine with `address`: what `render` uses without hosts."""
    prefix = 64 if ":" in address else 24
    resolv_conf = "nameserver 192.0.2.53\n"
    options = (
        *(group[0] for group in kernel.REQUIRED_OPTIONS),
        *(g[0] for g in kernel.REQUIRED_OPTIONS_CGROUP_V2),
    )
    disk = Disk("/", 100 * _GIB, 80 * _GIB, 6_000_000, 5_900_000)
    return HostFacts(
        hostname=hostname,
        os_release={"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"},
        kernel="6.1.0-40-amd64",
        kernel_config={f"CONFIG_{option}": "y" for option in options},
        modules_loadable=frozenset(kernel.MODULE_OPTIONS),
        cgroup_controllers=frozenset({*kernel.REQUIRED_CONTROLLERS_V2, "io", "hugetlb"}),
        time_synchronised=True,
        time_services=("systemd-timesyncd",),
        interfaces=(Interface("lo"), Interface("eth0", addresses=(f"{address}/{prefix}",))),
        default_route_interface="eth0",
        default_route_address=address,
        resolv_conf=resolv_conf,
        hosts_file=f"127.0.0.1\tlocalhost\n{address}\t{hostname}\n",
        executables={
            **{
                name: f"/usr/bin/{name}"
                for name in ("mount", "cp", "ss", "flock", "tar", "systemctl", "apt-get")
            },
            **{name: f"/usr/sbin/{name}" for name in ("losetup", "ip", "modprobe", "sysctl")},
        },
        files={
            "/etc/resolv.conf": FileFact(
                "/etc/resolv.conf", 0o644, "root:root", size=len(resolv_conf), content=resolv_conf.encode()
            )
        },
        directories={
            "/": 22,
            "/etc/ca-certificates": 1,
            "/usr/local/share/ca-certificates": 0,
            "/usr/share/ca-certificates": 1,
            paths.SSL_CERTS_DIR: 280,
        },
        disks={"/": disk, "/var/lib": disk},
        package_manager="apt-get",
    )


def load_saved(content: bytes) -> HostFacts:
    """Return the facts in a saved answer: a probe's line, or its sections as plain text.

    The plain form is what the sections of the answer hold, one after the other, each headed by a line
    `==> NAME <==`. Raise KubeadmPyError for anything else.
    """
    text = content.decode("utf-8", errors="replace")
    sections = split_sections(text) if text.lstrip().startswith("==> ") else {}
    if sections:
        return read_facts(Answer(sections))
    return read_facts(read_answer(content, PROBE_MARKER))
