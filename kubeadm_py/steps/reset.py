"""Plan a host's way back: remove what its inventory lists, and what the cluster's parts made at run time."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Sequence

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, Remove, RunScript, WriteFiles
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.steps import reset_pods
from kubeadm_py.steps.endpoint import plan_hosts_line
from kubeadm_py.steps.prepare.swap import plan_restore_swap

_CLUSTER_ROOTS = (paths.KUBERNETES_DIR, paths.KUBELET_DIR, paths.ETCD_DATA_DIR, paths.APPLIED_DIR)
"""What belongs to the cluster; the rest of an inventory is the host's preparation."""
_KEY_MATERIAL = (".key", ".crt", ".pub")
_KUBELETS_OWN = (paths.KUBELET_CONF, paths.BOOTSTRAP_KUBELET_CONF, paths.TMP_DIR)
"""What the kubelet writes by itself, beside its directory."""
_CONTAINERD_STATE = ("/var/lib/containerd", "/run/containerd")
_LINKS = ("cni0", "flannel.1", "kube-ipvs0")
_FLANNEL_LINK = re.compile(r"flannel(-v6)?\.\d+|flannel-wg(-v6)?")
"""Its links by backend, a VXLAN's with its identifier."""
_FLANNEL_NETWORK = re.compile(
    rb"^FLANNEL_(?P<family>(?:IPV6_)?)NETWORK=(?P<network>\S+)$.*?"
    rb"^FLANNEL_(?P=family)SUBNET=\S+/(?P<length>\d+)$",
    re.MULTILINE | re.DOTALL,
)
_CHAINS = "KUBE-|CNI-|FLANNEL-"
"""Prefixes of the chains that kube-proxy, the kubelet, portmap and flannel own."""

_UMOUNT_OPTIONS = {"MNT_FORCE": "--force", "MNT_DETACH": "--lazy"}
"""umount's options for kubeadm's unmountFlags; MNT_EXPIRE is refused with the config.

UMOUNT_NOFOLLOW needs none: what /proc/mounts names is a mount point and never a link.
"""
# Longest paths first: what is mounted inside goes before its mount point.
_UNMOUNT = f"""mounts=$(awk '{{print $2}}' /proc/mounts | grep '^{paths.KUBELET_DIR}/' | sort -r || true)
[ -n "$mounts" ] || {{ echo unchanged; exit 0; }}
printf '%s\\n' "$mounts" | while read -r mount; do umount @OPTIONS@"$(printf '%b' "$mount")"; done"""
# What is deleted is named rule by rule, in one transaction a table: writing all rules back would take away
# those that a firewall or a container engine adds meanwhile. A change of theirs may make ours fail, as a
# whole: hence the turns.
_RULES = f"""for tool in iptables ip6tables; do
  command -v $tool-save >/dev/null 2>&1 || continue
  for turn in 1 2 3 4 5; do
    rules=$($tool-save 2>/dev/null) || break
    ours=$(printf '%s\\n' "$rules" | awk '
/^[*]/ {{ table = $0; chains = jumps = ends = "" }}
/^:({_CHAINS})/ {{ chains = chains $1 " - [0:0]\\n"; ends = ends "-X " substr($1, 2) "\\n" }}
/^-A / && $2 !~ /^({_CHAINS})/ && / -[gj] ({_CHAINS})[^" ]*$/ {{ sub(/^-A/, "-D"); jumps = jumps $0 "\\n" }}
/^COMMIT/ && chains jumps != "" {{ print table; printf "%s", chains jumps ends; print }}')
    [ -n "$ours" ] || break
    if printf '%s\\n' "$ours" | $tool-restore -w 5 --noflush; then break; fi
    [ "$turn" -lt 5 ] || exit 1
  done
done
if command -v nft >/dev/null 2>&1; then
  for table in kube-proxy flannel-ipv4 flannel-ipv6; do
    for family in ip ip6; do nft delete table $family $table 2>/dev/null || true; done
  done
fi
# kube-proxy in its mode ipvs owns the whole table; without its link the table is a load balancer's.
if [ -e /sys/class/net/kube-ipvs0 ] && command -v ipvsadm >/dev/null 2>&1; then
  ipvsadm --clear 2>/dev/null || true
fi"""
# A route may go meanwhile, with the link that it leads over.
_REMOVE_ROUTES = """ip -{version} route show root {network} |
  awk '$1 ~ "/{share}$" && $2 == "via" {{print $1, $3}}' |
  while read -r share node; do ip -{version} route delete "$share" via "$node" || true; done"""
