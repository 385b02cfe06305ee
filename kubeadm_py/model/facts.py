"""Describe what a probe found on a host: the input of preflight, rendering and planning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WITHHELD_USER = "//withheld@"
"""What the probe writes in a proxy's URL where its user and password stand."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """Describe one file; `content` only for files that the probe reads and that hold no secret."""

    path: str
    mode: int
    owner: str
    """`user:group` by name."""
    sha256: str = ""
    size: int = 0
    content: bytes | None = None
    partial: bool = False
    """Whether the probe withheld lines of `content` (credentials, keys), so that it has another sha256."""
    mtime: int = 0
    """Unix time of the last change of content."""
    inode: int = 0
    directory: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """Describe one listening socket."""

    protocol: str
    address: str
    port: int
    process: str = ""
    pid: int = 0
    unit: str = ""
    executable: str = ""


@dataclass(frozen=True, slots=True)
class UnitFact:
    """Describe one systemd unit."""

    name: str
    load_state: str
    active_state: str
    enabled: str
    sub_state: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """Describe one network interface; addresses are CIDRs."""

    name: str
    kind: str = ""
    up: bool = True
    addresses: tuple[str, ...] = ()
    mtu: int = 0
    """The largest packet in bytes; 0 where it is not known."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Describe the file system below a path, in bytes."""

    path: str
    total: int
    available: int
    inodes_total: int = 0
    inodes_available: int = 0


@dataclass(frozen=True, slots=True)
class ImageFact:
    """Describe an image in containerd's k8s.io namespace."""

    reference: str
    digest: str
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class EtcdAnswer:
    """Hold what one etcd endpoint said of itself: its version (`v3.6.8`), or why it did not."""

    version: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Hold everything known about one host; absent tools leave the defaults."""

    hostname: str = ""
    architecture: str = "amd64"
    """As Go names it: amd64, arm64, ..."""
    os_release: Mapping[str, str] = field(default_factory=dict)
    kernel: str = ""
    kernel_config: Mapping[str, str] = field(default_factory=dict)
    kernel_builtin: frozenset[str] = frozenset()
    """Modules and features present, loaded or built in (`nf_tables`, `ip_vs`, `br_netfilter`, ...)."""
    modules_loadable: frozenset[str] = frozenset()
    """Modules that are not loaded and that modprobe would find."""
    modules_known: bool = True
    """Whether the lack of a module in both is certain; False where a container hides the kernel."""
    cgroup_version: int = 2
    cgroup_controllers: frozenset[str] = frozenset()
    container: str = ""
    """`docker`, `lxc`, ... as systemd-detect-virt --container says; empty on machines."""
    init_system: str = "systemd"
    cap_sys_resource: bool = True
    """Whether root there may lower oom_score_adj and raise limits (CAP_SYS_RESOURCE)."""
    uid: int = 0
    cpus: int = 2
    memory_bytes: int = 4 << 30
    swaps: tuple[str, ...] = ()
    zram: bool = False
    machine_id: str = ""
    product_uuid: str = ""
    """The firmware's machine identity; in a container that of the machine below."""
    clock: float = 0.0
    """Host's Unix time when the probe ran."""
    clock_offset: float = 0.0
    """Host's clock minus the operator's, corrected by half the round trip, in seconds."""
    time_synchronised: bool | None = None
    time_services: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    default_route_interface: str = ""
    default_route_address: str = ""
    resolv_conf: str = ""
    systemd_resolved_active: bool = False
    hosts_file: str = ""
    hostname_resolves: bool = True
    resolved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names that were asked about -> their addresses as the host resolves them; none where it cannot."""
    unknown_owners: tuple[str, ...] = ()
    """Of the owners that were asked about, as USER:GROUP, those that the host does not know."""
    listeners: tuple[Listener, ...] = ()
    units: Mapping[str, UnitFact] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    executables: Mapping[str, str] = field(default_factory=dict)
    """Found on PATH: name -> absolute path."""
    binary_versions: Mapping[str, str] = field(default_factory=dict)
    """kubelet, kubectl, containerd, runc, crictl, etcdctl, ctr: as they print it, cleaned to `vX.Y.Z`."""
    binary_sha256: Mapping[str, str] = field(default_factory=dict)
    """Absolute path -> sha256 of binaries that we may have installed, CNI plugins included."""
    cri_sockets: tuple[str, ...] = ()
    cri_ready: bool | None = None
    """RuntimeReady as crictl reports it; None where it could not be asked."""
    cri_message: str = ""
    """Why the runtime is not ready, as it says itself."""
    cri_sandbox_image: str = ""
    external_etcd: Mapping[str, EtcdAnswer] = field(default_factory=dict)
    """What an etcd that others run answered from here: endpoint -> answer; empty where nobody could ask."""
    images: tuple[ImageFact, ...] = ()
    incoming: Mapping[str, int] = field(default_factory=dict)
    """What an earlier run has sent in part: SHA-256 of the whole -> bytes that are there."""
    images_known: bool = False
    """Whether containerd could be asked for its images."""
    others_containers: tuple[str, ...] = ()
    """Containers that no kubelet made, as NAMESPACE/ID; asked of containerd only before a reset."""
    files: Mapping[str, FileFact] = field(default_factory=dict)
    """Managed and interesting paths that exist: path -> fact. Directories have sha256 ''."""
    directories: Mapping[str, int] = field(default_factory=dict)
    """Interesting directories that exist: path -> number of entries."""
    disks: Mapping[str, Disk] = field(default_factory=dict)
    selinux: str = ""
    """`Enforcing`, `Permissive`, `Disabled`, or empty where there is none."""
    selinux_container_policy: bool = False
    """Whether the policy for container runtimes (package container-selinux) is installed."""
    firewalls: tuple[str, ...] = ()
    """Active ones: firewalld, ufw."""
    iptables_mode: str = ""
    """`nf_tables`, `legacy`, or empty where there is no iptables."""
    iptables_other_rules: int = 0
    """Rules found in the mode that iptables does not use (mixed modes hide rules)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The *_proxy variables of a login on the host."""
    package_manager: str = ""
    package_lock_held: bool = False
    package_lock_holder: str = ""
    """Path of the lock and the pid that holds it."""
    cloud_init: str = ""
    """`running`, `done`, ... or empty where there is none."""
    inventory: bytes | None = None
    ca_public_key_sha256: str = ""
    """sha256 of the DER public key of /etc/kubernetes/pki/ca.crt: cluster membership."""

    def listens(self, port: int) -> bool:
        """Say whether anybody listens at this port."""
        return any(listener.port == port for listener in self.listeners)
