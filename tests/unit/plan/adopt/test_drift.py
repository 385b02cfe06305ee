"""What of the drift a config can say, and what it cannot."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import yaml

from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model import adoption, live, paths
from kubeadm_py.model.actions import ApplyObjects, FileSpec, WriteFiles
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Dns
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.patches import Patch, PatchType
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.model.versions import Version
from kubeadm_py.plan.adopt import drift as adopt
from kubeadm_py.plan.show.before import Before
from kubeadm_py.render import objects
from kubeadm_py.steps import cluster_objects
from kubeadm_py.steps.nodes import mark as mark_node

API_SERVER = f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml"
PROXY = "ConfigMap kube-system/kube-proxy"
LABELS = {"disk": "ssd"}


@pytest.fixture
def cluster():
    return ResolvedCluster(
        "demo",
        Version(1, 36, 3),
        (
            Node("cp1", Role.CONTROL_PLANE, ("192.0.2.11",), labels=LABELS),
            Node("cp2", Role.CONTROL_PLANE, ("192.0.2.12",)),
            Node("w1", Role.WORKER, ("192.0.2.21",)),
        ),
    )


def pod(*flags, image="i"):
    spec = {"containers": [{"name": "c", "image": image, "command": ["kube-apiserver", *flags]}]}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "spec": spec}).encode()


def sha(content):
    return hashlib.sha256(content).hexdigest()


class Cluster:
    """Hosts whose files were changed by hand, and the plan that puts them back."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.before = {}
        self.plans = {}
        self.found = LiveObjects()
        for node in cluster.nodes:
            self.before[node.name] = Before(replace(plain_debian_12(node.name, node.address), files={}))

    def has(self, host, path, content, ours, recorded=None, **more):
        """Let a host have a file that was `ours`."""
        facts = self.before[host].facts
        fact = FileFact(path, 0o600, "root:root", sha(content), len(content), content, **more)
        self.before[host] = Before(
            replace(facts, files={**facts.files, path: fact}),
            {
                **self.before[host].recorded,
                path: {"sha256": sha(recorded or ours), "mode": "0600", "made": True},
            },
        )
        self.plans.setdefault(host, []).append(WriteFiles((FileSpec(path, ours, 0o600),)))

    def adopted(self, *chosen):
        hosts = tuple(
            HostPlan(host, (PlannedStep("s", "s", tuple(each)),)) for host, each in self.plans.items()
        )
        plan = Plan("apply", (Stage("control", "t", hosts),))
        found = adopt.adoption(plan, self.before, self.cluster, self.found, "cp1", chosen)
        settings = {(each.kind, ".".join(each.path)): each.value for each in found.settings}
        return settings, {each.subject: each.reason for each in found.left}


@pytest.fixture
def hosts(cluster):
    return Cluster(cluster)


class TestStaticPods:
    def test_a_flag_that_all_have(self, hosts):
        for name in ("cp1", "cp2"):
            hosts.has(
                name, API_SERVER, pod("--a=1", "--v=4", f"--x={name}"), pod("--a=1", "--v=2", f"--x={name}")
            )
        assert hosts.adopted() == ({("ClusterConfiguration", "apiServer.extraArgs.v"): "4"}, {})

    def test_a_flag_that_was_taken_off(self, hosts):
        for name in ("cp1", "cp2"):
            hosts.has(name, API_SERVER, pod("--a=1"), pod("--a=1", "--v=2"))
        assert hosts.adopted()[0] == {("ClusterConfiguration", "apiServer.extraArgs.v"): None}

    def test_one_host_alone_has_to_be_chosen(self, hosts):
        hosts.has("cp2", API_SERVER, pod("--v=4"), pod("--v=2"))
        settings, left = hosts.adopted()
        assert settings == {}
        assert left[API_SERVER].startswith("apiServer.extraArgs.v is so on cp2 only")
        assert hosts.adopted("cp2")[0] == {("ClusterConfiguration", "apiServer.extraArgs.v"): "4"}

    def test_what_else_differs_is_named(self, hosts):
        hosts.has("cp1", API_SERVER, pod("--v=4", image="j"), pod("--v=2"))
        settings, left = hosts.adopted("cp1")
        assert settings == {("ClusterConfiguration", "apiServer.extraArgs.v"): "4"}
        assert "spec.containers.c" in left[API_SERVER]

    def test_a_flag_that_is_given_twice(self, hosts):
        hosts.has("cp1", API_SERVER, pod("--v=4", "--v=5"), pod("--v=2"))
        assert hosts.adopted("cp1") == ({}, {API_SERVER: "--v is given more than once"})

    def test_a_config_that_has_changed_as_well(self, hosts):
        hosts.has("cp1", API_SERVER, pod("--v=4"), pod("--v=3"), recorded=pod("--v=2"))
        assert hosts.adopted("cp1") == ({}, {API_SERVER: adoption.NOT_ALONE})

    def test_credentials_are_not_read(self, hosts):
        hosts.has("cp1", API_SERVER, pod("--v=4"), pod("--v=2"), partial=True)
        assert hosts.adopted("cp1") == ({}, {API_SERVER: adoption.WITHHELD})


def test_the_kubelets_configuration(hosts):
    for name in ("cp1", "cp2", "w1"):
        hosts.has(name, paths.KUBELET_CONFIG, b"a: 1\nmaxPods: 60\n", b"a: 1\nb: {c: 2}\n")
    assert hosts.adopted()[0] == {
        ("KubeletConfiguration", "maxPods"): 60,
        ("KubeletConfiguration", "b"): None,
    }


