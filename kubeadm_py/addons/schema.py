"""Describe the format of addon.yaml: what an add-on is, needs, offers and when it is ready."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from kubeadm_py.addons.needs import HostNeeds, Name, PodNetwork, ProxyNeed, ReadyObject
from kubeadm_py.addons.parameters import Parameter, accept
from kubeadm_py.model.versions import Version
from kubeadm_py.strict import Strict

API_VERSION = "kubeadm-py.io/v1alpha1"
POD_NETWORK = "pod-network"
EXCLUSIVE_CAPABILITIES = frozenset({POD_NETWORK, "load-balancer"})
"""At most one add-on of a cluster may provide each of these."""
IMAGE_REPOSITORY = "imageRepository"
"""Where its images are taken from instead of their registries."""
IMAGES = "images"
"""Complete references for single images, by the image's name."""
PULL_SECRETS = "imagePullSecrets"
"""Names of Secrets that all of its pods pull images with."""
TOLERATIONS = "tolerations"
"""core/v1 Tolerations that all of its pods get besides their own."""
REMOTE_TYPES = "crds"
"""Where CustomResourceDefinitions are taken from instead of upstream's URL: by their name a path or URL."""
COMMON: dict[str, Any] = {
    IMAGE_REPOSITORY: "",
    IMAGES: {},
    PULL_SECRETS: [],
    TOLERATIONS: [],
    REMOTE_TYPES: {},
}
"""The parameters that every add-on has, with their defaults."""

_COMPARISON = re.compile(r"^(>=|<=|>|<|=)\s*(\d+)\.(\d+)$")
_REGISTRY = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?"
_PART = r"/[a-z0-9]+([._-]+[a-z0-9]+)*"
REPOSITORY = re.compile(rf"^{_REGISTRY}({_PART})*/?$")
REFERENCE = re.compile(
    rf"^{_REGISTRY}({_PART})+:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}(@sha256:[0-9a-f]{{64}})?$"
)


SharedManifest = Annotated[str, Field(pattern=r"^[a-z0-9-]+/[A-Za-z0-9_-][A-Za-z0-9._-]*\.yaml\.j2$")]


class Image(Strict):
    """Name one image: templates call it by `name`."""

    name: Name
    reference: str

    @field_validator("reference")
    @classmethod
    def _complete(cls, value: str) -> str:
        if not REFERENCE.fullmatch(value):
            raise ValueError(f"{value!r} is not a complete reference like registry.example/path/name:tag")
        return value


class RemoteTypes(Strict):
    """Name a manifest of CustomResourceDefinitions of upstream: it is fetched, never copied in."""

    name: Name
    url: str = Field(pattern=r"^https://\S+$")


class Addon(Strict):
    """Hold one addon.yaml."""

    api_version: Literal["kubeadm-py.io/v1alpha1"]
    kind: Literal["Addon"]
    name: Name
    version: str
    description: str
    status: Literal["supported", "legacy"]
    notice: str = ""
    """What is said to whoever uses a legacy add-on."""
    verified: Literal["run", "rendered"]
    aliases: list[Name] = Field(default_factory=list)
    kubernetes: str
    """Comparisons of minors, all of which hold: `>=1.35, <1.37`."""
    provides: list[Name] = Field(default_factory=list)
    requires: list[Name] = Field(default_factory=list)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    at_most_one_of: list[list[str]] = Field(default_factory=list)
    images: list[Image] = Field(default_factory=list)
    crds: list[RemoteTypes] = Field(default_factory=list)
    kubelet_configuration: dict[str, Any] = Field(default_factory=dict)
    """What KubeletConfiguration says where the config says nothing about it."""
    shared_manifests: list[SharedManifest] = Field(default_factory=list)
    """Manifests of others that come with the product, each ADDON/FILE, in their places among the own ones."""
    host_needs: HostNeeds = Field(default_factory=HostNeeds)
    kube_proxy: list[ProxyNeed] = Field(default_factory=list)
    pod_network: PodNetwork | None = None
    """What kind of one it is, for an add-on that provides pod-network."""
    readiness: list[ReadyObject] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @field_validator("kubernetes")
    @classmethod
    def _range(cls, value: str) -> str:
        for part in value.split(","):
            if not _COMPARISON.match(part.strip()):
                raise ValueError(f"{part.strip()!r} is not a comparison like >=1.35")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Addon:
        for name, parameter in self.parameters.items():
            if problem := accept(parameter, parameter.default):
                raise ValueError(f"parameters.{name}: the default {problem}")
        if (self.status == "legacy") != bool(self.notice):
            raise ValueError("a legacy add-on has a notice, and only such a one")
        if self.pod_network and POD_NETWORK not in self.provides:
            raise ValueError(f"podNetwork is for add-ons that provide {POD_NETWORK}")
        conditions = [*self.host_needs.conditions, *self.readiness, *self.kube_proxy]
        if self.pod_network and self.pod_network.network_policy:
            conditions.append(self.pod_network.network_policy)
        named = [name for group in self.at_most_one_of for name in group]
        named += [name for condition in conditions for name in condition.when]
        named += [port.port_parameter for port in self.host_needs.ports if port.port_parameter]
        named += [each.parameter for each in self.host_needs.interfaces]
        for name in named:
            if name not in self.parameters:
                raise ValueError(f"{name!r} is not one of the parameters")
        for name in COMMON.keys() & self.parameters:
            raise ValueError(f"the parameter {name} belongs to every add-on")
        if len({image.name for image in self.images}) != len(self.images):
            raise ValueError("two images have the same name")
        return self

    def supports(self, version: Version) -> bool:
        """Say whether the Kubernetes range holds `version`'s minor."""
        for part in self.kubernetes.split(","):
            match = _COMPARISON.match(part.strip())
            assert match is not None  # noqa: S101 - the validator has seen it
            operator, wanted = match.group(1), (int(match.group(2)), int(match.group(3)))
            found = (version.major, version.minor)
            holds = {
                ">=": found >= wanted,
                "<=": found <= wanted,
                ">": found > wanted,
                "<": found < wanted,
                "=": found == wanted,
            }
            if not holds[operator]:
                return False
        return True
