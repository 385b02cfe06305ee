"""Name the apiVersions that Kubernetes has removed, and what took their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubeadm_py.model.versions import Version

_POD_SECURITY = "Pod Security Admission: labels pod-security.kubernetes.io/enforce on namespaces"
_ANY = ""

REMOVED: Mapping[tuple[str, str], tuple[tuple[int, int], str]] = {
    ("extensions/v1beta1", "Ingress"): ((1, 22), "networking.k8s.io/v1"),
    ("extensions/v1beta1", "NetworkPolicy"): ((1, 16), "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy"): ((1, 16), _POD_SECURITY),
    ("extensions/v1beta1", _ANY): ((1, 16), "apps/v1"),
    ("apps/v1beta1", _ANY): ((1, 16), "apps/v1"),
    ("apps/v1beta2", _ANY): ((1, 16), "apps/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): ((1, 22), "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): ((1, 22), "networking.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration"): (
        (1, 22),
        "admissionregistration.k8s.io/v1",
    ),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration"): (
        (1, 22),
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io/v1beta1", _ANY): ((1, 22), "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", _ANY): ((1, 22), "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io/v1beta1", "TokenReview"): ((1, 22), "authentication.k8s.io/v1"),
    ("authorization.k8s.io/v1beta1", _ANY): ((1, 22), "authorization.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest"): ((1, 22), "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease"): ((1, 22), "coordination.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1alpha1", _ANY): ((1, 22), "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", _ANY): ((1, 22), "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", _ANY): ((1, 22), "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIDriver"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSINode"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "VolumeAttachment"): ((1, 22), "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): ((1, 27), "storage.k8s.io/v1"),
    ("batch/v1beta1", "CronJob"): ((1, 25), "batch/v1"),
    ("batch/v2alpha1", "CronJob"): ((1, 21), "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): ((1, 25), "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event"): ((1, 25), "events.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): ((1, 25), "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): ((1, 26), "autoscaling/v2"),
    ("policy/v1beta1", "PodDisruptionBudget"): ((1, 25), "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy"): ((1, 25), _POD_SECURITY),
    ("node.k8s.io/v1beta1", "RuntimeClass"): ((1, 25), "node.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", _ANY): ((1, 26), "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", _ANY): ((1, 29), "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", _ANY): ((1, 32), "flowcontrol.apiserver.k8s.io/v1"),
}
"""(apiVersion, kind; '' is every other kind of it) -> the minor without it, and what to use instead."""


def problems(objects: Iterable[Mapping[str, Any]], version: Version) -> list[str]:
    """Return one line for each object that a cluster of this version does not know any more."""
    found: list[str] = []
    for item in objects:
        api, kind = str(item.get("apiVersion")), str(item.get("kind"))
        row = REMOVED.get((api, kind)) or REMOVED.get((api, _ANY))
        if row is None:
            continue
        (major, minor), instead = row
        if (version.major, version.minor) >= (major, minor):
            name = item.get("metadata", {}).get("name", "")
            found.append(f"{kind} {name}: {api} was removed in Kubernetes {major}.{minor}; use {instead}")
    return found
