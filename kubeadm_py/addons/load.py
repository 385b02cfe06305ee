"""Fit add-ons to a cluster, and say what they apply, run and wait for."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeadm_py.addons import find, inventory, refuse, removed_apis, shape, stages
from kubeadm_py.addons.find import LoadedAddon, available, load
from kubeadm_py.addons.needs import ReadyObject
from kubeadm_py.addons.parameters import complete
from kubeadm_py.addons.render import render_objects
from kubeadm_py.addons.schema import (
    COMMON,
    IMAGE_REPOSITORY,
    IMAGES,
    POD_NETWORK,
    PULL_SECRETS,
    REMOTE_TYPES,
    TOLERATIONS,
    Addon,
    Image,
)
from kubeadm_py.addons.stages import Stages
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster
from kubeadm_py.model.registries import registry_of
from kubeadm_py.model.words import plural

__all__ = ["LoadedAddon", "available", "load"]


@dataclass(frozen=True, slots=True)
class ResolvedAddon:
    """Hold an add-on of a cluster with every parameter filled in."""

    addon: Addon
    folder: Path
    parameters: Mapping[str, Any]
    manifests: tuple[Mapping[str, Any], ...] | None = None

    @property
    def name(self) -> str:
        """Return the add-on's own name."""
        return self.addon.name

    @property
    def remote_types(self) -> tuple[tuple[str, str], ...]:
        """List (name, path or URL) of the CustomResourceDefinitions that are fetched."""
        moved = self.parameters[REMOTE_TYPES]
        return tuple((each.name, str(moved.get(each.name, each.url))) for each in self.addon.crds)


def resolve(cluster: ResolvedCluster) -> list[ResolvedAddon]:
    """Fit the add-ons that the cluster asks for to it, pod network first.

    Raise UsageError that lists every problem: an unknown add-on or parameter, a value of the wrong
    type, a capability that is missing or provided twice, an unsupported Kubernetes version, a removed API.
    """
    return _resolve(cluster, alone=False)


def resolve_alone(cluster: ResolvedCluster) -> list[ResolvedAddon]:
    """Fit add-ons to a cluster as resolve() does, whatever they ask of each other."""
    return _resolve(cluster, alone=True)


def _resolve(cluster: ResolvedCluster, *, alone: bool) -> list[ResolvedAddon]:
    problems: list[str] = []
    resolved: list[ResolvedAddon] = []
    for request in cluster.addons:
        try:
            loaded = load(request.name)
        except UsageError as error:
            said = f"{error.summary}; {error.fix}" if error.fix else error.summary
            problems.append("\n".join([said, *error.details]))
            continue
        wrong = refuse.one(loaded.addon, request, cluster)
        problems += wrong
        problems += removed_apis.problems(loaded.manifests or (), cluster.kubernetes_version)
        resolved.append(_filled_in(loaded, request))
        if not wrong:
            problems += refuse.filled_in(loaded.addon, resolved[-1].parameters, cluster)
    if not alone:
        problems += refuse.together([item.addon for item in resolved])
    if problems:
        lines = [line for each in problems for line in each.splitlines()]
        raise UsageError(f"the add-ons have {plural(len(problems), 'problem')}", details=lines)
    return sorted(resolved, key=lambda item: POD_NETWORK not in item.addon.provides)


def _filled_in(loaded: LoadedAddon, request: AddonRequest) -> ResolvedAddon:
    defaults = {name: parameter.default for name, parameter in loaded.addon.parameters.items()}
    given = {
        name: complete(loaded.addon.parameters[name], value) if name in loaded.addon.parameters else value
        for name, value in request.parameters.items()
    }
    parameters = {**COMMON, **defaults, **given}
    return ResolvedAddon(loaded.addon, loaded.folder, parameters, loaded.manifests)


def render(addons: Sequence[ResolvedAddon], cluster: ResolvedCluster) -> list[Mapping[str, Any]]:
    """Return the objects of `addons` in the order to apply them, but those that are fetched."""
    staged = [render_one(item, cluster) for item in addons]
    return [
        *(item for each in staged for item in each.workloads if item["kind"] == stages.NAMESPACE),
        *(item for each in staged for item in each.types),
        *(item for each in staged for item in each.workloads if item["kind"] != stages.NAMESPACE),
        *(item for each in staged for item in each.custom_resources),
    ]


