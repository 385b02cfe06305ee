"""Plan a host's way back: what its inventory lists goes, and what the cluster's parts made at run time.

Where kubeadm made the node, what kubeadm's own reset removes goes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, Remove, RunScript, WriteFiles
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.network_traces import NetworkTraces
from kubeadm_py.model.phases import CLEANUP_NODE, EVERYTHING, REMOVE_ETCD_MEMBER, Selection
from kubeadm_py.model.reset import ResetSettings
from kubeadm_py.model.stages import PlannedStep
from kubeadm_py.steps.endpoint.access import plan_hosts_line
from kubeadm_py.steps.prepare import packages
from kubeadm_py.steps.prepare.swap import plan_restore_swap
from kubeadm_py.steps.reset import etcd as reset_etcd
from kubeadm_py.steps.reset import images as reset_images
from kubeadm_py.steps.reset import kubeadm_made
from kubeadm_py.steps.reset import network as reset_network
from kubeadm_py.steps.reset import pods as reset_pods
from kubeadm_py.steps.reset.paths import empty

_CLUSTER_ROOTS = (paths.KUBERNETES_DIR, paths.KUBELET_DIR, paths.ETCD_DATA_DIR, paths.APPLIED_DIR)
"""What belongs to the cluster; the rest of an inventory is the host's preparation."""
_KEY_MATERIAL = (".key", ".crt", ".pub")
_KUBELETS_OWN = (paths.KUBELET_CONF, paths.BOOTSTRAP_KUBELET_CONF)
"""What the kubelet writes by itself, beside its directory."""
_CONTAINERD_STATE = ("/var/lib/containerd", "/run/containerd")

_UMOUNT_OPTIONS = {"MNT_FORCE": "--force", "MNT_DETACH": "--lazy"}
"""umount's options for kubeadm's unmountFlags; MNT_EXPIRE is refused with the config.

UMOUNT_NOFOLLOW needs none: what /proc/mounts names is a mount point and never a link.
"""
# Longest paths first: what is mounted inside goes before its mount point.
_UNMOUNT = """mounts=$(awk '{print $2}' /proc/mounts | grep -E '^(@BELOW@)/' | sort -r || true)
[ -n "$mounts" ] || { echo unchanged; exit 0; }
printf '%s\\n' "$mounts" | while read -r mount; do umount @OPTIONS@"$(printf '%b' "$mount")"; done"""
_LEFT_EMPTY = (
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
    "/usr/libexec/kubernetes/kubelet-plugins/volume",
    "/usr/libexec/kubernetes/kubelet-plugins",
    "/usr/libexec/kubernetes",
    "/usr/lib/modules",
)
"""What the kubelet makes, and mounts that kube-proxy asks for, where they are missing; gone only if empty."""
_CONTAINERD_LEFT_EMPTY = ("/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd")
# One that is masked cannot be disabled: its links would lead nowhere once its file is gone.
_DISABLE = """systemctl disable --quiet {names} 2>/dev/null || true
for unit in {names}; do rm -f /etc/systemd/system/*.wants/"$unit"; done"""
_PRUNE = f"""[ -e {paths.MADE_DIRECTORIES} ] || exit 0
sort -ru {paths.MADE_DIRECTORIES} | while read -r made; do rmdir "$made" 2>/dev/null || true; done
rm -f {paths.MADE_DIRECTORIES}"""
# containerd ends when the directory of CNI configurations goes away under it.
_PRUNE_BESIDE_CONTAINERD = f"""[ -e {paths.MADE_DIRECTORIES} ] || exit 0
sort -ru {paths.MADE_DIRECTORIES} | grep -v '^/etc/cni' | while read -r made; do
  rmdir "$made" 2>/dev/null || true
done"""


@dataclass(frozen=True, slots=True)
class ResetHost:
    """Hold what a host's reset is planned from."""

    inventory: Inventory
    facts: HostFacts
    settings: ResetSettings = field(default_factory=ResetSettings)
    keep_artifacts: bool = False
    """Leave runtime, binaries, images and host settings, as `kubeadm reset` does."""
    phases: Selection = EVERYTHING
    certificates_dir: str = paths.PKI_DIR
    """The cluster's."""
    networks: tuple[NetworkTraces, ...] = ()
    """What pod networks may have left there."""

    @property
    def kubeadms(self) -> bool:
        """Say whether kubeadm made this host a node."""
        return kubeadm_made.is_kubeadms(self.inventory, self.facts)

    @property
    def keeps(self) -> bool:
        """Say whether the host's preparation stays: also for containers that others run on our runtime."""
        return self.keep_artifacts or bool(_is_ours(self.inventory) and self.facts.others_containers)

    @property
    def advice(self) -> str:
        """Say what to do about pods that a dead runtime remembers; nothing where it goes away itself."""
        if self.keeps:
            return reset_pods.RESET_AGAIN
        return "" if _is_ours(self.inventory) else reset_pods.BY_HAND


