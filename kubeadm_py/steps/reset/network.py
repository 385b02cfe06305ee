"""Plan the end of a cluster's network on a host: rules, links, routes, what CNI plugins noted."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Sequence

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.network_traces import NetworkTraces
from kubeadm_py.steps.kube_proxy import rules as proxy_rules

_PROXY = "KUBE-"
"""What kube-proxy's and the kubelet's chains and IP sets begin with."""
_PROXY_LINK = "kube-ipvs0"
_PROXY_TABLE = "kube-proxy"
_FLANNEL_NETWORK = re.compile(
    rb"^FLANNEL_(?P<family>(?:IPV6_)?)NETWORK=(?P<network>\S+)$.*?"
    rb"^FLANNEL_(?P=family)SUBNET=\S+/(?P<length>\d+)$",
    re.MULTILINE | re.DOTALL,
)
# What is deleted is named rule by rule, in one transaction a table: writing all rules back would take away
# those that a firewall or a container engine adds meanwhile. A change of theirs may make ours fail, as a
# whole: hence the turns. The names of chains say whether they are kube-proxy's, the kubelet's or the pod
# network's. Those of CNI plugins (portmap, bridge) belong to all CNI networks of the host: where another one
# has rules, only the chains go that a rule about our network leads to.
_RULES = """# Where it keeps a copy of such rules, it takes that away as it ends.
systemctl stop @UNIT@ 2>/dev/null || true
seen=
for tool in iptables ip6tables; do
  if ! command -v $tool-save >/dev/null 2>&1; then
    [ "$tool" = ip6tables ] || kpy_warn "there is no iptables-save: rules for pods stay until a reboot"
    continue
  fi
  for turn in 1 2 3 4 5; do
    rules=$($tool-save 2>/dev/null) || break
    named=$(printf '%s\\n' "$rules" | grep -F 'name: \\"') || true
    mine=$(printf '%s\\n' "$named" | grep -F @NETWORKS@ |
      sed -n 's/.* -j \\(CNI-[^ ]*\\)$/\\1/p' | sort -u | tr '\\n' ' ')
    all=1
    if printf '%s\\n' "$named" | grep -vF @NETWORKS@ | grep -q .; then all=0; fi
    ours=$(printf '%s\\n' "$rules" | awk -v all=$all -v mine=" $mine" '
function is_ours(name) {
  return name ~ /^(@CHAINS@)[^"]*$/ || (name ~ /^CNI-[^"]*$/ && (all || index(mine, " " name " ")))
}
/^[*]/ { table = $0; chains = jumps = ends = "" }
/^:/ {
  name = substr($1, 2)
  if (is_ours(name)) { chains = chains $1 " - [0:0]\\n"; ends = ends "-X " name "\\n" }
}
/^-A / && !is_ours($2) && (($(NF - 1) ~ /^-[gj]$/ && is_ours($NF)) || /--comment "?(@COMMENTS@)/) {
  sub(/^-A/, "-D"); jumps = jumps $0 "\\n"
}
/^COMMIT/ && chains jumps != "" { print table; printf "%s", chains jumps ends; print }')
    [ -n "$ours" ] || break
    case $ours in *KUBE-SERVICES*) seen=1 ;; esac
    if printf '%s\\n' "$ours" | $tool-restore -w 5 --noflush; then break; fi
    [ "$turn" -lt 5 ] || exit 1
  done
done
if command -v nft >/dev/null 2>&1; then
  for table in @TABLES@; do
    for family in ip ip6; do nft delete table $family $table 2>/dev/null || true; done
  done
elif [ -z "$seen" ]; then
  kpy_warn "there is no nft: tables of kube-proxy in its mode nftables stay until a reboot"
fi
# kube-proxy in its mode ipvs owns the whole table; without its link the table is a load balancer's.
if [ -e /sys/class/net/@LINK@ ] && command -v ipvsadm >/dev/null 2>&1; then
  ipvsadm --clear 2>/dev/null || true
fi
# Sets of sets hold others: what is left after them goes the second time.
if command -v ipset >/dev/null 2>&1; then
  for turn in 1 2; do
    for set in $(ipset list -n 2>/dev/null | grep -E '^(@SETS@)'); do
      ipset destroy "$set" 2>/dev/null || true
    done
  done
fi"""
_LINKS = """for link in $(ls /sys/class/net | grep -xE @LINKS@); do
  ip link delete "$link" 2>/dev/null || true
done"""
# A route may go meanwhile, with the link that it leads over.
_REMOVE_ROUTES = """ip -{version} route show root {network} |
  awk '$1 ~ "/{share}$" && $2 == "via" {{print $1, $3}}' |
  while read -r share node; do ip -{version} route delete "$share" via "$node" || true; done"""
_REMOVE_VIP = f"""[ -r {paths.KEEPALIVED_CONFIG} ] || {{ echo unchanged; exit 0; }}
sed -n 's,^ *\\([0-9a-fA-F.:]*/[0-9]*\\) dev \\([^ ]*\\)$,\\1 \\2,p' {paths.KEEPALIVED_CONFIG} |
  while read -r address link; do ip address delete "$address" dev "$link" 2>/dev/null || true; done"""
# By network: cni-loopback is the one that containerd itself gives each pod. Other tools (podman, nerdctl)
# keep theirs in the same directories.
_CNI_STATE = f"""cd {paths.CNI_STATE_DIR} 2>/dev/null || {{ echo unchanged; exit 0; }}
for network in @NETWORKS@; do
  rm -rf --one-file-system -- "networks/$network"
  for noted in "results/$network"-*; do
    if [ -e "$noted" ]; then rm -f -- "$noted"; fi
  done
