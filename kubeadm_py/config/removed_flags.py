"""List flags that components had once and have no more, with the release they went in and what does it now.

From the changelogs of Kubernetes and etcd; the first release without the flag, or nothing where no
changelog was found to say. That the lab's binaries refuse each of them is checked by `make flags`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubeadm_py.model.versions import Version

KUBERNETES_COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)


@dataclass(frozen=True, slots=True)
class Removed:
    """Hold when a flag went and what to do now.

    `flag` is the one that takes the same value today; `fix` says what does it where there is none.
    `release` is of Kubernetes, for etcd's flags of etcd; empty where it is not known.
    """

    release: str
    fix: str = ""
    flag: str = ""

    def instead(self) -> str:
        """Say what to write now; empty where there is nothing to say."""
        return f"use {self.flag}" if self.flag else self.fix


_TO_STDERR = "components log to standard error"
_LOGGING = dict.fromkeys(
    (
        "add-dir-header",
        "alsologtostderr",
        "log-backtrace-at",
        "log-dir",
        "log-file",
        "log-file-max-size",
        "logtostderr",
        "one-output",
        "skip-headers",
        "skip-log-headers",
        "stderrthreshold",
    ),
    Removed("1.26", _TO_STDERR),
)
_NO_DOCKER = Removed("1.24", "dockershim is gone; the runtime has its own settings")
_CNI = Removed("1.24", "dockershim is gone; where CNI plugins and configs lie is the runtime's setting")
_NO_RKT = Removed("", "rkt is gone; criSocket names the runtime")
_CLOUD = "cloud providers run as a cloud controller manager of their own"
_POLICY = Removed("1.23", "write a KubeSchedulerConfiguration and give it with config")
_SECURE_PORT = Removed("1.24", "there is no insecure port; the secure one is localAPIEndpoint.bindPort")
_DROP = "leave it out"

REMOVED_FLAGS: dict[str, dict[str, Removed]] = {
    "kube-apiserver": {
        **_LOGGING,
        "address": Removed("1.24", "the secure address is bind-address"),
        "audit-dynamic-configuration": Removed("1.19", "use audit-webhook-config-file"),
        "authorization-rbac-super-user": Removed("", "system:masters is the group of super-users"),
        "basic-auth-file": Removed("1.19", "use client certificates, OIDC or token-auth-file"),
        "cloud-config": Removed("", _CLOUD),
        "cloud-provider": Removed("", _CLOUD),
        "deserialization-cache-size": Removed("", _DROP),
        "enable-swagger-ui": Removed("", _DROP),
        "etcd-quorum-read": Removed("", "every read is a quorum read"),
        "experimental-bootstrap-token-auth": Removed("", flag="enable-bootstrap-token-auth"),
        "experimental-encryption-provider-config": Removed("1.24", flag="encryption-provider-config"),
        "experimental-keystone-ca-file": Removed("", "use authentication-token-webhook-config-file"),
        "experimental-keystone-url": Removed("", "use authentication-token-webhook-config-file"),
        "insecure-bind-address": Removed("1.24", "there is no insecure port; leave it out"),
        "insecure-port": _SECURE_PORT,
        "kubelet-https": Removed("", "kubelets are always asked over HTTPS"),
        "long-running-request-regexp": Removed("", _DROP),
        "master-service-namespace": Removed("1.27", _DROP),
        "port": _SECURE_PORT,
        "public-address-override": Removed("", flag="advertise-address"),
        "repair-malformed-updates": Removed("", _DROP),
        "service-account-api-audiences": Removed("1.25", flag="api-audiences"),
        "ssh-keyfile": Removed("", "use egress-selector-config-file"),
        "ssh-user": Removed("", "use egress-selector-config-file"),
        "storage-versions": Removed("", _DROP),
        "target-ram-mb": Removed("1.24", "caches size themselves"),
        "tls-ca-file": Removed("", flag="client-ca-file"),
    },
    "kube-controller-manager": {
        **_LOGGING,
        "address": Removed("1.24", flag="bind-address"),
        "deleting-pods-burst": Removed("", _DROP),
        "deleting-pods-qps": Removed("", _DROP),
        "deployment-controller-sync-period": Removed("", _DROP),
        "enable-taint-manager": Removed("1.27", "taint-based eviction is always on"),
        "experimental-cluster-signing-duration": Removed("1.25", flag="cluster-signing-duration"),
        "google-json-key": Removed("", _DROP),
        "horizontal-pod-autoscaler-downscale-delay": Removed(
            "", flag="horizontal-pod-autoscaler-downscale-stabilization"
        ),
        "horizontal-pod-autoscaler-upscale-delay": Removed("", "the behavior of an autoscaler says it"),
        "horizontal-pod-autoscaler-use-rest-clients": Removed("1.22", "metrics come from the metrics APIs"),
        "insecure-experimental-approve-all-kubelet-csrs-for-group": Removed(
            "", "RBAC says whose certificates are approved"
        ),
        "pod-eviction-timeout": Removed(
            "1.27", "kube-apiserver's default-unreachable-toleration-seconds says how long pods stay"
        ),
        "port": Removed("1.24", "it was the insecure port; the secure one is secure-port"),
        "register-retry-count": Removed("", _DROP),
        "replicaset-lookup-cache-size": Removed("", _DROP),
        "replication-controller-lookup-cache-size": Removed("", _DROP),
        "daemonset-lookup-cache-size": Removed("", _DROP),
        "volume-host-allow-local-loopback": Removed("", _DROP),
        "volume-host-cidr-denylist": Removed("", _DROP),
    },
    "kube-scheduler": {
        **_LOGGING,
        "address": Removed("1.24", flag="bind-address"),
        "algorithm-provider": Removed("1.23", "write a KubeSchedulerConfiguration and give it with config"),
        "failure-domains": Removed("", _DROP),
        "hard-pod-affinity-symmetric-weight": Removed(
            "1.22", "KubeSchedulerConfiguration: pluginConfig of InterPodAffinity"
        ),
        "lock-object-name": Removed("", flag="leader-elect-resource-name"),
        "lock-object-namespace": Removed("", flag="leader-elect-resource-namespace"),
        "policy-config-file": _POLICY,
        "policy-configmap": _POLICY,
        "policy-configmap-namespace": _POLICY,
        "port": Removed("1.24", "it was the insecure port; the secure one is secure-port"),
        "scheduler-name": Removed("1.22", "KubeSchedulerConfiguration: profiles"),
        "use-legacy-policy-config": _POLICY,
    },
    "kubelet": {
        **_LOGGING,
        "allow-privileged": Removed("1.15", "admission decides on privileged pods: Pod Security"),
        "api-servers": Removed("", "the kubeconfig names the API server"),
        "babysit-daemons": Removed("", "systemd looks after them"),
        "bootstrap-checkpoint-path": Removed("", "use static pods"),
        "cadvisor-port": Removed("1.12", "metrics are at /metrics/cadvisor of the kubelet's port"),
        "chaos-chance": Removed("1.20", _DROP),
        "cloud-config": Removed("", _CLOUD),
        "cni-bin-dir": _CNI,
        "cni-cache-dir": _CNI,
        "cni-conf-dir": _CNI,
        "configure-cbr0": Removed("", "a pod network add-on does it"),
        "container-runtime": Removed("1.27", "criSocket names the runtime"),
        "containerized": Removed("1.16", _DROP),
        "docker-disable-shared-pid": _NO_DOCKER,
        "docker-endpoint": Removed("1.24", "dockershim is gone; criSocket names the runtime's socket"),
        "docker-exec-handler": _NO_DOCKER,
        "docker-only": _NO_DOCKER,
        "dynamic-config-dir": Removed("", "KubeletConfiguration is what every kubelet gets"),
        "enable-cadvisor-json-endpoints": Removed("", "metrics are at /metrics/cadvisor"),
        "enable-custom-metrics": Removed("", "use the custom metrics API"),
        "experimental-allowed-unsafe-sysctls": Removed("", flag="allowed-unsafe-sysctls"),
        "experimental-bootstrap-kubeconfig": Removed("", flag="bootstrap-kubeconfig"),
        "experimental-cgroups-per-qos": Removed("", flag="cgroups-per-qos"),
        "experimental-check-node-capabilities-before-mount": Removed("1.24", "CSI drivers look themselves"),
        "experimental-dockershim": _NO_DOCKER,
        "experimental-dockershim-root-directory": _NO_DOCKER,
        "experimental-fail-swap-on": Removed("", flag="fail-swap-on"),
        "experimental-kernel-memcg-notification": Removed("", flag="kernel-memcg-notification"),
        "experimental-nvidia-gpus": Removed("", "devices come from device plugins"),
        "google-json-key": Removed("", _DROP),
        "host-ipc-sources": Removed("", "admission decides on pods: Pod Security"),
        "host-network-sources": Removed("", "admission decides on pods: Pod Security"),
        "host-pid-sources": Removed("", "admission decides on pods: Pod Security"),
        "image-pull-progress-deadline": _NO_DOCKER,
        "init-config-dir": Removed("", _DROP),
        "low-diskspace-threshold-mb": Removed("", "use eviction-hard: nodefs.available<SIZE"),
        "master-service-namespace": Removed("1.27", _DROP),
        "network-plugin": _CNI,
        "network-plugin-dir": _CNI,
        "network-plugin-mtu": Removed("1.24", "the CNI configuration says the MTU"),
        "non-masquerade-cidr": Removed("", "a pod network add-on does it"),
        "nvidia-gpus": Removed("", "devices come from device plugins"),
        "outofdisk-transition-frequency": Removed("", flag="eviction-pressure-transition-period"),
        "pod-infra-container-image": Removed(
            "1.35", "the sandbox image is the runtime's setting (containerd: sandbox)"
        ),
        "really-crash-for-testing": Removed("1.20", _DROP),
        "reconcile-cidr": Removed("", _DROP),
        "redirect-container-streaming": Removed("", _DROP),
        "register-schedulable": Removed("", "nodeRegistration.taints keep pods away"),
        "require-kubeconfig": Removed("", _DROP),
        "rkt-api-endpoint": _NO_RKT,
        "rkt-path": _NO_RKT,
        "rkt-stage1-image": _NO_RKT,
        "run-once": Removed("", _DROP),
        "seccomp-profile-root": Removed("", "profiles lie below root-dir/seccomp"),
    },
    "kube-proxy": {
        **_LOGGING,
        "cleanup-iptables": Removed("", flag="cleanup"),
        "cleanup-ipvs": Removed("", flag="cleanup"),
        "conntrack-max": Removed("", "use conntrack-max-per-core and conntrack-min"),
        "resource-container": Removed("", _DROP),
        "udp-timeout": Removed("", "the userspace proxy is gone"),
    },
    "etcd": {
        "ca-file": Removed("3.0", flag="trusted-ca-file"),
        "debug": Removed("3.5", "use log-level"),
        "enable-v2": Removed("3.6", "the v2 API is gone"),
        "experimental-enable-v2v3": Removed("3.6", "the v2 API is gone"),
        "experimental-backend-bbolt-freelist-type": Removed("", flag="backend-bbolt-freelist-type"),
        "log-output": Removed("3.5", flag="log-outputs"),
        "log-package-levels": Removed("3.5", "use log-level"),
        "peer-ca-file": Removed("3.0", flag="peer-trusted-ca-file"),
        "proxy": Removed("3.6", "use `etcd grpc-proxy`"),
        "proxy-failure-wait": Removed("3.6", "use `etcd grpc-proxy`"),
    },
}

UNUSABLE_FLAGS: dict[str, dict[str, str]] = {
    "kube-apiserver": {
        "admission-control": "it excludes enable-admission-plugins, which kubeadm sets: kube-apiserver would "
        "not start; use enable-admission-plugins and disable-admission-plugins",
    },
}
"""Flags that a component still has and that keep one of kubeadm's from starting."""


def removed(component: str, flag: str, version: Version) -> Removed | None:
    """Return what is known of a flag that the component of this version has no more, else None."""
    found = REMOVED_FLAGS.get(component, {}).get(flag)
    if found is None or component == "etcd" or not found.release:
        return found
    major, minor = (int(part) for part in found.release.split("."))
    return found if (version.major, version.minor) >= (major, minor) else None
