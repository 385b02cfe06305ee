"""Run the real suite over fake hosts: all is well, and each single fault fails exactly its check."""

from __future__ import annotations

import base64
import json
import os
import signal
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from kubeadm_py.errors import ExitCode, HostKeyError, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.model.cluster import LoadBalancer
from kubeadm_py.transport.base import Result
from kubeadm_py.verify import expected
from kubeadm_py.verify import run as verify_run
from kubeadm_py.verify.checks import Level
from kubeadm_py.verify.report import Outcome, summary
from kubeadm_py.verify.run import verify


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def failures(report):
    return sorted({(result.check, result.host) for result in report.failures})


def test_a_healthy_cluster_passes(fake):
    seen = []
    report = verify(fake.cluster, level="cluster", hosts=fake.host_for, on_result=seen.append)
    assert failures(report) == []
    assert report.exit_code is ExitCode.DONE
    assert tuple(seen) == report.results
    assert report.count(Outcome.SKIPPED) == 0
    assert {result.level for result in report.results} == {Level.HOSTS, Level.CLUSTER}
    assert {result.check for result in report.results} >= {"pod-network", "service-udp", "dns", "volume"}
    assert all(host.calls[-1].kind == "close" for host in fake.hosts.values())


def test_hosts_are_asked_once_each(fake):
    verify(fake.cluster, level="hosts", hosts=fake.host_for)
    assert {name: host.round_trips("run") for name, host in fake.hosts.items()} == {"cp1": 1, "w1": 1}


def test_the_namespace_is_made_and_removed(fake):
    report = verify(fake.cluster, level="cluster", hosts=fake.host_for)
    scripts = fake.hosts["cp1"].scripts
    made = [index for index, script in enumerate(scripts) if '"kind": "Namespace"' in script]
    removed = [
        index for index, script in enumerate(scripts) if "k delete namespace kubeadm-py-verify-" in script
    ]
    assert len(made) == len(removed) == 1
    assert made[0] < removed[0] == len(scripts) - 1
    assert report.notes == ()


def test_read_only_makes_nothing(fake):
    report = verify(fake.cluster, level="workloads", read_only=True, hosts=fake.host_for)
    assert report.ok
    skipped = [result for result in report.results if result.outcome is Outcome.SKIPPED]
    assert {result.reason for result in skipped} == {"read-only: it makes objects in the cluster"}
    assert not any("apply" in script or "delete" in script for script in fake.hosts["cp1"].scripts)


HOST_FAULTS = {
    "mode": ("w1", "config.yaml\t644", "config.yaml\t666", "files"),
    "owner": ("cp1", "admin.conf\t600\troot:root", "admin.conf\t600\tnobody:root", "files"),
    "unit stopped": ("w1", "kubelet.service\tactive", "kubelet.service\tinactive", "units"),
    "unit disabled": (
        "cp1",
        "containerd.service\tactive\tenabled",
        "containerd.service\tactive\tdisabled",
        "units",
    ),
    "port": ("cp1", "*:6443", "*:6444", "ports"),
    "open to the network": ("cp1", "127.0.0.1:10257", "10.99.0.11:10257", "ports"),
    "sysctl": ("w1", "net.ipv4.ip_forward\t1", "net.ipv4.ip_forward\t0", "sysctls"),
    "sysctl absent": ("w1", "net.ipv4.ip_forward\t1", "net.ipv4.ip_forward\t", "sysctls"),
    "etcd silent": ("cp1", "peer-certificate\t0\t/registry/pods", "peer-certificate\t1\tError", "etcd-keys"),
    "etcd empty": ("cp1", "peer-certificate\t0\t/registry/pods", "peer-certificate\t0\t/other", "etcd-keys"),
    "etcd ill": ("cp1", "health\t0", "health\t1", "etcd-health"),
    "etcd open": ("cp1", "without-certificate\t1", "without-certificate\t0", "etcd-client-certificates"),
    "etcd trusts the CA": (
        "cp1",
        "foreign-certificate\t1",
        "foreign-certificate\t0",
        "etcd-client-certificates",
    ),
    "survey cut": ("w1", "complete", "", "reachable"),
}