_REMOVE_VIP = f"""[ -r {paths.KEEPALIVED_CONFIG} ] || {{ echo unchanged; exit 0; }}
sed -n 's,^ *\\([0-9a-fA-F.:]*/[0-9]*\\) dev \\([^ ]*\\)$,\\1 \\2,p' {paths.KEEPALIVED_CONFIG} |
  while read -r address link; do ip address delete "$address" dev "$link" 2>/dev/null || true; done"""
# By network: cbr0 is flannel's in addons/flannel, cni-loopback the one that containerd itself gives each pod.
# Other tools (podman, nerdctl) keep theirs in the same directories.
_CNI_STATE = f"""cd {paths.CNI_STATE_DIR} 2>/dev/null || {{ echo unchanged; exit 0; }}
rm -rf --one-file-system -- flannel networks/cbr0
for noted in results/cbr0-* results/cni-loopback-*-lo; do
  if [ -e "$noted" ]; then rm -f -- "$noted"; fi
done
cd /
for empty in /networks /results ""; do rmdir "{paths.CNI_STATE_DIR}$empty" 2>/dev/null || true; done"""
_LEFT_EMPTY = (
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
    "/usr/libexec/kubernetes/kubelet-plugins/volume",
    "/usr/libexec/kubernetes/kubelet-plugins",
    "/usr/libexec/kubernetes",
    "/usr/lib/modules",
)
"""What the kubelet makes, and mounts that kube-proxy asks for, where they are missing; gone only if empty."""
_CONTAINERD_LEFT_EMPTY = ("/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd")
_PRUNE = f"""[ -e {paths.MADE_DIRECTORIES} ] || exit 0
sort -ru {paths.MADE_DIRECTORIES} | while read -r made; do rmdir "$made" 2>/dev/null || true; done
rm -f {paths.MADE_DIRECTORIES}"""
# containerd ends when the directory of CNI configurations goes away under it.
_PRUNE_BESIDE_CONTAINERD = f"""[ -e {paths.MADE_DIRECTORIES} ] || exit 0
sort -ru {paths.MADE_DIRECTORIES} | grep -v '^/etc/cni' | while read -r made; do
  rmdir "$made" 2>/dev/null || true
done"""


def plan(
    inventory: Inventory, facts: HostFacts, *, keep_artifacts: bool, unmount_flags: Sequence[str] = ()
) -> list[Action]:
    """Return what takes the host back; empty where nothing of ours is there.

    `keep_artifacts` leaves runtime, binaries, images and host settings, as `kubeadm reset` does. Foreign
    files stay, in directories that we made too. `unmount_flags` are kubeadm's.
    """
    if inventory.empty:
        return []
    # We write files only: where a directory stands in a file's place by now, it is somebody else's.
    files = {path for path in inventory.files if path not in facts.files or not facts.files[path].directory}
    cluster = _clusters(inventory, files)
    host = files - cluster
    actions: list[Action] = [
        reset_pods.stop(runtime_stays=keep_artifacts or not _is_ours(inventory)),
        RunScript("unmount what pods had mounted", _unmount(unmount_flags)),
        RunScript("remove the rules of kube-proxy, portmap and the pod network", _RULES),
        *_vip(inventory),
        *plan_hosts_line("", facts),
        *_routes(facts),
        RunScript(
            "remove network links",
            "\n".join(f"ip link delete {link} 2>/dev/null || true" for link in _links(facts)),
        ),
        Remove(tuple(_of_cluster(inventory, facts, cluster)), reason="the cluster's own"),
        RunScript("remove what plugins noted of pods", _CNI_STATE),
        *_restore(inventory, cluster),
    ]
    if keep_artifacts:
        return [
            *actions,
            RunScript("remove empty directories", _PRUNE_BESIDE_CONTAINERD),
            _keep(inventory, host),
        ]
    empty = " ".join([*_LEFT_EMPTY, *(_CONTAINERD_LEFT_EMPTY if _is_ours(inventory) else ())])
    actions += [*_runtime(inventory), *plan_restore_swap(facts), *_restore(inventory, host)]
    made = tuple(sorted(path for path in host if inventory.files[path]["made"]))
    return [
        *actions,
        Remove(made, reason="listed in the inventory"),
        RunScript("reload units", "systemctl daemon-reload"),
        RunScript("remove what was left empty", f"rmdir {empty} 2>/dev/null || true"),
        RunScript("remove empty directories", _PRUNE if _is_ours(inventory) else _PRUNE_BESIDE_CONTAINERD),
        Remove((paths.STATE_DIR, paths.KUBECTL_CACHE), reason="the inventory itself, last"),
    ]


