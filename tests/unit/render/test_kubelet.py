from __future__ import annotations

import re
import shlex
from dataclasses import replace

import pytest
import yaml

from kubeadm_py.errors import ExitCode, UsageError
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Arg
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role, Taint
from kubeadm_py.render import kubelet


def read(spec: FileSpec) -> dict[str, object]:
    assert isinstance(spec.content, bytes)
    return yaml.safe_load(spec.content)


def words(spec: FileSpec) -> list[str]:
    """Read the file as systemd does: unquote the value, then split and unquote the words."""
    assert isinstance(spec.content, bytes)
    match = re.fullmatch(r'KUBELET_KUBEADM_ARGS="(.*)"\n', spec.content.decode())
    assert match is not None
    return shlex.split(re.sub(r'\\([\\"`$])', r"\1", match[1]))


def test_the_files_can_be_read_by_all(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> None:
    specs = kubelet.node_files(cluster, node, facts, joining=False)
    assert {spec.path: spec.mode for spec in specs} == {
        "/var/lib/kubelet/config.yaml": 0o644,
        "/var/lib/kubelet/instance-config.yaml": 0o644,
        "/var/lib/kubelet/kubeadm-flags.env": 0o644,
    }


def test_the_runtimes_socket_is_the_nodes_own(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> None:
    own = replace(node, cri_socket="unix:///run/crio/crio.sock")
    given = replace(cluster, kubelet_config={"containerRuntimeEndpoint": "unix:///elsewhere.sock"})
    assert read(kubelet.instance_config(given, own, facts)) == {
        "containerRuntimeEndpoint": "unix:///run/crio/crio.sock"
    }
    assert read(kubelet.kubelet_config(given, own, facts))["containerRuntimeEndpoint"] == own.cri_socket


def test_without_the_gate_it_is_a_flag(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> None:
    """What kubeadm 1.36.3 writes for featureGates: {NodeLocalCRISocket: false}."""
    off = replace(cluster, feature_gates={"NodeLocalCRISocket": False})
    files = {spec.path: spec for spec in kubelet.node_files(off, node, facts, joining=False)}
    assert files.keys() == {"/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env"}
    assert read(files["/var/lib/kubelet/config.yaml"])["containerRuntimeEndpoint"] == ""
    socket = f"--container-runtime-endpoint={node.cri_socket}"
    assert socket in words(files["/var/lib/kubelet/kubeadm-flags.env"])


@pytest.mark.parametrize(
    ("active", "given", "expected"),
    [
        (False, {}, None),
        (True, {}, "/run/systemd/resolve/resolv.conf"),
        (True, {"resolvConf": "/etc/other"}, "/etc/other"),
        (True, {"resolvConf": ""}, ""),
    ],
)
def test_resolved_hosts_name_the_real_servers(
    cluster: ResolvedCluster, node: Node, active: bool, given: dict[str, str], expected: str | None
) -> None:
    facts = HostFacts(hostname="cp1", systemd_resolved_active=active)
    config = read(kubelet.kubelet_config(replace(cluster, kubelet_config=given), node, facts))
    assert config.get("resolvConf") == expected


@pytest.mark.parametrize(
    ("hostname", "name", "expected"),
    [
        ("cp1", "cp1", ["--node-ip=10.99.0.11"]),
        (" CP1\n", "cp1", ["--node-ip=10.99.0.11"]),
        ("debian", "cp1", ["--hostname-override=cp1", "--node-ip=10.99.0.11"]),
    ],
)
def test_the_name_is_set_only_where_it_differs(
    cluster: ResolvedCluster, node: Node, hostname: str, name: str, expected: list[str]
) -> None:
    spec = kubelet.flags_env(cluster, replace(node, name=name), HostFacts(hostname=hostname), joining=False)
    assert words(spec) == expected


def test_both_addresses_of_a_dual_stack_node_are_given(
    cluster: ResolvedCluster, node: Node, facts: HostFacts
) -> None:
    dual = replace(node, addresses=("10.99.0.11", "fd00::11"))
    assert words(kubelet.flags_env(cluster, dual, facts, joining=False)) == ["--node-ip=10.99.0.11,fd00::11"]


def test_without_an_address_the_advertised_one_is_the_nodes(
    cluster: ResolvedCluster, node: Node, facts: HostFacts
) -> None:
    bare = replace(node, addresses=(), advertise_address="192.0.2.1")
    assert words(kubelet.flags_env(cluster, bare, facts, joining=False)) == ["--node-ip=192.0.2.1"]
    unknown = replace(node, addresses=())
    assert kubelet.flags_env(cluster, unknown, facts, joining=False).content == b'KUBELET_KUBEADM_ARGS=""\n'


def test_the_users_node_ip_and_flags_win(cluster: ResolvedCluster, node: Node, facts: HostFacts) -> None:
    own = replace(node, kubelet_extra_args=(Arg("v", "3"), Arg("node-ip", "::"), Arg("cert-dir", "/srv")))
    assert words(kubelet.flags_env(cluster, own, facts, joining=False)) == [
        "--v=3",
        "--node-ip=::",
        "--cert-dir=/srv",
    ]


@pytest.mark.parametrize(
    ("role", "joining", "registers"),
    [
        (Role.WORKER, True, True),
        (Role.WORKER, False, False),
        (Role.CONTROL_PLANE, True, False),
        (Role.CONTROL_PLANE, False, False),
    ],
)
def test_only_joining_workers_register_with_taints(
    cluster: ResolvedCluster, facts: HostFacts, role: Role, joining: bool, registers: bool
) -> None:
    node = Node("cp1", role, ("10.0.0.1",), taints=(Taint("a", "NoSchedule", "b"), Taint("c", "NoExecute")))
    expected = ["--register-with-taints=a=b:NoSchedule,c:NoExecute"] if registers else []
    assert words(kubelet.flags_env(cluster, node, facts, joining=joining))[1:] == expected


def test_a_worker_without_taints_registers_with_none(
    cluster: ResolvedCluster, worker: Node, facts: HostFacts
) -> None:
    assert words(kubelet.flags_env(cluster, worker, replace(facts, hostname="w1"), joining=True)) == [
        "--node-ip=10.99.0.21"
    ]


@pytest.mark.parametrize(
    "value", ["a b", 'say "hi"', "it's", r"back\slash", "$HOME", "`id`", "#x", "a=b,c", "{{ x }}", "", "ü"]
)
def test_any_flag_reaches_the_kubelet_as_written(
    cluster: ResolvedCluster, node: Node, facts: HostFacts, value: str
) -> None:
    own = replace(node, kubelet_extra_args=(Arg("x", value),))
    assert words(kubelet.flags_env(cluster, own, facts, joining=False)) == [
        "--node-ip=10.99.0.11",
        f"--x={value}",
    ]


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\x00b", "\x7f"])
def test_a_flag_of_several_lines_is_refused(
    cluster: ResolvedCluster, node: Node, facts: HostFacts, value: str
) -> None:
    own = replace(node, kubelet_extra_args=(Arg("x", value),))
    with pytest.raises(UsageError, match="line break") as caught:
        kubelet.flags_env(cluster, own, facts, joining=False)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.host == "cp1"
    assert caught.value.fix