@pytest.mark.parametrize("fault", HOST_FAULTS.values(), ids=HOST_FAULTS)
def test_each_fault_of_a_host_fails_exactly_its_check(fault, fake):
    host, old, new, check = fault
    fake.surveys[host].change(old, new)
    report = verify(fake.cluster, level="cluster", hosts=fake.host_for)
    assert failures(report) == [(check, host)]
    assert report.exit_code is ExitCode.VERIFY
    (result,) = report.failures
    assert result.problems[0].found
    assert not any(problem.host == "" and result.host == "" for problem in result.problems)


OUR_LINE = "hosts\t127.0.0.1 api.demo.internal # kubeadm-py: the API of cluster demo"
ENDPOINTS = {
    "silent": ("external", [], "w1", ("endpoint\t0\tok", "endpoint\t1\tconnection refused"), "refused"),
    "nobody asked": ("external", [], "cp1", ("endpoint\t0\tok", "x"), "nothing asked"),
    "no line": ("node-local", [], "w1", None, "nothing"),
    "a line too many": ("external", [("w1", OUR_LINE)], "w1", None, "127.0.0.1 api.demo.internal"),
    "a vip on nobody": ("vip", [], "", None, "10.99.0.100 is on no host"),
    "a vip on two": (
        "vip",
        [("cp1", "address\t10.99.0.100"), ("w1", "address\t10.99.0.100")],
        "",
        None,
        "is on cp1, w1",
    ),
}


def with_endpoint(fake, kind, authorities):
    """Return the cluster with an endpoint of this kind, and its hosts as they are then."""
    places = {"external": "", "vip": "10.99.0.100:6443", "node-local": "api.demo.internal:6443"}
    changed = replace(fake.cluster, control_plane_endpoint=places[kind], load_balancer=LoadBalancer(kind))
    for node in changed.nodes:
        more = [f"file\t{file.path}\t{file.mode:o}\t{file.owner}" for file in expected.files(changed, node)]
        if expected.endpoint.runs_haproxy(changed, node):
            more += [f"listen\t127.0.0.1:{port}" for port in (6443, 10270)]
        known = fake.surveys[node.name].lines
        known += [line for line in more if line not in known]
        for request in expected.certificates(changed, node):
            if request.name == "apiserver":
                path, pem = expected.certificate_file(request), authorities.issue(request).public_pem
                fake.surveys[node.name].drop(f"pem\t{path}")
                known = fake.surveys[node.name].lines
                known.append(f"pem\t{path}\t{base64.b64encode(pem).decode()}")
    return changed


@pytest.mark.parametrize("fault", ENDPOINTS.values(), ids=ENDPOINTS)
def test_each_fault_of_the_endpoint_is_told(fault, fake, authorities):
    kind, lines, host, change, found = fault
    cluster = with_endpoint(fake, kind, authorities)
    if kind == "node-local":
        fake.surveys["cp1"].lines.append(OUR_LINE.replace("127.0.0.1", "10.99.0.11"))
    for name, line in lines:
        fake.surveys[name].lines.append(line)
    if change:
        fake.surveys[host].change(*change)
    report = verify(cluster, level="cluster", hosts=fake.host_for)
    (result,) = [each for each in report.failures if each.check == "endpoint"]
    (problem,) = result.problems
    assert problem.host == host
    assert found in problem.found


def test_a_missing_file_and_a_missing_port_are_named(fake):
    fake.surveys["cp1"].drop("file\t/etc/kubernetes/scheduler.conf")
    report = verify(fake.cluster, level="hosts", hosts=fake.host_for)
    assert failures(report) == [("files", "cp1")]
    (problem,) = report.failures[0].problems
    assert problem.found == "/etc/kubernetes/scheduler.conf is missing"
    assert problem.expected == "0600 root:root"
    assert problem.look == "ls -l /etc/kubernetes/scheduler.conf"


def test_keys_that_an_operator_keeps_elsewhere_are_no_fault(fake):
    fake.surveys["cp1"].drop("file\t/etc/kubernetes/pki/ca.key")
    fake.surveys["cp1"].drop("file\t/etc/kubernetes/super-admin.conf")
    assert verify(fake.cluster, level="hosts", hosts=fake.host_for).ok


def test_a_key_of_another_certificate_is_found(fake):
    fake.surveys["cp1"].lines.insert(
        0, "mismatch\t/etc/kubernetes/pki/apiserver.crt\tprivate key does not match"
    )
    report = verify(fake.cluster, level="hosts", hosts=fake.host_for)
    assert failures(report) == [("certificate-keys", "cp1")]


