"""Check every host on its own: what runs, what lies there, who may reach it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.verify import certificates, expected
from kubeadm_py.verify.checks import Level, Problem, check, expect_none, fail
from kubeadm_py.verify.survey import Survey

REACHED = ("reachable",)


@check("reachable", Level.HOSTS)
def test_reachable(survey: Survey) -> None:
    """The host can be reached and looked at"""
    if not survey.complete:
        raise fail("the survey ended early", expected="a root shell with coreutils, awk, ss and systemctl")


@check("units", Level.HOSTS, needs=REACHED)
def test_units(survey: Survey, node: Node) -> None:
    """Container runtime and kubelet run and start at boot"""
    problems = []
    for name in expected.units(node):
        state = survey.units[name]
        if state.active != "active":
            look = f"journalctl -u {name} -n 50"
            problems.append(Problem(f"{name} is {state.active}", "active", look=look))
        elif state.enabled not in ("enabled", "enabled-runtime", "static", "indirect", "generated"):
            problems.append(
                Problem(f"{name} is {state.enabled} at boot", "enabled", look=f"systemctl status {name}")
            )
    expect_none(problems)


@check("files", Level.HOSTS, needs=REACHED)
def test_files(survey: Survey, cluster: ResolvedCluster, node: Node) -> None:
    """Files have the mode and owner that kubeadm gives them"""
    problems = []
    for file in expected.files(cluster, node):
        state = survey.files.get(file.path)
        wanted = f"{file.mode:04o} {file.owner}"
        if state is None and not file.optional:
            problems.append(Problem(f"{file.path} is missing", wanted, look=f"ls -l {file.path}"))
        elif state is not None and (state.mode not in (file.mode, file.or_mode) or state.owner != file.owner):
            found = f"{file.path} is {state.mode:04o} {state.owner}"
            problems.append(Problem(found, wanted, look=f"stat -L {file.path}"))
    expect_none(problems)


@check("ports", Level.HOSTS, needs=(*REACHED, "units"))
def test_ports(survey: Survey, cluster: ResolvedCluster, node: Node) -> None:
    """Components listen where they should, and the private ones on loopback only"""
    problems = []
    for port in expected.listening(cluster, node):
        look = f"ss -ltnp 'sport = :{port.port}'"
        opened = survey.open_to_network(port.port)
        if port.port not in survey.listeners:
            problems.append(Problem(f"nothing listens on {port.port}", port.name, look=look))
        elif port.loopback_only and opened:
            found = f"{port.name} listens on {', '.join(opened)} port {port.port}"
            problems.append(Problem(found, "loopback only", look=look))
    expect_none(problems)


@check("sysctls", Level.HOSTS, needs=REACHED)
def test_sysctls(survey: Survey, cluster: ResolvedCluster) -> None:
    """Kernel settings let pod traffic through"""
    expect_none(
        Problem(f"{name} is {survey.sysctls.get(name) or 'absent'}", value, look=f"sysctl {name}")
        for name, value in expected.sysctls(cluster).items()
        if survey.sysctls.get(name) != value
    )


@check("certificate-expiry", Level.HOSTS, needs=REACHED)
def test_certificate_expiry(survey: Survey, cluster: ResolvedCluster, node: Node) -> None:
    """Certificates are valid now and for a while"""
    expect_none(certificates.expiry(survey.certificates, cluster, node, datetime.now(UTC)))


@check("certificate-chain", Level.HOSTS, needs=REACHED)
def test_certificate_chain(survey: Survey, cluster: ResolvedCluster, node: Node) -> None:
    """Certificates come from the right authority, with the right names and usages"""
    external = expected.external_authorities(cluster, node, survey.files)
    expect_none(certificates.chain(survey.certificates, cluster, node, external=external))


@check("certificate-keys", Level.HOSTS, needs=(*REACHED, "certificate-chain"), control_planes_only=True)
def test_certificate_keys(survey: Survey) -> None:
    """Certificates and keys belong together"""
    expect_none(
        Problem(
            f"{path}: {reason}",
            "a certificate made for its key",
            look=f"openssl x509 -noout -text -in {path}",
        )
        for path, reason in survey.mismatched_keys.items()
    )


@check("etcd-keys", Level.HOSTS, needs=(*REACHED, "ports"), etcd_members_only=True)
def test_etcd_keys(survey: Survey, cluster: ResolvedCluster) -> None:
    """etcd lists the cluster's keys to its own peer certificate"""
    _only_with_local_etcd(cluster)
    answer = survey.etcd["with-peer-certificate"]
    if answer.exit_code != 0 or "/registry" not in answer.output:
        raise fail(
            f"etcdctl says: {answer.output or 'nothing'}", expected="keys below /registry", look=_etcd_log()
        )


@check("etcd-health", Level.HOSTS, needs=(*REACHED, "etcd-keys"), etcd_members_only=True)
def test_etcd_health(survey: Survey, cluster: ResolvedCluster) -> None:
    """Every etcd member is healthy, seen from here"""
    _only_with_local_etcd(cluster)
    answer = survey.etcd["health"]
    if answer.exit_code != 0:
        raise fail(f"etcdctl says: {answer.output}", expected="every endpoint healthy", look=_etcd_log())


@check("etcd-client-certificates", Level.HOSTS, needs=(*REACHED, "etcd-keys"), etcd_members_only=True)
def test_etcd_refuses_strangers(survey: Survey, cluster: ResolvedCluster) -> None:
    """etcd refuses clients without a certificate of its own authority"""
    _only_with_local_etcd(cluster)
    problems = []
    for question, who in (
        ("without-certificate", "a client without a certificate"),
        ("foreign-certificate", "a client with a certificate of the cluster's CA"),
    ):
        if question in survey.etcd and survey.etcd[question].exit_code == 0:
            look = f"grep client-cert-auth {paths.MANIFESTS_DIR}/etcd.yaml"
            problems.append(Problem(f"etcd answers {who}", "a refusal", look=look))
    expect_none(problems)


def _only_with_local_etcd(cluster: ResolvedCluster) -> None:
    if cluster.etcd.ours is None:
        pytest.skip("etcd is external: others run it")


def _etcd_log() -> str:
    return "crictl logs --tail 20 $(crictl ps -a --name etcd -q | head -n 1)"
