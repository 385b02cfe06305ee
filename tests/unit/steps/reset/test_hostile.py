"""Reset takes away what is ours, whatever lies around it, goes on meanwhile or stands in its inventory."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.addons import networks
from kubeadm_py.model import paths
from kubeadm_py.model.actions import Remove, RunScript, WriteFiles
from kubeadm_py.model.facts import FileFact, HostFacts, Interface
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.network_traces import NetworkTraces
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import files as pki_files
from kubeadm_py.pki import requests as pki_requests
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.reset import network as reset_network

from . import resetting

FOREIGN = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
:MY-CNI-GUARD - [0:0]
-A INPUT -s 192.0.2.7/32 -m comment --comment "block what KUBE-PROXY let in" -j DROP
-A INPUT -m comment --comment "see -j KUBE-FIREWALL" -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -j MY-CNI-GUARD
-A DOCKER-USER -j RETURN
-A MY-CNI-GUARD -s 198.51.100.0/24 -j DROP
COMMIT
"""
OURS = """\
*filter
:KUBE-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
:FLANNEL-FWD - [0:0]
-A INPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A KUBE-SERVICES -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP
-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT
COMMIT
*nat
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-0123456789abcdef - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"cbr0\\" id: \\"x\\"" -j CNI-0123456789abcdef
-A CNI-0123456789abcdef -d 10.244.0.0/24 -j ACCEPT
COMMIT
"""


def file_fact(path: str) -> FileFact:
    return FileFact(path, 0o644, "root:root")


def rules_script(known: Sequence[NetworkTraces] = resetting.TRACES) -> str:
    inventory = Inventory("demo", files={"/etc/x": {"sha256": "", "mode": "0644", "made": True}})
    actions = resetting.actions(inventory, HostFacts(), keep_artifacts=True, known=known)
    script = next(
        a.script for a in actions if isinstance(a, RunScript) and a.title.startswith("remove the rules")
    )
    return f'kpy_warn() {{ printf "%s\\n" "$*"; }}\n{script}'


def _can_filter() -> bool:
    if not shutil.which("unshare") or not shutil.which("iptables-save"):
        return False
    asked = ["unshare", "-rn", "sh", "-c", "iptables -N KUBE-X && iptables -X KUBE-X"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_filter(), reason="needs iptables in a network namespace of one's own")
def test_rules_of_others_stay_as_they_are(tmp_path: Path) -> None:
    for name, text in (("foreign", FOREIGN), ("ours", OURS), ("script", rules_script())):
        (tmp_path / name).write_text(text)
    steps = """set -eu
iptables-restore <foreign
iptables-save -t filter | grep -v '^#' >before
iptables-restore --noflush <ours
iptables-save | grep -c KUBE-
sh -eu script
iptables-save -t filter | grep -v '^#' >after
iptables-save -t nat | grep CNI- && exit 9
sh -eu script
"""
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", steps], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