def _ready(fake, name, **condition):
    fake.nodes[name]["status"]["conditions"] = [{"type": "Ready", **condition}]


def _without(fake, name):
    fake.system = [item for item in fake.system if item["metadata"]["name"] != name]


def _unready(fake, name):
    item = next(item for item in fake.system if item["metadata"]["name"] == name)
    item["status"] = {"desiredNumberScheduled": 2, "numberReady": 1, "readyReplicas": 1, "phase": "Pending"}


CLUSTER_FAULTS = {
    "API not ready": (lambda fake: setattr(fake, "failing", ("readyz",)), "api"),
    "a node unknown": (lambda fake: fake.nodes.pop("w1"), "nodes-ready"),
    "a node not ready": (
        lambda fake: _ready(fake, "w1", status="False", reason="KubeletNotReady"),
        "nodes-ready",
    ),
    "a node without condition": (lambda fake: _ready(fake, "w1"), "nodes-ready"),
    "cordoned": (lambda fake: fake.nodes["w1"]["spec"].update(unschedulable=True), "nodes-schedulable"),
    "another address": (
        lambda fake: fake.nodes["w1"]["status"]["addresses"][0].update(address="10.0.2.15"),
        "node-addresses",
    ),
    "a label of the file missing": (
        lambda fake: fake.nodes["w1"]["metadata"]["labels"].pop("disk"),
        "node-labels",
    ),
    "the role's label missing": (
        lambda fake: fake.nodes["cp1"]["metadata"]["labels"].pop("node-role.kubernetes.io/control-plane"),
        "node-labels",
    ),
    "a taint missing": (lambda fake: fake.nodes["cp1"]["spec"].pop("taints"), "node-taints"),
    "another version": (
        lambda fake: fake.nodes["w1"]["status"]["nodeInfo"].update(kubeletVersion="v1.35.0"),
        "node-versions",
    ),
    "anonymous reads": (lambda fake: setattr(fake, "anonymous_allowed", True), "anonymous"),
    "anonymous is refused oddly": (
        lambda fake: setattr(fake, "anonymous_says", b"connection refused"),
        "anonymous",
    ),
    "no kube-proxy": (lambda fake: _without(fake, "kube-proxy"), "components"),
    "half of CoreDNS": (lambda fake: _unready(fake, "coredns"), "components"),
    "half of flannel": (lambda fake: _unready(fake, "kube-flannel-ds"), "components"),
    "scheduler not ready": (lambda fake: _unready(fake, "kube-scheduler-cp1"), "components"),
    "no account": (lambda fake: setattr(fake, "failing", ("wait serviceaccount/default",)), "namespace"),
    "objects refused": (lambda fake: setattr(fake, "failing", ('"DaemonSet"',)), "namespace"),
    "namespace gone": (lambda fake: setattr(fake, "namespace_stays", False), "namespace"),
    "pods do not start": (
        lambda fake: setattr(fake, "failing", ("rollout status daemonset/echo",)),
        "test-pods",
    ),
    "pods across nodes, TCP": (
        lambda fake: setattr(fake, "refuses_dial", lambda url: "host=10.244.1.5&port=8080" in url),
        "pod-network",
    ),
    "pods across nodes, UDP": (
        lambda fake: setattr(fake, "refuses_dial", lambda url: "host=10.244.1.5&port=8081" in url),
        "pod-network",
    ),
    "Service, TCP": (
        lambda fake: setattr(fake, "refuses_dial", lambda url: "host=10.96.0.50&port=80&" in url),
        "service-tcp",
    ),
    "Service, UDP": (
        lambda fake: setattr(fake, "refuses_dial", lambda url: "host=10.96.0.50&port=81&" in url),
        "service-udp",
    ),
    "NodePort, TCP": (
        lambda fake: setattr(fake, "refuses_dial", lambda url: "port=30080" in url),
        "node-port-tcp",
    ),
    "NodePort, UDP": (
        lambda fake: setattr(fake, "refuses_dial", lambda url: "port=30081" in url),
        "node-port-udp",
    ),
    "short names": (lambda fake: setattr(fake, "refuses_dial", lambda url: "host=echo&" in url), "dns"),
    "claim pending": (lambda fake: setattr(fake, "volume_phase", "Pending"), "volume"),
    "volume pod": (lambda fake: setattr(fake, "failing", ("wait pod/volume",)), "volume"),
}


