from __future__ import annotations

import re
from dataclasses import replace

import pytest

from kubeadm_py.errors import ExitCode, UnreachableError
from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Etcd, ExternalEtcd
from kubeadm_py.model.findings import Finding, Gate, Severity
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.ssh import SSH
from kubeadm_py.model.versions import Version
from kubeadm_py.model.words import plural
from kubeadm_py.preflight import run as preflight
from kubeadm_py.preflight.checks.ports import needed_connections
from kubeadm_py.preflight.checks.proxy import proxy_for
from kubeadm_py.preflight.checks.storage import amount
from kubeadm_py.preflight.context import CheckContext, gibibytes
from kubeadm_py.preflight.table import CHECKS

CP1 = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",))
CP2 = Node("cp2", Role.CONTROL_PLANE, ("10.0.0.2",))
W1 = Node("w1", Role.WORKER, ("10.0.0.21",))
CLUSTER = ResolvedCluster(
    "demo", Version.parse("v1.36.3"), (CP1, CP2, W1), networking=Networking(pod_subnet="10.244.0.0/16")
)


def context(node: Node = CP1, verb: str = "init", **facts: object) -> CheckContext:
    own = replace(plain_debian_12(node.name, node.address), **facts)
    return CheckContext(CLUSTER, node, own, verb, all_facts={node.name: own})


@pytest.mark.parametrize(("node", "verb"), [(CP1, "init"), (CP2, "join"), (W1, "join")])
def test_a_plain_machine_passes_the_first_gate(node: Node, verb: str) -> None:
    assert preflight.run(Gate.HOST, [context(node, verb)]) == []


def test_without_root_nothing_else_is_judged() -> None:
    node = replace(CP1, ssh=SSH("10.0.0.1", user="admin", sudo=False))
    found = preflight.run(Gate.HOST, [context(node, uid=1000, cpus=1), context(W1, "join", cpus=1)])
    assert [(one.host, one.check) for one in found] == [("cp1", "IsPrivilegedUser")]


def test_findings_come_host_by_host_in_the_order_of_the_table() -> None:
    found = preflight.run(
        Gate.HOST, [context(swaps=("/swap",), cpus=1), context(W1, "join", swaps=("/swap",), cpus=1)]
    )
    assert [(one.host, one.check) for one in found] == [("cp1", "NumCPU"), ("cp1", "Swap"), ("w1", "Swap")]


@pytest.mark.parametrize("name", ["numcpu", " NumCPU ", "ALL", "all"])
def test_ignored_errors_become_warnings(name: str) -> None:
    (found,) = preflight.run(Gate.HOST, [context(cpus=1)], ignore=[name])
    assert (found.severity, found.ignored) == (Severity.WARNING, True)


def test_the_config_ignores_as_well_but_only_for_its_node() -> None:
    lenient = replace(CP1, ignore_preflight_errors=frozenset({"NumCPU"}))
    found = preflight.run(Gate.HOST, [context(lenient, cpus=1), context(CP2, "join", cpus=1)])
    assert [(one.host, one.severity) for one in found] == [
        ("cp1", Severity.WARNING),
        ("cp2", Severity.ERROR),
    ]


def test_ignoring_leaves_warnings_and_other_names_alone() -> None:
    warning = Finding("Swap", Severity.WARNING, "cp1", "on")
    error = Finding("Mem", Severity.ERROR, "cp1", "small")
    assert preflight.ignoring([warning, error], CP1, ["Swap", "NumCPU"]) == [warning, error]


def test_a_refusal_says_what_where_and_how_to_go_on() -> None:
    findings = [
        Finding("Port-10250", Severity.ERROR, "w1", "busy", "free it"),
        Finding("ResolvLoop", Severity.ERROR, "w1", "loops"),
        Finding("Swap", Severity.WARNING, "cp1", "on"),
    ]
    refusal = preflight.PreflightRefused(findings, hosts=3)
    assert refusal.exit_code is ExitCode.PREFLIGHT
    assert refusal.findings == tuple(findings)
    assert refusal.summary == "preflight refused: 2 errors on 1 of 3 hosts; nothing was changed anywhere"
    assert refusal.details == ("w1  Port-10250  busy", "    free it", "w1  ResolvLoop  loops")
    assert refusal.fix.endswith("--ignore-preflight-errors=Port-10250,ResolvLoop")


def test_a_refusal_after_preparation_does_not_claim_that_nothing_changed() -> None:
    refusal = preflight.PreflightRefused([Finding("CRI", Severity.ERROR, "w1", "down")], gate=Gate.PREPARED)
    assert refusal.summary == "preflight refused: 1 error on 1 host; the hosts are prepared, no more"


def test_hosts_that_a_gate_refused_one_by_one_are_refused_together() -> None:
    def refused(host: str, check: str) -> preflight.PreflightRefused:
        return preflight.PreflightRefused(
            [Finding(check, Severity.ERROR, host, "no")], hosts=1, gate=Gate.PREPARED
        )

    lost = UnreachableError("gone", host="w3")
    both, *others = preflight.together([refused("w1", "CRI"), lost, refused("w2", "ImagePull")])
    assert others == [lost]
    assert both.summary == "preflight refused: 2 errors on 2 of 2 hosts; the hosts are prepared, no more"
    assert both.details == ("w1  CRI  no", "w2  ImagePull  no")
    assert both.fix.endswith("--ignore-preflight-errors=CRI,ImagePull")
    assert preflight.together([lost, lost]) == [lost], "one error of several hosts is one"


