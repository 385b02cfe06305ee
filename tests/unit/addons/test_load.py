from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeadm_py.addons import load as addons
from kubeadm_py.addons import requirements
from kubeadm_py.errors import ExitCode, UsageError
from kubeadm_py.model.cluster import AddonRequest
from kubeadm_py.model.host_needs import Command, Port

PROBLEMS: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "cases" / "problems.yaml").read_text()
)
INTEGER = {"type": "integer", "description": "A number"}


@pytest.mark.parametrize("case", PROBLEMS.values(), ids=PROBLEMS)
def test_refuses_with_words_that_help(case, make_cluster):
    cluster = make_cluster(
        *(AddonRequest(**each) for each in case["addons"]),
        pod_subnet=case.get("podSubnet", "10.244.0.0/16"),
        version=case.get("version", "v1.36.3"),
        **case.get("cluster", {}),
    )
    with pytest.raises(UsageError) as caught:
        addons.resolve(cluster)
    said = "\n".join([caught.value.summary, *caught.value.details])
    for words in case["says"]:
        assert words in said
    for words in case.get("says_not", []):
        assert words not in said
    assert caught.value.exit_code is ExitCode.USAGE


def test_lists_what_comes_with_the_product_by_name():
    names = [addon.name for addon in addons.available()]
    assert names == sorted(names)
    assert {"flannel", "local-path-storage"} <= set(names)


def test_every_add_on_is_named_like_its_folder():
    for addon in addons.available():
        assert addons.load(addon.name).folder.name == addon.name


def test_fills_in_defaults_and_puts_the_pod_network_first(make_cluster):
    requests = (AddonRequest("local-path-storage"), AddonRequest("flannel", {"backend": "host-gw"}))
    resolved = addons.resolve(make_cluster(*requests))
    assert [item.addon.name for item in resolved] == ["flannel", "local-path-storage"]
    assert resolved[0].parameters["backend"] == "host-gw"
    assert resolved[0].parameters["port"] == 8472
    assert resolved[1].parameters["default"] is True


def test_empty_text_means_not_set_whatever_the_form(make_cluster):
    resolved = addons.resolve(make_cluster(AddonRequest("flannel", {"ifaceCanReach": "", "iface": ""})))
    assert resolved[0].parameters["ifaceCanReach"] == ""


def test_nothing_asked_for_is_nothing_resolved(make_cluster):
    assert addons.resolve(make_cluster()) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "docker.io/library/busybox:1.36"),
        ({"imageRepository": "mirror.lan:5000/hub/"}, "mirror.lan:5000/hub/library/busybox:1.36"),
        ({"images": {"helper": "r.lan/bb:2"}}, "r.lan/bb:2"),
        ({"images": {"helper": "r.lan/bb:2"}, "imageRepository": "mirror.lan"}, "r.lan/bb:2"),
    ],
)
def test_images_come_from_where_the_parameters_say(parameters, expected, make_cluster):
    cluster = make_cluster(AddonRequest("local-path-storage", parameters))
    listed = addons.images(addons.resolve(cluster), cluster)
    assert listed[1] == expected
    assert len(listed) == 2


def test_readiness_tells_what_needs_a_worker(make_cluster):
    resolved = addons.resolve(make_cluster(AddonRequest("flannel"), AddonRequest("local-path-storage")))
    found = [
        (ready.kind, ready.namespace, ready.name, ready.needs_worker) for ready in addons.readiness(resolved)
    ]
    assert found == [
        ("DaemonSet", "kube-flannel", "kube-flannel-ds", False),
        ("Deployment", "local-path-storage", "local-path-provisioner", True),
    ]


@pytest.mark.parametrize(
    ("parameters", "kernel", "ports"),
    [
        ({"port": 4789}, {"br_netfilter", "vxlan"}, [("udp", 4789)]),
        ({"backend": "host-gw"}, {"br_netfilter"}, []),
        ({"backend": "wireguard"}, {"br_netfilter", "wireguard"}, [("udp", 51820)]),
    ],
)
def test_host_requirements_follow_the_parameters(parameters, kernel, ports, make_cluster):
    needs = requirements.of(addons.resolve(make_cluster(AddonRequest("flannel", parameters))))
    assert set(needs.kernel) == kernel
    assert [(port.protocol, port.port) for port in needs.ports] == ports
    assert needs.sysctls["net.ipv4.ip_forward"] == "1"