def plan(host: ResetHost) -> tuple[PlannedStep, ...]:
    """Return kubeadm's phases of reset as steps, those that have anything to do."""
    if host.inventory.empty and not host.kubeadms and not _named(host):
        return ()
    socket = reset_pods.endpoint(host.settings.cri_socket, host.facts)
    cleans = host.phases.wants(CLEANUP_NODE)
    etcd: list[Action] = []
    if host.phases.wants(REMOVE_ETCD_MEMBER):
        etcd = reset_etcd.plan(host.inventory, host.facts, socket, goes_on=not cleans)
    steps = (
        PlannedStep(REMOVE_ETCD_MEMBER, "remove etcd's member and data", tuple(etcd)),
        PlannedStep(CLEANUP_NODE, "clean the node", tuple(_cleanup(host, socket) if cleans else ())),
    )
    return tuple(step for step in steps if step.actions)


def _cleanup(host: ResetHost, socket: str) -> list[Action]:
    """Take the host back; foreign files stay, in directories that we made too."""
    inventory, facts = host.inventory, host.facts
    # We write files only: where a directory stands in a file's place by now, it is somebody else's.
    files = {path for path in inventory.files if path not in facts.files or not facts.files[path].directory}
    cluster = _clusters(inventory, files)
    prepared = files - cluster
    actions: list[Action] = [
        reset_pods.stop(socket, advice=host.advice),
        RunScript("unmount what pods had mounted", _unmount(host.settings.unmount_flags, host.networks)),
        reset_network.rules(host.networks),
        *reset_network.vip(inventory),
        *plan_hosts_line("", facts),
        *reset_network.routes(host.networks, facts),
        reset_network.links(host.networks),
        *_clusters_files(host, cluster),
        reset_network.notes(host.networks),
        *_restore(inventory, cluster),
    ]
    if host.keeps:
        return [
            *actions,
            RunScript("remove empty directories", _PRUNE_BESIDE_CONTAINERD),
            *_end(_left(host, prepared)),
        ]
    # What kubeadm alone made stands on a host that others prepared.
    ours = () if inventory.empty else _LEFT_EMPTY
    left_empty = " ".join([*ours, *(_CONTAINERD_LEFT_EMPTY if _is_ours(inventory) else ())])
    actions += [*_runtime(inventory), *plan_restore_swap(facts), *_restore(inventory, prepared)]
    actions += [packages.remove(inventory.packages)] if inventory.packages else []
    made = tuple(sorted(path for path in prepared if inventory.files[path]["made"]))
    if made:
        actions.append(Remove(made, reason="listed in the inventory"))
        actions.append(RunScript("reload units", "systemctl daemon-reload"))
    if left_empty:
        actions.append(RunScript("remove what was left empty", f"rmdir {left_empty} 2>/dev/null || true"))
    return [
        *actions,
        RunScript("remove empty directories", _PRUNE if _is_ours(inventory) else _PRUNE_BESIDE_CONTAINERD),
        *_end(_left(host, set())),
    ]


def _unmount(flags: Sequence[str], networks: Sequence[NetworkTraces]) -> str:
    options = [_UMOUNT_OPTIONS[flag] for flag in flags if flag in _UMOUNT_OPTIONS]
    below = [path.replace(".", "[.]") for path in reset_network.mounted_below(networks)]
    return _UNMOUNT.replace("@OPTIONS@", "".join(f"{option} " for option in dict.fromkeys(options))).replace(
        "@BELOW@", "|".join((paths.KUBELET_DIR, *below))
    )


def _clusters(inventory: Inventory, files: set[str]) -> set[str]:
    """Return the files that are the cluster's, keys and certificates in a directory of its own too.

    An inventory that does not say so yet is of a host whose certificatesDir nothing here knows: it is where
    we wrote a CA, a registry's apart.
    """
    noted = {path for path in files if inventory.files[path].get("cluster") is True}
    roots = tuple(f"{root}/" for root in _CLUSTER_ROOTS)
    registries = f"{paths.CONTAINERD_CERTS_DIR}/"
    keys = {path for path in files if path.endswith(_KEY_MATERIAL) and not path.startswith(registries)}
    authorities = tuple(path.removesuffix("ca.crt") for path in keys if path.endswith("/ca.crt"))
    return noted | {
        path for path in files if path.startswith(roots) or (path in keys and path.startswith(authorities))
    }