done
for noted in results/cni-loopback-*-lo; do
  if [ -e "$noted" ]; then rm -f -- "$noted"; fi
done
cd /
for empty in /networks /results ""; do rmdir "{paths.CNI_STATE_DIR}$empty" 2>/dev/null || true; done"""


def on_host(known: Sequence[NetworkTraces], facts: HostFacts) -> tuple[NetworkTraces, ...]:
    """Return the pod networks that may have left something: those that the config names, or the host shows.

    Others' traces may be somebody's own: some of these run without Kubernetes, too.
    """
    return tuple(
        each
        for each in known
        if each.asked_for
        or f"{paths.CNI_CONF_DIR}/{each.cni_config}" in facts.files
        or any(path in facts.directories for path in each.paths)
        or each.subnet_file in facts.files
    )


def rules(networks: Sequence[NetworkTraces]) -> Action:
    """Remove the rules of kube-proxy, of CNI plugins for the cluster's network, and of that network."""
    quoted = [shlex.quote(f'name: \\"{name}\\"') for name in _cni_networks(networks)]
    filled = {
        "@UNIT@": proxy_rules.UNIT,
        # Of no network, nothing: grep -F finds an empty pattern everywhere.
        "@NETWORKS@": " ".join(f"-e {each}" for each in quoted) or "-e 'name: no network'",
        "@CHAINS@": "|".join((_PROXY, *(chain for each in networks for chain in each.chains))),
        "@COMMENTS@": "|".join(comment for each in networks for comment in each.comments) or "no-network:",
        "@TABLES@": " ".join((_PROXY_TABLE, *(table for each in networks for table in each.nft_tables))),
        "@SETS@": "|".join((_PROXY, *(prefix for each in networks for prefix in each.ipsets))),
        "@LINK@": _PROXY_LINK,
    }
    return RunScript("remove the rules of kube-proxy, portmap and the pod network", _fill(_RULES, filled))


def links(networks: Sequence[NetworkTraces]) -> Action:
    """Remove the pod network's links, and kube-proxy's."""
    names = "|".join((_PROXY_LINK, *(link for each in networks for link in each.links)))
    return RunScript("remove network links", _fill(_LINKS, {"@LINKS@": shlex.quote(f"({names})")}))


def _cni_networks(networks: Sequence[NetworkTraces]) -> list[str]:
    return list(dict.fromkeys(each.cni_network for each in networks if each.cni_network))


def _fill(script: str, places: dict[str, str]) -> str:
    for place, text in places.items():
        script = script.replace(place, text)
    return script


def routes(networks: Sequence[NetworkTraces], facts: HostFacts) -> list[Action]:
    """Remove plain routes to other nodes, which no link takes along.

    flannel's backend host-gw makes them, and VXLAN with directRouting. They lead by a gateway to a node's
    share of the pod network; what else leads into it is somebody else's.
    """
    written = [facts.files.get(each.subnet_file) for each in networks if each.subnet_file]
    contents = dict.fromkeys(each.content for each in written if each is not None and each.content)
    lines = []
    for found in (match for content in contents for match in _FLANNEL_NETWORK.finditer(content)):
        try:
            network = ipaddress.ip_network(found["network"].decode(errors="replace"))
        except ValueError:
            continue
        share = int(found["length"])
        if 0 < network.prefixlen < share:
            lines.append(_REMOVE_ROUTES.format(version=network.version, network=network, share=share))
    return [RunScript("remove routes to the pods of other nodes", "\n".join(lines))] if lines else []


def vip(inventory: Inventory) -> list[Action]:
    """Take the vip off, which its keeper does itself unless it is killed."""
    if paths.KEEPALIVED_CONFIG not in inventory.files:
        return []
    return [RunScript("take the vip off", _REMOVE_VIP)]


def notes(networks: Sequence[NetworkTraces]) -> Action:
    """Remove what CNI plugins noted of the cluster's pods."""
    names = shlex.join(_cni_networks(networks))
    return RunScript("remove what plugins noted of pods", _fill(_CNI_STATE, {"@NETWORKS@": names}))


def files(networks: Sequence[NetworkTraces], inventory: Inventory) -> list[str]:
    """Return the files that the pod network wrote by itself: last the one by which a rerun knows it."""
    written = [path for each in networks for path in each.paths if path not in inventory.files]
    known_by = [f"{paths.CNI_CONF_DIR}/{each.cni_config}" for each in networks]
    return list(dict.fromkeys([*written, *known_by]))


def mounted_below(networks: Sequence[NetworkTraces]) -> list[str]:
    """Return the directories below which the pod network may have mounted something."""
    return list(dict.fromkeys(path for each in networks for path in each.paths))
