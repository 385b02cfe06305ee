"""Commands of ours are typed as they stand."""

from __future__ import annotations

from kubeadm_py.model import typed


def test_a_log_on_this_machine_on_a_host_and_of_a_config():
    assert typed.logs("etcd") == "kubeadm-py logs etcd"
    assert typed.logs("etcd", "root@10.0.0.1") == "kubeadm-py logs etcd --host root@10.0.0.1"
    assert typed.logs("kubelet", "w1", "c.yaml") == "kubeadm-py logs kubelet --config c.yaml --host w1"


def test_a_path_with_a_space_stays_one_word():
    assert typed.logs("etcd", "w1", "my files/c.yaml").endswith("--config 'my files/c.yaml' --host w1")
