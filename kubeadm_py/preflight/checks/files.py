"""Check for files that must not be there, must be there, or must hold something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from kubeadm_py.model import paths, typed, versions
from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import external
from kubeadm_py.preflight.context import (
    CONTROL_PLANES,
    ETCD_MEMBERS,
    EVERYWHERE,
    JOINS,
    Check,
    CheckContext,
    Hit,
    Target,
)

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"
IPV6_FORWARDING = "/proc/sys/net/ipv6/conf/default/forwarding"
KUBEADM_TOOLS = ("losetup", "mount", "cp")
OUR_TOOLS = ("ss", "ip", "flock", "tar", "modprobe", "sysctl", "systemctl")
"""What our scripts and probes call, coreutils aside (design rule 12)."""
_PACKAGES = {
    "losetup": "mount",
    "mount": "mount",
    "cp": "coreutils",
    "ss": "iproute2",
    "ip": "iproute2",
    "flock": "util-linux",
    "tar": "tar",
    "modprobe": "kmod",
    "sysctl": "procps",
    "systemctl": "systemd",
}


def named(family: str, path: str) -> str:
    """Return kubeadm's name of a check on a path: `FileAvailable--etc-kubernetes-kubelet.conf`."""
    return f"{family}-{path.replace('/', '-')}"


def _present(ctx: CheckContext, wanted: Iterable[str]) -> Iterator[Hit]:
    for path in dict.fromkeys(wanted):
        if path in ctx.facts.files:
            yield Hit(
                f"{path} exists",
                f"another cluster's? look: {typed.reset_preview(ctx.cluster, ctx.node)}",
                name=named("FileAvailable", path),
            )


def manifests_available(ctx: CheckContext) -> Iterator[Hit]:
    """Look for manifests of a control plane."""
    components = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
    yield from _present(ctx, (f"{paths.MANIFESTS_DIR}/{name}.yaml" for name in components))


def kubelet_conf_available(ctx: CheckContext) -> Iterator[Hit]:
    """Look for a kubelet's credentials."""
    yield from _present(ctx, (paths.KUBELET_CONF, paths.BOOTSTRAP_KUBELET_CONF))


def ca_available(ctx: CheckContext) -> Iterator[Hit]:
    """Look for a CA on a worker."""
    yield from _present(ctx, (ctx.cluster.ca_cert_path,))


def etcd_directory(ctx: CheckContext) -> Iterator[Hit]:
    """Look for data of an etcd member."""
    if ctx.cluster.etcd.local is None:
        return
    path = ctx.cluster.etcd.local.data_dir.rstrip("/")
    entries = ctx.facts.directories.get(path, 0)
    if entries:
        yield Hit(
            f"{path} is not empty (entries: {entries})",
            f"etcd data that nobody needs? save it, then: {typed.reset_preview(ctx.cluster, ctx.node)}",
            name=named("DirAvailable", path),
        )


def external_etcd_files(ctx: CheckContext) -> Iterator[Hit]:
    """Look for the client certificate of an etcd that others run."""
    external = ctx.cluster.etcd.external if ctx.cluster.etcd.members is None else None
    if external is None or _brought_by_the_join(ctx):
        return
    settings = {"caFile": external.ca_file, "certFile": external.cert_file, "keyFile": external.key_file}
    missing = [f"{key} {path}" for key, path in settings.items() if path and path not in ctx.facts.files]
    if missing:
        yield Hit(
            f"not on the host: {', '.join(missing)}", "copy them there before init (keys with mode 0600)"
        )


def _brought_by_the_join(ctx: CheckContext) -> bool:
    """Say whether a joining control plane gets shared files, by its certificate key or from the first one."""
    if ctx.target is not Target.JOIN_CONTROL_PLANE:
        return False
    return ctx.cluster.certificate_key is not None or ctx.cluster.control_planes[0].name != ctx.node.name


