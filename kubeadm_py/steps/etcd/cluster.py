"""Hold the shell words by which a host's script speaks to the etcd cluster, with the certificates by path."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from kubeadm_py.model import paths, ports
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.node import Node
from kubeadm_py.render import probes

_ANNOTATION = r"{.metadata.annotations.kubeadm\.kubernetes\.io/etcd\.advertise-client-urls}"
_PODS = "component=etcd,tier=control-plane"
_ENDPOINTS = f'{{range .items[*]}}{_ANNOTATION}{{"\\n"}}{{end}}'
MEMBER_COLUMNS = ("id", "status", "name", "peer URLs", "client URLs", "learner")
"""What `etcdctl member list -w simple` prints in a line, with `, ` between."""


def client_url(node: Node) -> str:
    """Return the URL at which a control plane's etcd answers clients on other hosts."""
    return f"https://{join_host_port(probes.advertised(node), ports.ETCD_CLIENT)}"


def peer_url(node: Node) -> str:
    """Return the URL at which a control plane's etcd talks to the other members."""
    return f"https://{join_host_port(probes.advertised(node), ports.ETCD_PEER)}"


def functions(cluster: ResolvedCluster, node: Node, server: str, others: Sequence[Node] = ()) -> str:
    """Return functions for a script on a host that runs a member.

    `kpy_members` puts the members into $members, one a line as MEMBER_COLUMNS has them, this host's own line
    into $own_line, and the URLs of the others that vote into $others. It asks the other members, for a
    learner answers no such question: first `others`, or where none are given those that it finds by the
    annotations of their pods. `server` is then the URL of an API server that runs.

    A host that somebody else prepared may have no etcdctl: the etcd on it lends its own, and as long as none
    runs there, one that the API server leads to.
    """
    certificates = f"{cluster.certificates_dir}/etcd"
    find = _given(others) if others else _by_annotation(server)
    flags = shlex.join(
        [
            *("--cacert", f"{certificates}/ca.crt"),
            *("--cert", f"{certificates}/healthcheck-client.crt"),
            *("--key", f"{certificates}/healthcheck-client.key"),
        ]
    )
    lend = '  command -v etcdctl >/dev/null 2>&1 || [ -n "${kpy_lends:-}" ] || kpy_lend\n' if server else ""
    return f"""own_client={shlex.quote(client_url(node))}
own_peer={shlex.quote(peer_url(node))}
kpy_own_etcd() {{
  crictl ps -q --name '^etcd$' 2>/dev/null | head -n 1
}}
# kpy_etcdctl ENDPOINTS WORDS...
kpy_etcdctl() {{
  kpy_at=$1
  shift
  set -- --endpoints "$kpy_at" {flags} --dial-timeout 2s --command-timeout 5s "$@"
  if command -v etcdctl >/dev/null 2>&1; then
    etcdctl "$@"
  elif kpy_own=$(kpy_own_etcd) && [ -n "$kpy_own" ]; then
    crictl exec "$kpy_own" etcdctl "$@"
  elif [ -n "${{kpy_lends:-}}" ]; then
    kpy_in_pod "$kpy_lends" etcdctl "$@"
  else
    echo "there is no etcdctl on this host, and no pod of etcd that lends one" >&2
    return 1
  fi
}}
{_lending(server) if server else ""}
kpy_others() {{
  [ -z "${{others:-}}" ] || return 0
{find}
}}
kpy_members() {{
  kpy_others || return 1
{lend}  members=$(kpy_etcdctl "$others" member list -w simple 2>&1) || {{
    answer=$members
    kpy_lends=
    echo "etcd does not answer: $(kpy_last)"
    return 1
  }}
  own_line=$(printf '%s\\n' "$members" | awk -F ', ' -v url="$own_peer" '{{
    count = split($4, urls, ",")
    for (i = 1; i <= count; i++) if (urls[i] == url) {{ print; exit }}
  }}')
  own_id=${{own_line%%,*}}
  # Those that vote, not the pods that named them: pods of a host that has left stay in the API for a while.
  voters=$(printf '%s\\n' "$members" | awk -F ', ' -v own="$own_client" \\
    '$5 != "" && $5 != own && $6 == "false" {{ print $5 }}' | paste -sd , -)
  [ -z "$voters" ] || others=$voters
}}
"""


def _given(others: Sequence[Node]) -> str:
    return f"  others={shlex.quote(','.join(client_url(each) for each in others))}"


def _kubectl(server: str) -> str:
    return (
        f"kubectl --cache-dir {paths.KUBECTL_CACHE} --kubeconfig {paths.ADMIN_CONF}"
        f" --server {shlex.quote(server)} --request-timeout 10s"
    )


def _lending(server: str) -> str:
    """Find a pod that answers first: what changes something is never tried in a second one."""
    kubectl = _kubectl(server)
    return f"""kpy_in_pod() {{
  kpy_pod=$1
  shift
  timeout 15 {kubectl} exec -n kube-system "$kpy_pod" -c etcd -- "$@"
}}
kpy_lend() {{
  kpy_lends=
  [ -z "$(kpy_own_etcd)" ] || return 0
  for kpy_found in $({kubectl} get pods -n kube-system -l {_PODS} -o name 2>/dev/null); do
    if kpy_in_pod "$kpy_found" etcdctl version >/dev/null 2>&1; then
      kpy_lends=$kpy_found
      return 0
    fi
  done
}}"""


def _by_annotation(server: str) -> str:
    return f"""  answer=$({_kubectl(server)} get pods -n kube-system -l {_PODS} \\
    -o jsonpath={shlex.quote(_ENDPOINTS)} 2>&1) || {{ kpy_last; return 1; }}
  others=$(printf '%s\\n' "$answer" | tr ',' '\\n' | grep '^http' | grep -vxF "$own_client" | paste -sd , -)
  [ -n "$others" ] || {{ echo "no other etcd member is known to the API"; return 1; }}"""
