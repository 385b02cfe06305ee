"""Read the manifest of an operator's static pod, and say what no kubelet would run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeadm_py.config import scalars
from kubeadm_py.config.cluster_types import StaticPod
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.problems import ConfigError, Path, Problems, show
from kubeadm_py.config.source import read_text
from kubeadm_py.config.whole import Whole
from kubeadm_py.config.yaml_nodes import plain, read_stream
from kubeadm_py.model import owned, paths
from kubeadm_py.model.node import OwnFile
from kubeadm_py.render import yaml_text

MODE = 0o600
_OBJECTS = ("configMap", "secret", "persistentVolumeClaim", "projected")
"""Volumes that come from the API, which a static pod may not refer to."""
_REFERENCES = ("configMapKeyRef", "secretKeyRef", "configMapRef", "secretRef")


def read_pod(whole: Whole, at: Path, document: StaticPod, problems: Problems) -> OwnFile | None:
    """Return the manifest as a file of the host, or None where it is none; problems say why."""
    place = whole.cluster.document
    if document.source and document.manifest is not None:
        problems.error(place, at, "source and manifest are both given; keep one")
        return None
    if document.source:
        at, name = (*at, "source"), document.source
        try:
            text = read_text(on_this_machine(name, whole.folder))
            documents = read_stream(text, name).documents
        except ConfigError as error:
            for problem in error.problems:
                where = problem.location if problem.line else name
                problems.error(place, at, f"{where}: {problem.message}")
            return None
        if len(documents) != 1:
            problems.error(place, at, f"{name} holds {len(documents)} documents; a manifest is one Pod")
            return None
        pod, content, named = plain(documents[0]), text.encode(), f"{name}: "
    elif document.manifest is not None:
        pod, content, named = document.manifest, yaml_text.dump(document.manifest), ""
        at = (*at, "manifest")
    else:
        problems.missing(place, at, "nothing to run: give source or manifest")
        return None
    wrong = list(_wrong(pod))
    for message in wrong[:1]:
        problems.error(place, at, f"{named}{message}")
    if wrong:
        return None
    return OwnFile(f"{paths.MANIFESTS_DIR}/{pod['metadata']['name']}.yaml", content, MODE)


def _wrong(pod: Any) -> Iterator[str]:
    """Yield what is wrong with a manifest, the first thing first."""
    if not isinstance(pod, dict) or pod.get("kind") != "Pod" or pod.get("apiVersion") != "v1":
        found = f"{pod.get('apiVersion')} {pod.get('kind')}" if isinstance(pod, dict) else "no mapping"
        yield f"not a Pod of v1 ({show(found)[1:-1]}): the kubelet runs nothing else from a manifest"
        return
    metadata, spec = pod.get("metadata"), pod.get("spec")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        yield "the Pod has no metadata.name"
        return
    try:
        scalars.dns_subdomain(name)
    except ValueError as error:
        yield f"metadata.name: {error}"
    if name in owned.STATIC_PODS:
        yield f"the name {name} is that of a static pod of ours"
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(containers, list) or not containers:
        yield "the Pod has no spec.containers"
        return
    if spec.get("serviceAccountName") or spec.get("serviceAccount"):
        yield "a static pod has no service account: give it a kubeconfig in files"
    used = sorted(set(_api_objects(spec)))
    if used:
        yield f"a static pod cannot use objects of the API ({', '.join(used)}): put what it reads into files"


def _api_objects(spec: Mapping[str, Any]) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if isinstance(volume, dict):
            yield from (f"{kind} volume" for kind in _OBJECTS if kind in volume)
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            if isinstance(container, dict):
                yield from _variables(container)


def _variables(container: Mapping[str, Any]) -> Iterator[str]:
    sources = [entry.get("valueFrom") for entry in container.get("env") or () if isinstance(entry, dict)]
    sources += [entry for entry in container.get("envFrom") or () if isinstance(entry, dict)]
    for source in sources:
        if isinstance(source, dict):
            yield from (kind for kind in _REFERENCES if kind in source)
