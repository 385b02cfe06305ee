"""The endpoint of a running cluster becomes another one by editing the file, in an order without a gap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from cryptography import x509

from kubeadm_py.engine.events import ActionDone
from kubeadm_py.model import paths
from kubeadm_py.model.actions import WriteFiles
from kubeadm_py.model.cluster import LoadBalancer, ResolvedCluster
from kubeadm_py.model.facts import Interface, Listener
from kubeadm_py.model.node import Role
from kubeadm_py.pki import kubeconfig
from kubeadm_py.plan.run import RunFailedError

NODE_LOCAL = {"control_plane_endpoint": "api.demo.internal:6443", "load_balancer": LoadBalancer.NODE_LOCAL}
VIP = {"control_plane_endpoint": "10.0.0.100:6443", "load_balancer": LoadBalancer.VIP}
BALANCED = {"control_plane_endpoint": "10.0.0.100:8443", "load_balancer": LoadBalancer.VIP}
EXTERNAL = {"control_plane_endpoint": "10.0.0.9:6443", "load_balancer": LoadBalancer.EXTERNAL}
KINDS = {"node-local": NODE_LOCAL, "vip": VIP, "vip-balanced": BALANCED, "external": EXTERNAL}


def with_control_planes(cluster: ResolvedCluster, count: int, **changes: Any) -> ResolvedCluster:
    chosen = cluster.control_planes[:count]
    nodes = tuple(node for node in cluster.nodes if node.role is not Role.CONTROL_PLANE or node in chosen)
    return replace(cluster, nodes=nodes, **changes)


@pytest.fixture
def small(make_world):
    """cp1, w1 and w2 run without any endpoint; cp2 and cp3 are bare."""
    world = reachable(make_world(control_planes=3, workers=2))
    world.apply(cluster=with_control_planes(world.cluster, 1))
    serving(world, "cp1")
    world.forget()
    return world


class Open:
    """A connection that somebody has taken."""

    def close(self) -> None: ...


def reachable(world) -> Any:
    """Let nobody answer at the vip before it is ours, and the external balancer always."""
    for machine in world.machines.values():
        machine.tunnels |= {("10.0.0.100", port): TimeoutError() for port in (6443, 8443, 9443)}
        machine.tunnels[("10.0.0.9", 6443)] = Open()
    return world


def hold_the_vip(world) -> None:
    """Let cp1 have the vip where its keepalived has been written."""
    cp1 = world.machines["cp1"]
    if paths.KEEPALIVED_CONFIG in cp1.content:
        has = Interface("eth0", "", True, ("10.0.0.11/24", "10.0.0.100/32"))
        cp1.facts = replace(cp1.facts, interfaces=(*cp1.facts.interfaces[:1], has))
        for machine in world.machines.values():
            machine.tunnels[("10.0.0.100", 6443)] = Open()


def serving(world, *names: str) -> None:
    for name in names:
        machine = world.machines[name]
        machine.facts = replace(machine.facts, listeners=(Listener("tcp", "10.0.0.11", 6443),))


def server(machine, path: str) -> str:
    return kubeconfig.current_server(machine.content[path])[1]


def names_in(machine) -> set[str]:
    certificate = x509.load_pem_x509_certificate(machine.content[f"{paths.PKI_DIR}/apiserver.crt"])
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        str(value) for kind in (x509.DNSName, x509.IPAddress) for value in found.get_values_for_type(kind)
    }


def actions(world) -> list[tuple[str, str, str]]:
    """Return (stage, host, title) of what changed, in its order."""
    return [(event.stage, event.host, event.title) for event in world.event(ActionDone) if event.changed]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_without_an_endpoint_gets_one_and_two_control_planes(kind, small):
    edited = replace(small.cluster, **KINDS[kind])
    report = small.apply(cluster=edited)
    assert report.joined == ("cp2", "cp3")
    place = f"https://{edited.control_plane_endpoint}"
    cp1, w1, w2 = (small.machines[name] for name in ("cp1", "w1", "w2"))
    host = edited.control_plane_endpoint.rpartition(":")[0]
    assert host in names_in(cp1)
    assert {server(machine, paths.KUBELET_CONF) for machine in (w1, w2)} == {place}
    assert server(cp1, paths.ADMIN_CONF) == server(cp1, paths.SUPER_ADMIN_CONF) == place
    for path in (paths.KUBELET_CONF, paths.CONTROLLER_MANAGER_CONF, paths.SCHEDULER_CONF):
        assert server(cp1, path) == "https://10.0.0.11:6443", path
    proxy = yaml.safe_load(small.api.config_map("kube-proxy")["kubeconfig.conf"])
    assert proxy["clusters"][0]["cluster"]["server"] == place
    assert kubeconfig.only_cluster(small.api.config_map("cluster-info")["kubeconfig"], "it").server == place
    shared = yaml.safe_load(small.api.config_map("kubeadm-config")["ClusterConfiguration"])
    assert shared["controlPlaneEndpoint"] == edited.control_plane_endpoint
    small.forget()
    serving(small, "cp1", "cp2", "cp3")
    again = small.apply(cluster=edited)
    assert (actions(small), again.changed, again.joined) == ([], 0, ())


def test_the_order_is_certificates_the_way_its_users_and_then_what_the_cluster_says(small):
    small.apply(cluster=replace(small.cluster, **NODE_LOCAL))
    done = actions(small)

    def at(stage: str, host: str, title: str) -> int:
        [found] = [
            index
            for index, (of, on, what) in enumerate(done)
            if (of, on) == (stage, host) and re.search(title, what)
        ]
        return found

    certificate = at("control", "cp1", "certificates")
    ways = [at("endpoint", name, "the API's endpoint") for name in ("w1", "w2")]
    users = [at("endpoint-users", name, "kubelet.conf") for name in ("w1", "w2")]
    restarts = [at("endpoint-users", name, "restart kubelet.service") for name in ("w1", "w2")]
    proxy = at("endpoint-objects", "cp1", "replace kube-proxy's pods")
    told = max(
        i for i, (of, _, what) in enumerate(done) if of == "endpoint-objects" and "API objects" in what
    )
    joins = [i for i, (of, on, _) in enumerate(done) if of == "join" and on in ("cp2", "cp3")]
    assert certificate < min(ways) < max(ways) < min(users)
    assert users[0] < restarts[0] < users[1] < restarts[1], "node by node"
    reads = [at("proxy-reads", name, "start kube-proxy anew") for name in ("cp1", "w1", "w2")]
    assert max(restarts) < proxy < min(*reads, told)
    assert told < min(joins)


def test_nothing_of_the_running_control_plane_is_replaced(small):
    cp1 = small.machines["cp1"]
    before = {path: text for path, text in cp1.content.items() if path.startswith(paths.MANIFESTS_DIR)}
    credentials = {name: small.machines[name].content[paths.KUBELET_CONF] for name in ("cp1", "w1")}
    small.apply(cluster=replace(small.cluster, **NODE_LOCAL))
    after = {path: text for path, text in cp1.content.items() if path.startswith(paths.MANIFESTS_DIR)}
    assert after == before
    assert cp1.content[paths.KUBELET_CONF] == credentials["cp1"]
    moved = credentials["w1"].replace(b"https://10.0.0.11:6443", b"https://api.demo.internal:6443")
    assert small.machines["w1"].content[paths.KUBELET_CONF] == moved


def test_a_plan_names_each_change_once_and_touches_nothing(small):
    before = {name: dict(machine.content) for name, machine in small.machines.items()}
    report = small.apply(cluster=replace(small.cluster, **VIP), dry_run=True)
    assert {name: machine.content for name, machine in small.machines.items()} == before
    written = [
        (host.host, spec.path)
        for stage in report.plan.stages
        for host in stage.hosts
        for step in host.steps
        for action in step.actions
        if isinstance(action, WriteFiles)
        for spec in action.files
    ]
    assert len(written) == len(set(written))
    assert ("cp1", paths.KEEPALIVED_CONFIG) in written
    assert ("w1", paths.KUBELET_CONF) in written
    assert "endpoint-users" in [stage.id for stage in report.plan.stages]


MOVES = (
    ("node-local", "vip"),
    ("vip", "vip-balanced"),
    ("vip-balanced", "vip"),
    ("vip-balanced", "external"),
    ("external", "node-local"),
)


@pytest.fixture
def grown(make_world) -> Callable[[str], Any]:
    def make(kind: str) -> Any:
        world = reachable(make_world(control_planes=3, workers=2, **KINDS[kind]))
        world.apply()
        serving(world, "cp1", "cp2", "cp3")
        world.forget()
        return world

    return make


def ours(machine) -> set[str]:
    """Return what stands on a host for its way to the API."""
    return {path for path in machine.content if "haproxy" in path or "keepalived" in path}


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_one_kind_becomes_another_and_leaves_nothing_of_the_old(before, after, grown, make_world):
    # The world that is made last is the one that probes see.
    fresh = grown(after)
    world = grown(before)
    edited = replace(world.cluster, **KINDS[after])
    old = {name: ours(machine) for name, machine in world.machines.items()}
    seen: list[tuple[str, bool]] = []

    def look(name: str) -> Callable[[str], None]:
        machine = world.machines[name]
        return lambda stage: seen.append((stage, old[name] <= ours(machine)))

    for name, machine in world.machines.items():
        machine.before_stage = look(name)
    world.apply(cluster=edited)
    assert {"control", "endpoint"} < {stage for stage, _ in seen}
    assert all(kept for stage, kept in seen if stage not in ("join", "ready")), "the old way goes last"
    for name, machine in world.machines.items():
        assert ours(machine) == ours(fresh.machines[name]), name
        for path in ours(machine):
            assert machine.content[path] == fresh.machines[name].content[path], (name, path)
    old_host = world.cluster.control_plane_endpoint.rpartition(":")[0]
    for name in ("cp1", "cp2", "cp3"):
        assert old_host in names_in(world.machines[name]), "who comes by the old name is not refused"
    serving(world, "cp1", "cp2", "cp3")
    world.forget()
    assert world.apply(cluster=edited).changed == 0


def test_both_ports_are_served_while_the_port_changes(grown):
    world = grown("vip-balanced")
    edited = replace(world.cluster, control_plane_endpoint="10.0.0.100:9443")
    binds: list[list[str]] = []
    cp1 = world.machines["cp1"]

    def look(_stage: str) -> None:
        binds.append(re.findall(r"bind 0.0.0.0:(\d+)", cp1.content[paths.HAPROXY_CONFIG].decode()))

    cp1.before_stage = look
    world.apply(cluster=edited)
    look("end")
    assert ["9443", "8443"] in binds
    assert binds[-1] == ["9443"]


def stages_of(world) -> Iterator[tuple[str, str, int]]:
    for name, machine in world.machines.items():
        for call in machine.calls:
            stage = re.match(r"# stage (\S+)", call.text)
            if stage and stage[1].startswith("endpoint"):
                for index in range(len(re.findall(r"^kpy_begin \d+$", call.text, re.MULTILINE))):
                    yield stage[1], name, index


@pytest.mark.parametrize("kind", ["node-local", "vip"])
def test_a_run_that_is_cut_anywhere_is_finished_by_the_next(kind, make_world):
    def world() -> Any:
        made = reachable(make_world(control_planes=2, workers=1))
        made.apply(cluster=with_control_planes(made.cluster, 1))
        serving(made, "cp1")
        made.forget()
        return made

    whole = world()
    edited = replace(whole.cluster, **KINDS[kind])
    whole.apply(cluster=edited)
    cuts = list(stages_of(whole))
    assert len(cuts) > 8
    wanted = {
        name: {
            path: text for path, text in machine.content.items() if "haproxy" in path or "keepalived" in path
        }
        for name, machine in whole.machines.items()
    }
    # Every third is cut here; nodes are killed at all of them.
    for stage, host, index in cuts[::3]:
        cut = world()
        cut.machines[host].kill(stage, index)
        with pytest.raises(RunFailedError):
            cut.apply(cluster=edited)
        cut.machines[host].failing.clear()
        cut.forget()
        hold_the_vip(cut)
        cut.apply(cluster=edited)
        for name, machine in cut.machines.items():
            assert wanted[name].items() <= machine.content.items(), (stage, host, index, name)
        assert server(cut.machines["w1"], paths.KUBELET_CONF) == f"https://{edited.endpoint}"
        proxy = yaml.safe_load(cut.api.config_map("kube-proxy")["kubeconfig.conf"])
        assert proxy["clusters"][0]["cluster"]["server"] == f"https://{edited.endpoint}"
        cut.forget()
        serving(cut, "cp1", "cp2")
        assert cut.apply(cluster=edited).changed == 0, (stage, host, index)
