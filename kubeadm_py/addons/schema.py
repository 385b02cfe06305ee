"""Describe the format of addon.yaml: what an add-on is, needs, offers and when it is ready."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from kubeadm_py.addons.parameters import Parameter, accept
from kubeadm_py.model.versions import Version

API_VERSION = "kubeadm-py.io/v1alpha1"
POD_NETWORK = "pod-network"
EXCLUSIVE_CAPABILITIES = frozenset({POD_NETWORK})
"""At most one add-on of a cluster may provide each of these."""
IMAGE_REPOSITORY = "imageRepository"
"""A parameter that every add-on has: where its images are taken from instead of their registries."""
IMAGES = "images"
"""A parameter that every add-on has: complete references for single images, by the image's name."""

_COMPARISON = re.compile(r"^(>=|<=|>|<|=)\s*(\d+)\.(\d+)$")
REPOSITORY = re.compile(r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)*/?$")
REFERENCE = re.compile(
    r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?$"
)

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]


class Strict(BaseModel):
    """Refuse unknown keys and guessed types."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        # Built at first use: many a command reads no add-on at all.
        defer_build=True,
    )


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


class Conditional(Strict):
    """Hold for certain parameter values only: every named parameter has one of the listed ones."""

    when: dict[str, list[Any]] = Field(default_factory=dict)

    def applies(self, parameters: dict[str, Any]) -> bool:
        """Say whether this holds for `parameters`."""
        return all(parameters.get(name) in values for name, values in self.when.items())


class KernelNeed(Conditional):
    """Name a kernel feature by its module's name; built in counts."""

    feature: str


class PortNeed(Conditional):
    """Name a port that nodes reach each other on: a number, or a parameter that holds it."""

    protocol: Literal["tcp", "udp"]
    port: int | None = None
    port_parameter: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> PortNeed:
        if (self.port is None) == (not self.port_parameter):
            raise ValueError("a port names exactly one of port and portParameter")
        return self

    def number(self, parameters: dict[str, Any]) -> int:
        """Return the port under `parameters`."""
        return self.port if self.port is not None else int(parameters[self.port_parameter])


class HostNeeds(Strict):
    """List what the hosts must have."""

    kernel: list[KernelNeed] = Field(default_factory=list)
    packages: list[str] = Field(default_factory=list)
    sysctls: dict[str, str] = Field(default_factory=dict)
    ports: list[PortNeed] = Field(default_factory=list)


class ReadyObject(Strict):
    """Name an object to wait for; a Deployment is Available, a DaemonSet ready on every node it wants."""

    kind: Literal["Deployment", "DaemonSet", "StatefulSet"]
    namespace: Name
    name: Name
    needs_worker: bool
    """It becomes ready only once a node without the control-plane taint is there."""


class Addon(Strict):
    """Hold one addon.yaml."""

    api_version: Literal["kubeadm-py.io/v1alpha1"]
    kind: Literal["Addon"]
    name: Name
    version: str
    description: str
    status: Literal["supported", "legacy"]
    verified: Literal["run", "rendered"]
    kubernetes: str
    """Comparisons of minors, all of which hold: `>=1.35, <1.37`."""
    provides: list[Name] = Field(default_factory=list)
    requires: list[Name] = Field(default_factory=list)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    at_most_one_of: list[list[str]] = Field(default_factory=list)
    images: list[Image] = Field(default_factory=list)
    host_needs: HostNeeds = Field(default_factory=HostNeeds)
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
        conditions: list[Conditional] = [*self.host_needs.kernel, *self.host_needs.ports]
        named = [name for group in self.at_most_one_of for name in group]
        named += [name for condition in conditions for name in condition.when]
        named += [port.port_parameter for port in self.host_needs.ports if port.port_parameter]
        for name in named:
            if name not in self.parameters:
                raise ValueError(f"{name!r} is not one of the parameters")
        for name in {IMAGE_REPOSITORY, IMAGES} & set(self.parameters):
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
