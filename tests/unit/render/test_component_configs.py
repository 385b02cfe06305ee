from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.render import component_configs
from kubeadm_py.render.component_configs import overlay


def test_overlay_goes_into_mappings_and_replaces_the_rest() -> None:
    defaults = {"a": {"b": 1, "c": 2}, "list": [1, 2], "kept": True, "mode": ""}
    given = {"a": {"c": 3, "d": {"e": 4}}, "list": [9], "mode": "ipvs"}
    assert overlay(defaults, given) == {
        "a": {"b": 1, "c": 3, "d": {"e": 4}},
        "list": [9],
        "kept": True,
        "mode": "ipvs",
    }
    assert defaults["a"] == {"b": 1, "c": 2}


def test_null_leaves_the_default_and_false_does_not() -> None:
    assert overlay({"a": 1, "b": True}, {"a": None, "b": False, "c": None}) == {"a": 1, "b": False}


def test_a_mapping_over_a_scalar_replaces_it() -> None:
    assert overlay({"a": None, "b": {"x": 1}}, {"a": {"y": 2}, "b": 3}) == {"a": {"y": 2}, "b": 3}


def test_kubelet_keys_go_over_the_zero_values(cluster: ResolvedCluster) -> None:
    given = {"logging": {"verbosity": 4}, "maxPods": 250, "authentication": {"anonymous": {"enabled": False}}}
    config = component_configs.kubelet_configuration(replace(cluster, kubelet_config=given))
    assert config["kind"] == "KubeletConfiguration"
    assert config["logging"]["verbosity"] == 4
    assert config["logging"]["flushFrequency"] == 0
    assert config["maxPods"] == 250
    assert config["authentication"] == {"webhook": {"cacheTTL": "0s"}, "anonymous": {"enabled": False}}


@pytest.mark.parametrize("mode", ["iptables", "nftables", "ipvs"])
@pytest.mark.parametrize("scheduler", ["rr", "lc", "dh", "sh", "sed", "nq"])
def test_kube_proxys_mode_and_scheduler_are_handed_on(
    cluster: ResolvedCluster, mode: str, scheduler: str
) -> None:
    given = {"mode": mode, "ipvs": {"scheduler": scheduler}}
    config = component_configs.kube_proxy_configuration(replace(cluster, kube_proxy_config=given))
    assert (config["mode"], config["ipvs"]["scheduler"]) == (mode, scheduler)
    assert config["ipvs"]["strictARP"] is False


def test_the_hash_is_over_the_values_in_order_of_their_keys() -> None:
    # printf '%s' 'onetwo' | sha256sum
    digest = "25b6746d5172ed6352966a013d93ac846e1110d5a25e8f183b5931f4688842a1"
    annotation = component_configs.hash_annotation({"b": "two", "a": "one"})
    assert annotation == {"kubeadm.kubernetes.io/component-config.hash": f"sha256:{digest}"}
