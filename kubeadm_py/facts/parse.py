"""Turn a probe's answer into facts."""

from __future__ import annotations

import os
import re

from kubeadm_py.facts import files, network, runtime, system
from kubeadm_py.facts.answer import Answer, read_answer
from kubeadm_py.facts.collect import PROBE_MARKER, TIME_SERVICES
from kubeadm_py.model import paths
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact, HostFacts, UnitFact

_CA_CERTIFICATE = paths.PKI_DIR + "/ca.crt"
_PACKAGE_MANAGERS = ("apt-get", "dnf", "yum", "zypper", "pacman", "apk")
_ZRAM_CONFIGS = ("/etc/systemd/zram-generator.conf", "/usr/lib/systemd/zram-generator.conf")


def parse(line: str | bytes, *, round_trip: float, operator_clock: float) -> HostFacts:
    """Return the facts in a probe's line, with or without its marker.

    `operator_clock` is the operator's Unix time when the answer arrived, `round_trip` the seconds since the
    probe was sent. What the host lacks a tool for keeps its default. Raise KubeadmPyError where the line is
    no answer.
    """
    return read_facts(read_answer(line, PROBE_MARKER), round_trip=round_trip, operator_clock=operator_clock)


def read_facts(answer: Answer, *, round_trip: float = 0.0, operator_clock: float | None = None) -> HostFacts:
    """Return the facts in an answer; without `operator_clock` the clocks count as equal."""
    status = system.read_status(answer)
    config = system.read_kernel_config(answer)
    features = system.read_features(answer, config)
    loadable = system.read_loadable(answer, features)
    cgroup_version, controllers = system.read_cgroups(answer)
    units = system.read_units(answer)
    exists = frozenset(answer.lines("!exists"))
    described = files.read_files(answer)
    interfaces = network.read_interfaces(answer)
    route = network.read_default_route(answer, interfaces)
    swaps = system.read_swaps(answer)
    executables = {path.rpartition("/")[2]: path for path in answer.lines("!executables")}
    versions = system.read_versions(answer)
    container = _container(answer, exists)
    cri = runtime.read_runtime(answer)
    lock = _package_lock(answer)
    inventory = answer.sections.get(paths.INVENTORY)
    hashes = files.read_hashes(answer)
    return HostFacts(
        hostname=answer.line("/proc/sys/kernel/hostname"),
        architecture=system.read_architecture(answer),
        os_release=system.read_assignments(answer.text("/etc/os-release")),
        kernel=answer.line("/proc/sys/kernel/osrelease"),
        kernel_config=config,
        kernel_builtin=features,
        modules_loadable=loadable,
        modules_known=bool(config) or "!modules-missing" in answer.sections or not container,
        cgroup_version=cgroup_version,
        cgroup_controllers=controllers,
        container=container,
        init_system="systemd" if "/run/systemd/system" in exists else "",
        cap_sys_resource=system.may_raise_limits(status),
        uid=system.read_uid(status),
        cpus=system.read_cpus(status) or HostFacts().cpus,
        memory_bytes=system.read_memory(answer) or HostFacts().memory_bytes,
        swaps=swaps,
        zram=any("zram" in name for name in swaps) or any(path in described for path in _ZRAM_CONFIGS),
        machine_id=answer.line("/etc/machine-id"),
        product_uuid=answer.line("/sys/class/dmi/id/product_uuid").lower(),
        clock=answer.clock,
        clock_offset=_offset(answer, round_trip, operator_clock),
        time_synchronised=_synchronised(answer, exists, units),
        time_services=tuple(name for name in TIME_SERVICES if _active(units, f"{name}.service")),
        interfaces=interfaces,
        default_route_interface=route.interface,
        default_route_address=route.source,
        resolv_conf=_shown(described, "/etc/resolv.conf"),
        systemd_resolved_active=_active(units, "systemd-resolved.service"),
        hosts_file=_shown(described, "/etc/hosts"),
        hostname_resolves=bool(answer.line("!hostname-resolves")),
        resolved=network.read_resolved(answer),
        unknown_owners=tuple(answer.lines("!unknown-owners")),
        listeners=network.read_listeners(answer),
        units=units,
        sysctls={
            path.removeprefix("/proc/sys/").replace("/", "."): text.strip()
            for path, text in answer.sections.items()
            if path.startswith("/proc/sys/")
        },
        executables=executables,
        binary_versions=versions
        | ({"loopback": versions["cni-plugins"]} if "cni-plugins" in versions else {}),
        binary_sha256={path: hashes[path] for path in described if path in hashes and _is_binary(path)},
        cri_sockets=tuple(dict.fromkeys(f"unix://{path}" for path in answer.lines("!sockets"))),
        cri_ready=cri.ready,
        cri_message=cri.message,
        cri_sandbox_image=cri.sandbox_image,
        external_etcd=runtime.read_external_etcd(answer),
        images=runtime.read_images(answer),
        images_known="!images-listed" in answer.sections,
        others_containers=runtime.read_others(answer),
        files=described,
        directories=files.read_directories(answer),
        disks=files.read_disks(answer),
        selinux=_selinux(answer, described),
        selinux_container_policy=any("/selinux/" in path and "/container" in path for path in exists),
        firewalls=_firewalls(units, described),
        iptables_mode=_iptables_mode(answer),
        iptables_other_rules=_other_rules(answer),
        environment=_proxies(answer, described),
        package_manager=next((name for name in _PACKAGE_MANAGERS if name in executables), ""),
        incoming=runtime.read_incoming(answer),
        package_lock_held=bool(lock),
        package_lock_holder=lock,
        cloud_init=_cloud_init(answer, exists, units),
        inventory=inventory.encode() if inventory is not None else None,
        ca_public_key_sha256=public_key_sha256(described.get(_CA_CERTIFICATE)),
    )