def _unmount(flags: Sequence[str]) -> str:
    options = [_UMOUNT_OPTIONS[flag] for flag in flags if flag in _UMOUNT_OPTIONS]
    return _UNMOUNT.replace("@OPTIONS@", "".join(f"{option} " for option in dict.fromkeys(options)))


def _links(facts: HostFacts) -> list[str]:
    present = [one.name for one in facts.interfaces if _FLANNEL_LINK.fullmatch(one.name)]
    return list(dict.fromkeys([*_LINKS, *present]))


def _routes(facts: HostFacts) -> list[Action]:
    """Remove flannel's plain routes to other nodes, which no link of its own takes along.

    Its backend host-gw makes them, and VXLAN with directRouting. They lead by a gateway to a node's share
    of the pod network; what else leads into it is somebody else's.
    """
    written = facts.files.get(paths.FLANNEL_SUBNET_ENV)
    lines = []
    for found in _FLANNEL_NETWORK.finditer((written and written.content) or b""):
        try:
            network = ipaddress.ip_network(found["network"].decode(errors="replace"))
        except ValueError:
            continue
        share = int(found["length"])
        if 0 < network.prefixlen < share:
            lines.append(_REMOVE_ROUTES.format(version=network.version, network=network, share=share))
    return [RunScript("remove routes to the pods of other nodes", "\n".join(lines))] if lines else []


def _vip(inventory: Inventory) -> list[Action]:
    """Take the vip off, which its keeper does itself unless it is killed."""
    if paths.KEEPALIVED_CONFIG not in inventory.files:
        return []
    return [RunScript("take the vip off", _REMOVE_VIP)]


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


def _of_cluster(inventory: Inventory, facts: HostFacts, cluster: set[str]) -> list[str]:
    """List what the cluster leaves on a host: our files, the kubelet's, etcd's data, CNI's state."""
    made = sorted(
        path
        for path in cluster
        if inventory.files[path]["made"]
        and not path.startswith((f"{paths.KUBELET_DIR}/", f"{paths.APPLIED_DIR}/"))
    )
    data = [path for path in inventory.directories if path not in (paths.KUBELET_DIR, paths.MANIFESTS_DIR)]
    etcd = [path for path in data if not path.startswith(("/etc/cni", "/opt/cni"))]
    network = [path for path in facts.files if path.startswith(f"{paths.CNI_CONF_DIR}/10-flannel")]
    return [
        *made,
        *_KUBELETS_OWN,
        paths.KUBELET_DIR,
        paths.APPLIED_DIR,
        *etcd,
        *network,
        paths.FLANNEL_RUN_DIR,
    ]


def _runtime(inventory: Inventory) -> list[Action]:
    """Stop the runtime and drop its state if it is ours; else only our images go."""
    actions: list[Action] = []
    ours = _is_ours(inventory)
    if not ours and inventory.images:
        lines = [
            f"ctr -n k8s.io images rm {shlex.quote(reference)} >/dev/null 2>&1 || true"
            for reference in sorted(inventory.images)
        ]
        actions.append(RunScript("remove the images", "\n".join(lines)))
    if inventory.units:
        names = shlex.join(sorted(inventory.units))
        actions.append(
            RunScript("disable our units", f"systemctl disable --quiet {names} 2>/dev/null || true")
        )
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


def _keep(inventory: Inventory, host: set[str]) -> Action:
    left = Inventory(
        "",
        {path: entry for path, entry in inventory.files.items() if path in host},
        [path for path in inventory.directories if path.startswith(("/etc/cni", "/opt/cni"))],
        inventory.units,
        inventory.images,
    )
    return WriteFiles((FileSpec(paths.INVENTORY, left.dump(), 0o600),), title="note what is left")
