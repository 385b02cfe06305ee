"""What the accepted files of cases/accepted mean."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest

from kubeadm_py.addons import find
from kubeadm_py.config.load import ConfigError, Loaded, load
from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import NODE_TOKEN_GROUP, BootstrapToken
from kubeadm_py.model.cluster import ArtifactSource, LoadBalancer
from kubeadm_py.model.components import Arg
from kubeadm_py.model.node import Proxy, Role, Taint
from kubeadm_py.model.reset import ResetSettings
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.ssh import HostKeys
from kubeadm_py.model.timeouts import Timeouts
from kubeadm_py.model.versions import DEFAULT_VERSION

ACCEPTED = Path(__file__).parent / "cases" / "accepted"
TOKEN = Secret("abcdef.0123456789abcdef")


def accepted(name: str, **options: bool) -> Loaded:
    return load(str(ACCEPTED / f"{name}.yaml"), **options)


def test_full_cluster_configuration() -> None:
    loaded = accepted("full")
    cluster = loaded.cluster
    assert loaded.has_cluster_document
    assert len(loaded.kinds) == 6
    assert (cluster.name, cluster.cluster_name) == ("demo", "prod")
    assert str(cluster.kubernetes_version) == "v1.35.2"
    assert cluster.control_plane_endpoint == "api.example.org:7443"
    assert cluster.certificates_dir == "/etc/kubernetes/pki"
    assert cluster.networking.pod_subnet == "10.244.0.0/16"
    assert cluster.networking.dns_ip == "10.97.0.10"
    assert cluster.etcd.local is not None
    assert cluster.etcd.local.data_dir == "/data/etcd"
    assert cluster.etcd.local.server_cert_sans == ("etcd.example",)
    assert cluster.api_server_cert_sans == ("api.corp.example", "*.example.org", "fd00::1")
    assert cluster.api_server.extra_args == (Arg("v", "4"), Arg("v", "5"))
    assert cluster.api_server.extra_envs == (
        {"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.hostIP"}}},
        {"name": "A", "value": "b"},
    )
    assert cluster.api_server.extra_volumes[0].read_only
    assert cluster.dns.disabled
    assert cluster.proxy_disabled
    assert cluster.encryption_algorithm == "ECDSA-P384"
    assert cluster.certificate_validity == timedelta(hours=9000)
    assert cluster.ca_certificate_validity == timedelta(hours=87600)
    assert cluster.init_skip_phases == ("addon/kube-proxy",)
    assert cluster.init_timeouts.control_plane_component_health_check == timedelta(seconds=90)
    assert cluster.init_timeouts.tls_bootstrap == timedelta(minutes=5)
    assert cluster.join_timeouts.discovery == timedelta(seconds=10)
    assert cluster.artifacts is ArtifactSource.BUNDLE
    assert cluster.artifacts_path == str(ACCEPTED.parent / "bundle.tar")
    assert [addon.name for addon in cluster.addons] == ["flannel", str(ACCEPTED / "mine")]
    assert cluster.addons[1].parameters == {"a": 1}


def test_full_bootstrap_tokens() -> None:
    first, second, third = accepted("full").cluster.bootstrap_tokens
    assert first == BootstrapToken(TOKEN, "first", timedelta(hours=2))
    assert second == BootstrapToken(description="eternal", ttl=timedelta(0))
    assert third == BootstrapToken(groups=("system:bootstrappers:extra",))


def test_full_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    control_plane, worker = accepted("full").cluster.nodes
    assert control_plane.role is Role.CONTROL_PLANE
    assert control_plane.addresses == ("192.168.0.1", "fd00:1::1")
    assert control_plane.local_endpoint == "192.168.0.1:7443"
    assert control_plane.taints == ()
    assert control_plane.cri_socket == "unix:///run/crio/crio.sock"
    assert control_plane.ignore_preflight_errors == {"numcpu", "mem"}
    assert control_plane.image_pull_policy == "Never"
    assert not control_plane.image_pull_serial
    assert control_plane.proxy == Proxy("http://proxy.example:3128", "", ("10.0.0.0/8",))
    ssh = control_plane.ssh
    assert ssh is not None
    assert (ssh.host, ssh.user, ssh.port) == ("192.168.0.1", "admin", 2222)
    assert ssh.host_keys is HostKeys.PINNED
    assert ssh.host_key.startswith("ssh-ed25519 AAAA")
    assert " admin" not in ssh.host_key
    assert ssh.identity_file == "/home/me/.ssh/id"
    assert ssh.known_hosts == str(ACCEPTED / "hosts.known")
    assert ssh.sudo_password_file == "/run/pw"
    assert ssh.bastion == "jump@bastion.example:22"

    assert worker.role is Role.WORKER
    assert worker.labels == {"disk": "ssd", "example.org/zone": "a"}
    assert worker.taints == (Taint("dedicated", "NoExecute", "x"),)
    assert worker.kubelet_extra_args == (Arg("v", "9"),)
    assert worker.ignore_preflight_errors == {"swap"}
    assert worker.advertise_address == ""
    ssh = worker.ssh
    assert ssh is not None
    assert (ssh.host, ssh.user, ssh.bastion) == ("w1.example", "root", "")
    assert ssh.host_keys is HostKeys.ACCEPT_NEW
    assert (ssh.sudo, ssh.sudo_password_file) == (False, "")


def test_every_kind_of_kubeadms() -> None:
    cluster = accepted("every_kind").cluster
    assert cluster.init_dry_run
    assert cluster.join_dry_run
    assert cluster.reset == ResetSettings(
        dry_run=True,
        force=True,
        certificates_dir="/etc/kubernetes/pki",
        cleanup_tmp_dir=True,
        cri_socket="unix:///run/containerd/containerd.sock",
        ignore_preflight_errors=frozenset({"isprivilegeduser"}),
        skip_phases=("preflight",),
        unmount_flags=("MNT_FORCE", "MNT_DETACH", "UMOUNT_NOFOLLOW"),
        timeouts=Timeouts(etcd_api_call=timedelta(minutes=1)),
    )
    (node,) = cluster.nodes
    assert node.taints == (Taint("dedicated", "NoSchedule", time_added="2026-01-01T00:00:00Z"),)
    assert node.bind_port == 6443
    assert cluster.image_repository == "a_b/k8s"
    assert [variable["valueFrom"] for variable in cluster.api_server.extra_envs] == [
        {"secretKeyRef": {"name": "s", "key": "kk", "optional": True}},
        {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1"}},
        {"configMapKeyRef": {"name": "m", "key": "kk"}},
        {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "kk"}},
        {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.hostIP"}},
    ]
    assert cluster.discovery is not None
    assert cluster.discovery.tls_bootstrap_token == TOKEN
    assert cluster.discovery.api_server_endpoint == "api.example.org:6443"


def test_full_component_configs() -> None:
    cluster = accepted("full").cluster
    assert cluster.kubelet_config_given
    assert cluster.kubelet_config == {
        "staticPodPath": "/etc/kubernetes/manifests",
        "clusterDNS": ["169.254.20.10"],
        "clusterDomain": "corp.example",
        "authentication": {
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
            "anonymous": {"enabled": True},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "cgroupDriver": "systemd",
        "rotateCertificates": True,
        "failSwapOn": False,
        "readOnlyPort": 10255,
    }
    assert cluster.kube_proxy_config == {
        "bindAddress": "0.0.0.0",
        "clientConnection": {"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf", "qps": 5},
        "clusterCIDR": "10.0.0.0/8",
        "mode": "ipvs",
    }


def test_an_empty_list_is_one_and_an_empty_string_is_none(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n---\n"
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
        "clusterDNS: []\nclusterDomain: ''\n"
    )
    loaded = load(str(file))
    assert loaded.cluster.kubelet_config["clusterDNS"] == []
    assert loaded.cluster.kubelet_config["clusterDomain"] == "cluster.local"
    assert [problem.path for problem in loaded.warnings] == ["clusterDNS"]


def test_full_warnings() -> None:
    said = {problem.path: problem.message for problem in accepted("full").warnings}
    assert said == {
        "nodeRegistration.criSocket": "read as unix:///run/crio/crio.sock; write the scheme too",
        "networking.podSubnet": "10.244.7.0/16 has host bits set; 10.244.0.0/16 is used",
        "certificateValidityPeriod": "longer than the default, 8760h",
        "rotateCertificates": "false is overruled; kubeadm's value is true",
        "clusterDNS": "[169.254.20.10] is kept; kubeadm's value is [10.97.0.10]",
        "authentication.anonymous.enabled": "true is kept; kubeadm's value is false",
        "readOnlyPort": "opens a port that anyone may read; kubeadm leaves it 0",
        "clusterCIDR": '"10.0.0.0/8" is kept; networking.podSubnet is 10.244.0.0/16',
        "spec.hosts[0].role": "master is read as control-plane",
    }


def test_minimal_cluster_has_the_defaults() -> None:
    loaded = accepted("minimal_cluster")
    cluster = loaded.cluster
    assert loaded.warnings == ()
    assert (cluster.name, cluster.cluster_name) == ("demo", "demo")
    assert str(cluster.kubernetes_version) == DEFAULT_VERSION
    assert cluster.networking.pod_subnet == "10.244.0.0/16"
    assert cluster.kube_proxy_config["clusterCIDR"] == "10.244.0.0/16"
    assert cluster.artifacts is ArtifactSource.OFFICIAL
    assert cluster.artifacts_path == ""
    assert cluster.bootstrap_tokens == (BootstrapToken(),)
    assert cluster.bootstrap_tokens[0].groups == (NODE_TOKEN_GROUP,)
    assert cluster.endpoint == "192.168.0.1:6443"
    assert cluster.nodes[0].taints is None
    assert cluster.nodes[0].cri_socket == paths.CONTAINERD_SOCKET
    assert cluster.nodes[0].ssh is not None
    assert cluster.nodes[0].ssh.host_keys is HostKeys.KNOWN_HOSTS
    assert cluster.source_file == str(ACCEPTED / "minimal_cluster.yaml")


def test_bundle_lies_beside_the_config_by_default(tmp_path: Path) -> None:
    text = (ACCEPTED / "minimal_cluster.yaml").read_text() + "  artifacts: {source: bundle}\n"
    (tmp_path / "c.yaml").write_text(text)
    assert load(str(tmp_path / "c.yaml")).cluster.artifacts_path == str(tmp_path / "bundle")


def test_minimal_kubeadm_file_leaves_to_the_host_what_it_knows() -> None:
    loaded = accepted("minimal_kubeadm")
    (node,) = loaded.cluster.nodes
    assert not loaded.has_cluster_document
    assert (node.name, node.addresses, node.cri_socket, node.ssh) == ("", (), "", None)
    assert node.role is Role.CONTROL_PLANE
    assert loaded.cluster.name == "kubernetes"
    assert loaded.cluster.networking.pod_subnet == ""
    assert "clusterCIDR" not in loaded.cluster.kube_proxy_config
    assert loaded.cluster.artifacts is ArtifactSource.PREINSTALLED


def test_dual_stack() -> None:
    cluster = accepted("dual_stack").cluster
    assert cluster.nodes[0].local_endpoint == "[fd00::1]:6443"
    assert cluster.control_plane_endpoint == "[fd00::100]:8443"
    assert cluster.networking.api_service_ip == "fd00:10::1"
    assert cluster.kube_proxy_config["bindAddress"] == "::"
    assert cluster.artifacts_path == "https://mirror.example/kubernetes"


def test_join_configuration_alone_is_a_worker() -> None:
    cluster = accepted("join").cluster
    (node,) = cluster.nodes
    assert (node.name, node.role) == ("w9", Role.WORKER)
    assert node.addresses == ("192.168.0.2", "fd00::2")
    assert cluster.discovery is not None
    assert cluster.discovery.token == cluster.discovery.tls_bootstrap_token == TOKEN
    assert cluster.discovery.ca_cert_hashes == ("sha256:" + "a" * 64,)
    assert cluster.endpoint == cluster.discovery.api_server_endpoint == "[fd00::1]:6443"
    assert cluster.ca_cert_path == "/etc/kubernetes/other/ca.crt"


def test_join_by_file() -> None:
    cluster = accepted("join_file").cluster
    assert cluster.discovery is not None
    assert cluster.discovery.file == str(ACCEPTED / "join_file.yaml")
    assert cluster.discovery.tls_bootstrap_token == TOKEN
    assert cluster.nodes[0].addresses == ()


def test_joining_takes_the_node_of_the_join_configuration(tmp_path: Path) -> None:
    init = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nnodeRegistration: {name: cp1}\n---\n"
    both = tmp_path / "both.yaml"
    both.write_text(init + (ACCEPTED / "join.yaml").read_text())
    assert load(str(both)).cluster.nodes[0].name == "cp1"
    joining = load(str(both), joining=True).cluster
    assert (joining.nodes[0].name, joining.nodes[0].role) == ("w9", Role.WORKER)


def test_joining_needs_a_join_configuration() -> None:
    with pytest.raises(ConfigError, match=r"JoinConfiguration +missing; join needs it"):
        accepted("minimal_kubeadm", joining=True)


def test_unknown_fields_become_warnings_when_allowed() -> None:
    with pytest.raises(ConfigError, match="5 problems"):
        accepted("lenient")
    loaded = accepted("lenient", allow_unknown_fields=True)
    assert loaded.cluster.cluster_name == "two"
    assert loaded.cluster.api_server.extra_args == (Arg("v", "1"),)
    assert loaded.cluster.kubelet_config["failSwapOM"] is False
    assert [problem.line for problem in loaded.warnings] == [4, 5, 6, 9, 13]


def test_aliases_merges_tags_and_yaml_1_1_words() -> None:
    cluster = accepted("yaml_forms").cluster
    assert cluster.api_server.extra_args == cluster.scheduler.extra_args == (Arg("v", "3"),)
    assert cluster.controller_manager.extra_args == (
        Arg("cluster-name", "1:30"),
        Arg("controllers", "2026-01-01"),
        Arg("vmodule", "folded"),
    )
    assert cluster.controller_manager.extra_envs == ({"name": "A"},)


def test_standard_input_is_a_file_without_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ACCEPTED / "minimal_cluster.yaml").read_text() + "  artifacts: {source: bundle, path: b}\n"
    loaded = load("-", stdin=io.BytesIO(text.encode()))
    assert loaded.cluster.artifacts_path == str(tmp_path / "b")
    assert loaded.cluster.source_file == "<stdin>"
    with pytest.raises(ConfigError, match="<stdin>:1:5"):
        load("-", stdin=io.BytesIO(b"a: b: c"))
    with pytest.raises(ConfigError, match="no standard input"):
        load("-")


@pytest.mark.parametrize(
    ("label", "version"),
    [("stable", DEFAULT_VERSION), ("stable-1", DEFAULT_VERSION), ("stable-1.35", "v1.35.4")],
)
def test_version_labels_are_not_looked_up(tmp_path: Path, label: str, version: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: {label}\n"
    )
    loaded = load(str(file))
    assert str(loaded.cluster.kubernetes_version) == version
    assert f"{label} is read as {version}" in loaded.warnings[0].message


def test_hosts_in_the_default_service_subnet_are_only_warned_about(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text((ACCEPTED / "minimal_cluster.yaml").read_text().replace("192.168", "10.99"))
    messages = [problem.message for problem in load(str(file)).warnings]
    assert len(messages) == 2
    assert "10.99.0.1 lies inside serviceSubnet 10.96.0.0/12" in messages[0]


def test_workers_may_join_a_cluster_that_the_file_does_not_hold(tmp_path: Path) -> None:
    hosts = (ACCEPTED / "minimal_cluster.yaml").read_text().replace("role: control-plane", "role: worker")
    join = (ACCEPTED / "join.yaml").read_text().replace("nodeRegistration:", "#")
    file = tmp_path / "c.yaml"
    file.write_text(f"{hosts}---\n{join}")
    cluster = load(str(file)).cluster
    assert [node.role for node in cluster.nodes] == [Role.WORKER, Role.WORKER]
    assert cluster.endpoint == "[fd00::1]:6443"


def test_odd_but_valid() -> None:
    loaded = accepted("odd_but_valid")
    cluster = loaded.cluster
    assert cluster.etcd.local is None
    assert cluster.etcd.external is not None
    assert cluster.etcd.external.endpoints == ("http://10.0.0.1:2379",)
    assert cluster.etcd.external.http_endpoints == ("http://10.0.0.1:2382",)
    assert cluster.nodes[0].taints == ()
    assert cluster.nodes[0].advertise_address == ""
    assert cluster.nodes[0].bind_port == 6443
    assert "failSwapOn" not in cluster.kubelet_config
    assert [(problem.path, problem.message) for problem in loaded.warnings] == [
        ("networking.podSubnet", "fec0::/56 is site-local (fec0::/10), which is deprecated"),
        ("certificateValidityPeriod", "longer than its CA is valid"),
    ]


def test_the_configs_that_real_kubeadm_was_recorded_with_are_accepted() -> None:
    recorded = sorted((Path(__file__).parents[2] / "golden" / "kubeadm").glob("*/config.yaml"))
    assert len(recorded) >= 2
    for file in recorded:
        # What is for a host that already has files names them where they lie there.
        if not (file.parent / "host").exists():
            assert len(load(str(file)).cluster.nodes) == 1


def test_add_ons_of_the_product_are_known_by_their_folders() -> None:
    assert {"flannel", "local-path-storage"} <= set(find.names())


@pytest.mark.parametrize(
    ("name", "balancer", "endpoint"),
    [
        ("full", LoadBalancer.EXTERNAL, "api.example.org:7443"),
        ("vip", LoadBalancer.VIP, "192.168.0.100:6443"),
        ("vip_balanced", LoadBalancer.VIP, "[fd00:1::100]:8443"),
        ("vip_bind_ports", LoadBalancer.VIP, "192.168.0.100:8443"),
        ("node_local", LoadBalancer.NODE_LOCAL, "api.demo.internal:7443"),
    ],
)
def test_endpoint_by_balancer(name: str, balancer: LoadBalancer, endpoint: str) -> None:
    cluster = accepted(name).cluster
    assert (cluster.load_balancer, cluster.control_plane_endpoint) == (balancer, endpoint)


@pytest.mark.parametrize(
    ("gate", "algorithm", "keys"),
    [("true", "RSA-3072", "ECDSA-P256"), ("false", "ECDSA-P384", "RSA-2048")],
)
def test_the_old_gate_for_keys_goes_over_the_field(
    tmp_path: Path, gate: str, algorithm: str, keys: str
) -> None:
    """As kubeadm 1.36.3 made them; its kubeadm-config keeps both as they were written."""
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
        f"encryptionAlgorithm: {algorithm}\nfeatureGates: {{PublicKeysECDSA: {gate}}}\n"
    )
    loaded = load(str(file))
    assert loaded.cluster.key_algorithm == keys
    assert loaded.cluster.encryption_algorithm == algorithm
    assert [problem.path for problem in loaded.warnings] == ["featureGates.PublicKeysECDSA"]


def test_a_socket_in_the_node_object_where_the_gate_is_off(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
        "featureGates: {NodeLocalCRISocket: false}\n"
    )
    cluster = load(str(file)).cluster
    assert cluster.nodes[0].cri_socket_annotated
    assert not cluster.node_local_cri_socket


def test_warnings_about_validity_and_sockets(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
        "caCertificateValidityPeriod: 1h\n---\n"
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\ncriSocket: /run/x.sock\n"
    )
    assert [(problem.path, problem.message) for problem in load(str(file)).warnings] == [
        ("caCertificateValidityPeriod", "shorter than the certificates below it are valid"),
        ("criSocket", "read as unix:///run/x.sock; write the scheme too"),
    ]


def test_a_joining_host_keeps_the_ca_in_certificates_dir(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    shared = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\ncertificatesDir: /srv/pki\n"
    file.write_text(shared)
    assert load(str(file)).cluster.ca_cert_path == "/srv/pki/ca.crt"
    join = (ACCEPTED / "join.yaml").read_text()
    file.write_text(f"{shared}---\n{join}")
    assert load(str(file)).cluster.ca_cert_path == "/etc/kubernetes/other/ca.crt"


@pytest.mark.parametrize(
    ("scheduler", "known"),
    [(each, True) for each in ("rr", "lc", "dh", "sh", "sed", "nq", "wrr", "wlc")]
    + [("", True), ("round", False)],
)
def test_ipvs_is_deprecated_and_has_the_schedulers_of_linux(
    scheduler: str, known: bool, tmp_path: Path
) -> None:
    file = tmp_path / "cluster.yaml"
    proxy = f"kind: KubeProxyConfiguration\nmode: ipvs\nipvs: {{scheduler: '{scheduler}'}}\n"
    file.write_text(f"apiVersion: kubeproxy.config.k8s.io/v1alpha1\n{proxy}")
    messages = [problem.message for problem in load(str(file)).warnings]
    assert any("ipvs is deprecated since Kubernetes 1.35" in text for text in messages)
    assert any("is no scheduler that Linux has; it has rr, wrr" in text for text in messages) is not known
