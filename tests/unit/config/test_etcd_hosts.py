"""Hosts of role etcd: what the config reader makes of them."""

from __future__ import annotations

from pathlib import Path

from kubeadm_py.config.load import load

ACCEPTED = Path(__file__).parent / "cases" / "accepted"


def test_control_planes_reach_them_as_an_external_etcd() -> None:
    loaded = load(str(ACCEPTED / "etcd_hosts.yaml"))
    cluster = loaded.cluster
    etcd = cluster.etcd
    assert etcd.local is None
    assert etcd.external is not None
    assert etcd.external.endpoints == ("https://192.168.0.11:2379", "https://192.168.0.12:2379")
    assert etcd.external.cert_file == "/etc/kubernetes/pki/apiserver-etcd-client.crt"
    assert etcd.members is not None
    assert etcd.members.data_dir == "/data/etcd"
    assert [node.name for node in cluster.etcd_members] == ["e1", "e2"]
    assert [node.name for node in cluster.members] == ["cp1", "cp2"]
    here = cluster.at(cluster.node("e1")).etcd
    assert (here.local, here.external) == (etcd.members, None)
    assert cluster.at(cluster.node("cp1")) is cluster


def test_an_even_number_of_members_is_warned_of_and_of_control_planes_is_not() -> None:
    (warning,) = load(str(ACCEPTED / "etcd_hosts.yaml")).warnings
    assert warning.path == "spec.hosts[3].role"
    assert warning.message.startswith("2 etcd members survive the loss of no more members than 1 do")
