"""apply with etcd on hosts of its own, from end to end on hosts that exist in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from cryptography import x509

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import AddonRequest
from kubeadm_py.model.node import Role
from kubeadm_py.plan.joining import join
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.preflight.run import PreflightRefused

from ..conftest import etcd_apart

ETCD = f"{paths.MANIFESTS_DIR}/etcd.yaml"
API_SERVER = f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml"
PKI = paths.PKI_DIR


def command(machine, path: str) -> list[str]:
    return yaml.safe_load(machine.content[path])["spec"]["containers"][0]["command"]


def in_pki(machine) -> set[str]:
    return {path.removeprefix(f"{PKI}/") for path in machine.content if path.startswith(f"{PKI}/")}


@pytest.fixture
def world(make_world):
    return make_world(
        control_planes=2, workers=1, etcd_hosts=3, control_plane_endpoint="api.demo.internal:6443"
    )


def test_members_found_their_cluster_before_any_api_server_starts(world):
    order: list[str] = []
    for name, machine in world.machines.items():
        machine.before_stage = lambda stage, name=name: order.append(f"{name} {stage}")
    world.apply()
    etcd = [order.index(f"{name} etcd") for name in ("e1", "e2", "e3")]
    control = [order.index(f"{name} control") for name in ("cp1", "cp2")]
    assert min(etcd) < min(control), "API servers wait for the first member that agrees with others"
    assert world.machines["e1"].trips == ["hold", "prepare", "etcd"]
    for name in ("e1", "e2", "e3"):
        words = command(world.machines[name], ETCD)
        assert "--initial-cluster-state=new" in words
        assert (
            "--initial-cluster=e1=https://10.0.0.31:2380,e2=https://10.0.0.32:2380,e3=https://10.0.0.33:2380"
            in words
        )
    servers = "--etcd-servers=https://10.0.0.31:2379,https://10.0.0.32:2379,https://10.0.0.33:2379"
    for name in ("cp1", "cp2"):
        assert servers in command(world.machines[name], API_SERVER)
        assert ETCD not in world.machines[name].content
    stored = yaml.safe_load(world.api.config_map("kubeadm-config")["ClusterConfiguration"])
    assert stored["etcd"]["external"]["caFile"] == f"{PKI}/etcd/ca.crt"


def test_keys_lie_where_they_are_used_and_nowhere_else(world):
    world.apply()
    members = [world.machines[name] for name in ("e1", "e2", "e3")]
    for machine in members:
        assert in_pki(machine) == {
            f"etcd/{name}.{kind}"
            for name in ("ca", "server", "peer", "healthcheck-client")
            for kind in ("crt", "key")
        }
        assert paths.KUBELET_CONF not in machine.content
        assert paths.KUBELET_STANDALONE_DROPIN in machine.content
    assert len({machine.content[f"{PKI}/etcd/ca.key"] for machine in members}) == 1
    assert len({machine.content[f"{PKI}/etcd/peer.key"] for machine in members}) == 3
    for name in ("cp1", "cp2"):
        machine = world.machines[name]
        assert {each for each in in_pki(machine) if "etcd" in each} == {
            "etcd/ca.crt",
            "apiserver-etcd-client.crt",
            "apiserver-etcd-client.key",
        }
        issuer = x509.load_pem_x509_certificate(machine.content[f"{PKI}/apiserver-etcd-client.crt"]).issuer
        assert issuer.rfc4514_string() == "CN=etcd-ca"
        assert machine.content[f"{PKI}/etcd/ca.crt"] == members[0].content[f"{PKI}/etcd/ca.crt"]


def test_the_kubelet_of_an_etcd_host_serves_nobody(world):
    world.apply()
    config = yaml.safe_load(world.machines["e1"].content[paths.KUBELET_CONFIG])
    assert config["enableServer"] is False
    assert config["authentication"] == {"anonymous": {"enabled": False}, "webhook": {"enabled": False}}
    assert "clusterDNS" not in config
    assert config["failCgroupV1"] is False, "the operator's own settings hold"


def test_a_rerun_finds_nothing_to_do(world):
    world.apply()
    world.forget()
    report = world.apply()
    assert report.changed == 0
    assert not report.founded


@pytest.mark.parametrize("stage", ["prepare", "etcd", "control"])
@pytest.mark.parametrize("index", [0, 1, 3])
def test_a_run_that_was_cut_is_gone_on_with(world, stage, index):
    for machine in world.machines.values():
        machine.kill(stage, index)
    with pytest.raises(RunFailedError):
        world.apply()
    keys = {
        machine.content[path]
        for machine in world.machines.values()
        for path in (f"{PKI}/etcd/ca.key",)
        if path in machine.content
    }
    for machine in world.machines.values():
        machine.failing.clear()
    world.apply()
    after = {world.machines[name].content[f"{PKI}/etcd/ca.key"] for name in ("e1", "e2", "e3")}
    assert len(after) == 1
    assert not keys or keys <= after, "the authority that was made is kept"
    world.forget()
    assert world.apply().changed == 0


def test_a_later_one_is_let_in_before_api_servers_name_it(make_world):
    world = make_world(control_planes=1, workers=0, etcd_hosts=4)
    *_, last = nodes = world.cluster.nodes
    first = [node for node in nodes if node is not last]
    whole = world.cluster
    world.cluster = replace(
        whole, nodes=tuple(first), etcd=etcd_apart(node for node in first if node.role is Role.ETCD)
    )
    world.apply()
    world.api.etcd_members[:] = [f"e{number}=https://10.0.0.3{number}:2380" for number in (1, 2, 3)]
    world.forget()
    world.cluster = whole
    order: list[str] = []
    for name, machine in world.machines.items():
        machine.before_stage = lambda stage, name=name: order.append(f"{name} {stage}")
    world.apply()
    assert order.index("e4 etcd-join") < order.index("cp1 control")
    words = command(world.machines["e4"], ETCD)
    assert "--initial-cluster-state=existing" in words
    asked = next(call.text for call in world.machines["e4"].calls if "member add" in call.text)
    assert "others=https://10.0.0.31:2379,https://10.0.0.32:2379,https://10.0.0.33:2379" in asked
    assert "get pods" not in asked, "no API server is asked: it may be down without etcd"
    assert (
        world.machines["e4"].content[f"{PKI}/etcd/ca.key"]
        == world.machines["e1"].content[f"{PKI}/etcd/ca.key"]
    )
    assert "https://10.0.0.34:2379" in " ".join(command(world.machines["cp1"], API_SERVER))
    world.forget()
    assert world.apply().changed == 0


def test_a_lost_authority_is_not_made_anew(world):
    world.apply()
    for name in ("e1", "e2", "e3"):
        world.machines[name].lose(f"{PKI}/etcd/ca.crt")
        world.machines[name].lose(f"{PKI}/etcd/ca.key")
    with pytest.raises(KubeadmPyError, match="this etcd host has lost"):
        world.apply()


def test_lost_data_is_not_started_anew(world):
    world.apply()
    world.machines["e2"].lose(f"{paths.ETCD_DATA_DIR}/member")
    with pytest.raises(KubeadmPyError, match="etcd's data in /var/lib/etcd is gone"):
        world.apply()


def test_init_and_join_send_to_apply(world):
    with pytest.raises(UsageError, match="has hosts of role etcd"):
        world.init()
    run = world.a_run("join")
    with pytest.raises(UsageError, match="e1: a host of role etcd is no node"):
        join.join(run, [world.cluster.node("e1")])


def test_hosts_that_run_no_pods_need_nothing_of_what_add_ons_need(make_world):
    world = make_world(
        workers=1,
        etcd_hosts=3,
        control_plane_endpoint="api.demo.internal:6443",
        addons=(AddonRequest("nfs-volumes"),),
    )
    with pytest.raises(PreflightRefused) as caught:
        world.apply()
    asked = {each.host for each in caught.value.findings if each.check in ("AddonCommands", "KernelModules")}
    assert asked == {"cp1", "w1"}
