"""kubeadm's flags mean what the documents mean that they stand for."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kubeadm_py.config.flags import at_hosts, ignored_by_flag
from kubeadm_py.config.load import ConfigError, from_init_flags, from_join_flags, load
from kubeadm_py.model.node import Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.versions import DEFAULT_VERSION

TOKEN = "abcdef.0123456789abcdef"
HASH = "sha256:" + "0" * 64


def problems(error: pytest.ExceptionInfo[ConfigError]) -> dict[str, str]:
    assert all(not problem.file and not problem.line for problem in error.value.problems)
    return {problem.path: problem.message for problem in error.value.problems}


def test_a_discovery_file_beside_an_address_is_told_by_what_was_typed() -> None:
    with pytest.raises(ConfigError) as error:
        from_join_flags("10.0.0.1:6443", discovery_file="/nowhere")
    assert problems(error) == {
        "api-server-endpoint": "API:PORT and --discovery-file are both given; keep one of them"
    }


class TestAtHosts:
    def test_a_bare_file_goes_to_the_hosts_of_the_flag(self, tmp_path) -> None:
        loaded = load(_file(tmp_path, "JoinConfiguration", JOINING), joining=True)
        cluster = at_hosts(loaded.cluster, ["root@10.0.0.21", "10.0.0.22:2222"])
        reached = [node.ssh for node in cluster.nodes if node.ssh is not None]
        assert [(ssh.user, ssh.host, ssh.port) for ssh in reached] == [
            ("root", "10.0.0.21", None),
            ("", "10.0.0.22", 2222),
        ]
        assert [node.name_from_host for node in cluster.nodes] == [True, True]
        assert {node.role for node in cluster.nodes} == {Role.WORKER}

    def test_without_the_flag_it_is_this_machine(self, tmp_path) -> None:
        loaded = load(_file(tmp_path, "InitConfiguration"))
        assert at_hosts(loaded.cluster, []) == loaded.cluster

    def test_the_name_of_the_file_stays(self, tmp_path) -> None:
        loaded = load(_file(tmp_path, "InitConfiguration", "nodeRegistration: {name: cp7}"))
        (node,) = at_hosts(loaded.cluster, ["root@10.0.0.11"]).nodes
        assert (node.name, node.name_from_host) == ("cp7", False)

    def test_one_name_is_not_for_two_hosts(self, tmp_path) -> None:
        text = JOINING + "nodeRegistration: {name: w7}"
        loaded = load(_file(tmp_path, "JoinConfiguration", text), joining=True)
        with pytest.raises(ConfigError) as error:
            at_hosts(loaded.cluster, ["10.0.0.21", "10.0.0.22"])
        assert problems(error) == {"--host": "the file has one name for 2 hosts; leave it out"}

    def test_init_takes_one(self, tmp_path) -> None:
        loaded = load(_file(tmp_path, "InitConfiguration"))
        with pytest.raises(ConfigError) as error:
            at_hosts(loaded.cluster, ["10.0.0.21,10.0.0.22"])
        assert problems(error) == {"--host": "init takes one host; join brings in the others"}


JOINING = f"""discovery:
  bootstrapToken: {{apiServerEndpoint: "10.0.0.11:6443", token: {TOKEN}, caCertHashes: ["{HASH}"]}}
