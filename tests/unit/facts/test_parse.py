"""The parsers, with saved answers of machines of several kinds (answers/)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.facts.answer import Answer, split_sections
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.facts.parse import parse, read_facts
from kubeadm_py.facts.profiles import load_saved, plain_debian_12
from kubeadm_py.model.facts import HostFacts, ImageFact, Interface, Listener

ANSWERS = Path(__file__).parent / "answers"


def saved(name: str) -> HostFacts:
    return load_saved((ANSWERS / name).read_bytes())


def facts_of(sections: dict[str, str]) -> HostFacts:
    return read_facts(Answer(sections))


def line(sections: dict[str, str], **clocks: Any) -> str:
    text = "\n".join(f"==> {name} <==\n{content}" for name, content in sections.items())
    chunks = base64.b64encode(text.encode()).decode()
    parts = [["", ""], ["system", chunks[:8]], ["system", chunks[8:]]]
    return json.dumps({"probe": 1, "parts": parts, **clocks})


EXPECTED = {
    "container-cgroup-v1-without-systemd.txt": {
        "container": "docker",
        "init_system": "",
        "cgroup_version": 1,
        "cap_sys_resource": False,
        "cpus": 2,
        "units": {},
        "package_manager": "apt-get",
        "iptables_mode": "nf_tables",
        "binary_versions": {
            "containerd": "v1.6.20",
            "ctr": "v1.6.20",
            "kubectl": "v1.32.4",
            "runc": "v1.1.5",
        },
        "default_route_address": "10.20.0.5",
        "modules_known": True,
        "modules_loadable": frozenset(),
    },
    "debian-12-node-in-a-container.json": {
        "hostname": "w3",
        "container": "docker",
        "init_system": "systemd",
        "cgroup_version": 1,
        "cri_ready": True,
        "cri_sandbox_image": "registry.k8s.io/pause:3.10.2",
        "images_known": True,
        "images": (),
        "time_synchronised": None,
        "clock_offset": 0.0,
    },
    "running-control-plane.txt": {
        "ca_public_key_sha256": "eb3609b31038f774b2c9d29d6cf7968c88ce8e776c1d5150c7f10552df523aa1",
        "cri_ready": True,
        "cri_sockets": ("unix:///run/containerd/containerd.sock",),
    },
    "ubuntu-24.04-systemd-resolved.txt": {
        "hostname": "ubuntu-1",
        "architecture": "amd64",
        "container": "",
        "systemd_resolved_active": True,
        "swaps": ("/swap.img",),
        "zram": False,
        "cgroup_version": 2,
        "cgroup_controllers": frozenset(
            {"cpu", "cpuset", "freezer", "hugetlb", "io", "memory", "misc", "pids", "rdma"}
        ),
        "cpus": 4,
        "cap_sys_resource": True,
        "memory_bytes": 8131152 * 1024,
        "time_synchronised": True,
        "time_services": ("systemd-timesyncd",),
        "default_route_interface": "enp1s0",
        "default_route_address": "10.20.1.10",
        "firewalls": (),
        "product_uuid": "4c4c4544-0042-4b10-8051-b4c04f4e3232",
        "package_lock_holder": "/var/lib/dpkg/lock-frontend (pid 4711)",
        "cloud_init": "done",
        "environment": {
            "HTTPS_PROXY": "http://proxy.example:3128",
            "NO_PROXY": "localhost,.example,10.20.0.0/16",
        },
    },
    "rocky-9-selinux-firewalld.txt": {
        "selinux": "Enforcing",
        "selinux_container_policy": False,
        "firewalls": ("firewalld",),
        "package_manager": "dnf",
        "zram": True,
        "swaps": ("/dev/zram0",),
        "time_synchronised": True,
        "time_services": ("chronyd",),
        "cpus": 2,
    },
    "raspberry-pi-arm64.txt": {
        "architecture": "arm64",
        "cgroup_controllers": frozenset({"cpu", "cpuset", "freezer", "io", "pids"}),
        "time_synchronised": False,
        "default_route_address": "2001:db8:3::10",
        "iptables_mode": "",
        "hostname_resolves": False,
    },
    "messy-old-node.txt": {
        "iptables_other_rules": 14,
        "cloud_init": "running",
        "ca_public_key_sha256": "",
        "cri_sockets": ("unix:///var/run/crio/crio.sock",),
        "cri_ready": None,
        "environment": {"https_proxy": "http://withheld@proxy.example:3128"},
        "binary_versions": {"kubelet": "v1.29.4"},
    },
}


@pytest.mark.parametrize("name", sorted(path.name for path in ANSWERS.iterdir()))
def test_saved_answers_are_read(name: str) -> None:
    facts = saved(name)
    assert {key: getattr(facts, key) for key in EXPECTED[name]} == EXPECTED[name]
    assert facts.kernel
    assert facts.disks["/"].total > facts.disks["/"].available > 0


def test_modules_are_loaded_built_in_or_loadable() -> None:
    ubuntu = saved("ubuntu-24.04-systemd-resolved.txt")
    assert {"overlay", "nf_tables", "veth"} <= ubuntu.kernel_builtin
    assert {"br_netfilter", "ip_vs", "ip_vs_rr", "vxlan"} <= ubuntu.modules_loadable
    assert "ip_vs_mh" not in ubuntu.kernel_builtin | ubuntu.modules_loadable
    here = saved("container-cgroup-v1-without-systemd.txt")
    assert {"br_netfilter", "nf_conntrack", "nf_tables", "overlay", "vxlan"} <= here.kernel_builtin
    assert "ip_vs" not in here.kernel_builtin


def test_listeners_name_process_program_and_unit() -> None:
    messy = saved("messy-old-node.txt")
    assert messy.listeners[1] == Listener(
        "tcp", "*", 10250, "kubelet", 811, "kubelet.service", "/usr/local/bin/kubelet"
    )
    ubuntu = saved("ubuntu-24.04-systemd-resolved.txt")
    assert ubuntu.listeners[1].address == "127.0.0.53"
    assert ubuntu.listeners[3].unit == "ssh.service"


def test_interfaces_keep_kind_state_and_addresses() -> None:
    assert saved("raspberry-pi-arm64.txt").interfaces == (
        Interface("eth0", "", True, ("2001:db8:3::10/64",)),
        Interface("wlan0", "wlan", False, ()),
    )


@pytest.mark.parametrize(("text", "mtu"), [("1500", 1500), ("65536", 65536), ("", 0), ("x", 0), ("²", 0)])
def test_an_interface_has_the_mtu_that_its_kernel_tells(text, mtu) -> None:
    section = f"\n==> /sys/class/net/eth0/mtu <==\n{text}\n"
    answer = (ANSWERS / "raspberry-pi-arm64.txt").read_bytes() + section.encode()
    [eth0] = [each for each in load_saved(answer).interfaces if each.name == "eth0"]
    assert eth0.mtu == mtu


def test_files_keep_mode_owner_and_content() -> None:
    messy = saved("messy-old-node.txt")
    conf = messy.files["/etc/kubernetes/kubelet.conf"]
    assert (conf.mode, conf.owner, conf.size, conf.mtime, conf.inode) == (
        0o600,
        "root:root",
        2000,
        1600000000,
        401,
    )
    assert conf.partial
    assert conf.sha256 == "a" * 64
    assert messy.files["/etc/kubernetes/pki/ca.key"].content is None
    assert messy.files["/var/lib/etcd/member"].directory
    assert "a line that is none of ours" not in str(messy.files)


def test_others_containers_are_told_once() -> None:
    """What runs and what the runtime lists are asked for apart."""
    answer = {"!others-containers": "moby/c\nmoby/c\nk8s.io/b\n"}
    assert facts_of(answer).others_containers == ("moby/c", "k8s.io/b")
    assert facts_of({}).others_containers == ()


def test_images_are_those_with_names_and_know_whether_they_are_pinned() -> None:
    images = saved("running-control-plane.txt").images
    assert (
        ImageFact(
            "registry.k8s.io/pause:3.10.2",
            "sha256:f79a07f5fc90437d664e552b0987d7b5bec6af7d19458027f94b32a97b7b3591",
            True,
        )
        in images
    )
    digest = "sha256:" + "0" * 64
    listed = (
        f"REF TYPE DIGEST\na:1 x/y {digest} 1.0 MiB linux/amd64 -\nbroken line\n{digest} x/y {digest} -\n"
    )
    assert facts_of({"!images": listed}).images == (ImageFact("a:1", digest, False),)


def test_a_line_is_read_with_and_without_its_marker_as_text_and_bytes() -> None:
    answer = line({"/proc/meminfo": "MemTotal: 2048 kB\n", "/proc/sys/kernel/hostname": "h\n"})
    for form in (answer, PROBE_MARKER + answer + "\n", (PROBE_MARKER + answer).encode()):
        facts = parse(form, round_trip=0.0, operator_clock=0.0)
        assert (facts.hostname, facts.memory_bytes) == ("h", 2048 * 1024)


def test_the_offset_leaves_out_the_probes_own_time() -> None:
    answer = line({"/proc/meminfo": ""}, begin="100.00", end="100.40", clock="1000.000000000")
    # Sent at 989.5, on the way for 0.05, 0.4 at work, on the way back for 0.05: clocks 10 s apart.
    facts = parse(answer, round_trip=0.5, operator_clock=990.05)
    assert facts.clock_offset == pytest.approx(10.0)
    assert facts.clock == 1000.0


@pytest.mark.parametrize("clock", ["", "date: bad", None])
def test_a_host_without_a_clock_counts_as_in_time(clock: str | None) -> None:
    answer = line({"/proc/meminfo": ""}, clock=clock)
    assert parse(answer, round_trip=0.1, operator_clock=5e9).clock_offset == 0.0


def test_a_clock_in_whole_seconds_is_read() -> None:
    answer = line({"/proc/meminfo": ""}, clock="1000.%N")
    assert parse(answer, round_trip=0.0, operator_clock=999.0).clock_offset == 1.0


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("", "no answer of a probe"),
        ("{", "no answer of a probe"),
        ("[]", "no answer of a probe"),
        ("null", "no answer of a probe"),
        ('{"probe": 1}', "no answer of a probe"),
        ('{"probe": 1, "parts": [["a"]]}', "no answer of a probe"),
        ('{"probe": 1, "parts": [["a", "%%%"]]}', "no answer of a probe"),
        ('{"probe": 2, "parts": []}', "schema 2"),
        ('{"probe": 1, "parts": [["",""]]}', "what the system says is missing"),
    ],
)
def test_what_is_no_answer_is_refused(broken: str, why: str) -> None:
    with pytest.raises(KubeadmPyError, match=why):
        parse(broken, round_trip=0.0, operator_clock=0.0)


def test_sections_keep_their_content_to_the_byte() -> None:
    text = "==> a <==\n1\n\n==> b <==\n\n==> c <==\nno newline"
    assert split_sections(text) == {"a": "1\n", "b": "", "c": "no newline"}
    assert split_sections("no section") == {}


def test_an_answer_without_anything_keeps_the_defaults() -> None:
    empty = read_facts(Answer())
    defaults = HostFacts()
    for name in (
        "cpus",
        "memory_bytes",
        "architecture",
        "uid",
        "cgroup_version",
        "cri_ready",
        "time_synchronised",
    ):
        assert getattr(empty, name) == getattr(defaults, name)
    assert (empty.inventory, empty.files, empty.selinux, empty.cloud_init) == (None, {}, "", "")


@pytest.mark.parametrize(
    ("sections", "name", "value"),
    [
        ({"!architecture": "riscv64\n"}, "architecture", "riscv64"),
        ({"!container": "none\n", "!exists": "/.dockerenv\n"}, "container", ""),
        ({"!exists": "/.dockerenv\n"}, "container", "docker"),
        ({"/run/systemd/container": "lxc\n"}, "container", "lxc"),
        ({"/sys/fs/selinux/enforce": "0"}, "selinux", "Permissive"),
        ({"!files": "81a4 root:root 1 1 1 /etc/selinux/config"}, "selinux", "Disabled"),
        (
            {"!exists": "/var/lib/selinux/targeted/active/modules/200/container\n"},
            "selinux_container_policy",
            True,
        ),
        ({"!iptables": "iptables v1.8.7 (legacy)\n"}, "iptables_mode", "legacy"),
        ({"!iptables": "iptables v1.4.21\n"}, "iptables_mode", "legacy"),
        ({"!exists": "/run/cloud-init/disabled\n"}, "cloud_init", "disabled"),
        (
            {
                "!exists": "/run/cloud-init/result.json\n",
                "/run/cloud-init/result.json": '{"v1": {"errors": ["boom"]}}',
            },
            "cloud_init",
            "error",
        ),
        ({"!runtime": ""}, "cri_ready", False),
        ({"!runtime": "answered\n"}, "cri_ready", None),
        (
            {
                "!runtime": 'answered\n"message": "no runc",\n"reason": "Broken",\n"status": false,\n'
                '"type": "RuntimeReady"\n'
            },
            "cri_message",
            "Broken: no runc",
        ),
        (
            {"!runtime": 'answered\n    "sandboxImage": "a/pause:1",\n', "/etc/containerd/config.toml": ""},
            "cri_sandbox_image",
            "a/pause:1",
        ),
        ({"!chrony": "00000000,,0,0.0,0,0,0,0,0,0,1,1,0.0,Not synchronised\n"}, "time_synchronised", False),
        ({"!version kubelet": "Kubernetes v1.37.0-rc.0\n"}, "binary_versions", {"kubelet": "v1.37.0-rc.0"}),
        ({"!version kubelet": "segmentation fault\n"}, "binary_versions", {}),
        (
            {"!version cni-plugins": "CNI loopback plugin v1.9.1\n"},
            "binary_versions",
            {"cni-plugins": "v1.9.1", "loopback": "v1.9.1"},
        ),
        ({"/var/lib/kubeadm-py/inventory.json": "{}\n"}, "inventory", b"{}\n"),
        ({"/proc/sys/net/ipv4/ip_forward": "1\n"}, "sysctls", {"net.ipv4.ip_forward": "1"}),
        ({"!sockets": "/run/a.sock\n/run/a.sock\n"}, "cri_sockets", ("unix:///run/a.sock",)),
        ({"!routes": "unreachable default\ndefault via\n"}, "default_route_interface", ""),
        ({"!routes": "default dev wg0 scope link\n"}, "default_route_interface", "wg0"),
        ({"!listeners": "garbage\ntcp LISTEN 0 1 0.0.0.0:x 0.0.0.0:*\n"}, "listeners", ()),
        ({"!disks": "1 2 3\n"}, "disks", {}),
        ({"!directories": "x /a\n3 /b\n"}, "directories", {"/b": 3}),
        ({"!files": "zz root:root 1 1 1 /a\nshort\n"}, "files", {}),
        ({"!package-locks": "x 1 /a\n", "/proc/locks": "1: -> POSIX\n"}, "package_lock_held", False),
    ],
)
def test_single_sections_are_read(sections: dict[str, str], name: str, value: object) -> None:
    assert getattr(facts_of(sections), name) == value


def test_ipv4_leads_before_ipv6_and_a_low_metric_before_a_high_one() -> None:
    routes = (
        "default via fe80::1 dev six proto ra metric 10\n"
        "default via 10.0.0.1 dev far src 10.0.0.9 metric 600\n"
        "default via 10.1.0.1 dev near metric 100\n"
    )
    facts = facts_of({"!routes": routes, "!addresses": "2: near    inet 10.1.0.5/24 scope global near\n"})
    assert (facts.default_route_interface, facts.default_route_address) == ("near", "10.1.0.5")


def test_a_proxy_of_the_session_wins_over_that_of_etc_environment() -> None:
    facts = facts_of(
        {
            "!files": "81a4 root:root 1 1 1 /etc/environment",
            "/etc/environment": "HTTPS_PROXY=http://old\nLANG=C\n",
            "!environment": "HTTPS_PROXY=http://new\n",
        }
    )
    assert facts.environment == {"HTTPS_PROXY": "http://new"}


def test_the_built_in_profile_is_a_plain_machine() -> None:
    facts = plain_debian_12("cp1", "2001:db8::1")
    assert facts.interfaces[1].addresses == ("2001:db8::1/64",)
    assert facts.directories["/etc/ssl/certs"] > 0
    assert (facts.container, facts.cgroup_version, facts.cri_sockets) == ("", 2, ())


def test_a_saved_file_that_is_no_answer_is_refused() -> None:
    with pytest.raises(KubeadmPyError, match="cannot be read") as refused:
        load_saved(b"\xff\xfe binary")
    assert "saved answer" in refused.value.fix