def test_other_files_are_left(hosts):
    hosts.has("w1", "/etc/crictl.yaml", b"by hand", b"ours")
    assert hosts.adopted() == ({}, {"/etc/crictl.yaml": adoption.NO_FIELD})


class TestObjects:
    def drifted(self, hosts, changed, name, reason=cluster_objects.BY_HAND):
        [there] = [item for item in changed if live.key(item) == name]
        hosts.found = LiveObjects({name: there}, {name: {}})
        hosts.plans["cp1"] = [ApplyObjects("a", (there,), why={name: reason})]

    def test_kube_proxy(self, hosts, cluster):
        self.drifted(
            hosts, objects.kube_proxy(replace(cluster, kube_proxy_config={"mode": "nftables"})), PROXY
        )
        assert hosts.adopted() == ({("KubeProxyConfiguration", "mode"): "nftables"}, {})
        assert hosts.adopted("w1") == ({}, {}), "it is the leader's to say"

    def test_a_changed_config_is_no_drift(self, hosts, cluster):
        changed = objects.kube_proxy(replace(cluster, kube_proxy_config={"mode": "nftables"}))
        self.drifted(hosts, changed, PROXY, "of addon/kube-proxy")
        assert hosts.adopted() == ({}, {})

    def test_what_a_cluster_was_made_with(self, hosts, cluster):
        name = "ConfigMap kube-system/kubeadm-config"
        self.drifted(hosts, objects.kubeadm_config(replace(cluster, cluster_name="other")), name)
        assert hosts.adopted() == ({}, {name: "clusterName says what the cluster was made with"})

    def test_other_objects(self, hosts, cluster):
        self.drifted(hosts, objects.kube_proxy(cluster), "DaemonSet kube-system/kube-proxy")
        assert hosts.adopted() == ({}, {"DaemonSet kube-system/kube-proxy": adoption.NO_FIELD})


class TestDns:
    NAME = "Deployment kube-system/coredns"

    def scaled(self, hosts, replicas, **more):
        there = next(item for item in objects.coredns(hosts.cluster) if item["kind"] == "Deployment")
        there = {**there, "spec": {**there["spec"], "replicas": replicas, **more}}
        hosts.found = LiveObjects({self.NAME: there}, {})

    def test_how_many_pods_it_was_scaled_to(self, hosts):
        self.scaled(hosts, 5)
        assert hosts.adopted() == ({("Cluster", "spec.dns.replicas"): 5}, {})
        assert hosts.adopted("w1") == ({}, {}), "it is the leader's to say"

    @pytest.mark.parametrize(("configured", "live"), [(0, 2), (3, 3), (0, 0)])
    def test_what_the_config_says_already(self, hosts, configured, live):
        hosts.cluster = replace(hosts.cluster, dns=Dns(replicas=configured))
        self.scaled(hosts, live)
        assert hosts.adopted() == ({}, {})

    def test_the_config_said_another_number(self, hosts):
        hosts.cluster = replace(hosts.cluster, dns=Dns(replicas=3))
        self.scaled(hosts, 4)
        there = hosts.found.there[self.NAME]
        merged = {**there, "spec": {**there["spec"], "replicas": 3}}
        hosts.found = LiveObjects({self.NAME: there}, {self.NAME: merged})
        hosts.plans["cp1"] = [ApplyObjects("a", (merged,), why={self.NAME: cluster_objects.BY_HAND})]
        assert hosts.adopted() == ({("Cluster", "spec.dns.replicas"): 4}, {})

    def test_a_patch_has_the_last_word(self, hosts):
        patch = Patch("corednsdeployment", PatchType.STRATEGIC, {"spec": {"replicas": 2}}, "p.yaml")
        hosts.cluster = replace(hosts.cluster, init_patches=(patch,))
        self.scaled(hosts, 5)
        assert hosts.adopted() == ({}, {self.NAME: "a patch says how many replicas it has"})


class TestNodes:
    def marked(self, hosts, cluster, *, labels=None, taints=None, noted=True):
        node = cluster.nodes[0]
        marker = mark_node.marker(node)
        facts = hosts.before["cp1"].facts
        fact = FileFact(marker.path, 0o600, "root:root", sha(marker.content if noted else b"other"))
        hosts.before["cp1"] = Before(replace(facts, files={**facts.files, marker.path: fact}))
        there = {
            "metadata": {"labels": mark_node.labels_of(node) | (labels or {})},
            "spec": {
                "taints": [taint.manifest for taint in node.effective_taints] if taints is None else taints
            },
        }
        hosts.found = LiveObjects({"Node cp1": there})

    def test_a_label(self, hosts, cluster):
        self.marked(hosts, cluster, labels={"disk": "hdd"})
        assert hosts.adopted() == ({("Cluster", "spec.hosts.cp1.labels.disk"): "hdd"}, {})

    def test_taints(self, hosts, cluster):
        self.marked(hosts, cluster, taints=[])
        assert hosts.adopted() == ({("Cluster", "spec.hosts.cp1.taints"): []}, {})

    def test_a_label_of_every_control_plane(self, hosts, cluster):
        self.marked(hosts, cluster, labels={"node-role.kubernetes.io/control-plane": "x"})
        settings, left = hosts.adopted()
        assert settings == {}
        assert "kubeadm goes by it" in left["label node-role.kubernetes.io/control-plane of cp1"]

    def test_a_label_that_the_file_has_just_got(self, hosts, cluster):
        self.marked(hosts, cluster, labels={"disk": "hdd"}, noted=False)
        assert hosts.adopted() == ({}, {})

    def test_all_is_so(self, hosts, cluster):
        self.marked(hosts, cluster)
        assert hosts.adopted() == ({}, {})
