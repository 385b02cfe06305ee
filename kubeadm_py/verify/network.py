"""Plan the network probes that run inside the test pods, and read what they answer."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubeadm_py.verify.objects import (
    ECHO,
    HTTP_PORT,
    SERVICE_TCP_PORT,
    SERVICE_UDP_PORT,
    UDP_PORT,
)

PROBE_SECONDS = 8
ALL_BACKENDS_TRIES = 25
"""How often a Service is asked at once until each of a few backends must have answered."""


@dataclass(frozen=True, slots=True)
class Server:
    """Hold a test server's pod."""

    pod: str
    node: str
    address: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask one address from inside one pod; `kind` says for which check."""

    kind: str
    source: Server
    host: str
    port: int
    protocol: str
    tries: int = 1
    label: str = ""
    """What a person calls the target."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold who answered, and what went wrong where nobody did."""

    responders: frozenset[str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """Hold the addresses of the test Services."""

    cluster_ip: str
    node_port_tcp: int
    node_port_udp: int


def servers(pods: Iterable[Mapping[str, Any]]) -> list[Server]:
    """Return the test servers among the namespace's pods, by node and name."""
    listed = [
        Server(each["metadata"]["name"], each["spec"]["nodeName"], each["status"]["podIP"])
        for each in pods
        if each["metadata"].get("labels", {}).get("role") == ECHO and each.get("status", {}).get("podIP")
    ]
    return sorted(listed, key=lambda server: (server.node, server.pod))


def services(items: Iterable[Mapping[str, Any]]) -> Services:
    """Return the addresses of the Services `echo` and `echo-nodeport`."""
    by_name = {each["metadata"]["name"]: each["spec"] for each in items}
    ports = {port["name"]: int(port.get("nodePort", 0)) for port in by_name["echo-nodeport"]["ports"]}
    return Services(str(by_name[ECHO]["clusterIP"]), ports["http"], ports["udp"])


def probes(
    present: Sequence[Server],
    found: Services,
    node_addresses: Mapping[str, str],
    namespace: str,
    dns_domain: str,
) -> list[Probe]:
    """List every probe: pods across nodes, the Services from each node, DNS from each node.

    Each node asks the next one, so every node sends and is reached once, whatever their number.
    """
    sources = list({server.node: server for server in present}.values())
    listed: list[Probe] = []
    for index, source in enumerate(sources):
        target = sources[(index + 1) % len(sources)]
        if target.node != source.node:
            label = f"the pod on {target.node}"
            listed.append(Probe("pod-network", source, target.address, HTTP_PORT, "http", label=label))
            listed.append(Probe("pod-network", source, target.address, UDP_PORT, "udp", label=label))
        listed += _service_probes(source, found)
        listed += _name_probes(source, namespace, dns_domain)
    for node, address in node_addresses.items():
        caller = sources[0]
        label = f"the NodePort on {node}"
        listed.append(Probe("node-port-tcp", caller, address, found.node_port_tcp, "http", 1, label))
        listed.append(Probe("node-port-udp", caller, address, found.node_port_udp, "udp", 1, label))
    return listed


def script(wanted: Sequence[Probe], namespace: str) -> str:
    """Return a script for the control plane that runs all probes at once, one `kubectl exec` a pod."""
    lines = ["t=$(mktemp -d /run/kubeadm-py-verify.XXXXXX) || exit 1", "trap 'rm -rf -- \"$t\"' EXIT"]
    by_pod: dict[str, list[int]] = {}
    for index, probe in enumerate(wanted):
        by_pod.setdefault(probe.source.pod, []).append(index)
    for pod, indices in by_pod.items():
        inner = "\n".join([*(_dial(index, wanted[index]) for index in indices), "wait"])
        command = shlex.join(["-n", namespace, "exec", pod, "--", "/bin/sh", "-c", inner])
        told = f'sed "s/^/exec\t{pod}\t/" "$t/{pod}.err"'
        lines.append(f'{{ k {command} 2>"$t/{pod}.err"; {told}; }} >"$t/{pod}" </dev/null &')
    return "\n".join([*lines, "wait", *(f'cat "$t/{pod}"' for pod in by_pod)])


def parse(text: str, wanted: Sequence[Probe]) -> dict[Probe, Answer]:
    """Read the script's output; a probe without a line has not been answered."""
    answers: dict[Probe, Answer] = {}
    said: dict[str, str] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition("\t")
        name, _, body = rest.partition("\t")
        if kind == "exec":
            said.setdefault(name, body)
        elif kind == "probe" and name.isdecimal() and int(name) < len(wanted):
            answers[wanted[int(name)]] = _answer(body)
    silence = "no answer from the pod that asks"
    missing = {probe: Answer(frozenset(), said.get(probe.source.pod, silence)) for probe in wanted}
    return missing | answers


def merged(before: Mapping[Probe, Answer], after: Mapping[Probe, Answer]) -> dict[Probe, Answer]:
    """Add a later round's answers: whoever answered once has been reached."""
    both = dict(before)
    for probe, answer in after.items():
        earlier = both[probe].responders if probe in both else frozenset()
        both[probe] = Answer(earlier | answer.responders, answer.error)
    return both


def complaint(probe: Probe, answer: Answer, backends: frozenset[str]) -> str:
    """Return what is wrong with an answer, or nothing; a Service must have reached every backend."""
    if not answer.responders:
        return f"{probe.label} does not answer {_asker(probe)}: {answer.error or 'an empty answer'}"
    missing = backends - answer.responders
    if probe.tries > 1 and missing:
        return (
            f"{probe.label} never led to {', '.join(sorted(missing))} in {probe.tries} tries {_asker(probe)}"
        )
    return ""


def _asker(probe: Probe) -> str:
    protocol = "TCP" if probe.protocol == "http" else "UDP"
    return f"over {protocol} when asked from a pod on {probe.source.node}"


def _service_probes(source: Server, found: Services) -> list[Probe]:
    label, tries = "the Service's ClusterIP", ALL_BACKENDS_TRIES
    return [
        Probe("service-tcp", source, found.cluster_ip, SERVICE_TCP_PORT, "http", tries, label),
        Probe("service-udp", source, found.cluster_ip, SERVICE_UDP_PORT, "udp", tries, label),
    ]


def _name_probes(source: Server, namespace: str, dns_domain: str) -> list[Probe]:
    names = [ECHO, f"{ECHO}.{namespace}.svc.{dns_domain}"]
    return [Probe("dns", source, name, SERVICE_TCP_PORT, "http", 1, f"the name {name}") for name in names]


def _dial(number: int, probe: Probe) -> str:
    # The test image joins host and port itself: an IPv6 address goes without brackets.
    query = (
        f"host={probe.host}&port={probe.port}&protocol={probe.protocol}&request=hostname&tries={probe.tries}"
    )
    url = f"http://127.0.0.1:{HTTP_PORT}/dial?{query}"
    return (
        # `timeout` and not wget's own -T, which crashes some builds of busybox.
        f"{{ answer=$(timeout {PROBE_SECONDS} wget -q -O - {shlex.quote(url)} 2>&1); "
        f"printf 'probe\\t{number}\\t%s\\n' \"$(printf %s \"$answer\" | tr '\\n\\t' '  ')\"; }} &"
    )


def _answer(body: str) -> Answer:
    try:
        document = json.loads(body)
    except ValueError:
        return Answer(frozenset(), body.strip()[:200] or f"silence for {PROBE_SECONDS} s")
    responders = frozenset(str(name) for name in document.get("responses") or [])
    errors = [str(error) for error in document.get("errors") or []]
    return Answer(responders, errors[0][:200] if errors else "")
