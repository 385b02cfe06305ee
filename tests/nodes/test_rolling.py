"""An edited file rolls through a running cluster: one host at a time, and back where it does not work."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import nodes
from lab.topology import Node

from .asking import shell
from .cli import Done
from .test_apply import FOUNDERS, Whole, whole  # noqa: F401 - a fixture
from .watching import Watch, knocking, watching

pytestmark = pytest.mark.long

SILENCE_SECONDS = 3.0
GAP_MS = 1000
"""What a Service may be silent for while kube-proxy changes its mode."""
DNS = "http://10.96.0.10:9153/metrics"
"""A service of two pods that every cluster has."""
_STATE = """sha256sum /etc/kubernetes/manifests/* /etc/kubernetes/*.conf /var/lib/kubelet/config.yaml \
 /var/lib/kubeadm-py/inventory.json; ls -A /var/lib/kubeadm-py"""


def edit(config: Path, name: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write a config that differs from another one."""
    documents = list(yaml.safe_load_all(config.read_text()))
    change({each["kind"]: each for each in documents})
    path = config.with_name(f"{name}.yaml")
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return path


def flag(component: str, name: str, value: str) -> Callable[[dict[str, Any]], None]:
    def change(kinds: dict[str, Any]) -> None:
        where = kinds["ClusterConfiguration"]
        if component == "etcd":
            where = where.setdefault("etcd", {})
            component_of = "local"
        else:
            component_of = component
        where.setdefault(component_of, {}).setdefault("extraArgs", []).append({"name": name, "value": value})

    return change


def control_planes(cluster: Whole) -> list[Node]:
    return [node for node in cluster.nodes if node.role == "control-plane"]


def answered(seen: Watch) -> None:
    """Hold the API's silence to its limit, but for the time in which the machine did nothing at all."""
    said = f"silent for {seen.silence:.1f} s, the machine for {seen.stalled:.1f} s, {seen.asked} questions"
    sys.stdout.write(f"{said}\n")
    assert seen.silence <= SILENCE_SECONDS + seen.stalled, said


def state(node: Node) -> str:
    return nodes.exec(node, ["sh", "-c", _STATE]).stdout


def containers(node: Node, *without: str) -> set[str]:
    """Return the ids of the running containers but those of some names."""
    listed = json.loads(nodes.exec(node, ["crictl", "ps", "-o", "json"]).stdout)["containers"]
    return {each["id"] for each in listed if each["metadata"]["name"] not in without}


def turns(done: Done, *stages: str) -> list[str]:
    """Return the hosts that had their turn in these stages; no two of them at once."""
    at_work = [
        (event["type"] == "host-started", event["host"])
        for event in done.events
        if event["type"] in ("host-started", "host-done") and event["stage"] in stages
    ]
    assert at_work[::2] == [(True, host) for _, host in at_work[1::2]], "one after the other"
    return [host for begun, host in at_work if begun]


@dataclass(frozen=True)
class Edited:
    """The config with which the cluster runs from now on, and what was seen while it came to that."""

    config: Path
    seen: Watch


@pytest.fixture(scope="module")
def edited(whole: Whole, cli) -> Edited:  # noqa: F811
    """Every component's flags changed by one run, watched."""

    def all_of_them(kinds: dict[str, Any]) -> None:
        flag("apiServer", "event-ttl", "90m")(kinds)
        flag("controllerManager", "terminated-pod-gc-threshold", "100")(kinds)
        flag("scheduler", "v", "1")(kinds)
        flag("etcd", "heartbeat-interval", "150")(kinds)

    path = edit(whole.config, "flags", all_of_them)
    with watching(control_planes(whole)) as seen:
        cli.run("apply", "--config", path, within=900)
    return Edited(path, seen)


def test_every_component_runs_with_its_new_flag(whole, edited):  # noqa: F811
    for node in control_planes(whole):
        # The processes themselves: a mirror pod tells late what its pod is.
        running = nodes.exec(node, ["ps", "-eo", "args="]).stdout
        for words in (
            ("etcd ", "--heartbeat-interval=150"),
            ("kube-apiserver ", "--event-ttl=90m"),
            ("kube-controller-manager ", "--terminated-pod-gc-threshold=100"),
            ("kube-scheduler ", "--v=1"),
        ):
            assert any(all(word in line for word in words) for line in running.splitlines()), words


def test_never_were_two_control_planes_away(whole, edited):  # noqa: F811
    seen = edited.seen
    assert {name: len(seen.was_away(name)) for name in seen.away} == dict.fromkeys(FOUNDERS, 4)
    assert seen.away_at_once() == []


def test_the_api_was_never_silent_for_long(whole, edited):  # noqa: F811
    answered(edited.seen)


def test_the_same_file_again_changes_nothing(whole, edited, cli):  # noqa: F811
    assert cli.run("apply", "--config", edited.config, "--format", "json").report["changed"] == 0


def test_kubelets_are_restarted_and_their_pods_are_not(whole, edited, cli):  # noqa: F811
    before = {node.name: containers(node) for node in whole.nodes}

    def more_pods(kinds: dict[str, Any]) -> None:
        kinds["KubeletConfiguration"]["maxPods"] = 99

    path = edit(edited.config, "kubelet", more_pods)
    done = cli.run("apply", "--config", path, "--format", "json", within=600)
    assert turns(done, "control", "join") == [*FOUNDERS, "w1"]
    items = json.loads(whole.cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    assert {item["status"]["capacity"]["pods"] for item in items} == {"99"}
    assert {node.name: containers(node) for node in whole.nodes} == before
    # Back for the tests after this one.
    cli.run("apply", "--config", edited.config, within=600)


def test_another_name_is_served_by_each_api_server_without_a_restart(whole, edited, cli):  # noqa: F811
    before = {node.name: containers(node) for node in whole.nodes}

    def another_name(kinds: dict[str, Any]) -> None:
        kinds["ClusterConfiguration"].setdefault("apiServer", {})["certSANs"] = ["api.rolling.example"]

    path = edit(edited.config, "name", another_name)
    with watching(control_planes(whole)) as seen:
        done = cli.run("apply", "--config", path, "--format", "json", within=600)
    assert turns(done, "control") == list(FOUNDERS)
    for node in control_planes(whole):
        asked = f"openssl s_client -connect {node.address}:6443 </dev/null 2>/dev/null"
        assert "api.rolling.example" in shell(node, f"{asked} | openssl x509 -noout -ext subjectAltName")
    assert {node.name: containers(node) for node in whole.nodes} == before
    assert seen.away_at_once() == []
    answered(seen)
    cli.run("apply", "--config", edited.config, within=600)


NETWORK = ("-n", "kube-flannel", "daemonset/kube-flannel-ds")


def flannel(kinds: dict[str, Any], **parameters: str) -> None:
    """Give the pod network other parameters."""
    spec = kinds["Cluster"]["spec"]
    spec["addons"] = [
        {"name": "flannel", "parameters": parameters} if each == "flannel" else each
        for each in spec["addons"]
    ]


def test_an_add_ons_parameter_goes_from_node_to_node(whole, edited, cli):  # noqa: F811
    path = edit(edited.config, "network", lambda kinds: flannel(kinds, cpuRequest="55m"))
    cli.run("apply", "--config", path, within=600)
    # As soon as it says that it is done, no pod of the form before is left.
    pods = json.loads(whole.cluster.kubectl("get", "pods", *NETWORK[:2], "-o", "json"))["items"]
    requests = [pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] for pod in pods]
    assert requests == ["55m"] * len(whole.nodes)
    assert all(each["ready"] for pod in pods for each in pod["status"]["containerStatuses"])
    assert cli.run("apply", "--config", path, "--format", "json").report["changed"] == 0
    cli.run("apply", "--config", edited.config, within=600)


def pods_of(whole: Whole, *where: str) -> dict[str, str]:  # noqa: F811
    """Return node -> the pod of a DaemonSet there."""
    items = json.loads(whole.cluster.kubectl("get", "pods", *where, "-o", "json"))["items"]
    return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in items}


def test_an_add_on_that_does_not_come_up_is_put_back(whole, edited, cli):  # noqa: F811
    ran = pods_of(whole, *NETWORK[:2])
    bad = edit(edited.config, "no-network", lambda kinds: flannel(kinds, iface="nosuch0"))
    assert "AddonInterfaces" in cli.run("apply", "--config", bad, code=3).text, "it is seen beforehand"
    ignoring = "--ignore-preflight-errors=AddonInterfaces"
    done = cli.run("apply", "--config", bad, ignoring, code=1, within=900)
    assert "kube-flannel" in done.text
    assert "cannot run: it ended" in done.text
    assert "nosuch0" in done.text.rpartition(" says:")[2], "the pod that falls tells why itself"
    assert "cp1 is as before" in done.text
    assert "kept" not in shell(whole.nodes[0], "ls -A /var/lib/kubeadm-py")
    runs = pods_of(whole, *NETWORK[:2])
    assert runs.keys() == ran.keys()
    assert len([name for name in runs if runs[name] != ran[name]]) <= 1, "it stopped at the first node"
    assert all(whole.ready().values())
    assert cli.run("apply", "--config", edited.config, "--format", "json").report["changed"] == 0


def test_a_kube_proxy_that_does_not_come_up_is_put_back(whole, edited, cli):  # noqa: F811
    of_proxy = ("-n", "kube-system", "-l", "k8s-app=kube-proxy")
    ran = pods_of(whole, *of_proxy)

    def nonsense(kinds: dict[str, Any]) -> None:
        # It wants the name of a bridge, and says so at its start.
        kinds["KubeProxyConfiguration"]["detectLocalMode"] = "BridgeInterface"

    bad = edit(edited.config, "bad-proxy", nonsense)
    with knocking([whole.nodes[0], whole.nodes[-1]], DNS) as knocks:
        done = cli.run("apply", "--config", bad, code=1, within=900)
    sys.stdout.write(f"{knocks}\n")
    assert "must not be empty" in done.text, "in its own words"
    assert "cp1 is as before" in done.text
    assert "kept" not in shell(whole.nodes[0], "ls -A /var/lib/kubeadm-py")
    runs = pods_of(whole, *of_proxy)
    assert len([name for name in ran if runs[name] != ran[name]]) <= 1, "it stopped at the first node"
    assert cli.run("apply", "--config", edited.config, "--format", "json").report["changed"] == 0


@pytest.mark.parametrize(
    ("component", "name", "value", "says"),
    [
        ("apiServer", "service-node-port-range", "1-0", "end port cannot be less than start port"),
        ("scheduler", "leader-elect-retry-period", "1h", "renewDeadline must be greater than"),
    ],
)
def test_what_only_the_component_refuses_is_put_back(whole, edited, cli, component, name, value, says):  # noqa: F811
    before = {node.name: state(node) for node in whole.nodes}
    bad = edit(edited.config, "bad", flag(component, name, value))
    with watching(control_planes(whole)) as seen:
        done = cli.run("apply", "--config", bad, code=1, within=600)
    assert says in done.text, "in its own words"
    assert "cp1 is as before" in done.text
    assert "cp2, cp3" in done.text, "who was not begun is named"
    assert {node.name: state(node) for node in whole.nodes} == before
    assert seen.away_at_once() == []
    answered(seen)
    assert cli.run("apply", "--config", edited.config, "--format", "json").report["changed"] == 0


def test_a_kubelet_that_does_not_start_is_put_back(whole, edited, cli):  # noqa: F811
    before = {node.name: state(node) for node in whole.nodes}

    def nonsense(kinds: dict[str, Any]) -> None:
        # It wants processors that are reserved for the system, and says so at its start.
        kinds["KubeletConfiguration"]["cpuManagerPolicy"] = "static"

    done = cli.run("apply", "--config", edit(edited.config, "bad-kubelet", nonsense), code=1, within=600)
    assert "cp1 is as before" in done.text
    assert {node.name: state(node) for node in whole.nodes} == before
    assert all(whole.ready().values())


_NO_PROXY_IN = "/etc/systemd/system/containerd.service.d/50-of-the-test.conf"
_NO_PROXY = """[Service]
ExecStartPre=/bin/sh -c 'test -z "$HTTP_PROXY"'
"""


def test_a_runtime_that_does_not_start_is_put_back(whole, edited, cli):  # noqa: F811
    """Preparation is guarded, too: containerd refuses what its unit reads, and goes on as before without."""
    worker = whole.nodes[-1]
    shell(worker, f"mkdir -p {Path(_NO_PROXY_IN).parent}")
    nodes.exec(worker, ["sh", "-c", f"cat >{_NO_PROXY_IN}; systemctl daemon-reload"], stdin=_NO_PROXY)
    before = {node.name: (state(node), containers(node)) for node in whole.nodes}

    def by_a_proxy(kinds: dict[str, Any]) -> None:
        kinds["Cluster"]["spec"]["hosts"][-1]["proxy"] = {"http": "http://192.0.2.1:3128"}

    config = edit(edited.config, "proxy", by_a_proxy)
    try:
        done = cli.run("apply", "--config", config, code=1, within=600)
    finally:
        shell(worker, f"rm -f {_NO_PROXY_IN}; systemctl daemon-reload")
    assert "w1 is as before" in done.text
    assert "containerd" in done.text
    assert {node.name: (state(node), containers(node)) for node in whole.nodes} == before
    assert all(whole.ready().values())
    # It was the test's own doing: now the same edit goes well, and its pods stay.
    cli.run("apply", "--config", config, within=600)
    assert "192.0.2.1" in shell(worker, "tr '\\0' '\\n' </proc/$(pgrep -x containerd)/environ")
    assert containers(worker) == before["w1"][1]
    cli.run("apply", "--config", edited.config, within=600)
    assert containers(worker) == before["w1"][1]


def test_a_run_that_was_killed_on_a_host_is_finished_by_the_next(whole, edited, cli):  # noqa: F811
    path = edit(edited.config, "killed", flag("apiServer", "max-requests-inflight", "500"))
    running = cli.start("apply", "--config", path)
    running.until(type="host-progress", host="cp2", message="wait for kube-apiserver to be replaced")
    running.signal(signal.SIGKILL)
    running.end()
    with watching(control_planes(whole)) as seen:
        cli.run("apply", "--config", path, within=900)
    assert seen.away_at_once() == []
    for node in control_planes(whole):
        said = nodes.exec(node, ["sh", "-c", "ps -C kube-apiserver -o args=; ls /var/lib/kubeadm-py"]).stdout
        assert "--max-requests-inflight=500" in said
        assert "kept" not in said
    cli.run("apply", "--config", edited.config, within=900)


def test_a_bad_change_of_a_killed_run_is_put_back_by_the_next(whole, edited, cli):  # noqa: F811
    before = state(whole.nodes[0])
    bad = edit(edited.config, "bad-killed", flag("apiServer", "service-node-port-range", "1-0"))
    running = cli.start("apply", "--config", bad)
    running.until(type="host-progress", host="cp1", message="wait for kube-apiserver to be replaced")
    running.signal(signal.SIGKILL)
    running.end()
    done = cli.run("apply", "--config", bad, code=1, within=600)
    assert "cp1 is as before" in done.text
    assert state(whole.nodes[0]) == before


MODES = ("nftables", "iptables", "nftables")
_RULES = """while systemctl is-active --quiet kubeadm-py-proxy-rules; do sleep 0.2; done
iptables-save | grep -c KUBE-SVC
nft list tables | grep -c kube-proxy
curl -s 127.0.0.1:10249/proxyMode
echo
iptables-save | grep -c KPY-"""


def test_kube_proxy_changes_its_mode_under_load(whole, edited, cli):  # noqa: F811
    asking = [whole.nodes[0], whole.nodes[1], whole.nodes[-1]]
    config = edited.config
    for name in MODES:

        def mode(kinds: dict[str, Any], name: str = name) -> None:
            kinds["KubeProxyConfiguration"]["mode"] = name

        config = edit(config, f"mode-{name}", mode)
        with knocking(asking, DNS) as knocks:
            cli.run("apply", "--config", config, within=600)
        sys.stdout.write(f"{name}: {knocks}\n")
        for node in whole.nodes:
            chains, tables, said, copied = shell(node, f"{_RULES} || :").split()
            assert (said, copied) == (name, "0")
            assert (chains == "0", tables == "0") == (name == "nftables", name == "iptables"), node.name
        assert {node.name: knocks[node.name].longest_ms <= GAP_MS for node in asking} == dict.fromkeys(
            (node.name for node in asking), True
        ), knocks


def test_a_mode_that_was_edited_by_hand_is_seen(whole, edited, cli):  # noqa: F811
    """kubectl edit, then delete the pods: until each is new, status names it."""
    config = edit(
        edited.config, "mode-nftables", lambda kinds: kinds["KubeProxyConfiguration"].update(mode="nftables")
    )
    cli.run("apply", "--config", config, within=600)
    read = ("get", "configmap", "kube-proxy", "-n", "kube-system", "-o", "json")
    found = json.loads(whole.cluster.kubectl(*read))
    found["data"]["config.conf"] = found["data"]["config.conf"].replace("mode: nftables", "mode: iptables")
    whole.cluster.kubectl("replace", "-f", "-", stdin=json.dumps(found))
    status = json.loads(cli.run("status", "--config", config, "--format", "json", code=1).out)
    assert {host["proxy_mode"] for host in status["hosts"]} == {"nftables"}, "what runs, not what is written"
    assert {pod["node"] for pod in status["old_pods"]} == {node.name for node in whole.nodes}
    whole.cluster.kubectl("delete", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy")
    whole.cluster.kubectl("rollout", "status", "daemonset/kube-proxy", "-n", "kube-system", "--timeout=120s")
    status = json.loads(cli.run("status", "--config", config, "--format", "json", code=None).out)
    assert {host["proxy_mode"] for host in status["hosts"]} == {"iptables"}
    assert status["old_pods"] == []
