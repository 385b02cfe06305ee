"""Write a ResolvedCluster as kubeadm's ClusterConfiguration, the form that the cluster itself keeps."""

from __future__ import annotations

from typing import Any

from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Arg, Component, Etcd, ExternalEtcd, ExtraVolume, LocalEtcd
from kubeadm_py.model.times import go_duration
from kubeadm_py.render.arguments import environment_variable

API_VERSION = "kubeadm.k8s.io/v1beta4"


def cluster_configuration(cluster: ResolvedCluster) -> dict[str, Any]:
    """Return the v1beta4 document with every default filled in, as real kubeadm reads and writes it."""
    networking = cluster.networking
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterConfiguration",
        "apiServer": {
            **_component(cluster.api_server),
            **_present(certSANs=list(cluster.api_server_cert_sans)),
        },
        "caCertificateValidityPeriod": go_duration(cluster.ca_certificate_validity),
        "certificateValidityPeriod": go_duration(cluster.certificate_validity),
        "certificatesDir": cluster.certificates_dir,
        "clusterName": cluster.cluster_name,
        **_present(controlPlaneEndpoint=cluster.control_plane_endpoint),
        "controllerManager": _component(cluster.controller_manager),
        "dns": _present(
            disabled=cluster.dns.disabled or _skips(cluster, "addon/coredns"),
            imageRepository=cluster.dns.image_repository,
            imageTag=cluster.dns.image_tag,
        ),
        "encryptionAlgorithm": cluster.encryption_algorithm,
        "etcd": _etcd(cluster.etcd),
        **_present(featureGates=dict(cluster.feature_gates)),
        "imageRepository": cluster.image_repository,
        "kubernetesVersion": str(cluster.kubernetes_version),
        "networking": {
            "dnsDomain": networking.dns_domain,
            "serviceSubnet": networking.service_subnet,
            **_present(podSubnet=networking.pod_subnet),
        },
        "proxy": _present(disabled=cluster.proxy_disabled or _skips(cluster, "addon/kube-proxy")),
        "scheduler": _component(cluster.scheduler),
    }


def _skips(cluster: ResolvedCluster, addon: str) -> bool:
    """Say whether init leaves an add-on out: as in kubeadm, the cluster then has it for disabled."""
    return addon in cluster.init_skip_phases or addon.partition("/")[0] in cluster.init_skip_phases


def _present(**values: Any) -> dict[str, Any]:
    """Keep what is set: kubeadm leaves out what is empty or false."""
    return {key: value for key, value in values.items() if value}


def _component(component: Component) -> dict[str, Any]:
    return _present(
        extraArgs=_args(component.extra_args),
        extraEnvs=[environment_variable(variable) for variable in component.extra_envs],
        extraVolumes=[_volume(volume) for volume in component.extra_volumes],
    )


def _args(args: tuple[Arg, ...]) -> list[dict[str, str]]:
    return [{"name": arg.name, "value": arg.value} for arg in args]


def _volume(volume: ExtraVolume) -> dict[str, Any]:
    return {
        "name": volume.name,
        "hostPath": volume.host_path,
        "mountPath": volume.mount_path,
        **_present(readOnly=volume.read_only, pathType=volume.path_type),
    }


def _etcd(etcd: Etcd) -> dict[str, Any]:
    if etcd.external is not None:
        return {"external": _external_etcd(etcd.external)}
    return {"local": _local_etcd(etcd.local or LocalEtcd())}


def _local_etcd(local: LocalEtcd) -> dict[str, Any]:
    return {
        "dataDir": local.data_dir,
        **_present(
            imageRepository=local.image_repository,
            imageTag=local.image_tag,
            extraArgs=_args(local.extra_args),
            extraEnvs=[environment_variable(variable) for variable in local.extra_envs],
            serverCertSANs=list(local.server_cert_sans),
            peerCertSANs=list(local.peer_cert_sans),
        ),
    }


def _external_etcd(external: ExternalEtcd) -> dict[str, Any]:
    return {
        "endpoints": list(external.endpoints),
        "caFile": external.ca_file,
        "certFile": external.cert_file,
        "keyFile": external.key_file,
        **_present(httpEndpoints=list(external.http_endpoints)),
    }