"""


def _file(folder: Path, kind: str, more: str = "") -> str:
    path = folder / "bare.yaml"
    path.write_text(f"apiVersion: kubeadm.k8s.io/v1beta4\nkind: {kind}\n{more}")
    return str(path)


def test_init_without_flags_is_this_machine_with_defaults() -> None:
    cluster = from_init_flags()
    (node,) = cluster.nodes
    assert str(cluster.kubernetes_version) == DEFAULT_VERSION
    assert (node.name, node.ssh, node.name_from_host) == ("", None, True)
    assert node.role is Role.CONTROL_PLANE
    assert cluster.source_file == ""


def test_init_flags() -> None:
    cluster = from_init_flags(
        hosts=["root@10.0.0.11:2222"],
        apiserver_advertise_address="10.0.0.11",
        apiserver_bind_port=7443,
        apiserver_cert_extra_sans=["a.example,b.example", "10.0.0.9"],
        cert_dir="/pki",
        control_plane_endpoint="api.example",
        cri_socket="unix:///run/crio/crio.sock",
        feature_gates="NodeLocalCRISocket=true,RootlessControlPlane=False",
        ignore_preflight_errors=["NumCPU,Mem"],
        image_repository="registry.example/k8s",
        kubernetes_version="v1.36.1",
        node_name="cp1",
        pod_network_cidr="10.244.0.0/16",
        service_cidr="10.97.0.0/16",
        service_dns_domain="corp.example",
        skip_phases=["addon/kube-proxy,addon/coredns"],
        token=TOKEN,
        token_ttl="0",
    )
    (node,) = cluster.nodes
    assert node.ssh is not None
    assert (node.ssh.user, node.ssh.host, node.ssh.port) == ("root", "10.0.0.11", 2222)
    assert (node.name, node.name_from_host) == ("cp1", False)
    assert node.local_endpoint == "10.0.0.11:7443"
    assert node.ignore_preflight_errors == {"numcpu", "mem"}
    assert node.cri_socket == "unix:///run/crio/crio.sock"
    assert cluster.api_server_cert_sans == ("a.example", "b.example", "10.0.0.9")
    assert cluster.certificates_dir == "/pki"
    assert cluster.control_plane_endpoint == "api.example:7443"
    assert cluster.feature_gates == {"NodeLocalCRISocket": True, "RootlessControlPlane": False}
    assert cluster.image_repository == "registry.example/k8s"
    assert str(cluster.kubernetes_version) == "v1.36.1"
    assert cluster.networking.pod_subnet == "10.244.0.0/16"
    assert cluster.networking.dns_domain == "corp.example"
    assert cluster.init_skip_phases == ("addon/kube-proxy", "addon/coredns")
    assert cluster.bootstrap_tokens[0].token == Secret(TOKEN)
    assert cluster.bootstrap_tokens[0].ttl == timedelta(0)


def test_init_problems_are_named_by_flag_all_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        from_init_flags(
            hosts=["a@b@c d", "10.0.0.1"],
            apiserver_advertise_address="nowhere",
            apiserver_bind_port=70000,
            apiserver_cert_extra_sans=["ok.example", "not ok"],
            cert_dir="pki",
            control_plane_endpoint="https://api",
            cri_socket="tcp://1.2.3.4",
            feature_gates="Foo=maybe,Bar=true",
            ignore_preflight_errors=["all,Swap"],
            image_repository="https://x",
            kubernetes_version="v1.20.0",
            node_name="a_b",
            pod_network_cidr="10.96.0.0/16",
            service_cidr="10.96.0.0/12",
            service_dns_domain="_",
            skip_phases=["addon/kubeproxy"],
            token="abc.secret",
            token_ttl="1 day",
        )
    found = problems(refused)
    assert set(found) == {
        "--host",
        "--apiserver-advertise-address",
        "--apiserver-bind-port",
        "--apiserver-cert-extra-sans",
        "--cert-dir",
        "--control-plane-endpoint",
        "--cri-socket",
        "--feature-gates",
        "--ignore-preflight-errors",
        "--image-repository",
        "--kubernetes-version",
        "--node-name",
        "--pod-network-cidr",
        "--service-dns-domain",
        "--skip-phases",
        "--token",
        "--token-ttl",
    }
    assert found["--pod-network-cidr"] == "10.96.0.0/16 overlaps serviceSubnet 10.96.0.0/12"
    assert str(refused.value).startswith("the command line has 1")
    assert "secret" not in str(refused.value)


def test_join_flags() -> None:
    cluster = from_join_flags(
        "10.0.0.11:6443",
        hosts=["root@10.0.0.21", "W2"],
        token=TOKEN,
        ca_cert_hashes=[HASH],
        cri_socket="/run/crio/crio.sock",
        ignore_preflight_errors=["All"],
        skip_phases=["preflight"],
    )
    first, second = cluster.nodes
    assert (first.name, second.name) == ("10.0.0.21", "w2")
    assert first.name_from_host
    assert first.ssh is not None
    assert first.ssh.user == "root"
    assert second.ssh is not None
    assert (second.ssh.user, second.ssh.host) == ("", "W2")
    assert second.cri_socket == "unix:///run/crio/crio.sock"
    assert first.role is Role.WORKER
    assert cluster.discovery is not None
    assert cluster.discovery.token == cluster.discovery.tls_bootstrap_token == Secret(TOKEN)
    assert cluster.discovery.ca_cert_hashes == (HASH,)
    assert cluster.endpoint == "10.0.0.11:6443"
    assert cluster.join_skip_phases == ("preflight",)


def test_join_flags_with_tokens_of_their_own() -> None:
    other = "ffffff.ffffffffffffffff"
    cluster = from_join_flags(
        "api:6443",
        discovery_token=TOKEN,
        tls_bootstrap_token=other,
        unsafe_skip_ca_verification=True,
        node_name="w1",
    )
    assert cluster.discovery is not None
    assert cluster.discovery.token == Secret(TOKEN)
    assert cluster.discovery.tls_bootstrap_token == Secret(other)
    assert cluster.discovery.unsafe_skip_ca_verification
    assert cluster.nodes[0].name == "w1"
    assert not cluster.nodes[0].name_from_host


def test_join_by_discovery_file() -> None:
    cluster = from_join_flags(discovery_file=__file__, token=TOKEN)
    assert cluster.discovery is not None
    assert cluster.discovery.file == __file__
    assert cluster.discovery.tls_bootstrap_token == Secret(TOKEN)
    assert from_join_flags(discovery_file="https://x.example/kc").discovery is not None


@pytest.mark.parametrize(
    ("flags", "blamed"),
    [
        ({}, {"api-server-endpoint"}),
        ({"endpoint": "10.0.0.11"}, {"api-server-endpoint", "--token", "--discovery-token-ca-cert-hash"}),
        (
            {"endpoint": "a:1", "token": "secret", "ca_cert_hashes": ["sha256:0"]},
            {"--token", "--discovery-token-ca-cert-hash"},
        ),
        (
            {
                "endpoint": "a:1",
                "discovery_token": "secret",
                "token": TOKEN,
                "tls_bootstrap_token": "secret",
                "unsafe_skip_ca_verification": True,
            },
            {"--discovery-token", "--tls-bootstrap-token"},
        ),
        ({"discovery_file": "/nonexistent"}, {"--discovery-file"}),
        (
            {"discovery_file": __file__, "hosts": ["a,b,a"], "node_name": "x"},
            {"--host", "--node-name"},
        ),
    ],
)
def test_join_problems_are_named_by_flag(flags: dict[str, Any], blamed: set[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        from_join_flags(**flags)
    assert sorted(problem.path for problem in refused.value.problems) == sorted(blamed)
    assert "secret" not in str(refused.value)


def test_what_trusts_without_a_pin_is_named_as_the_user_types_it() -> None:
    with pytest.raises(ConfigError) as refused:
        from_join_flags("10.0.0.11:6443", token=TOKEN)
    (problem,) = refused.value.problems
    assert "or set --discovery-token-unsafe-skip-ca-verification to trust whoever answers" in problem.message
    assert "unsafeSkipCAVerification" not in str(refused.value)


def test_ignored_checks_of_the_flag() -> None:
    cluster = from_init_flags(ignore_preflight_errors=["Mem"])
    assert ignored_by_flag(cluster, []) == frozenset()
    assert ignored_by_flag(cluster, ["NumCPU, Swap"]) == {"numcpu", "swap"}
    assert ignored_by_flag(from_init_flags(), ["all"]) == {"all"}
    for names in (["all"], ["Swap", "All"]):
        with pytest.raises(ConfigError, match="--ignore-preflight-errors"):
            ignored_by_flag(cluster, names)


@pytest.mark.parametrize("read", [from_init_flags, partial(from_join_flags, discovery_file=__file__)])
def test_a_directory_of_patches(read: Any, tmp_path: Path) -> None:
    (tmp_path / "kubeletconfiguration+merge.yaml").write_text("maxPods: 5\n")
    cluster = read(patches=str(tmp_path))
    (node,) = cluster.nodes
    (patch,) = cluster.patches(node)
    assert (patch.target, patch.type, patch.content) == ("kubeletconfiguration", "merge", {"maxPods": 5})
    with pytest.raises(ConfigError, match=r"--patches +no such directory on this machine"):
        read(patches=str(tmp_path / "none"))
