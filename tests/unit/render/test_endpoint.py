"""What stands before the API servers: by kind and by host."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kubeadm_py.model import endpoint as model
from kubeadm_py.model import images, paths
from kubeadm_py.model.cluster import LoadBalancer, ResolvedCluster
from kubeadm_py.model.facts import FileFact, HostFacts, Interface
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.render import endpoint

MANIFESTS = paths.MANIFESTS_DIR


def cluster(kind: LoadBalancer, place: str, *, network: str = "10.0.0.0/24", **more: int) -> ResolvedCluster:
    def address(last: int) -> str:
        return str(ipaddress.ip_network(network)[last])

    control_planes = [
        Node(f"cp{number}", Role.CONTROL_PLANE, (address(10 + number),), **more) for number in (1, 2, 3)
    ]
    others = [Node("w1", Role.WORKER, (address(21),)), Node("e1", Role.ETCD, (address(31),))]
    return ResolvedCluster(
        "demo",
        Version(1, 36, 3),
        (*control_planes, *others),
        control_plane_endpoint=place,
        load_balancer=kind,
    )


NODE_LOCAL = cluster(LoadBalancer.NODE_LOCAL, "api.demo.internal:6443")
VIP = cluster(LoadBalancer.VIP, "10.0.0.100:6443")
BALANCED = cluster(LoadBalancer.VIP, "10.0.0.100:8443")
EXTERNAL = cluster(LoadBalancer.EXTERNAL, "api.example:6443")
FACTS = HostFacts(interfaces=(Interface("lo"), Interface("ens3", addresses=("10.0.0.11/24",))))


def written(of: ResolvedCluster, name: str, facts: HostFacts = FACTS) -> dict[str, str]:
    found = {}
    for spec in endpoint.files(of, of.node(name), facts):
        assert isinstance(spec.content, bytes)
        found[spec.path] = spec.content.decode()
    return found


@pytest.mark.parametrize(
    ("of", "host", "paths_written"),
    [
        (EXTERNAL, "cp1", []),
        (EXTERNAL, "w1", []),
        (NODE_LOCAL, "cp1", []),
        (NODE_LOCAL, "e1", []),
        (NODE_LOCAL, "w1", [paths.HAPROXY_CONFIG, f"{MANIFESTS}/haproxy.yaml"]),
        (VIP, "w1", []),
        (VIP, "e1", []),
        (VIP, "cp2", [paths.KEEPALIVED_CHECK, paths.KEEPALIVED_CONFIG, f"{MANIFESTS}/keepalived.yaml"]),
        (
            BALANCED,
            "cp2",
            [
                paths.HAPROXY_CONFIG,
                f"{MANIFESTS}/haproxy.yaml",
                paths.KEEPALIVED_CHECK,
                paths.KEEPALIVED_CONFIG,
                f"{MANIFESTS}/keepalived.yaml",
            ],
        ),
    ],
)
def test_each_host_gets_what_its_endpoint_needs(
    of: ResolvedCluster, host: str, paths_written: list[str]
) -> None:
    """Every config comes before the manifest whose pod reads it."""
    assert list(written(of, host)) == paths_written
    wanted = [name for name in ("haproxy", "keepalived") if f"{MANIFESTS}/{name}.yaml" in paths_written]
    assert [
        image.split("/")[-1].split(":")[0] for image in images.endpoint_images(of, of.node(host))
    ] == wanted


@pytest.mark.parametrize(
    ("of", "host", "line"),
    [
        (NODE_LOCAL, "w1", "127.0.0.1 api.demo.internal # kubeadm-py: the API of cluster demo"),
        (NODE_LOCAL, "cp2", "10.0.0.12 api.demo.internal # kubeadm-py: the API of cluster demo"),
        (NODE_LOCAL, "e1", ""),
        (VIP, "w1", ""),
        (EXTERNAL, "cp1", ""),
    ],
)
def test_line_in_etc_hosts(of: ResolvedCluster, host: str, line: str) -> None:
    assert model.hosts_line(of, of.node(host)) == line
    assert not line or model.is_ours(line)


def test_balancer_asks_every_api_server_by_tls() -> None:
    config = written(NODE_LOCAL, "w1")[paths.HAPROXY_CONFIG]
    assert re.findall(r"^    bind (.*)$", config, re.MULTILINE) == ["127.0.0.1:6443", "127.0.0.1:10270"]
    assert re.findall(r"^    server (.*)$", config, re.MULTILINE) == [
        "cp1 10.0.0.11:6443",
        "cp2 10.0.0.12:6443",
        "cp3 10.0.0.13:6443",
    ]
    assert "uri /readyz" in config
    assert f"check-ssl verify required ca-file {paths.PKI_DIR}/ca.crt" in config


@pytest.mark.parametrize(
    ("network", "vip", "bind", "server"),
    [
        ("10.0.0.0/24", "10.0.0.100:8443", "0.0.0.0:8443", "cp1 10.0.0.11:7443"),
        ("fd00::/64", "[fd00::100]:8443", ":::8443", "cp1 fd00::b:7443"),
    ],
)
def test_balancer_beside_a_vip_listens_everywhere(network: str, vip: str, bind: str, server: str) -> None:
    of = cluster(LoadBalancer.VIP, vip, network=network, bind_port=7443)
    config = written(of, "cp1")[paths.HAPROXY_CONFIG]
    assert f"    bind {bind}\n" in config
    assert f"    server {server}\n" in config


def test_balancer_is_nobody_but_for_a_low_port() -> None:
    def context(of: ResolvedCluster) -> tuple[int, dict[str, list[str]]]:
        pod = yaml.safe_load(written(of, "w1")[f"{MANIFESTS}/haproxy.yaml"])
        said = pod["spec"]["containers"][0]["securityContext"]
        assert not said["allowPrivilegeEscalation"]
        return said["runAsUser"], said["capabilities"]

    assert context(NODE_LOCAL) == (65534, {"drop": ["ALL"]})
    low = cluster(LoadBalancer.NODE_LOCAL, "api.demo.internal:443", bind_port=443)
    assert context(low) == (0, {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})


def without_cp3(of: ResolvedCluster) -> ResolvedCluster:
    return replace(of, nodes=tuple(node for node in of.nodes if node.name != "cp3"))


def with_w2(of: ResolvedCluster) -> ResolvedCluster:
    return replace(of, nodes=(*of.nodes, Node("w2", Role.WORKER, ("10.0.0.22",))))


@pytest.mark.parametrize(("of", "host"), [(NODE_LOCAL, "w1"), (BALANCED, "cp1")])
def test_a_balancer_reads_anew_what_changed_and_its_pod_stays(of: ResolvedCluster, host: str) -> None:
    before, after = written(of, host), written(without_cp3(of), host)
    assert after[paths.HAPROXY_CONFIG] != before[paths.HAPROXY_CONFIG]
    manifest = f"{MANIFESTS}/haproxy.yaml"
    assert after[manifest] == before[manifest]
    assert written(with_w2(of), host)[paths.HAPROXY_CONFIG] == before[paths.HAPROXY_CONFIG]
    pod = yaml.safe_load(before[manifest])
    # Of a file that is mounted by itself the container goes on seeing what it was replaced by.
    assert {"name": "config", "mountPath": "/etc/kubernetes/haproxy", "readOnly": True} in pod["spec"][
        "containers"
    ][0]["volumeMounts"]


def test_keepalived_is_replaced_when_the_control_planes_change() -> None:
    def digest(of: ResolvedCluster) -> str:
        document = yaml.safe_load(written(of, "cp1")[f"{MANIFESTS}/keepalived.yaml"])
        return str(document["metadata"]["annotations"][endpoint.CONFIG_ANNOTATION])

    assert digest(without_cp3(VIP)) != digest(VIP)
    assert digest(with_w2(VIP)) == digest(VIP)


def test_vip_moves_between_equals() -> None:
    config = written(VIP, "cp1")[paths.KEEPALIVED_CONFIG]
    lines = [line.strip() for line in config.splitlines()]
    for line in (
        "interface ens3",
        "unicast_src_ip 10.0.0.11",
        "10.0.0.12",
        "10.0.0.13",
        "10.0.0.100/32 dev ens3",
        "virtual_router_id 100",
        "state BACKUP",
    ):
        assert line in lines
    other = replace(FACTS, interfaces=(Interface("ens3", addresses=("10.0.0.12/24",)),))
    theirs = written(VIP, "cp2", other)[paths.KEEPALIVED_CONFIG]
    priority = re.compile(r"priority (\d+)")
    assert priority.findall(config) == priority.findall(theirs) == ["100"]


def test_vip_without_a_peer_needs_none() -> None:
    alone = replace(VIP, nodes=VIP.nodes[:1])
    config = written(alone, "cp1")[paths.KEEPALIVED_CONFIG]
    # Without any peer keepalived falls back to multicast, which others hear.
    assert re.search(r"unicast_peer \{\s+127\.0\.0\.1\s+\}", config)


@pytest.mark.parametrize(
    ("of", "url"),
    [(VIP, "https://10.0.0.11:6443/readyz"), (BALANCED, "http://127.0.0.1:10270/readyz")],
)
def test_vip_follows_what_answers_on_its_host(of: ResolvedCluster, url: str) -> None:
    assert f"url='{url}'" in written(of, "cp1")[paths.KEEPALIVED_CHECK]


def test_interface_of_an_address_that_no_interface_has() -> None:
    assert endpoint.interface_of("10.9.9.9", replace(FACTS, default_route_interface="ens9")) == "ens9"


def present(of: ResolvedCluster, name: str) -> HostFacts:
    """Return the facts of a host that has what this endpoint takes."""
    files = {
        path: FileFact(path, 0o644, "root:root", content=text.encode())
        for path, text in written(of, name).items()
    }
    return replace(FACTS, files=files)


def test_while_it_moves_the_old_port_and_the_old_vip_stay() -> None:
    other = cluster(LoadBalancer.VIP, "10.0.0.101:9443")
    facts = present(BALANCED, "cp1")
    assert endpoint.present_vips(facts) == ["10.0.0.100"]
    assert endpoint.present_binds(facts) == ["0.0.0.0:8443"]
    found = {spec.path: spec.content for spec in endpoint.files(other, other.node("cp1"), facts, moving=True)}
    balancer, keeper = found[paths.HAPROXY_CONFIG], found[paths.KEEPALIVED_CONFIG]
    assert isinstance(balancer, bytes)
    assert isinstance(keeper, bytes)
    assert re.findall(rb"bind (0.0.0.0:\d+)", balancer) == [b"0.0.0.0:9443", b"0.0.0.0:8443"]
    assert re.findall(rb"virtual_router_id (\d+)", keeper) == [b"101", b"100"], "one router an address"
    assert re.findall(rb"(\S+)/32 dev", keeper) == [b"10.0.0.101", b"10.0.0.100"]
    for name, text in written(other, "cp1", facts).items():
        assert "10.0.0.100" not in text, name
        assert "8443" not in text, name


def test_nothing_moves_where_all_is_as_it_should_be() -> None:
    for of, name in ((BALANCED, "cp1"), (NODE_LOCAL, "w1"), (VIP, "cp2")):
        facts = present(of, name)
        moving = endpoint.files(of, of.node(name), facts, moving=True)
        assert moving == endpoint.files(of, of.node(name), facts)


class TestCheck:
    """keepalived's check, with a stand-in for curl."""

    @pytest.fixture
    def check(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], int]:
        monkeypatch.setattr(paths, "KEEPALIVED_AWAY", str(tmp_path / "away"))
        script = written(VIP, "cp1")[paths.KEEPALIVED_CHECK].encode()

        def run(answer: str, away: str = "") -> int:
            curl = tmp_path / "curl"
            curl.write_text(f"#!/bin/sh\nprintf %s {answer}\n")
            curl.chmod(0o755)
            if away:
                (tmp_path / "away").write_text(away)
            path = f"{tmp_path}:{os.environ['PATH']}"
            return subprocess.run(["sh"], input=script, env={"PATH": path}, check=False).returncode

        return run

    @pytest.mark.parametrize(("answer", "code"), [("200", 0), ("401", 0), ("000", 1), ("503", 1)])
    def test_what_the_api_says_counts(self, check, answer, code):
        assert check(answer) == code

    def test_a_host_that_is_worked_on_gives_the_address_away(self, check):
        assert check("200", away=f"{int(time.time()) + 60}\n") == 1

    @pytest.mark.parametrize("away", ["1\n", "nonsense\n", " "])
    def test_what_a_run_that_was_cut_off_has_left_ends_by_itself(self, check, away):
        assert check("200", away=away) == 0