def external_etcd_version(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the version of an etcd that others run, and whether it lets us in."""
    external = ctx.cluster.etcd.external if ctx.cluster.etcd.members is None else None
    if external is None:
        return
    if not ctx.facts.external_etcd:
        yield Hit(
            "there is no etcdctl on the host to ask etcd with, so nobody knows whether it answers",
            "install etcdctl, or see to it yourself: every endpoint must let the API server in",
            severity=Severity.WARNING,
        )
    oldest = versions.MINIMUM_EXTERNAL_ETCD
    for endpoint, answer in ctx.facts.external_etcd.items():
        if not answer.version:
            yield Hit(
                f"{endpoint} does not answer as etcd: {answer.error}",
                "correct etcd.external: the endpoints, and the certificates that they ask for",
            )
        elif Version.parse(answer.version) < oldest:
            yield Hit(
                f"{endpoint} is etcd {answer.version}; Kubernetes needs {oldest} or newer", "upgrade etcd"
            )


def external_authorities(ctx: CheckContext) -> Iterator[Hit]:
    """Look whether all is there that an authority signs whose key is elsewhere."""
    now = datetime.fromtimestamp(ctx.facts.clock, UTC)
    lacking = external.lacks(ctx.cluster, ctx.node, ctx.facts.files, now)
    if lacking:
        names = ", ".join(external.authorities(ctx.cluster, ctx.facts.files))
        yield Hit(f"external CA ({names}): {'; '.join(lacking)}", external.FIX)


def forwarding(ctx: CheckContext) -> Iterator[Hit]:
    """Look at the kernel's forwarding switch for each address family that the cluster uses."""
    families = _families(ctx)
    for version, path in ((4, IP_FORWARD), (6, IPV6_FORWARDING)):
        if version not in families:
            continue
        key = path.removeprefix("/proc/sys/").replace("/", ".")
        value = ctx.facts.sysctls.get(key)
        if value is None or not value.startswith("1"):
            yield Hit(
                f"{path} holds {value!r}, not 1" if value is not None else f"{path} does not exist",
                f"sysctl -w {key}=1, and the same line in {paths.SYSCTL_FILE}",
                name=named("FileContent", path),
            )


def _families(ctx: CheckContext) -> set[int]:
    """Return 4 and 6 as kubeadm decides: by subnets and address for init, by endpoint for join."""
    if ctx.target is Target.INIT:
        networking = ctx.cluster.networking
        found = {network.version for network in (*networking.service_networks, *networking.pod_networks)}
        advertised = ctx.node.advertise_address or (ctx.node.addresses[0] if ctx.node.addresses else "")
        return found | ({6 if ":" in advertised else 4} if advertised else set())
    host, _ = split_host_port(ctx.endpoint)
    if ":" in host:
        return {6}
    return {4} if host.replace(".", "").isdecimal() else set()


def tools(ctx: CheckContext) -> Iterator[Hit]:
    """Look for the programs that kubeadm and we call on a host."""
    for name in (*KUBEADM_TOOLS, *OUR_TOOLS):
        if name not in ctx.facts.executables:
            yield Hit(
                f"no {name} in PATH",
                f"install it (Debian: package {_PACKAGES[name]})",
                name=f"FileExisting-{name}",
            )


CHECKS = (
    Check(
        "FileExisting-TOOL",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        f"{', '.join((*KUBEADM_TOOLS, *OUR_TOOLS))} are in PATH.",
        tools,
    ),
    Check(
        "FileAvailable--etc-kubernetes-manifests-COMPONENT.yaml",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        "There is no manifest of a control plane yet.",
        manifests_available,
        absence=True,
    ),
    Check(
        "FileAvailable--etc-kubernetes-kubelet.conf",
        Severity.ERROR,
        Gate.HOST,
        JOINS,
        "There are no credentials of a kubelet yet (bootstrap-kubelet.conf included).",
        kubelet_conf_available,
        absence=True,
        tested="node",
    ),
    Check(
        "FileAvailable--etc-kubernetes-pki-ca.crt",
        Severity.ERROR,
        Gate.HOST,
        frozenset({Target.JOIN_WORKER}),
        "There is no CA certificate on a worker yet (caCertPath).",
        ca_available,
        absence=True,
    ),
    Check(
        "DirAvailable--var-lib-etcd",
        Severity.ERROR,
        Gate.HOST,
        ETCD_MEMBERS,
        "etcd's data directory is missing or empty, where a member of etcd runs.",
        etcd_directory,
        absence=True,
    ),
    Check(
        "ExternalEtcdClientCertificates",
        Severity.ERROR,
        Gate.HOST,
        CONTROL_PLANES,
        "The files that etcd.external names are on the host.",
        external_etcd_files,
    ),
    Check(
        "ExternalCA",
        Severity.ERROR,
        Gate.HOST,
        frozenset({Target.INIT}),
        "With a CA certificate whose key is not on the host, all that it signs is there and fits.",
        external_authorities,
        kubeadm=False,
        tested="node",
    ),
    Check(
        "ExternalEtcdVersion",
        Severity.ERROR,
        Gate.PREPARED,
        frozenset({Target.INIT}),
        f"An etcd that others run answers, and is {versions.MINIMUM_EXTERNAL_ETCD} or newer.",
        external_etcd_version,
    ),
    Check(
        "FileContent--proc-sys-net-ipv4-ip_forward",
        Severity.ERROR,
        Gate.PREPARED,
        EVERYWHERE,
        "The kernel forwards IPv4 (and IPv6: FileContent--proc-sys-net-ipv6-conf-default-forwarding).",
        forwarding,
        tested="node",
    ),
)