def _clusters_files(host: ResetHost, cluster: set[str]) -> list[Action]:
    """Remove what the cluster leaves on a host: our files, or kubeadm's, and what the kubelet wrote."""
    made = sorted(
        path
        for path in cluster
        if host.inventory.files[path]["made"]
        and not path.startswith((f"{paths.KUBELET_DIR}/", f"{paths.APPLIED_DIR}/"))
    )
    settings = host.settings
    emptied: list[str] = []
    if host.kubeadms:
        made += kubeadm_made.KUBECONFIGS
        emptied += kubeadm_made.emptied(
            settings.certificates_dir or host.certificates_dir, cleanup_tmp_dir=settings.cleanup_tmp_dir
        )
    else:
        made += [*_KUBELETS_OWN, paths.KUBELET_DIR]
        made += [paths.TMP_DIR] if settings.cleanup_tmp_dir else []
        emptied += _named(host)
    network = [reset_pods.NO_NETWORK, *reset_network.files(host.networks, host.inventory)]
    removed = (*dict.fromkeys(made), paths.APPLIED_DIR, *network)
    actions: list[Action] = [Remove(removed, reason="the cluster's own")]
    if emptied:
        actions.append(empty(emptied, f"empty {', '.join(emptied)}"))
    return actions


def _named(host: ResetHost) -> list[str]:
    """Return the directory of certificates that somebody named and no inventory knows."""
    named = host.settings.certificates_dir
    known = any(path.startswith(f"{named}/") for path in host.inventory.files)
    there = host.facts.directories.get(named) or any(
        path.startswith(f"{named}/") for path in host.facts.files
    )
    return [named] if named and not known and there else []


def _runtime(inventory: Inventory) -> list[Action]:
    """Stop the runtime and drop its state if it is ours; else only our images go."""
    actions: list[Action] = []
    ours = _is_ours(inventory)
    if not ours and inventory.images:
        actions.append(reset_images.remove(inventory.images))
    if inventory.units:
        names = shlex.join(sorted(inventory.units))
        actions.append(RunScript("disable our units", _DISABLE.format(names=names)))
    if ours:
        actions.append(RunScript("stop containerd", "systemctl stop containerd.service || true"))
        actions.append(reset_pods.clear_away())
        actions.append(Remove(_CONTAINERD_STATE, reason="the runtime was ours"))
    return actions


def _is_ours(inventory: Inventory) -> bool:
    """Say whether we brought the host's containerd."""
    return bool(inventory.files.get(paths.CONTAINERD_UNIT, {}).get("made"))


def _restore(inventory: Inventory, among: Iterable[str]) -> list[Action]:
    lines = [
        f"kpy_restore {shlex.quote(path)}" for path in sorted(among) if not inventory.files[path]["made"]
    ]
    return [RunScript("put back what files were before", "\n".join(lines))] if lines else []


def _left(host: ResetHost, prepared: set[str]) -> Inventory:
    """Return what the host's inventory lists afterwards: the preparation where it stays, etcd's data too."""
    inventory = host.inventory
    etcd: tuple[str, ...] = ()
    if not host.phases.wants(REMOVE_ETCD_MEMBER):
        etcd = tuple(
            path for path in reset_etcd.present(inventory, host.facts) if path in inventory.directories
        )
    network = [path for path in inventory.directories if path.startswith(("/etc/cni", "/opt/cni"))]
    return Inventory(
        "",
        {path: entry for path, entry in inventory.files.items() if path in prepared},
        [*(network if host.keeps else ()), *etcd],
        inventory.units if host.keeps else [],
        inventory.images if host.keeps else {},
        inventory.packages if host.keeps else [],
    )


def _end(left: Inventory) -> list[Action]:
    """Note what is left, or remove the inventory itself: last, so that a reset that was cut off goes on."""
    if left.empty:
        return [Remove((paths.STATE_DIR, paths.KUBECTL_CACHE), reason="the inventory itself, last")]
    return [WriteFiles((FileSpec(paths.INVENTORY, left.dump(), 0o600),), title="note what is left")]
