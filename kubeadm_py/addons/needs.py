"""Describe what an add-on asks of hosts and of the cluster, beside its own objects."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from kubeadm_py.strict import Strict

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]


class Conditional(Strict):
    """Hold for certain parameter values only: every named parameter has one of the listed ones."""

    when: dict[str, list[Any]] = Field(default_factory=dict)

    def applies(self, parameters: dict[str, Any]) -> bool:
        """Say whether this holds for `parameters`."""
        return all(parameters.get(name) in values for name, values in self.when.items())

    @property
    def words(self) -> str:
        """Return the values that it holds for, as a config says them; empty where it always holds."""
        return ", ".join(f"{name}: {' or '.join(map(_written, each))}" for name, each in self.when.items())


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class KernelNeed(Conditional):
    """Name a kernel feature by its module's name; built in counts."""

    feature: str


class CommandNeed(Conditional):
    """Name a program that must be on the hosts, and the package that brings it, by family of systems."""

    command: str
    packages: dict[Literal["debian", "rhel", "suse"], str]


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


class InterfaceNeed(Conditional):
    """Name a parameter that chooses an interface of each node, and by what; empty, it chooses none."""

    parameter: str
    by: Literal["name", "expression", "network"]
    """Its name (a + at its end stands for any rest) or address; a regular expression that finds either; a
    network that its address is in. Of a list of them one must fit."""


class HostNeeds(Strict):
    """List what the hosts must have."""

    kernel: list[KernelNeed] = Field(default_factory=list)
    commands: list[CommandNeed] = Field(default_factory=list)
    sysctls: dict[str, str] = Field(default_factory=dict)
    ports: list[PortNeed] = Field(default_factory=list)
    interfaces: list[InterfaceNeed] = Field(default_factory=list)

    @property
    def conditions(self) -> list[Conditional]:
        """Return everything that parameters may switch off."""
        return [*self.kernel, *self.commands, *self.ports, *self.interfaces]


ProxyMode = Literal["iptables", "nftables", "ipvs", "none"]
PROXY_MODES: tuple[ProxyMode, ...] = get_args(ProxyMode)


class ProxyNeed(Conditional):
    """Say with which modes of kube-proxy an add-on works; `none` is a cluster without kube-proxy."""

    modes: list[ProxyMode] = Field(default_factory=lambda: list(PROXY_MODES), min_length=1)
    strict_arp: Annotated[bool, Field(alias="strictARP")] = False
    """In mode ipvs each node would answer for all services' addresses, were it not for ipvs.strictARP."""


class Enforcement(Conditional):
    """Say with which parameters NetworkPolicy objects have an effect."""


Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]+$")]


class Leaves(Strict):
    """List what a pod network makes on hosts by itself: a reset removes it."""

    cni_network: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    """The name in its CNI configuration."""
    links: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._?()|+*\[\]{},\\-]+$")]] = Field(
        default_factory=list
    )
    """Extended regular expressions, each over a whole name."""
    chains: list[Prefix] = Field(default_factory=list)
    """What the names of its iptables chains begin with."""
    comments: list[Prefix] = Field(default_factory=list)
    """What the comments of its rules in others' chains begin with."""
    nft_tables: list[Prefix] = Field(default_factory=list)
    ipsets: list[Prefix] = Field(default_factory=list)
    """What the names of its IP sets begin with."""
    paths: list[Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+){2,}$")]] = Field(default_factory=list)
    """Files and directories that are its alone."""
    subnet_file: str = Field(default="", pattern=r"^(|(/[A-Za-z0-9._-]+){2,})$")
    """In flannel's form: routes by a gateway to other nodes' shares of the network that it names are its."""


class PodNetwork(Strict):
    """Describe what kind of pod network an add-on makes."""

    ip_families: list[Literal["IPv4", "IPv6"]] = Field(min_length=1)
    """Families of the pod subnets that it can serve; both in one cluster, where both are listed."""
    cni_config: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """Its file in /etc/cni/net.d, of which the runtime takes the first by name."""
    leaves: Leaves = Field(default_factory=Leaves)
    network_policy: Enforcement | None = None
    """When NetworkPolicy objects are enforced; absent: never."""

    @property
    def policy(self) -> str:
        """Say whether NetworkPolicy objects are enforced."""
        if self.network_policy is None:
            return "not enforced"
        conditions = self.network_policy.words
        return f"enforced with {conditions}" if conditions else "enforced"


class ReadyObject(Conditional):
    """Name an object to wait for.

    A Deployment is Available, a DaemonSet ready on every node it wants, an APIService answers.
    """

    kind: Literal["Deployment", "DaemonSet", "StatefulSet", "APIService"]
    namespace: Name | Literal[""] = ""
    name: str
    needs_worker: bool
    """It becomes ready only once a node without the control-plane taint is there."""

    @model_validator(mode="after")
    def _placed(self) -> ReadyObject:
        if (self.kind == "APIService") != (not self.namespace):
            raise ValueError(f"{self.kind} {self.name}: an APIService has no namespace, all else has one")
        return self
