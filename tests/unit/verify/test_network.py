from __future__ import annotations

import subprocess

import pytest

from kubeadm_py.verify import network
from kubeadm_py.verify.network import Answer, Probe, Server, Services

CP1 = Server("echo-a", "cp1", "10.244.0.5")
W1 = Server("echo-b", "w1", "10.244.1.5")
W2 = Server("echo-c", "w2", "fd00::5")
FOUND = Services("10.96.0.50", 30080, 30081)
PROBE = Probe("service-tcp", CP1, "10.96.0.50", 80, "http", 25, "the Service's ClusterIP")


def probes(*servers, nodes=None):
    return network.probes(servers, FOUND, nodes or {"cp1": "10.99.0.11"}, "ns", "cluster.local")


def test_every_node_asks_the_next_one():
    pairs = [
        (probe.source.node, probe.host, probe.protocol)
        for probe in probes(CP1, W1, W2)
        if probe.kind == "pod-network"
    ]
    assert pairs == [
        ("cp1", "10.244.1.5", "http"),
        ("cp1", "10.244.1.5", "udp"),
        ("w1", "fd00::5", "http"),
        ("w1", "fd00::5", "udp"),
        ("w2", "10.244.0.5", "http"),
        ("w2", "10.244.0.5", "udp"),
    ]


def test_one_node_asks_no_other():
    second = Server("echo-second", "cp1", "10.244.0.6")
    assert "pod-network" not in {probe.kind for probe in probes(CP1, second)}


def test_services_and_names_are_asked_from_every_node_and_node_ports_of_every_node():
    listed = probes(CP1, W1, nodes={"cp1": "10.99.0.11", "w1": "10.99.0.21"})
    for kind in ("service-tcp", "service-udp", "dns"):
        assert {probe.source.node for probe in listed if probe.kind == kind} == {"cp1", "w1"}
    assert {probe.host for probe in listed if probe.kind == "dns"} == {"echo", "echo.ns.svc.cluster.local"}
    ports = {(probe.host, probe.port) for probe in listed if probe.kind.startswith("node-port")}
    assert ports == {(host, port) for host in ("10.99.0.11", "10.99.0.21") for port in (30080, 30081)}


def test_the_script_is_one_exec_a_pod_and_valid_shell():
    text = network.script(probes(CP1, W1, W2), "ns")
    assert text.count(" exec echo-") == 3
    assert "host=fd00::5&port" in text
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def test_answers_are_read_with_what_went_wrong():
    wanted = probes(CP1, W1)[:5]
    text = "\n".join(
        [
            'probe\t0\t{"responses":["a","b","a"]}',
            'probe\t1\t{"errors":["i/o timeout"]}',
            "probe\t2\twget: server returned error",
            "probe\t3\t",
            "probe\t99\t{}",
            "noise",
            "exec\techo-a\tError from server (Forbidden)",
            "exec\techo-a\tsecond line",
        ]
    )
    answers = list(network.parse(text, wanted).values())
    assert answers == [
        Answer(frozenset({"a", "b"})),
        Answer(frozenset(), "i/o timeout"),
        Answer(frozenset(), "wget: server returned error"),
        Answer(frozenset(), "silence for 8 s"),
        Answer(frozenset(), "Error from server (Forbidden)"),
    ]


def test_a_pod_that_says_nothing_has_no_answer():
    assert network.parse("", [PROBE])[PROBE].error == "no answer from the pod that asks"


def test_later_rounds_add_to_earlier_ones():
    first = {PROBE: Answer(frozenset({"a"}), "late")}
    both = network.merged(first, {PROBE: Answer(frozenset({"b"}))})
    assert both[PROBE] == Answer(frozenset({"a", "b"}), "")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(frozenset({"a", "b"})), ""),
        (Answer(frozenset({"a"})), "the Service's ClusterIP never led to b in 25 tries over TCP"),
        (
            Answer(frozenset(), "refused"),
            "the Service's ClusterIP does not answer over TCP when asked from a pod",
        ),
        (Answer(frozenset()), "an empty answer"),
    ],
)
def test_complaints(answer, says):
    text = network.complaint(PROBE, answer, frozenset({"a", "b"}))
    assert says in text
    assert bool(text) is bool(says)


def test_only_services_must_reach_every_backend():
    single = Probe("pod-network", CP1, "10.244.1.5", 8081, "udp", label="the pod on w1")
    assert network.complaint(single, Answer(frozenset({"b"})), frozenset({"a", "b"})) == ""


def test_pods_without_an_address_are_no_servers():
    def pod(name, ip, **labels):
        return {
            "metadata": {"name": name, "labels": labels},
            "spec": {"nodeName": "w1"},
            "status": {"podIP": ip} if ip else {},
        }

    found = network.servers(
        [pod("b", "10.1.1.2", role="echo"), pod("a", "", role="echo"), pod("c", "10.1.1.3")]
    )
    assert found == [Server("b", "w1", "10.1.1.2")]
