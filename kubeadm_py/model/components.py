"""Describe what the config says of a cluster's components: flags, volumes, etcd, CoreDNS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeadm_py.model import paths


@dataclass(frozen=True, slots=True)
class Arg:
    """Hold one extra flag of a component."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ExtraVolume:
    """Hold one hostPath volume of a static pod."""

    name: str
    host_path: str
    mount_path: str
    read_only: bool = False
    path_type: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """Hold what the config adds to one control-plane component; `extra_envs` are core/v1 EnvVars."""

    extra_args: tuple[Arg, ...] = ()
    extra_volumes: tuple[ExtraVolume, ...] = ()
    extra_envs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class LocalEtcd:
    """Describe the etcd member that runs on a control-plane host."""

    image_repository: str = ""
    image_tag: str = ""
    data_dir: str = paths.ETCD_DATA_DIR
    extra_args: tuple[Arg, ...] = ()
    extra_envs: tuple[Mapping[str, Any], ...] = ()
    server_cert_sans: tuple[str, ...] = ()
    peer_cert_sans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExternalEtcd:
    """Describe an etcd that others run."""

    endpoints: tuple[str, ...]
    http_endpoints: tuple[str, ...] = ()
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class Etcd:
    """Hold exactly one of `local` and `external`."""

    local: LocalEtcd | None = field(default_factory=LocalEtcd)
    external: ExternalEtcd | None = None
    members: LocalEtcd | None = None
    """How members run on hosts of role etcd, where the file has some: `external` is then how control planes
    reach them."""

    @property
    def ours(self) -> LocalEtcd | None:
        """Return how the members run that we make, wherever they do; None where others run etcd."""
        return self.local or self.members


@dataclass(frozen=True, slots=True)
class Dns:
    """Describe the CoreDNS add-on."""

    image_repository: str = ""
    image_tag: str = ""
    disabled: bool = False
    replicas: int = 0
    """How many pods; 0: two at first, then as many as it was scaled to."""