@pytest.mark.parametrize("fault", CLUSTER_FAULTS.values(), ids=CLUSTER_FAULTS)
def test_each_fault_of_the_cluster_fails_exactly_its_check(fault, fake):
    spoil, check = fault
    spoil(fake)
    report = verify(fake.cluster, level="cluster", hosts=fake.host_for)
    assert failures(report) == [(check, "")]
    assert report.exit_code is ExitCode.VERIFY


def _answering(fake, text, result):
    return lambda node: fake.host_for(node).answer(text, result)


def test_an_api_server_that_is_not_ready_names_the_part_that_is_not(fake):
    parts = "\n".join(
        ["[+]ping ok", "[+]log ok", "[+]etcd ok", "[-]poststarthook/x failed", "readyz check failed"]
    )
    said = f'Error from server (InternalError): an error on the server ("{parts}") has prevented the request'
    hosts = _answering(fake, "/readyz?verbose", Result(1, b"", said.encode()))
    (failed,) = verify(fake.cluster, level="cluster", hosts=hosts).failures
    assert failed.problems[0].found == "https://10.99.0.11:6443/readyz: [-]poststarthook/x failed"


def test_an_answer_that_was_cut_off_is_told_by_its_error(fake):
    said = b"Unable to connect to the server: net/http: request canceled"
    hosts = _answering(fake, "k -n kube-flannel get", Result(1, b'{\n"apiVersion": "v1",\n', said))
    (failed,) = verify(fake.cluster, level="cluster", hosts=hosts).failures
    assert failed.check == "components"
    assert failed.problems[0].found.endswith(f": {said.decode()}")


def test_what_needs_a_failed_check_is_skipped_with_the_first_cause(fake):
    fake.surveys["w1"].change("net.ipv4.ip_forward\t1", "net.ipv4.ip_forward\t0")
    report = verify(fake.cluster, level="cluster", hosts=fake.host_for)
    reasons = {result.check: result.reason for result in report.results if result.outcome is Outcome.SKIPPED}
    assert reasons["test-pods"] == reasons["dns"] == "cannot tell, because sysctls failed on w1"


def test_one_hosts_fault_does_not_hide_anothers(fake):
    fake.surveys["w1"].change("kubelet.service\tactive", "kubelet.service\tfailed")
    report = verify(fake.cluster, level="hosts", hosts=fake.host_for)
    outcomes = {result.host: result.outcome for result in report.results if result.check == "ports"}
    assert outcomes == {"cp1": Outcome.PASSED, "w1": Outcome.SKIPPED}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnreachableError("connection refused", host="w1", fix="start sshd"), ExitCode.UNREACHABLE),
        (HostKeyError("the key has changed", host="w1"), ExitCode.HOST_KEY),
    ],
)
def test_a_host_that_is_not_reached_fails_one_check(error, code, fake):
    def host_for(node):
        host = fake.host_for(node)
        return host.answer("# survey", error) if node.name == "w1" else host

    report = verify(fake.cluster, level="hosts", hosts=host_for)
    assert failures(report) == [("reachable", "w1")]
    assert report.exit_code is code
    assert report.failures[0].problems[0].look == error.fix


def test_no_control_plane_is_reached(fake):
    def host_for(node):
        return fake.host_for(node).answer(lambda script: True, UnreachableError("no route", host=node.name))

    report = verify(fake.cluster, level="cluster", hosts=host_for)
    assert failures(report) == [("reachable", "cp1"), ("reachable", "w1")]
    assert report.exit_code is ExitCode.UNREACHABLE


