"""Table the flags that kubeadm gives each control-plane component (kubeadm contract 5.2 to 5.5).

Placeholders in braces are filled in by `static_pods`; what a user's extraArgs say goes over them.
"""

from __future__ import annotations

from collections.abc import Mapping

KUBE_APISERVER: Mapping[str, str] = {
    "advertise-address": "{advertise_address}",
    "allow-privileged": "true",
    "authorization-mode": "Node,RBAC",
    "client-ca-file": "{pki}/ca.crt",
    "enable-admission-plugins": "NodeRestriction",
    "enable-bootstrap-token-auth": "true",
    "kubelet-client-certificate": "{pki}/apiserver-kubelet-client.crt",
    "kubelet-client-key": "{pki}/apiserver-kubelet-client.key",
    "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
    "proxy-client-cert-file": "{pki}/front-proxy-client.crt",
    "proxy-client-key-file": "{pki}/front-proxy-client.key",
    "requestheader-allowed-names": "front-proxy-client",
    "requestheader-client-ca-file": "{pki}/front-proxy-ca.crt",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-username-headers": "X-Remote-User",
    "secure-port": "{bind_port}",
    "service-account-issuer": "https://kubernetes.default.svc.{dns_domain}",
    "service-account-key-file": "{pki}/sa.pub",
    "service-account-signing-key-file": "{pki}/sa.key",
    "service-cluster-ip-range": "{service_subnet}",
    "tls-cert-file": "{pki}/apiserver.crt",
    "tls-private-key-file": "{pki}/apiserver.key",
}

KUBE_APISERVER_LOCAL_ETCD: Mapping[str, str] = {
    "etcd-cafile": "{pki}/etcd/ca.crt",
    "etcd-certfile": "{pki}/apiserver-etcd-client.crt",
    "etcd-keyfile": "{pki}/apiserver-etcd-client.key",
    "etcd-servers": "https://{loopback}:{etcd_client_port}",
}

KUBE_CONTROLLER_MANAGER: Mapping[str, str] = {
    "authentication-kubeconfig": "{controller_manager_conf}",
    "authorization-kubeconfig": "{controller_manager_conf}",
    "bind-address": "127.0.0.1",
    "client-ca-file": "{pki}/ca.crt",
    "cluster-name": "{cluster_name}",
    "cluster-signing-cert-file": "{pki}/ca.crt",
    "cluster-signing-key-file": "{pki}/ca.key",
    "controllers": "*,bootstrapsigner,tokencleaner",
    "kubeconfig": "{controller_manager_conf}",
    "leader-elect": "true",
    "requestheader-client-ca-file": "{pki}/front-proxy-ca.crt",
    "root-ca-file": "{pki}/ca.crt",
    "service-account-private-key-file": "{pki}/sa.key",
    "use-service-account-credentials": "true",
}

KUBE_CONTROLLER_MANAGER_POD_SUBNET: Mapping[str, str] = {
    "allocate-node-cidrs": "true",
    "cluster-cidr": "{pod_subnet}",
    "service-cluster-ip-range": "{service_subnet}",
}
"""Added where there is a pod subnet."""

KUBE_CONTROLLER_MANAGER_EXTERNAL_CA: Mapping[str, str] = {
    "cluster-signing-cert-file": "",
    "cluster-signing-key-file": "",
}
"""Replaces the default where the CA's key is not on the host: the signing controller stays off."""

KUBE_SCHEDULER: Mapping[str, str] = {
    "authentication-kubeconfig": "{scheduler_conf}",
    "authorization-kubeconfig": "{scheduler_conf}",
    "bind-address": "127.0.0.1",
    "kubeconfig": "{scheduler_conf}",
    "leader-elect": "true",
}

ETCD: Mapping[str, str] = {
    "advertise-client-urls": "https://{advertise_host}:{etcd_client_port}",
    "cert-file": "{pki}/etcd/server.crt",
    "client-cert-auth": "true",
    "data-dir": "{etcd_data_dir}",
    "initial-advertise-peer-urls": "https://{advertise_host}:{etcd_peer_port}",
    "initial-cluster": "{initial_cluster}",
    "key-file": "{pki}/etcd/server.key",
    "listen-client-urls": (
        "https://{loopback}:{etcd_client_port},https://{advertise_host}:{etcd_client_port}"
    ),
    "listen-metrics-urls": "http://{loopback}:{etcd_metrics_port}",
    "listen-peer-urls": "https://{advertise_host}:{etcd_peer_port}",
    "name": "{node_name}",
    "peer-cert-file": "{pki}/etcd/peer.crt",
    "peer-client-cert-auth": "true",
    "peer-key-file": "{pki}/etcd/peer.key",
    "peer-trusted-ca-file": "{pki}/etcd/ca.crt",
    "snapshot-count": "10000",
    "trusted-ca-file": "{pki}/etcd/ca.crt",
}

ETCD_WATCH_AND_CORRUPTION: Mapping[str, str] = {
    "feature-gates": "InitialCorruptCheck=true",
    "watch-progress-notify-interval": "5s",
}

ETCD_BEFORE_3_6_WATCH_AND_CORRUPTION: Mapping[str, str] = {
    "experimental-initial-corrupt-check": "true",
    "experimental-watch-progress-notify-interval": "5s",
}
"""The names of the same settings in etcd 3.5."""
