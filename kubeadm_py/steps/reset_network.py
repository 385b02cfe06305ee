"""Plan the end of a cluster's network on a host: rules, links, routes, what CNI plugins noted."""

from __future__ import annotations

import ipaddress
import re

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.steps import proxy_rules

_LINKS = ("cni0", "flannel.1", "kube-ipvs0")
_FLANNEL_LINK = re.compile(r"flannel(-v6)?\.\d+|flannel-wg(-v6)?")
"""Its links by backend, a VXLAN's with its identifier."""
_FLANNEL_NETWORK = re.compile(
    rb"^FLANNEL_(?P<family>(?:IPV6_)?)NETWORK=(?P<network>\S+)$.*?"
    rb"^FLANNEL_(?P=family)SUBNET=\S+/(?P<length>\d+)$",
    re.MULTILINE | re.DOTALL,
)
_CNI_NETWORK = "cbr0"
"""The network's name in addons/flannel, by which rules and notes of its pods are known."""

# What is deleted is named rule by rule, in one transaction a table: writing all rules back would take away
# those that a firewall or a container engine adds meanwhile. A change of theirs may make ours fail, as a
# whole: hence the turns. Chains KUBE- and FLANNEL- are kube-proxy's, the kubelet's and flannel's. Those of
# CNI plugins (portmap, bridge) belong to all CNI networks of the host: where another one has rules, only the
# chains go that a rule about our network leads to.
_RULES = f"""# Where it keeps a copy of such rules, it takes that away as it ends.
systemctl stop {proxy_rules.UNIT} 2>/dev/null || true
seen=
for tool in iptables ip6tables; do
  if ! command -v $tool-save >/dev/null 2>&1; then
    [ "$tool" = ip6tables ] || kpy_warn "there is no iptables-save: rules for pods stay until a reboot"
    continue
  fi
  for turn in 1 2 3 4 5; do
    rules=$($tool-save 2>/dev/null) || break
    named=$(printf '%s\\n' "$rules" | grep -F 'name: \\"') || true
    mine=$(printf '%s\\n' "$named" | grep -F 'name: \\"{_CNI_NETWORK}\\"' |
      sed -n 's/.* -j \\(CNI-[^ ]*\\)$/\\1/p' | sort -u | tr '\\n' ' ')
    all=1
    if printf '%s\\n' "$named" | grep -vF 'name: \\"{_CNI_NETWORK}\\"' | grep -q .; then all=0; fi
    ours=$(printf '%s\\n' "$rules" | awk -v all=$all -v mine=" $mine" '
function is_ours(name) {{
  return name ~ /^(KUBE-|FLANNEL-)[^"]*$/ || (name ~ /^CNI-[^"]*$/ && (all || index(mine, " " name " ")))
}}
/^[*]/ {{ table = $0; chains = jumps = ends = "" }}
/^:/ {{
  name = substr($1, 2)
  if (is_ours(name)) {{ chains = chains $1 " - [0:0]\\n"; ends = ends "-X " name "\\n" }}
}}
/^-A / && !is_ours($2) && $(NF - 1) ~ /^-[gj]$/ && is_ours($NF) {{ sub(/^-A/, "-D"); jumps = jumps $0 "\\n" }}
/^COMMIT/ && chains jumps != "" {{ print table; printf "%s", chains jumps ends; print }}')
    [ -n "$ours" ] || break
    case $ours in *KUBE-SERVICES*) seen=1 ;; esac
    if printf '%s\\n' "$ours" | $tool-restore -w 5 --noflush; then break; fi
    [ "$turn" -lt 5 ] || exit 1
  done
done
if command -v nft >/dev/null 2>&1; then
  for table in kube-proxy flannel-ipv4 flannel-ipv6; do
    for family in ip ip6; do nft delete table $family $table 2>/dev/null || true; done
  done
elif [ -z "$seen" ]; then
  kpy_warn "there is no nft: tables of kube-proxy in its mode nftables stay until a reboot"
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
# By network: cni-loopback is the one that containerd itself gives each pod. Other tools (podman, nerdctl)
# keep theirs in the same directories.
_CNI_STATE = f"""cd {paths.CNI_STATE_DIR} 2>/dev/null || {{ echo unchanged; exit 0; }}
rm -rf --one-file-system -- flannel networks/{_CNI_NETWORK}
for noted in results/{_CNI_NETWORK}-* results/cni-loopback-*-lo; do
  if [ -e "$noted" ]; then rm -f -- "$noted"; fi
done
cd /
for empty in /networks /results ""; do rmdir "{paths.CNI_STATE_DIR}$empty" 2>/dev/null || true; done"""


def rules() -> Action:
    """Remove the rules of kube-proxy, of CNI plugins for the cluster's network, and of flannel."""
    return RunScript("remove the rules of kube-proxy, portmap and the pod network", _RULES)


def links(facts: HostFacts) -> Action:
    """Remove the pod network's links."""
    present = [one.name for one in facts.interfaces if _FLANNEL_LINK.fullmatch(one.name)]
    named = dict.fromkeys([*_LINKS, *present])
    return RunScript(
        "remove network links", "\n".join(f"ip link delete {link} 2>/dev/null || true" for link in named)
    )


def routes(facts: HostFacts) -> list[Action]:
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


def vip(inventory: Inventory) -> list[Action]:
    """Take the vip off, which its keeper does itself unless it is killed."""
    if paths.KEEPALIVED_CONFIG not in inventory.files:
        return []
    return [RunScript("take the vip off", _REMOVE_VIP)]


def notes() -> Action:
    """Remove what CNI plugins noted of the cluster's pods."""
    return RunScript("remove what plugins noted of pods", _CNI_STATE)


def files(facts: HostFacts) -> list[str]:
    """Return the files that the pod network wrote by itself."""
    written = [path for path in facts.files if path.startswith(f"{paths.CNI_CONF_DIR}/10-flannel")]
    return [*written, paths.FLANNEL_RUN_DIR]