def public_key_sha256(certificate: FileFact | None) -> str:
    """Return the hex sha256 of the first certificate's public key (DER); empty where there is none."""
    if certificate is None or not certificate.content:
        return ""
    # Imported here: `--help` must not pay for it, and most hosts have no CA yet.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        key = x509.load_pem_x509_certificate(certificate.content).public_key()
    except ValueError:
        return ""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _offset(answer: Answer, round_trip: float, operator_clock: float | None) -> float:
    """Subtract the clocks; the probe's own running time is no part of the way back."""
    if operator_clock is None or not answer.clock:
        return 0.0
    on_the_way = max(0.0, round_trip - answer.elapsed)
    return answer.clock - (operator_clock - on_the_way / 2)


def _shown(described: dict[str, FileFact], path: str) -> str:
    fact = described.get(path)
    return (fact.content or b"").decode("utf-8", errors="replace") if fact else ""


def _active(units: dict[str, UnitFact], name: str) -> bool:
    return name in units and units[name].active_state == "active"


def _is_binary(path: str) -> bool:
    return path.startswith(("/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/opt/cni/bin/"))


def _container(answer: Answer, exists: frozenset[str]) -> str:
    said = answer.line("!container")
    if said and said != "none":
        return said
    named = answer.line("/run/systemd/container")
    return named or ("docker" if not said and "/.dockerenv" in exists else "")


def _synchronised(answer: Answer, exists: frozenset[str], units: dict[str, UnitFact]) -> bool | None:
    chrony = answer.line("!chrony")
    if chrony:
        return chrony.rpartition(",")[2].strip() not in ("Not synchronised", "")
    if _active(units, "systemd-timesyncd.service"):
        return "/run/systemd/timesync/synchronized" in exists
    return None


def _selinux(answer: Answer, described: dict[str, FileFact]) -> str:
    enforce = answer.line("/sys/fs/selinux/enforce")
    if enforce:
        return "Enforcing" if enforce == "1" else "Permissive"
    return "Disabled" if "/etc/selinux/config" in described else ""


def _firewalls(units: dict[str, UnitFact], described: dict[str, FileFact]) -> tuple[str, ...]:
    """Name the firewalls that filter; ufw's unit is active on hosts where ufw is off."""
    ufw = system.read_assignments(_shown(described, "/etc/ufw/ufw.conf")).get("ENABLED", "").lower() == "yes"
    found = {"firewalld": _active(units, "firewalld.service"), "ufw": ufw and _active(units, "ufw.service")}
    return tuple(name for name, active in found.items() if active)


def _iptables_mode(answer: Answer) -> str:
    said = answer.line("!iptables")
    return next((mode for mode in ("nf_tables", "legacy") if f"({mode})" in said), "legacy" if said else "")


def _other_rules(answer: Answer) -> int:
    match = re.search(r"^\s*(\d+) -A$", answer.text("!iptables-other"), re.MULTILINE)
    return int(match[1]) if match else 0


def _proxies(answer: Answer, described: dict[str, FileFact]) -> dict[str, str]:
    of_login = system.read_assignments(_shown(described, "/etc/environment"))
    found = {name: value for name, value in of_login.items() if name.lower().endswith("_proxy")}
    return found | system.read_assignments(answer.text("!environment"))


_LONGEST_DEVICE = 20
"""Digits of the largest device number, and some more."""


def _package_lock(answer: Answer) -> str:
    """Say which package lock is held and by which pid, comparing with the kernel's list of locks."""
    held = {}
    for line in answer.lines("/proc/locks"):
        fields = line.split()
        if len(fields) >= 6 and "->" not in fields:
            held[fields[5]] = fields[4]
    for line in answer.lines("!package-locks"):
        device, _, rest = line.partition(" ")
        inode, _, path = rest.partition(" ")
        if device.isdecimal() and len(device) < _LONGEST_DEVICE:
            number = int(device)
            key = f"{os.major(number):02x}:{os.minor(number):02x}:{inode}"
            if key in held:
                return f"{path} (pid {held[key]})"
    return ""


def _cloud_init(answer: Answer, exists: frozenset[str], units: dict[str, UnitFact]) -> str:
    if "/run/cloud-init/disabled" in exists or "/etc/cloud/cloud-init.disabled" in exists:
        return "disabled"
    if "/run/cloud-init/result.json" in exists:
        return (
            "error"
            if re.search(r'"errors":\s*\[\s*"', answer.text("/run/cloud-init/result.json"))
            else "done"
        )
    running = any(
        name in units and units[name].active_state == "activating"
        for name in ("cloud-init.service", "cloud-config.service", "cloud-final.service")
    )
    return "running" if running or "/run/cloud-init" in exists else ""
