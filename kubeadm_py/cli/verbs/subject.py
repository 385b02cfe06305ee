"""Find out which cluster a verb is about: the config's, or the one that hosts belong to already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import yaml

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import reading
from kubeadm_py.config.complete import complete
from kubeadm_py.config.flags import at_hosts, from_init_flags
from kubeadm_py.config.live import adopt
from kubeadm_py.config.load import Loaded
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import kubectl
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.plan.certificates.producers import Complete
from kubeadm_py.transport.connect import host_for


@dataclass(frozen=True, slots=True)
class Subject:
    """Hold a cluster, the hosts of it that were named, and what fills in what only the hosts know."""

    cluster: ResolvedCluster
    targets: tuple[Node, ...]
    complete: Complete | None = None
    loaded: Loaded | None = None


def of_cluster(
    config: str,
    hosts: Sequence[str],
    *,
    cert_dir: str = "",
    kubeconfig: str = "",
    control_planes: bool = False,
    allow_unknown_fields: bool = False,
) -> Subject:
    """Return what a config says, else what the cluster of this machine (or of --host) says of itself.

    All hosts of the file are meant where none is named; with `control_planes` those only, and what runs etcd
    for them.
    """
    if config:
        loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
        cluster = _moved(loaded.cluster, cert_dir)
        if loaded.has_cluster_document:
            keepers = (*cluster.control_planes, *cluster.etcd_hosts)
            everyone = keepers if control_planes else cluster.nodes
            return Subject(
                cluster, tuple(reading.choose(cluster, hosts)) if hosts else everyone, loaded=loaded
            )
        cluster = at_hosts(cluster, hosts)
        return Subject(cluster, cluster.nodes, complete, loaded)
    bare = from_init_flags(hosts=hosts)
    cluster = _moved(_live(bare, kubeconfig or paths.ADMIN_CONF), cert_dir)
    return Subject(cluster, cluster.nodes, complete)


def _moved(cluster: ResolvedCluster, cert_dir: str) -> ResolvedCluster:
    return replace(cluster, certificates_dir=cert_dir) if cert_dir else cluster


def _live(bare: ResolvedCluster, kubeconfig: str) -> ResolvedCluster:
    """Take over the cluster's own configuration, as kubeadm does; where that fails, defaults hold."""
    host = host_for(bare.nodes[0])
    asked = ["get", "configmap", "kubeadm-config", "-n", "kube-system"]
    try:
        text = kubectl.run(
            host,
            [*asked, "-o", "jsonpath={.data.ClusterConfiguration}"],
            doing="reading the cluster's configuration",
            kubeconfig=kubeconfig,
        )
        document = yaml.load(text, yaml.CSafeLoader)
        return adopt(bare, document if isinstance(document, dict) else {})
    except (KubeadmPyError, yaml.YAMLError) as error:
        telling.warn(f"the cluster does not tell its configuration ({error}): kubeadm's defaults hold")
        return bare
    finally:
        host.close()
