"""Build the waits that loop on a host: what is asked, what is hopeless, what a person should see."""

from __future__ import annotations

import shlex
from datetime import timedelta

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Wait
from kubeadm_py.model.node import Node
from kubeadm_py.render import probes
from kubeadm_py.render.probes import Probe

HOPELESS_EXITS = 3
"""A container that ended this often while we wait will not come up by waiting longer."""
HOPELESS_STARTS = 4
"""The same of a kubelet, which systemd starts again."""
LOG_LINES = 12
_FIRST_PATIENCE = 30
"""Seconds that other control planes leave to the first API server of a new cluster."""
ENDED_REASONS = "CrashLoopBackOff | Error | Completed | OOMKilled | StartError | ContainerCannotRun"
"""What the API says of a container that ended. A kubelet that starts it again after a while only may go on
calling it by the reason of its end."""
# The kubelet keeps one dead container a component and may go on counting where an earlier cluster stopped, so
# what counts is how far the attempts went since the first look.
CONTAINER_FUNCTIONS = f"""
kpy_exits() {{
  crictl ps -a --name "^$1\\$" -o json 2>/dev/null \\
    | sed -n 's/[",]//g; s/^ *\\([a-zA-Z]*\\): \\([A-Z_0-9]*\\)$/\\1 \\2/p' >"$kpy_tmp/containers"
  newest=0 last=
  while read -r key value; do
    case $key in
      attempt) number=$value ;;
      state) state=$value ;;
      createdAt) if [ "$value" -ge "$newest" ]; then newest=$value last=$number how=$state; fi ;;
    esac
  done <"$kpy_tmp/containers"
  if [ -z "$last" ]; then
    echo 0
    return
  fi
  first=$(cat "$kpy_tmp/first.$1" 2>/dev/null)
  if [ -z "$first" ] || [ "$last" -lt "$first" ]; then
    first=$last
    echo "$first" >"$kpy_tmp/first.$1"
  fi
  if [ "$how" = CONTAINER_EXITED ]; then last=$((last + 1)); fi
  echo $((last - first))
}}
kpy_container_log() {{
  id=$(crictl ps -a --name "^$1\\$" -q 2>/dev/null | head -n 1)
  if [ -n "$id" ]; then
    echo "$1 says:"
    crictl logs --tail {LOG_LINES} "$id" 2>&1 | cut -c 1-300 | sed 's/^/  /'
  else
    echo "$1: no container was ever made"
  fi
}}
"""
KUBELET_LOG = f"""
echo "kubelet says:"
journalctl -u kubelet -n {LOG_LINES} --no-pager -o cat 2>/dev/null | cut -c 1-300 | sed 's/^/  /'
"""


def kubectl(kubeconfig: str, server: str = "") -> str:
    """Return the start of a kubectl command with a short request timeout."""
    where = f" --server {shlex.quote(server)}" if server else ""
    return (
        f"kubectl --cache-dir {paths.KUBECTL_CACHE} --kubeconfig {shlex.quote(kubeconfig)}{where}"
        " --request-timeout 10s"
    )


def keeps_ending(component: str) -> str:
    """Return shell that says of a component's container on this host that it ended too often to come up."""
    return f"""{CONTAINER_FUNCTIONS}
exits=$(kpy_exits {component})
[ "$exits" -ge {HOPELESS_EXITS} ] || return 1
echo "{component} on this host ended $exits times"
"""


def container_log(component: str) -> str:
    """Return shell that prints what a component's container on this host logged last."""
    return f"{CONTAINER_FUNCTIONS}\nkpy_container_log {component}\n"


def _ask(certificates_dir: str, ca: str, server: str, path: str) -> str:
    """Return the shell words that ask a component, as the API server's own client of kubelets."""
    client = f"{certificates_dir}/apiserver-kubelet-client"
    return f"kpy_ask {shlex.join([client, ca, server, path])}"


def api_server(node: Node, deadline: timedelta, certificates_dir: str, etcd: Probe | None) -> Wait:
    """Wait until this control plane's own API server says it is ready; `etcd` is the host's own, if any."""
    components = ["etcd", "kube-apiserver"] if etcd else ["kube-apiserver"]
    # Asking the socket table is cheap; the question itself is put only once somebody listens.
    server = probes.kube_apiserver(node).url(node)
    ask = _ask(certificates_dir, f"{certificates_dir}/ca.crt", server, "/readyz?verbose")
    first = f"kpy_listens {etcd.port:04X} || {{ echo 'etcd has not started'; return 1; }}\n" if etcd else ""
    until = f"""{first}kpy_listens {node.bind_port:04X} \
  || {{ echo "kube-apiserver has not started"; return 1; }}
{ask} && return 0
case $answer in
  *'"code":403'* | *'"code": 403'*)
    echo "kube-apiserver is not ready: its first roles are not there yet"
    return 1
    ;;
esac
missing=$(printf '%s\\n' "$answer" | sed -n 's/^.*\\[-\\]\\([^ ]*\\) failed.*$/\\1/p' | tr '\\n' ' ')
echo "kube-apiserver is not ready: ${{missing:-$(kpy_last)}}"
return 1"""
    listed = " ".join(components)
    # Without etcd the API server ends every time, which says nothing about it.
    anew = f'kpy_listens {etcd.port:04X} || rm -f "$kpy_tmp/first.kube-apiserver"' if etcd else ""
    hopeless = f"""{CONTAINER_FUNCTIONS}
{anew}
for component in {listed}; do
  exits=$(kpy_exits $component)
  if [ "$exits" -ge {HOPELESS_EXITS} ]; then
    echo "$component on this host ended $exits times"
    guilty=$component
    return 0
  fi
done
restarts=$(systemctl show -p NRestarts --value kubelet 2>/dev/null)
if [ "${{restarts:-0}}" -ge {HOPELESS_STARTS} ]; then
  echo "kubelet cannot start: it ended $restarts times"
  return 0
fi
return 1"""
    diagnose = f"""{CONTAINER_FUNCTIONS}
if [ -n "${{guilty:-}}" ]; then
  kpy_container_log "$guilty"
  return
fi
for component in {listed}; do kpy_container_log $component; done
{KUBELET_LOG}"""
    return Wait(
        "wait for kube-apiserver",
        until,
        deadline,
        hopeless=hopeless,
        diagnose=diagnose,
        logs=(*components, "kubelet"),
    )


