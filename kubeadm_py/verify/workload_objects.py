"""Build the objects of the workload checks."""

from __future__ import annotations

from typing import Any

from kubeadm_py.verify.objects import (
    ANY_TAINT,
    LABEL,
    Object,
    claim,
    container,
    metadata,
    pod,
    pod_spec,
    serve,
    service,
    shell,
    workload,
)

FOREVER = "exec sleep 3600"
DRAIN_SECONDS = 3
"""A pod that leaves keeps answering this long, so that kube-proxy forgets it first."""
CONFIG = "from a ConfigMap"
SECRET = "from a Secret"  # noqa: S105 - a test value
SHARED = "from the other container"
HOST_FILE = "/etc/machine-id"
MEMORY_LIMIT = "32Mi"
_OFFLINE: Object = {"automountServiceAccountToken": False}


def deployment(namespace: str, tolerations: list[Object]) -> list[Object]:
    """Return a Deployment that is replaced without a gap, and its Service."""
    server = container("server", **serve(), lifecycle={"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}})
    spec = pod_spec([server], tolerations=tolerations) | {"terminationGracePeriodSeconds": 15}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
    return [
        workload("Deployment", "web", namespace, spec, replicas=1, strategy=strategy),
        service("web", namespace, {"app": "web"}),
    ]


def stateful_set(namespace: str) -> list[Object]:
    """Return a StatefulSet of one pod with a claim of its own."""
    keeper = container("keeper", **shell(FOREVER), volumeMounts=[{"name": "data", "mountPath": "/data"}])
    return [
        workload(
            "StatefulSet",
            "keeper",
            namespace,
            pod_spec([keeper]),
            replicas=1,
            serviceName="keeper",
            volumeClaimTemplates=[claim("data")],
        )
    ]


def follower(namespace: str, run: str) -> Object:
    """Return a DaemonSet for the nodes that carry this run's label."""
    spec = pod_spec([container("idle", **shell(FOREVER))], tolerations=ANY_TAINT, nodeSelector={LABEL: run})
    return workload("DaemonSet", "follower", namespace, spec)


def job(namespace: str, tolerations: list[Object]) -> Object:
    """Return a Job of two pods."""
    spec = pod_spec([container("work", **shell("exit 0"))], restartPolicy="Never", tolerations=tolerations)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata("job", namespace),
        "spec": {
            "completions": 2,
            "parallelism": 2,
            "backoffLimit": 1,
            "template": {"metadata": {"labels": {"app": "job"}}, "spec": spec},
        },
    }


def liveness(namespace: str, tolerations: list[Object]) -> Object:
    """Return a pod whose liveness probe fails once: the restarted container finds the mark and stays well."""
    script = (
        "touch /state/well; if [ ! -e /state/failed-once ]; then touch /state/failed-once; sleep 1; "
        f"rm /state/well; fi; {FOREVER}"
    )
    sick = container(
        "sick",
        **shell(script),
        livenessProbe={
            "exec": {"command": ["cat", "/state/well"]},
            "periodSeconds": 1,
            "failureThreshold": 2,
            "initialDelaySeconds": 1,
        },
        volumeMounts=[{"name": "state", "mountPath": "/state"}],
    )
    volumes: list[Object] = [{"name": "state", "emptyDir": {}}]
    return pod("liveness", namespace, pod_spec([sick], volumes=volumes, tolerations=tolerations))


def mounts(namespace: str, tolerations: list[Object]) -> list[Object]:
    """Return a pod with a ConfigMap and a Secret in both ways, a shared emptyDir and a host file."""
    reader = container(
        "reader",
        **shell(FOREVER),
        env=[
            {"name": "CONFIG", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "text"}}},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "text"}}},
        ],
        volumeMounts=[
            {"name": "config", "mountPath": "/config"},
            {"name": "secret", "mountPath": "/secret"},
            {"name": "shared", "mountPath": "/shared"},
            {"name": "host", "mountPath": "/host-file", "readOnly": True},
        ],
    )
    writer = container(
        "writer",
        **shell(f"echo '{SHARED}' >/shared/text; {FOREVER}"),
        volumeMounts=[{"name": "shared", "mountPath": "/shared"}],
    )
    volumes = [
        {"name": "config", "configMap": {"name": "settings"}},
        {"name": "secret", "secret": {"secretName": "hidden", "defaultMode": 0o400}},
        {"name": "shared", "emptyDir": {}},
        {"name": "host", "hostPath": {"path": HOST_FILE, "type": "File"}},
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata("settings", namespace),
            "data": {"text": CONFIG},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata("hidden", namespace),
            "stringData": {"text": SECRET},
        },
        pod("mounts", namespace, pod_spec([reader, writer], volumes=volumes, tolerations=tolerations)),
    ]


def idle(name: str, namespace: str, **fields: Any) -> Object:
    """Return a pod that does nothing, to see where it goes."""
    return pod(name, namespace, pod_spec([container("idle", **shell(FOREVER))], **fields))


def reader_account(namespace: str) -> list[Object]:
    """Return a ServiceAccount that may read pods and nothing else."""
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("reader", namespace)} | _OFFLINE,
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": metadata("reader", namespace),
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata("reader", namespace),
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
        },
    ]


def quota(namespace: str) -> Object:
    """Return a quota that touches nothing else of the suite: no Service of type LoadBalancer."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata("quota", namespace),
        "spec": {"hard": {"services.loadbalancers": "0"}},
    }


def greedy(namespace: str, tolerations: list[Object]) -> Object:
    """Return a pod that takes more memory than its limit."""
    limits = {"limits": {"memory": MEMORY_LIMIT}, "requests": {"cpu": "1m", "memory": "8Mi"}}
    eater = container("eater", **shell("exec dd if=/dev/zero of=/dev/null bs=256M count=1"))
    spec = pod_spec([eater | {"resources": limits}], restartPolicy="Never", tolerations=tolerations)
    return pod("greedy", namespace, spec)


def busy(namespace: str, tolerations: list[Object]) -> Object:
    """Return a pod that wants a whole core and may use a twentieth of one."""
    limits = {"limits": {"cpu": "50m", "memory": "64Mi"}, "requests": {"cpu": "1m", "memory": "8Mi"}}
    spinner = container("spinner", **shell("while :; do :; done"))
    return pod("busy", namespace, pod_spec([spinner | {"resources": limits}], tolerations=tolerations))


def shielded(namespace: str, tolerations: list[Object]) -> Object:
    """Return a server that a NetworkPolicy will shield."""
    return pod("shielded", namespace, pod_spec([container("server", **serve())], tolerations=tolerations))


def deny_all(namespace: str) -> Object:
    """Return a NetworkPolicy that lets nothing in to the shielded pod."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata("deny-all", namespace),
        "spec": {"podSelector": {"matchLabels": {"app": "shielded"}}, "policyTypes": ["Ingress"]},
    }
