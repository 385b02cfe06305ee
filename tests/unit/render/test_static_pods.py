from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Arg, Component, Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.timeouts import Timeouts
from kubeadm_py.model.versions import Version
from kubeadm_py.render import static_pods

ETCD = "etcd"
API = "kube-apiserver"
KCM = "kube-controller-manager"
SCHEDULER = "kube-scheduler"


def args(**given: str) -> tuple[Arg, ...]:
    return tuple(Arg(name.replace("_", "-"), value) for name, value in given.items())


def container(cluster: ResolvedCluster, name: str, node: Node | None = None, **more: Any) -> dict[str, Any]:
    rendered = static_pods.pods(cluster, node or cluster.control_planes[0], HostFacts(), **more)
    return rendered[name]["spec"]["containers"][0]


def flag(container: dict[str, Any], name: str) -> str | None:
    """Return the one value of a flag."""
    found = [text.partition("=")[2] for text in container["command"][1:] if text.startswith(f"--{name}=")]
    assert len(found) <= 1
    return found[0] if found else None


def with_node(cluster: ResolvedCluster, **changes: Any) -> ResolvedCluster:
    first, *others = cluster.nodes
    return replace(cluster, nodes=(replace(first, **changes), *others))


def with_etcd(cluster: ResolvedCluster, **changes: Any) -> ResolvedCluster:
    return replace(cluster, etcd=Etcd(LocalEtcd(**changes)))


def test_etcd_comes_first_and_every_manifest_is_for_root_only(
    cluster: ResolvedCluster, node: Node, facts: HostFacts
) -> None:
    specs = static_pods.manifests(cluster, node, facts)
    assert [spec.path for spec in specs] == [
        f"/etc/kubernetes/manifests/{name}.yaml" for name in (ETCD, API, KCM, SCHEDULER)
    ]
    assert {(spec.mode, spec.owner) for spec in specs} == {(0o600, "root:root")}
    objects = static_pods.pods(cluster, node, facts)
    assert [yaml.safe_load(spec.content) for spec in specs] == list(objects.values())


def test_external_etcd_means_no_etcd_pod(cluster: ResolvedCluster) -> None:
    external = replace(cluster, etcd=Etcd(None, ExternalEtcd(("http://a:2379", "http://b:2379"))))
    assert list(static_pods.pods(external, external.nodes[0], HostFacts())) == [API, KCM, SCHEDULER]
    api = container(external, API)
    assert flag(api, "etcd-servers") == "http://a:2379,http://b:2379"
    assert not [
        text for text in api["command"] if text.startswith(("--etcd-ca", "--etcd-cert", "--etcd-key"))
    ]


def test_ipv6_addresses_stand_in_brackets_and_loopback_follows(cluster: ResolvedCluster) -> None:
    six = with_node(cluster, addresses=("fd00::11",))
    api, etcd = container(six, API), container(six, ETCD)
    assert flag(api, "advertise-address") == "fd00::11"
    assert flag(api, "etcd-servers") == "https://[::1]:2379"
    assert api["livenessProbe"]["httpGet"]["host"] == "fd00::11"
    assert flag(etcd, "advertise-client-urls") == "https://[fd00::11]:2379"
    assert flag(etcd, "initial-cluster") == "cp1=https://[fd00::11]:2380"
    assert flag(etcd, "listen-client-urls") == "https://[::1]:2379,https://[fd00::11]:2379"
    assert flag(etcd, "listen-metrics-urls") == "http://[::1]:2381"
    assert etcd["livenessProbe"]["httpGet"]["host"] == "::1"
    pods = static_pods.pods(six, six.nodes[0], HostFacts())
    assert pods[API]["metadata"]["annotations"] == {
        "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint": "[fd00::11]:6443"
    }
    assert pods[ETCD]["metadata"]["annotations"] == {
        "kubeadm.kubernetes.io/etcd.advertise-client-urls": "https://[fd00::11]:2379"
    }


def test_the_advertise_address_wins_over_the_nodes_address(cluster: ResolvedCluster) -> None:
    nat = with_node(cluster, advertise_address="192.0.2.1", bind_port=7443)
    api = container(nat, API)
    assert flag(api, "advertise-address") == "192.0.2.1"
    assert flag(api, "secure-port") == "7443"
    assert api["ports"] == [{"name": "probe-port", "containerPort": 7443, "protocol": "TCP"}]
    assert flag(container(nat, ETCD), "initial-advertise-peer-urls") == "https://192.0.2.1:2380"