def api_server_begins(first: Node, deadline: timedelta, certificates_dir: str) -> Wait:
    """Wait until the API server of another host answers, whatever it answers; not for long.

    That one writes a new cluster's first roles, which others find then; at once, all would write them against
    each other. It is no condition: where it does not come up, each host is to say by itself what it lacks.
    """
    # A wait that comes to its deadline fails.
    patience = min(_FIRST_PATIENCE, int(deadline.total_seconds()) // 2)
    server = probes.kube_apiserver(first).url(first)
    return Wait(
        f"wait for kube-apiserver on {first.name} to begin",
        f"""kpy_clock
[ -s "$kpy_tmp/first-asked" ] || echo "$kpy_seconds" >"$kpy_tmp/first-asked"
read -r asked <"$kpy_tmp/first-asked"
[ "$kpy_seconds" -lt $((asked + {patience})) ] || return 0
{_ask(certificates_dir, f"{certificates_dir}/ca.crt", server, "/livez")} && return 0
case $answer in
  *'"code":'* | *'[+]'* | *'Error from server'*) return 0 ;;
esac
echo "kube-apiserver on {first.name} has not begun"
return 1""",
        deadline,
        logs=("etcd", "kubelet"),
    )


def component_healthy(
    node: Node, component: str, probe: Probe, path: str, deadline: timedelta, certificates_dir: str
) -> Wait:
    """Wait until kube-controller-manager or kube-scheduler answers its health check where it listens.

    Their serving certificates are self-signed; the path needs no identity (contract 6.1), but kubectl does:
    without one it asks for a user name.
    """
    ask = _ask(certificates_dir, "-", probe.url(node), path)
    return Wait(
        f"wait for {component}",
        f"""kpy_listens {probe.port:04X} || {{ echo "{component} has not started"; return 1; }}
{ask} || {{ echo "{component} is not healthy yet"; return 1; }}""",
        deadline,
        hopeless=keeps_ending(component),
        diagnose=container_log(component),
        logs=(component,),
    )


def static_pod_listens(component: str, port: int, deadline: timedelta) -> Wait:
    """Wait until a static pod that needs no API server listens at its port."""
    return Wait(
        f"wait for {component}",
        f"""kpy_listens {port:04X} && return 0
echo "{component} has not started"
return 1""",
        deadline,
        hopeless=keeps_ending(component),
        diagnose=container_log(component) + KUBELET_LOG,
        logs=(component, "kubelet"),
    )


def serves_name(node: Node, name: str, certificates_dir: str, deadline: timedelta) -> Wait:
    """Wait until this control plane's API server serves a certificate for `name`, which it reads itself."""
    client = f"{certificates_dir}/apiserver-kubelet-client"
    words = [
        *("kubectl", "--cache-dir", paths.KUBECTL_CACHE, "--kubeconfig", "/dev/null"),
        *("--server", probes.kube_apiserver(node).url(node), "--tls-server-name", name),
        *("--certificate-authority", f"{certificates_dir}/ca.crt"),
        *("--client-certificate", f"{client}.crt", "--client-key", f"{client}.key"),
        *("--request-timeout", "5s", "get", "--raw", "/version"),
    ]
    return Wait(
        f"wait until kube-apiserver serves its certificate for {name}",
        f"""answer=$({shlex.join(words)} 2>&1) && return 0
kpy_last
return 1""",
        deadline,
        interval=0.5,
        look=f"openssl s_client -connect {node.local_endpoint} </dev/null | openssl x509 -noout -text",
    )


def answers(node: Node, server: str, deadline: timedelta, component: str = "") -> Wait:
    """Wait until the API answers this host's kubelet at `server`; `component` is the host's pod before it."""
    command = kubectl(paths.KUBELET_CONF, server)
    log = container_log(component) if component else ""
    return Wait(
        f"wait for the API at {server.removeprefix('https://')}",
        f"""answer=$({command} get --raw /version 2>&1) && return 0
kpy_last
return 1""",
        deadline,
        interval=0.5,
        diagnose=log,
        look=f"kubectl --kubeconfig {paths.KUBELET_CONF} --server {server} get --raw /version"
        f"     (on {node.name}, as root); nothing uses this endpoint yet",
    )


def kubelet_healthy(port: int, deadline: timedelta) -> Wait:
    """Wait until the kubelet's health port listens; a kubelet that keeps ending is hopeless.

    Port 0 is none (KubeletConfiguration.healthzPort): then it has to run.
    """
    healthy = f"kpy_listens {port:04X}" if port else "systemctl is-active --quiet kubelet"
    return Wait(
        "wait for the kubelet",
        f"""{healthy} && return 0
echo "the kubelet is not healthy yet"
return 1""",
        deadline,
        hopeless=f"""restarts=$(systemctl show -p NRestarts --value kubelet 2>/dev/null)
[ "${{restarts:-0}}" -ge {HOPELESS_STARTS} ] || return 1
echo "kubelet cannot start: it ended $restarts times"
""",
        diagnose=KUBELET_LOG,
        logs=("kubelet",),
    )