def test_host_requirements_of_a_folder_of_ones_own(write_addon, make_cluster):
    folder = write_addon(
        hostNeeds={
            "commands": [{"command": "mount.nfs", "packages": {"debian": "nfs-common"}}],
            "ports": [{"protocol": "tcp", "port": 2049}],
        },
        requires=["storage"],
    )
    cluster = make_cluster(AddonRequest(folder), AddonRequest("local-path-storage"))
    needs = requirements.of(addons.resolve(cluster))
    assert needs.commands == (Command("mount.nfs", {"debian": "nfs-common"}, ("sample",)),)
    assert needs.ports == (Port("tcp", 2049),)


def test_a_second_pod_network_is_refused(write_addon, make_cluster):
    folder = write_addon(provides=["pod-network"])
    with pytest.raises(UsageError) as caught:
        addons.resolve(make_cluster(AddonRequest("flannel"), AddonRequest(folder)))
    assert caught.value.details == ("flannel and sample both provide pod-network; keep one",)


def test_a_missing_capability_is_refused(write_addon, make_cluster):
    with pytest.raises(UsageError) as caught:
        addons.resolve(make_cluster(AddonRequest(write_addon(requires=["load-balancer"]))))
    assert caught.value.details == ("sample requires load-balancer, which no listed add-on provides",)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"extra": 1}, "extra"),
        ({"version": None}, "version"),
        ({"status": "great"}, "status"),
        ({"kubernetes": "1.36"}, "'1.36' is not a comparison like >=1.35"),
        ({"images": [{"name": "a", "reference": "busybox"}]}, "is not a complete reference"),
        (
            {"images": [{"name": "a", "reference": "r.lan/a:1"}, {"name": "a", "reference": "r.lan/b:1"}]},
            "two images have the same name",
        ),
        ({"atMostOneOf": [["x"]]}, "'x' is not one of the parameters"),
        (
            {"hostNeeds": {"kernel": [{"feature": "f", "when": {"x": [1]}}]}},
            "'x' is not one of the parameters",
        ),
        ({"hostNeeds": {"ports": [{"protocol": "tcp"}]}}, "exactly one of port and portParameter"),
        (
            {
                "parameters": {
                    "n": {"type": "integer", "minimum": 1, "maximum": 2, "default": 3, "description": ""}
                }
            },
            "parameters.n: the default 3 is not between 1 and 2",
        ),
        (
            {"parameters": {"images": {"type": "boolean", "default": True, "description": ""}}},
            "the parameter images belongs to every add-on",
        ),
    ],
)
def test_a_wrong_addon_yaml_is_refused_with_its_problem(keys, says, write_addon):
    with pytest.raises(UsageError) as caught:
        addons.load(write_addon(**keys))
    assert any(says in line for line in caught.value.details)
    assert "addon.yaml" in caught.value.summary


@pytest.mark.parametrize("text", [b"a: [", b"\xff\xfe\x00", b"just text"])
def test_an_addon_yaml_that_is_not_one(text, write_addon):
    folder = write_addon()
    (Path(folder) / "addon.yaml").write_bytes(text)
    with pytest.raises(UsageError, match=r"addon\.yaml"):
        addons.load(folder)


@pytest.mark.parametrize(
    ("kubernetes", "fits"),
    [
        (">=1.36", True),
        (">1.36", False),
        ("<=1.36, >=1.35", True),
        ("<1.36", False),
        ("=1.36", True),
        ("=1.35", False),
    ],
)
def test_kubernetes_ranges(kubernetes, fits, write_addon, make_cluster):
    addon = addons.load(write_addon(kubernetes=kubernetes)).addon
    assert addon.supports(make_cluster().kubernetes_version) is fits


def test_ipvs_is_fine_where_nodes_answer_for_their_own_addresses_or_nobody_asks_by_arp(make_cluster):
    strict = {"mode": "ipvs", "ipvs": {"strictARP": True}}
    addons.resolve(make_cluster(AddonRequest("metallb"), kube_proxy_config=strict))
    loose = {"mode": "ipvs", "ipvs": {}}
    addons.resolve(make_cluster(AddonRequest("metallb", {"announce": "none"}), kube_proxy_config=loose))
    addons.resolve(make_cluster(AddonRequest("kube-vip", {"mode": "bgp"}), kube_proxy_config=loose))
