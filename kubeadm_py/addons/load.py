"""Find add-ons, fit them to a cluster, and say what they apply, run and wait for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kubeadm_py import assets
from kubeadm_py.addons.parameters import accept
from kubeadm_py.addons.render import render_objects
from kubeadm_py.addons.schema import (
    EXCLUSIVE_CAPABILITIES,
    IMAGE_REPOSITORY,
    IMAGES,
    POD_NETWORK,
    REFERENCE,
    REPOSITORY,
    Addon,
    Image,
    ReadyObject,
)
from kubeadm_py.errors import UsageError
from kubeadm_py.model.cluster import AddonRequest, ResolvedCluster

_NAMESPACES_AND_TYPES = ("Namespace", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True)
class LoadedAddon:
    """Hold an add-on and the folder it came from."""

    addon: Addon
    folder: Path


@dataclass(frozen=True, slots=True)
class ResolvedAddon:
    """Hold an add-on of a cluster with every parameter filled in."""

    addon: Addon
    folder: Path
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Port:
    """Name a port that nodes reach each other on."""

    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class HostRequirements:
    """List what the add-ons of a cluster need on its hosts: name -> the add-ons that need it."""

    kernel: Mapping[str, tuple[str, ...]]
    packages: Mapping[str, tuple[str, ...]]
    sysctls: Mapping[str, str]
    ports: tuple[Port, ...]


def load(name_or_path: str) -> LoadedAddon:
    """Return the add-on of that name, or the one in that folder.

    A value with a slash is a folder; raise UsageError where there is none or its addon.yaml is wrong.
    """
    if "/" in name_or_path:
        folder = Path(name_or_path).expanduser()
        if not (folder / "addon.yaml").is_file():
            raise UsageError(
                f"add-on {name_or_path}: no addon.yaml in that folder",
                fix="name a folder with addon.yaml and manifests/, or one of: " + ", ".join(_names()),
            )
        return _read(folder)
    if name_or_path not in _names():
        close = difflib.get_close_matches(name_or_path, _names(), 1)
        hint = f"did you mean {close[0]}?" if close else "one of: " + ", ".join(_names())
        raise UsageError(f"add-on {name_or_path!r} is not known", fix=hint)
    return _shipped(name_or_path)


def available() -> list[Addon]:
    """Return the add-ons that come with the product, by name."""
    return [load(name).addon for name in _names()]


def resolve(cluster: ResolvedCluster) -> list[ResolvedAddon]:
    """Fit the add-ons that the cluster asks for to it, pod network first.

    Raise UsageError that lists every problem: an unknown add-on or parameter, a value of the wrong
    type, a capability that is missing or provided twice, an unsupported Kubernetes version.
    """
    problems: list[str] = []
    resolved: list[ResolvedAddon] = []
    for request in cluster.addons:
        try:
            loaded = load(request.name)
        except UsageError as error:
            problems += [f"{error.summary}; {error.fix}" if error.fix else error.summary, *error.details]
            continue
        problems += _refuse(loaded.addon, request, cluster)
        defaults = {name: parameter.default for name, parameter in loaded.addon.parameters.items()}
        parameters = {IMAGE_REPOSITORY: "", IMAGES: {}, **defaults, **request.parameters}
        resolved.append(ResolvedAddon(loaded.addon, loaded.folder, parameters))
    problems += _refuse_together([item.addon for item in resolved])
    if problems:
        raise UsageError(f"the add-ons have {len(problems)} problem(s)", details=problems)
    return sorted(resolved, key=lambda item: POD_NETWORK not in item.addon.provides)


def render(addons: Sequence[ResolvedAddon], cluster: ResolvedCluster) -> list[Mapping[str, Any]]:
    """Return the objects of `addons` in the order to apply them: namespaces and types come first."""
    objects: list[Mapping[str, Any]] = []
    for item in addons:
        images = {image.name: image_reference(item, image) for image in item.addon.images}
        objects += render_objects(item.addon.name, item.folder, item.parameters, images, cluster)
    return sorted(objects, key=lambda each: each["kind"] not in _NAMESPACES_AND_TYPES)


def images(addons: Sequence[ResolvedAddon], cluster: ResolvedCluster) -> list[str]:  # noqa: ARG001
    """List the images that `addons` run, each once.

    `cluster` is part of the signature because a registry rewrite may come to depend on it;
    its imageRepository speaks for Kubernetes' own images only, as kubeadm's does.
    """
    listed = [image_reference(item, image) for item in addons for image in item.addon.images]
    return list(dict.fromkeys(listed))


def image_reference(item: ResolvedAddon, image: Image) -> str:
    """Return where an image of the add-on is taken from.

    The parameter `images` names single images; `imageRepository` replaces the registry's name of the
    others and keeps the path behind it.
    """
    chosen = item.parameters[IMAGES].get(image.name)
    repository = str(item.parameters[IMAGE_REPOSITORY]).rstrip("/")
    if chosen or not repository:
        return str(chosen or image.reference)
    return f"{repository}/{image.reference.partition('/')[2]}"


def readiness(addons: Sequence[ResolvedAddon]) -> list[ReadyObject]:
    """List the objects whose readiness makes `addons` ready."""
    return [ready for item in addons for ready in item.addon.readiness]


def host_requirements(addons: Iterable[ResolvedAddon]) -> HostRequirements:
    """Sum up what the hosts must have for `addons` with their parameters."""
    kernel: dict[str, tuple[str, ...]] = {}
    packages: dict[str, tuple[str, ...]] = {}
    sysctls: dict[str, str] = {}
    ports: list[Port] = []
    for item in addons:
        needs, values = item.addon.host_needs, dict(item.parameters)
        for need in needs.kernel:
            if need.applies(values):
                kernel[need.feature] = (*kernel.get(need.feature, ()), item.addon.name)
        for package in needs.packages:
            packages[package] = (*packages.get(package, ()), item.addon.name)
        sysctls.update(needs.sysctls)
        for port in needs.ports:
            if port.applies(values):
                ports.append(Port(port.protocol, port.number(values)))
    return HostRequirements(kernel, packages, sysctls, tuple(ports))


def _names() -> list[str]:
    return sorted(path.parent.name for path in assets.folder("addons").glob("*/addon.yaml"))


@cache
def _shipped(name: str) -> LoadedAddon:
    return _read(assets.folder("addons") / name)


def _read(folder: Path) -> LoadedAddon:
    path = folder / "addon.yaml"
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        addon = Addon.model_validate(document)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as YAML", details=str(error).splitlines()) from error
    except ValidationError as error:
        details = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise UsageError(f"{path} is not a valid add-on", details=details) from error
    return LoadedAddon(addon, folder)


def _refuse(addon: Addon, request: AddonRequest, cluster: ResolvedCluster) -> list[str]:
    problems = []
    if not addon.supports(cluster.kubernetes_version):
        problems.append(
            f"{addon.name} {addon.version} is for Kubernetes {addon.kubernetes}, "
            f"not {cluster.kubernetes_version}"
        )
    if POD_NETWORK in addon.provides and not cluster.networking.pod_networks:
        problems.append(f"{addon.name} is a pod network and needs networking.podSubnet")
    for name, value in request.parameters.items():
        if name in (IMAGE_REPOSITORY, IMAGES):
            problems += _refuse_image_source(addon, name, value)
            continue
        parameter = addon.parameters.get(name)
        if parameter is None:
            known = [*addon.parameters, IMAGE_REPOSITORY, IMAGES]
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else "it has " + ", ".join(sorted(known))
            problems.append(f"{addon.name} has no parameter {name!r}; {hint}")
        elif problem := accept(parameter, value):
            problems.append(f"{addon.name}.parameters.{name}: {problem}")
    for group in addon.at_most_one_of:
        given = [name for name in group if request.parameters.get(name)]
        if len(given) > 1:
            problems.append(f"{addon.name}: {', '.join(given)} exclude each other; set one of them")
    return problems


def _refuse_image_source(addon: Addon, name: str, value: Any) -> list[str]:
    where = f"{addon.name}.parameters.{name}"
    if name == IMAGE_REPOSITORY:
        valid = isinstance(value, str) and (not value or REPOSITORY.fullmatch(value))
        return [] if valid else [f"{where}: {value!r} is not a registry with an optional path"]
    if not isinstance(value, Mapping):
        return [f"{where}: {value!r} is not a mapping of image names to references"]
    known = [image.name for image in addon.images]
    unknown = [f"{where}: no image {key!r}; it has {', '.join(known)}" for key in value if key not in known]
    wrong = [
        f"{where}.{key}: {reference!r} is not a complete reference like registry.example/path/name:tag"
        for key, reference in value.items()
        if not (isinstance(reference, str) and REFERENCE.fullmatch(reference))
    ]
    return unknown + wrong


def _refuse_together(addons: Sequence[Addon]) -> list[str]:
    problems = []
    providers: dict[str, list[str]] = {}
    for addon in addons:
        for capability in addon.provides:
            providers.setdefault(capability, []).append(addon.name)
    names = [addon.name for addon in addons]
    problems += [f"{name} is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    for capability in sorted(EXCLUSIVE_CAPABILITIES):
        if len(set(providers.get(capability, []))) > 1:
            problems.append(f"{' and '.join(providers[capability])} both provide {capability}; keep one")
    for addon in addons:
        for capability in addon.requires:
            if capability not in providers:
                problems.append(f"{addon.name} requires {capability}, which no listed add-on provides")
    return problems
