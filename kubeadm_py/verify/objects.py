"""Build the objects that the suite makes: small pods of one image, all in one namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.model import images

LABEL = "kubeadm-py.io/verify"
"""On the namespace and on every node that a check labels for a while; its value is the run's name."""
HTTP_PORT = 8080
UDP_PORT = 8081
SERVICE_TCP_PORT = 80
SERVICE_UDP_PORT = 81
ECHO = "echo"
ANY_TAINT = [{"operator": "Exists"}]
SERVER = ["netexec", f"--http-port={HTTP_PORT}", f"--udp-port={UDP_PORT}"]
"""Arguments of the test image's server: /hostname, /dial, UDP `hostname`."""

Object = dict[str, Any]


def shell(script: str) -> Object:
    """Return the fields of a container that runs a shell script."""
    return {"command": ["/bin/sh", "-c", script]}


def serve() -> Object:
    """Return the fields of a container that serves HTTP and UDP, ready once it answers."""
    return {
        "args": SERVER,
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": HTTP_PORT}, "periodSeconds": 1},
    }


def container(name: str, **fields: Any) -> Object:
    """Return a container of the test image with requests small enough for a full node."""
    return {
        "name": name,
        "image": images.TEST_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
        **fields,
    }


def pod_spec(containers: Sequence[Mapping[str, Any]], **fields: Any) -> Object:
    """Return a pod's spec that ends at once when it is deleted and cannot speak to the API."""
    return {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": list(containers),
        **fields,
    }


def metadata(name: str, namespace: str, **labels: str) -> Object:
    """Return the metadata of a namespaced object."""
    return {"name": name, "namespace": namespace, "labels": labels}


def namespace(name: str, run: str) -> Object:
    """Return the run's namespace; hostPath needs Pod Security's privileged level."""
    labels = {LABEL: run, "pod-security.kubernetes.io/enforce": "privileged"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(name: str, namespace: str, spec: Mapping[str, Any], **labels: str) -> Object:
    """Return a pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, namespace, **{"app": name, **labels}),
        "spec": spec,
    }


def workload(
    kind: str,
    name: str,
    namespace: str,
    spec: Mapping[str, Any],
    labels: Mapping[str, str] = {},
    **fields: Any,
) -> Object:
    """Return a Deployment, DaemonSet or StatefulSet whose pods carry `app: name` and `labels`."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata(name, namespace, app=name),
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name, **labels}}, "spec": spec},
            **fields,
        },
    }


def service(name: str, namespace: str, selector: Mapping[str, str], kind: str = "ClusterIP") -> Object:
    """Return a Service over TCP and UDP."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace),
        "spec": {
            "type": kind,
            "selector": dict(selector),
            "ports": [
                {"name": "http", "protocol": "TCP", "port": SERVICE_TCP_PORT, "targetPort": HTTP_PORT},
                {"name": "udp", "protocol": "UDP", "port": SERVICE_UDP_PORT, "targetPort": UDP_PORT},
            ],
        },
    }


def claim(name: str) -> Object:
    """Return the spec of a small claim of the default StorageClass, with its name."""
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Mi"}}},
    }


def network(namespace: str, nodes: int) -> list[Object]:
    """Return what the network checks speak through: a server on every node, at least two in all."""
    selector = {"role": ECHO}
    listed = [
        workload(
            "DaemonSet",
            ECHO,
            namespace,
            pod_spec([container("server", **serve())], tolerations=ANY_TAINT),
            labels=selector,
        ),
        service(ECHO, namespace, selector),
        service("echo-nodeport", namespace, selector, "NodePort"),
    ]
    if nodes == 1:
        spec = pod_spec([container("server", **serve())], tolerations=ANY_TAINT)
        listed.append(pod("echo-second", namespace, spec, **selector))
    return listed


def volume(namespace: str) -> list[Object]:
    """Return a claim and a pod that writes to it and becomes ready when it can read it again."""
    wanted = claim("volume")
    wanted["metadata"]["namespace"] = namespace
    script = "echo written >/data/proof && sync && exec sleep 3600"
    proof = {"exec": {"command": ["grep", "-q", "written", "/data/proof"]}, "periodSeconds": 1}
    writer = container(
        "writer",
        **shell(script),
        readinessProbe=proof,
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "volume"}}]
    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **wanted},
        pod("volume", namespace, pod_spec([writer], volumes=volumes)),
    ]
