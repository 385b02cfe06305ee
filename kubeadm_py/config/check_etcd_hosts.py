"""Check the hosts of role etcd: they run etcd's members apart from the control planes, and nothing else."""

from __future__ import annotations

from kubeadm_py.config.cluster_types import Host
from kubeadm_py.config.problems import Path, Problems
from kubeadm_py.config.whole import HOSTS, Whole
from kubeadm_py.model.node import Role


def etcd_hosts(whole: Whole) -> list[int]:
    """Return the indices of the hosts of role etcd."""
    hosts = whole.cluster.value.spec.hosts
    return [index for index, host in enumerate(hosts) if host.role == Role.ETCD]


def even_members(count: int, of: str) -> str:
    """Say why an even number of members is of no use."""
    return (
        f"{count} etcd members survive the loss of no more members than {count - 1} do, and need one more to "
        f"agree; take an odd number of {of}"
    )


def check_etcd_hosts(whole: Whole, problems: Problems) -> None:
    """Add what contradicts members on hosts of their own, and what an even number of them is no good for."""
    indices = etcd_hosts(whole)
    if not indices:
        return
    place, path = whole.cluster.document, (*HOSTS, indices[-1], "role")
    if whole.cluster_configuration.value.etcd.external is not None:
        message = "hosts of role etcd are given, whose members kubeadm-py makes; leave etcd.external out"
        problems.error(whole.cluster_configuration.document, ("etcd", "external"), message)
    if len(indices) % 2 == 0:
        problems.warning(place, path, even_members(len(indices), "hosts of role etcd"))
    for index in indices:
        _check_no_node(whole, index, whole.cluster.value.spec.hosts[index], problems)


def _check_no_node(whole: Whole, index: int, host: Host, problems: Problems) -> None:
    for key, given in (("labels", host.labels), ("taints", host.taints)):
        if given:
            at: Path = (*HOSTS, index, key)
            problems.error(
                whole.cluster.document, at, f"a host of role etcd is no node of the cluster: it has no {key}"
            )