def test_dual_stack_subnets_are_handed_on(cluster: ResolvedCluster) -> None:
    dual = replace(
        cluster,
        networking=Networking("10.96.0.0/16,fd00:1::/112", "10.244.0.0/16,fd00:2::/56", "corp.example"),
    )
    assert flag(container(dual, API), "service-cluster-ip-range") == "10.96.0.0/16,fd00:1::/112"
    assert (
        flag(container(dual, API), "service-account-issuer") == "https://kubernetes.default.svc.corp.example"
    )
    assert flag(container(dual, KCM), "cluster-cidr") == "10.244.0.0/16,fd00:2::/56"


def test_without_a_pod_subnet_nodes_get_no_cidrs(cluster: ResolvedCluster) -> None:
    manager = container(replace(cluster, networking=Networking()), KCM)
    assert [flag(manager, name) for name in ("allocate-node-cidrs", "cluster-cidr")] == [None, None]
    assert flag(manager, "service-cluster-ip-range") is None


def test_a_certificates_directory_of_ones_own_is_used_everywhere(cluster: ResolvedCluster) -> None:
    own = replace(cluster, certificates_dir="/srv/pki")
    rendered = static_pods.manifests(own, own.nodes[0], HostFacts())
    assert all(b"/etc/kubernetes/pki" not in spec.content for spec in rendered)
    assert flag(container(own, ETCD), "trusted-ca-file") == "/srv/pki/etcd/ca.crt"


def test_without_the_cas_key_the_signing_controller_stays_off(cluster: ResolvedCluster) -> None:
    command = container(cluster, KCM, external_ca=True)["command"]
    assert {"--cluster-signing-cert-file=", "--cluster-signing-key-file="} <= set(command)


@pytest.mark.parametrize(
    ("given", "authorization"),
    [
        ({}, ["--authorization-mode=Node,RBAC"]),
        ({"authorization_mode": "Node,RBAC,Webhook"}, ["--authorization-mode=Node,RBAC,Webhook"]),
        ({"authorization_config": "/etc/authz.yaml"}, ["--authorization-config=/etc/authz.yaml"]),
    ],
)
def test_authorization(cluster: ResolvedCluster, given: dict[str, str], authorization: list[str]) -> None:
    command = container(replace(cluster, api_server=Component(args(**given))), API)["command"]
    assert [text for text in command if text.startswith("--authorization-")] == authorization