def test_a_rule_that_is_added_meanwhile_stays(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text(FOREIGN.replace("COMMIT\n", "") + OURS.removeprefix("*filter\n"))
    for name, body in (
        ("iptables-save", f"[ -e {tmp_path}/sent ] && exit 0; cat {tmp_path}/rules"),
        ("iptables-restore", f'echo "$*" >{tmp_path}/how; cat >{tmp_path}/sent'),
        ("ip6tables-save", "exit 1"),
        ("nft", "exit 1"),
    ):
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
    done = subprocess.run(
        ["sh", "-euc", rules_script()], env={"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"}, check=False
    )
    assert done.returncode == 0
    assert "--noflush" in (tmp_path / "how").read_text().split()
    sent = (tmp_path / "sent").read_text().splitlines()
    named = [
        line for line in sent if not line.startswith(("*", ":KUBE-", ":CNI-", ":FLANNEL-", "-X ", "COMMIT"))
    ]
    assert named
    assert all(
        line.startswith("-D ") and line.rpartition(" ")[2].startswith(("KUBE-", "CNI-", "FLANNEL-"))
        for line in named
    )


@pytest.mark.parametrize(
    ("rules", "there", "told"),
    [
        ("", (), ["there is no iptables-save: rules for", "there is no nft: tables of"]),
        ("", ("nft",), ["there is no iptables-save: rules for"]),
        ("KUBE-FIREWALL", ("iptables-save", "ip6tables-save"), ["there is no nft: tables of"]),
        ("KUBE-SERVICES", ("iptables-save", "ip6tables-save"), []),
        ("", ("iptables-save", "nft"), []),
    ],
)
def test_what_no_tool_can_remove_is_told(
    tmp_path: Path, rules: str, there: tuple[str, ...], told: list[str]
) -> None:
    for name in (*there, "iptables-restore", "ip6tables-restore"):
        chain = f"[ -e {tmp_path}/{name}.asked ] || printf '*filter\\n:{rules} - [0:0]\\nCOMMIT\\n'"
        body = (
            f"{chain}; touch {tmp_path}/{name}.asked"
            if rules and name.endswith("-save")
            else "cat >/dev/null"
        )
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("awk", "grep", "sed", "sort", "tr", "cat", "touch"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = subprocess.run(
        ["/bin/sh", "-euc", rules_script()],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line.startswith(wanted) for line, wanted in zip(lines, told, strict=True)] == [True] * len(told)


def test_somebody_elses_load_balancer_stays() -> None:
    before, _, after = rules_script().partition("ipvsadm --clear")
    assert "[ -e /sys/class/net/kube-ipvs0 ] &&" in before.splitlines()[-2]
    assert after
    inventory = Inventory("x", units=["kubelet.service"])
    titles = [
        action.title
        for action in resetting.actions(inventory, HostFacts(), keep_artifacts=True)
        if isinstance(action, RunScript)
    ]
    # The link tells whose table it is, so it goes last.
    assert titles.index("remove the rules of kube-proxy, portmap and the pod network") < titles.index(
        "remove network links"
    )


@pytest.mark.parametrize("path", ["/srv/data", f"{paths.KUBERNETES_DIR}/pki"])
def test_a_directory_is_no_file_that_we_wrote(path: str) -> None:
    inventory = Inventory("demo", files={path: {"sha256": "", "mode": "0644", "made": True}})
    facts = HostFacts(files={path: FileFact(path, 0o755, "root:root", directory=True)})
    for action in resetting.actions(inventory, facts, keep_artifacts=False):
        assert not (isinstance(action, Remove) and path in action.paths)


def test_keys_outside_the_usual_place_do_not_stay_with_the_runtime() -> None:
    """A CA's key that is left behind signs for the old cluster as long as it lasts."""
    ours = {f"/srv/pki/{name}" for name in ("ca.crt", "ca.key", "sa.key", "sa.pub", "etcd/ca.key")}
    hosts = {
        "/srv/pki/notes.txt",
        "/etc/containerd/certs.d/r.example/ca.crt",
        "/srv/other/x.key",
        "/srv/x.crt",
    }
    inventory = Inventory(
        "demo", {path: {"sha256": "", "mode": "0600", "made": True} for path in ours | hosts}
    )
    actions = resetting.actions(inventory, HostFacts(), keep_artifacts=True)
    removed = {path for action in actions if isinstance(action, Remove) for path in action.paths}
    assert removed >= ours
    assert not removed & hosts
    (kept,) = (spec for action in actions if isinstance(action, WriteFiles) for spec in action.files)
    assert set(Inventory.parse(kept.content).files) == hosts


@pytest.mark.parametrize("external", [True, False])
def test_what_a_cluster_wrote_under_any_name_goes_with_it(control_plane: StepContext, external: bool) -> None:
    """A worker's caCertPath, and the keys of a control plane whose CA is the operator's own."""
    if external:
        cluster = replace(control_plane.cluster, certificates_dir="/srv/pki")
        requests = pki_requests.requests(cluster, control_plane.node)
        specs = [spec for spec in pki_files.certificate_files(requests) if "ca." not in spec.path]
        specs += pki_files.key_pair_files(pki_requests.key_pair_requests(cluster))
        assert "/srv/pki/apiserver.key" in {spec.path for spec in specs}
        actions = [WriteFiles(tuple(specs))]
    else:
        cluster = replace(control_plane.cluster, ca_cert_path="/srv/trust/demo.crt")
        joined = JoinedCluster("https://10.0.0.11:6443", b"pem", Secret(""))
        actions = kubelet_start.plan(replace(control_plane, cluster=cluster, joined=joined))
    inventory = Inventory("demo", {"/srv/host.crt": {"sha256": "", "mode": "0644", "made": True}})
    inventory.extend(actions, HostFacts(), {})
    planned = resetting.actions(inventory, HostFacts(), keep_artifacts=True)
    (kept,) = (spec for action in planned if isinstance(action, WriteFiles) for spec in action.files)
    assert isinstance(kept.content, bytes)
    assert set(Inventory.parse(kept.content).files) == {"/srv/host.crt"}


SUBNET_ENV = b"""FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:244::/56
FLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64
FLANNEL_MTU=1500
FLANNEL_IPMASQ=true
"""
OTHERS_ROUTES = (
    "10.244.200.0/28 via 192.0.2.9",  # not of a node's size
    "10.244.201.0/24",  # a network of its own
    "10.245.0.0/24 via 192.0.2.9",  # outside the pod network
    "10.0.0.0/8 via 192.0.2.9",
    "default via 192.0.2.9",
)


CALICO = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:cali-INPUT - [0:0]
:cali-wl-to-host - [0:0]
:calibre - [0:0]
-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-A INPUT -s 192.0.2.7/32 -m comment --comment "for cali: nothing" -j DROP
-A INPUT -j calibre
-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m mark --mark 0x10000/0x10000 -j ACCEPT
-A cali-INPUT -m comment --comment "cali:i7okJZpS8VxaJB3n" -j cali-wl-to-host
COMMIT
"""


@pytest.mark.skipif(not _can_filter(), reason="needs iptables in a network namespace of one's own")
def test_the_rules_of_a_pod_network_go_by_what_its_add_on_lists(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text(CALICO)
    (tmp_path / "script").write_text(rules_script(networks.traces(["calico"])))
    steps = "set -eu; iptables-restore <rules; sh -eu script; iptables-save -t filter"
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", steps], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    left = [line for line in done.stdout.splitlines() if line.startswith(("-A", ":"))]
    assert left == [
        ":INPUT ACCEPT [0:0]",
        ":FORWARD ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":calibre - [0:0]",
        '-A INPUT -s 192.0.2.7/32 -m comment --comment "for cali: nothing" -j DROP',
        "-A INPUT -j calibre",
    ]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (HostFacts(), set()),
        (
            HostFacts(
                files={"/etc/cni/net.d/10-weave.conflist": file_fact("/etc/cni/net.d/10-weave.conflist")}
            ),
            {"weave"},
        ),
        (HostFacts(directories={"/var/lib/calico": 1}), {"calico", "canal"}),
        (
            HostFacts(files={paths.FLANNEL_SUBNET_ENV: file_fact(paths.FLANNEL_SUBNET_ENV)}),
            {"flannel", "canal"},
        ),
        # Some of these run without Kubernetes, too.
        (HostFacts(interfaces=(Interface("weave"),)), set()),
    ],
)
def test_what_no_config_names_is_known_by_what_the_host_shows(facts: HostFacts, found: set[str]) -> None:
    assert {each.addon for each in reset_network.on_host(networks.traces(), facts)} == found


def test_what_a_pod_network_keeps_goes_and_the_file_that_tells_of_it_goes_last() -> None:
    plugin = "/opt/cni/bin/flannel"
    inventory = Inventory("x", {plugin: {"sha256": "", "mode": "0755", "made": True}})
    for network in LINKS:
        (known,) = (each for each in networks.traces([network]) if each.asked_for)
        actions = resetting.actions(inventory, HostFacts(), keep_artifacts=True, known=[known])
        removed = [path for a in actions if isinstance(a, Remove) for path in a.paths]
        assert set(known.paths) - {plugin} <= set(removed)
        assert removed[-1] == f"/etc/cni/net.d/{known.cni_config}"
        assert plugin not in removed, "it is of the host's preparation"


def network_script(subnet_env: bytes, interfaces: tuple[str, ...] = ()) -> str:
    known = FileFact(paths.FLANNEL_SUBNET_ENV, 0o644, "root:root", content=subnet_env)
    facts = HostFacts(files={known.path: known}, interfaces=tuple(Interface(name) for name in interfaces))
    actions = resetting.actions(Inventory("x", units=["kubelet.service"]), facts, keep_artifacts=True)
    scripts = [a for a in actions if isinstance(a, RunScript)]
    return "\n".join(
        a.script for a in scripts if a.title.startswith(("remove routes", "remove network links"))
    )


def _can_route() -> bool:
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    asked = ["unshare", "-rn", "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_route(), reason="needs a network namespace of one's own")
def test_flannels_plain_routes_go_and_others_stay(tmp_path: Path) -> None:
    others = "\n".join(f"ip route add {route} dev v0" for route in OTHERS_ROUTES)
    steps = f"""set -eu
ip link add v0 type veth peer name v1
ip link set v1 up
ip link set v0 up
ip address add 192.0.2.1/24 dev v0
ip address add fd00:9::1/64 dev v0 nodad
{others}
ip -6 route add fd00:7::/64 via fd00:9::2
{{ ip route; ip -6 route; }} >before
ip route add 10.244.0.0/24 via 192.0.2.11
ip route add 10.244.2.0/24 via 192.0.2.22
ip -6 route add fd00:244:0:2::/64 via fd00:9::2
sh -eu script
{{ ip route; ip -6 route; }} | diff before -
sh -eu script
"""
    (tmp_path / "script").write_text(network_script(SUBNET_ENV))
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", steps], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


FLANNELS = ("flannel.7", "flannel-v6.7", "flannel-wg", "flannel-wg-v6")
LINKS = {
    "flannel": (*FLANNELS, "cni0"),
    "calico": ("cali0123456789a", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali"),
    "canal": (*FLANNELS, "cali0123456789a"),
    "cilium": ("cilium_host", "cilium_net", "cilium_vxlan", "lxc0123456789ab", "lxc_health"),
    "kube-router": ("kube-bridge", "kube-dummy-if", "tun-1009921"),
    "weave": ("weave", "vethwe-bridge", "vethwe-datapath", "datapath", "vxlan-6784"),
}
OTHERS_LINKS = ("lo", "eth0", "flannel-lab0", "lxcbr0", "tun-a", "calibre0", "docker0", "weave-lab", "cni01")


@pytest.mark.parametrize("network", LINKS)
def test_a_pod_networks_links_go_by_whatever_name_it_gave_them(network: str, tmp_path: Path) -> None:
    every = {link for links in LINKS.values() for link in links}
    for name, body in (
        ("ls", f"printf '%s\\n' {' '.join([*every, *OTHERS_LINKS])}"),
        ("ip", f'echo "$3" >>{tmp_path}/deleted'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    actions = resetting.actions(
        Inventory("x", units=["kubelet.service"]), HostFacts(), known=networks.traces([network])
    )
    script = next(a.script for a in actions if isinstance(a, RunScript) and a.title == "remove network links")
    subprocess.run(["sh", "-euc", script], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True)
    assert set((tmp_path / "deleted").read_text().split()) == set(LINKS[network])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"FLANNEL_NETWORK=10.244.0.0/16\n",
        b"FLANNEL_NETWORK=$(id)\nFLANNEL_SUBNET=;x/24\n",
        b"FLANNEL_NETWORK=0.0.0.0/0\nFLANNEL_SUBNET=10.244.1.1/24\n",
        b"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_IPV6_SUBNET=fd00::1/64\n",
    ],
)
def test_a_strange_subnet_file_removes_no_routes(text: bytes) -> None:
    assert "route" not in network_script(text)