def test_foreign_nodes_and_taints_are_said(fake):
    stranger = json.loads(json.dumps(fake.nodes["w1"]))
    fake.nodes["w9"] = stranger | {"metadata": {"name": "w9", "labels": {}}}
    fake.nodes["w1"]["spec"]["taints"] = [
        {"key": "gpu", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
    ]
    report = verify(fake.cluster, level="cluster", read_only=True, hosts=fake.host_for)
    said = {result.check: result.reason for result in report.results if result.outcome is Outcome.SAID}
    assert said == {
        "nodes-ready": "nodes that the file does not name: w9",
        "node-taints": "w1 carries taints that the file does not name: gpu",
    }


def test_one_node_has_no_other_to_reach(fake):
    alone = replace(fake.cluster, nodes=fake.cluster.nodes[:1])
    report = verify(alone, level="cluster", hosts=fake.host_for)
    reasons = {result.check: result.reason for result in report.results if result.outcome is Outcome.SKIPPED}
    assert reasons["volume"] == "every node is tainted: no ordinary pod can use a claim"
    assert "pod-network" in {result.check for result in report.results}
    assert report.ok


def test_no_default_class_no_claim(fake):
    fake.classes[0]["metadata"]["annotations"] = {}
    report = verify(fake.cluster, level="cluster", hosts=fake.host_for)
    (volume,) = [result for result in report.results if result.check == "volume"]
    assert (volume.outcome, volume.reason) == (Outcome.SKIPPED, "there is no default StorageClass")
    assert not any("PersistentVolumeClaim" in script for script in fake.hosts["cp1"].scripts)


def test_disabled_dns_is_not_asked(fake):
    report = verify(
        replace(fake.cluster, dns=replace(fake.cluster.dns, disabled=True)),
        level="cluster",
        hosts=fake.host_for,
    )
    assert report.ok
    assert [result.check for result in report.results if result.outcome is Outcome.SKIPPED] == ["dns"]


def test_ctrl_c_removes_the_namespace_and_says_so(fake):
    def host_for(node):
        host = fake.host_for(node)

        def interrupt(call):
            os.kill(os.getpid(), signal.SIGTERM)
            return host.default

        return host.answer("rollout status daemonset/echo", interrupt)

    report = verify(fake.cluster, level="cluster", hosts=host_for)
    assert report.interrupted
    assert report.exit_code is ExitCode.INTERRUPTED
    assert "k delete namespace" in fake.hosts["cp1"].scripts[-1]


def test_a_namespace_that_stays_is_noted(fake):
    fake.failing = ("k delete namespace kubeadm-py",)
    report = verify(fake.cluster, level="cluster", hosts=fake.host_for)
    assert report.ok
    (note,) = report.notes
    assert "kubectl delete namespace kubeadm-py-verify-" in note


def test_a_connection_lost_at_the_end_is_noted(fake):
    def host_for(node):
        return fake.host_for(node).answer(
            "k delete namespace kubeadm-py", UnreachableError("cut", host="cp1")
        )

    report = verify(fake.cluster, level="cluster", hosts=host_for)
    assert any("may be left" in note for note in report.notes)


def test_reports_are_written(fake, tmp_path):
    junit, document = tmp_path / "verify.xml", tmp_path / "verify.json"
    fake.surveys["w1"].change("config.yaml\t644", "config.yaml\t666")
    report = verify(fake.cluster, level="hosts", hosts=fake.host_for, junit=junit, json=document)
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert (suite.get("name"), suite.get("failures")) == ("hosts", "1")
    assert int(suite.get("tests")) == len(report.results)
    failure = suite.find("testcase[@name='files[w1]']/failure")
    assert "0666" in failure.get("message")
    written = json.loads(document.read_text())
    assert written["exitCode"] == 6
    assert written["counts"]["failed"] == 1
    assert "files" in "\n".join(summary(report))


def test_a_report_that_cannot_be_written_is_a_usage_error(fake, tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        verify(fake.cluster, level="hosts", hosts=fake.host_for, json=tmp_path / "no" / "verify.json")


def test_a_suite_that_cannot_be_loaded_is_an_error(fake, tmp_path, monkeypatch):
    (tmp_path / "test_broken.py").write_text("import nothing_of_that_name")
    monkeypatch.setattr(verify_run, "SUITE", tmp_path)
    with pytest.raises(KubeadmPyError, match="the suite cannot run") as caught:
        verify(fake.cluster, level="hosts", hosts=fake.host_for)
    assert any("nothing_of_that_name" in line for line in caught.value.details)


def test_a_check_that_breaks_is_an_error_of_its_own(fake):
    fake.nodes["w1"].pop("status")
    report = verify(fake.cluster, level="cluster", read_only=True, hosts=fake.host_for)
    (result,) = report.failures
    assert (result.check, result.outcome) == ("nodes-ready", Outcome.ERROR)
    assert "KeyError" in result.problems[0].found


def test_settings_of_the_operators_shell_do_not_count(fake, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    report = verify(fake.cluster, level="hosts", hosts=fake.host_for)
    assert report.ok
    assert os.environ["PYTEST_ADDOPTS"] == "--collect-only"