@pytest.mark.parametrize(
    ("address", "host"),
    [(None, "127.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("0.0.0.0", None), ("::", None), ("::1", "::1")],
)
def test_probes_follow_the_bind_address(
    cluster: ResolvedCluster, address: str | None, host: str | None
) -> None:
    component = Component(args(bind_address=address)) if address else Component()
    own = replace(cluster, controller_manager=component, scheduler=component)
    for name, port in ((KCM, 10257), (SCHEDULER, 10259)):
        rendered = container(own, name)
        assert rendered["startupProbe"]["httpGet"].get("host") == host
        assert rendered["ports"][0]["containerPort"] == port
    assert "readinessProbe" not in container(own, KCM)


@pytest.mark.parametrize(
    ("urls", "host", "port", "scheme"),
    [
        (None, "127.0.0.1", 2381, "HTTP"),
        ("http://10.0.0.1:9000,http://127.0.0.1:2381", "10.0.0.1", 9000, "HTTP"),
        ("http://0.0.0.0:2381", "0.0.0.0", 2381, "HTTP"),
        ("http://[::]:9381", "::", 9381, "HTTP"),
        ("https://[fd00::1]:2399", "fd00::1", 2399, "HTTPS"),
        ("http://localhost", "localhost", 2381, "HTTP"),
        ("nonsense", "127.0.0.1", 2381, "HTTP"),
        ("http://[broken:1", "127.0.0.1", 2381, "HTTP"),
        ("http://a:99999", "a", 2381, "HTTP"),
    ],
)
def test_etcds_probe_follows_its_metrics_address(
    cluster: ResolvedCluster, urls: str | None, host: str, port: int, scheme: str
) -> None:
    own = with_etcd(cluster, extra_args=args(listen_metrics_urls=urls)) if urls else cluster
    rendered = container(own, ETCD)
    probe = rendered["readinessProbe"]["httpGet"]
    assert (probe.get("host"), rendered["ports"][0]["containerPort"], probe["scheme"]) == (host, port, scheme)


def test_the_api_server_uses_the_urls_that_etcd_advertises(cluster: ResolvedCluster) -> None:
    own = with_etcd(cluster, extra_args=args(advertise_client_urls="https://10.1.1.1:2379"))
    assert flag(container(own, API), "etcd-servers") == "https://10.1.1.1:2379"


@pytest.mark.parametrize(
    ("tag", "corruption"),
    [
        ("", "feature-gates"),
        ("3.6.0-0", "feature-gates"),
        ("v3.7.1", "feature-gates"),
        ("our-own-build", "feature-gates"),
        ("3.5.24-0", "experimental-initial-corrupt-check"),
    ],
)
def test_etcds_flags_follow_its_version(cluster: ResolvedCluster, tag: str, corruption: str) -> None:
    rendered = container(with_etcd(cluster, image_tag=tag), ETCD)
    names = {"feature-gates", "experimental-initial-corrupt-check"}
    assert [name for name in names if flag(rendered, name)] == [corruption]


def test_etcd_gets_extra_variables_but_no_proxy(cluster: ResolvedCluster) -> None:
    environment = {"https_proxy": "http://proxy:3128"}
    extra = ({"name": "ETCD_B", "value": "2"}, {"name": "ETCD_A", "value": "1"})
    own = with_etcd(cluster, extra_envs=extra)
    assert container(own, ETCD, environment=environment)["env"] == [extra[1], extra[0]]
    assert "env" not in container(cluster, ETCD, environment=environment)
    assert "env" not in container(cluster, API)


def test_components_get_the_proxy_and_their_own_variables_over_it(cluster: ResolvedCluster) -> None:
    environment = {"https_proxy": "http://proxy:3128", "no_proxy": "10.0.0.0/8", "HOME": "/root"}
    own = replace(cluster, scheduler=Component(extra_envs=({"name": "https_proxy", "value": ""},)))
    assert container(own, SCHEDULER, environment=environment)["env"] == [
        {"name": "https_proxy"},
        {"name": "no_proxy", "value": "10.0.0.0/8"},
    ]


def test_a_member_starts_with_the_members_it_is_given(cluster: ResolvedCluster) -> None:
    members = [("cp1", "https://10.99.0.11:2380"), ("cp2", "https://[fd00::12]:2380")]
    rendered = container(cluster, ETCD, etcd_members=members, initial_cluster_state="existing")
    assert flag(rendered, "initial-cluster") == "cp1=https://10.99.0.11:2380,cp2=https://[fd00::12]:2380"
    assert flag(rendered, "initial-cluster-state") == "existing"
    assert flag(container(cluster, ETCD), "initial-cluster-state") is None


def test_etcds_data_directory_is_mounted_writable(cluster: ResolvedCluster) -> None:
    own = with_etcd(cluster, data_dir="/srv/etcd")
    spec = static_pods.pods(own, own.nodes[0], HostFacts())[ETCD]["spec"]
    assert spec["containers"][0]["volumeMounts"][0] == {"name": "etcd-data", "mountPath": "/srv/etcd"}
    assert spec["volumes"][1]["hostPath"]["path"] == "/srv/etcd"
    assert flag(spec["containers"][0], "data-dir") == "/srv/etcd"


@pytest.mark.parametrize(("seconds", "threshold"), [(240, 24), (241, 25), (5, 1), (0, 1)])
def test_the_startup_probe_lasts_as_long_as_init_waits(
    cluster: ResolvedCluster, seconds: int, threshold: int
) -> None:
    timeouts = Timeouts(control_plane_component_health_check=timedelta(seconds=seconds))
    second = Node("cp2", Role.CONTROL_PLANE, ("10.99.0.12",))
    own = replace(cluster, nodes=(*cluster.nodes, second), init_timeouts=timeouts)
    assert container(own, API)["startupProbe"]["failureThreshold"] == threshold
    assert container(own, API, node=second)["startupProbe"]["failureThreshold"] == 24


def test_images_come_from_the_configured_places(cluster: ResolvedCluster) -> None:
    own = replace(
        cluster, image_repository="r.example/k8s", kubernetes_version=Version.parse("v1.36.3+build")
    )
    assert container(own, API)["image"] == "r.example/k8s/kube-apiserver:v1.36.3_build"
    assert container(own, ETCD)["image"] == "r.example/k8s/etcd:3.6.8-0"


def test_1_35_mounts_flex_volumes(cluster: ResolvedCluster) -> None:
    manager = Component(args(v="4", bind_address="0.0.0.0"))
    own = replace(cluster, kubernetes_version=Version.parse("v1.35.4"), controller_manager=manager)
    rendered = container(own, KCM)
    assert rendered["command"][-2:] == ["--v=4", "--bind-address=0.0.0.0"]
    assert "flexvolume-dir" in {mount["name"] for mount in rendered["volumeMounts"]}
    assert rendered["image"].endswith(":v1.35.4")
