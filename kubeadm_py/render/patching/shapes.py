"""Check that what patches leave is still a pod that the kubelet, or a Deployment that the API, can read.

The keys and types were put to real kubeadm 1.36.3, one by one: it refuses a wrong type and drops an unknown
key. What lies deeper than these tables (affinities, most volumes) is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubeadm_py.model.near import did_you_mean
from kubeadm_py.render.patching import PatchError

Shape = str | Mapping[str, Any] | list[Any]
"""A word of `_WORDS`, the keys of a mapping, or a list of one such mapping."""


def _keys(shape: Shape, names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


_SECURITY = {
    **_keys("mapping", "appArmorProfile seLinuxOptions windowsOptions"),
    **_keys("number", "runAsGroup runAsUser"),
    "runAsNonRoot": "switch",
    "seccompProfile": _keys("text", "localhostProfile type"),
}
_PROBE = {
    **_keys("mapping", "exec grpc tcpSocket"),
    **_keys("number", "failureThreshold initialDelaySeconds periodSeconds successThreshold"),
    **_keys("number", "terminationGracePeriodSeconds timeoutSeconds"),
    "httpGet": {**_keys("text", "host path scheme"), "httpHeaders": "mappings", "port": "port"},
}
_RESOURCES = {"claims": "mappings", **_keys("amounts", "limits requests")}
_CONTAINER = {
    **_keys("text", "image imagePullPolicy name restartPolicy terminationMessagePath"),
    **_keys("text", "terminationMessagePolicy workingDir"),
    **_keys("texts", "args command"),
    **_keys("switch", "stdin stdinOnce tty"),
    **_keys("mappings", "envFrom resizePolicy restartPolicyRules volumeDevices"),
    **_keys(_PROBE, "livenessProbe readinessProbe startupProbe"),
    "env": [{**_keys("text", "name value"), "valueFrom": "mapping"}],
    "lifecycle": "mapping",
    "ports": [{**_keys("text", "hostIP name protocol"), **_keys("number", "containerPort hostPort")}],
    "resources": _RESOURCES,
    "securityContext": {
        **_SECURITY,
        **_keys("switch", "allowPrivilegeEscalation privileged readOnlyRootFilesystem"),
        "capabilities": "mapping",
        "procMount": "text",
    },
    "volumeMounts": [
        {
            **_keys("text", "mountPath mountPropagation name recursiveReadOnly subPath subPathExpr"),
            "readOnly": "switch",
        }
    ],
}
_VOLUME = {
    "name": "text",
    "hostPath": _keys("text", "path type"),
    "emptyDir": {"medium": "text", "sizeLimit": "amount"},
    **_keys("mapping", "awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI"),
    **_keys("mapping", "ephemeral fc flexVolume flocker gcePersistentDisk gitRepo glusterfs image iscsi nfs"),
    **_keys("mapping", "persistentVolumeClaim photonPersistentDisk portworxVolume projected quobyte rbd"),
    **_keys("mapping", "scaleIO secret storageos vsphereVolume"),
}
_POD_SPEC: dict[str, Shape] = {
    **_keys("text", "dnsPolicy hostname hostnameOverride nodeName preemptionPolicy priorityClassName"),
    **_keys("text", "restartPolicy runtimeClassName schedulerName serviceAccount serviceAccountName"),
    "subdomain": "text",
    **_keys("number", "activeDeadlineSeconds priority terminationGracePeriodSeconds"),
    **_keys("switch", "automountServiceAccountToken enableServiceLinks hostIPC hostNetwork hostPID"),
    **_keys("switch", "hostUsers setHostnameAsFQDN shareProcessNamespace"),
    **_keys("mapping", "affinity dnsConfig os schedulingGroup"),
    **_keys("mappings", "ephemeralContainers hostAliases imagePullSecrets readinessGates"),
    **_keys("mappings", "resourceClaims schedulingGates topologySpreadConstraints"),
    **_keys([_CONTAINER], "containers initContainers"),
    "nodeSelector": "texts by key",
    "overhead": "amounts",
    "resources": _RESOURCES,
    "securityContext": {
        **_SECURITY,
        **_keys("text", "fsGroupChangePolicy seLinuxChangePolicy supplementalGroupsPolicy"),
        "fsGroup": "number",
        "supplementalGroups": "numbers",
        "sysctls": "mappings",
    },
    "tolerations": [{**_keys("text", "effect key operator value"), "tolerationSeconds": "number"}],
    "volumes": [_VOLUME],
}
_METADATA = {
    **_keys("text", "creationTimestamp deletionTimestamp generateName name namespace"),
    **_keys("text", "resourceVersion selfLink uid"),
    **_keys("number", "deletionGracePeriodSeconds generation"),
    **_keys("texts by key", "annotations labels"),
    **_keys("mappings", "managedFields ownerReferences"),
    "finalizers": "texts",
}
_OBJECT = {**_keys("text", "apiVersion kind"), "metadata": _METADATA, "status": "mapping"}
_SHAPES: dict[str, Mapping[str, Shape]] = {
    "Pod": {**_OBJECT, "spec": _POD_SPEC},
    "Deployment": {
        **_OBJECT,
        "spec": {
            **_keys("number", "minReadySeconds progressDeadlineSeconds replicas revisionHistoryLimit"),
            **_keys("mapping", "selector strategy"),
            "paused": "switch",
            "template": {"metadata": _METADATA, "spec": _POD_SPEC},
        },
    },
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_amount(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(fits(item) for item in value)


def _by_key(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and all(item is None or fits(item) for item in value.values())
    )


_WORDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "amount": ("an amount like 100m, 1 or 128Mi", _is_amount),
    "amounts": ("a mapping of amounts like 100m, 1 or 128Mi", _by_key(_is_amount)),
    "mapping": ("a mapping", lambda value: isinstance(value, dict)),
    "mappings": ("a list of mappings", _each(lambda value: isinstance(value, dict))),
    "number": ("a whole number", _is_number),
    "numbers": ("a list of whole numbers", _each(_is_number)),
    "port": ("a port's number or name", lambda value: _is_number(value) or _is_text(value)),
    "switch": ("true or false", lambda value: isinstance(value, bool)),
    "text": ("text; quote it", _is_text),
    "texts": ("a list of texts; quote them", _each(_is_text)),
    "texts by key": ("a mapping whose values are texts; quote them", _by_key(_is_text)),
}


def check(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise PatchError for what a patch left of an object, where nobody could read it any more."""
    for key in ("apiVersion", "kind"):
        if after.get(key) != before.get(key):
            raise PatchError(f"it leaves {key}: {after.get(key)!r} instead of {before.get(key)!r}")
    shape = _SHAPES.get(str(before.get("kind")))
    if shape is None:
        return
    for problem in _problems(after, shape, ""):
        raise PatchError(problem)
    spec = after.get("spec") or {}
    pod = spec if before["kind"] == "Pod" else (spec.get("template") or {}).get("spec") or {}
    if not pod.get("containers"):
        raise PatchError("it leaves no container")


def _problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if value is None:
        return
    if isinstance(shape, str):
        wanted, fits = _WORDS[shape]
        if not fits(value):
            yield f"{path}: it leaves {str(value)[:60]!r}, which is not {wanted}"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{path}: it leaves {str(value)[:60]!r}, which is not a list"
            return
        for index, item in enumerate(value):
            yield from _problems(item, shape[0], f"{path}[{index}]")
    elif not isinstance(value, dict):
        yield f"{path}: it leaves {str(value)[:60]!r}, which is not a mapping"
    else:
        for key, inner in value.items():
            below = f"{path}.{key}" if path else str(key)
            if key not in shape:
                yield f"{below}: there is no such key{did_you_mean(str(key), shape)}"
            else:
                yield from _problems(inner, shape[key], below)
