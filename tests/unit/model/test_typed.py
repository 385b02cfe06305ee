"""Commands of ours are typed as they stand."""

from __future__ import annotations

from dataclasses import replace

from kubeadm_py.model import typed
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.ssh import SSH
from kubeadm_py.model.versions import Version


def test_a_log_on_this_machine_on_a_host_and_of_a_config():
    assert typed.logs("etcd") == "kubeadm-py logs etcd"
    assert typed.logs("etcd", "root@10.0.0.1") == "kubeadm-py logs etcd --host root@10.0.0.1"
    assert typed.logs("kubelet", "w1", "c.yaml") == "kubeadm-py logs kubelet --config c.yaml --host w1"


def test_a_command_about_a_host_names_it_as_its_operator_did():
    cp1 = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",), ssh=SSH("10.0.0.1"))
    cluster = ResolvedCluster("demo", Version(1, 36, 3), (cp1,), source_file="my c.yaml")
    assert typed.reset_preview(cluster, cp1) == "kubeadm-py reset --config 'my c.yaml' --host cp1 --dry-run"
    by_flag = replace(cp1, ssh=SSH("10.0.0.1", flag="root@10.0.0.1"))
    assert (
        typed.at(cluster, by_flag, "certs", "renew", "all")
        == "kubeadm-py certs renew all --host root@10.0.0.1"
    )
    assert typed.at(cluster, replace(cp1, ssh=None), "reset") == "kubeadm-py reset"


def test_a_path_with_a_space_stays_one_word():
    assert typed.logs("etcd", "w1", "my files/c.yaml").endswith("--config 'my files/c.yaml' --host w1")