def render_one(item: ResolvedAddon, cluster: ResolvedCluster) -> Stages:
    """Return the objects of one add-on by the stages in which they can be applied.

    Raise UsageError where a manifest is wrong, or one of its kinds is gone from this Kubernetes.
    """
    parameters = item.parameters
    moved: dict[str, str] = {}
    if item.manifests is None:
        images = {image.name: image_reference(item, image, cluster) for image in item.addon.images}
        shared = item.addon.shared_manifests
        objects = render_objects(item.name, item.folder, parameters, images, cluster, shared)
    else:
        objects = copy.deepcopy([dict(each) for each in item.manifests])
        moved = {image.reference: image_reference(item, image, cluster) for image in item.addon.images}
    gone = removed_apis.problems(objects, cluster.kubernetes_version)
    if gone:
        raise UsageError(
            f"add-on {item.name}: Kubernetes {cluster.kubernetes_version} lacks an API", details=gone
        )
    secrets = pull_secrets(item, cluster)
    refs = [inventory.Ref.of(each) for each in objects]
    twice = dict.fromkeys(str(ref) for ref in refs if refs.count(ref) > 1)
    if twice:
        raise UsageError(
            f"add-on {item.name}: two objects are called {', '.join(twice)}",
            fix="give parameters that name objects different values",
        )
    for document in objects:
        shape.label(document, item.name)
        shape.for_pods(
            document,
            pull_secrets=secrets,
            tolerations=parameters[TOLERATIONS],
            images={old: new for old, new in moved.items() if old != new},
        )
    return stages.split(objects)


def inventory_of(item: ResolvedAddon, staged: Stages) -> inventory.Inventory:
    """Return what the cluster is to know of an add-on once it is applied."""
    objects = [*staged.types, *staged.workloads, *staged.custom_resources]
    return inventory.Inventory(
        item.name,
        item.addon.version,
        inventory.digest(item.parameters),
        inventory.digest([objects, item.remote_types]),
        tuple(inventory.Ref.of(each) for each in objects),
        tuple(item.addon.provides),
    )


def images(addons: Sequence[ResolvedAddon], cluster: ResolvedCluster) -> list[str]:
    """List the images that `addons` run, each once.

    The cluster's imageRepository speaks for Kubernetes' own images only, as kubeadm's does.
    """
    listed = [image_reference(item, image, cluster) for item in addons for image in item.addon.images]
    return list(dict.fromkeys(listed))


def image_reference(item: ResolvedAddon, image: Image, cluster: ResolvedCluster) -> str:
    """Return where an image of the add-on is taken from.

    The parameter `images` names single images; `imageRepository` replaces the registry's name of the
    others and keeps the path behind it; where neither says anything, the registry's `replaceWith` does.
    """
    chosen = item.parameters[IMAGES].get(image.name)
    repository = str(item.parameters[IMAGE_REPOSITORY]).rstrip("/")
    if chosen:
        return str(chosen)
    name, _, path = image.reference.partition("/")
    settings = cluster.registries.get(name)
    instead = repository or (settings.replace_with if settings else "")
    return f"{instead}/{path}" if instead else image.reference


def pull_secrets(item: ResolvedAddon, cluster: ResolvedCluster) -> list[str]:
    """List the Secrets that the add-on's pods pull images with, those of the registries it uses included."""
    names = list(item.parameters[PULL_SECRETS])
    for image in item.addon.images:
        settings = cluster.registries.get(registry_of(image_reference(item, image, cluster)))
        names += settings.pull_secrets if settings else ()
    return list(dict.fromkeys(names))


def readiness(addons: Sequence[ResolvedAddon]) -> list[ReadyObject]:
    """List the objects whose readiness makes `addons` ready."""
    return [
        ready for item in addons for ready in item.addon.readiness if ready.applies(dict(item.parameters))
    ]


def notices(addons: Iterable[ResolvedAddon]) -> list[str]:
    """List what users of legacy add-ons have to be told."""
    return [f"{item.name}: {item.addon.notice}" for item in addons if item.addon.notice]


def is_pod_network(known: inventory.Inventory) -> bool:
    """Say whether what a cluster knows of an add-on is its pod network."""
    provides = known.provides or (load(known.name).addon.provides if is_known(known.name) else ())
    return POD_NETWORK in provides


def is_known(name: str) -> bool:
    """Say whether a name or alias is that of an add-on that comes with the product."""
    return name in find.names() or name in find.aliases()