def test_the_catalogue_names_each_check_once_and_describes_it() -> None:
    rows = preflight.catalogue()
    assert len({row.name for row in rows}) == len(rows) == len(CHECKS)
    assert all(row.doc.endswith(".") and row.applies_to for row in rows)
    assert {row.tested for row in rows} == {"probe", "node"}
    kubeadm = {row.name for row in rows if row.kubeadm}
    assert {"IsPrivilegedUser", "NumCPU", "Mem", "CRI", "SystemVerification", "ImagePull"} <= kubeadm


def test_a_worker_needs_the_endpoint_and_a_control_plane_everybody() -> None:
    assert needed_connections(CLUSTER, W1, endpoint="10.0.0.1:6443") == [("10.0.0.1", 6443)]
    assert needed_connections(CLUSTER, CP1) == [
        ("10.0.0.2", 10250),
        ("10.0.0.2", 2379),
        ("10.0.0.2", 2380),
        ("10.0.0.21", 10250),
    ]


def test_an_external_etcd_needs_no_ports_between_control_planes() -> None:
    outside = replace(CLUSTER, etcd=Etcd(None, ExternalEtcd(("https://e:2379",))), nodes=(CP1, CP2))
    assert needed_connections(outside, CP1) == [("10.0.0.2", 10250)]
    nameless = replace(CLUSTER, nodes=(CP1, replace(W1, addresses=())))
    assert needed_connections(nameless, CP1) == []


PROXIED = {"HTTPS_PROXY": "http://p"}


@pytest.mark.parametrize(
    ("host", "excepted", "direct"),
    [
        ("10.0.0.1", "", False),
        ("10.0.0.1", "10.0.0.0/8", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.10", False),
        ("10.0.0.1", "nonsense/99", False),
        ("10.0.0.1", ".1", False),
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("localhost", "", True),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "[2001:db8::1]", True),
        ("api.example", "example", True),
        ("api.example", ".example", True),
        ("example", ".example", False),
        ("api.example", "*.example", True),
        ("API.example", "api.EXAMPLE:6443", True),
        ("myexample", "example", False),
        ("api.example", "10.0.0.0/8", False),
        ("api.example", " , *", True),
    ],
)
def test_proxy_for_reads_no_proxy_as_go_does(host: str, excepted: str, direct: bool) -> None:
    assert proxy_for(host, {**PROXIED, "no_proxy": excepted}) == ("" if direct else "http://p")


@pytest.mark.parametrize(
    ("threshold", "value"),
    [("10%", 100.0), ("1Ki", 1024.0), ("1k", 1e3), ("2M", 2e6), ("0.5Gi", 2.0**29), ("7", 7.0), ("x", None)],
)
def test_amount_reads_percentages_and_quantities(threshold: str, value: float | None) -> None:
    assert amount(threshold, 1000) == value


def test_numbers_read_well() -> None:
    assert (plural(1, "host"), plural(2, "host")) == ("1 host", "2 hosts")
    assert (gibibytes(3 << 30), gibibytes(5 << 20)) == ("3.0 GiB", "5 MiB")


KUBEADMS = """
IsPrivilegedUser error init join
NumCPU error init
Mem error init
KubernetesVersion warning init
Firewalld warning init
Port-N error init
FileAvailable--etc-kubernetes-manifests-COMPONENT.yaml error init
HTTPProxy warning init join
HTTPProxyCIDR warning init
CRI error init join
ContainerRuntimeVersion warning init join
Swap warning init join
FileExisting-TOOL error init join
SystemVerification error init join
Hostname warning init join
KubeletVersion error init join
Service-kubelet warning init join
Port-10250 error init join
FileContent--proc-sys-net-ipv4-ip_forward error init join
ExternalEtcdVersion error init
Port-2379, Port-2380 error init
DirAvailable--var-lib-etcd error init
ExternalEtcdClientCertificates error init
FileAvailable--etc-kubernetes-kubelet.conf error join
FileAvailable--etc-kubernetes-pki-ca.crt error join
ImagePull error init
"""
"""What kubeadm v1.36 checks for init and a worker's join, with severities; families under our names."""


@pytest.mark.parametrize("line", KUBEADMS.strip().splitlines())
def test_what_kubeadm_checks_is_checked_under_its_name_and_severity(line):
    (*words,) = re.split(r" (?=error|warning|init|join)", line)
    name, severity, *verbs = words
    [row] = [row for row in preflight.catalogue() if row.name == name]
    assert row.kubeadm
    assert row.severity.value == severity
    assert set(verbs) <= set(row.applies_to)


def test_no_other_check_is_said_to_be_kubeadms():
    listed = {re.split(r" (?=error|warning)", line)[0] for line in KUBEADMS.strip().splitlines()}
    assert {row.name for row in preflight.catalogue() if row.kubeadm} == listed
