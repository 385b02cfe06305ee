"""Run haproxy on a node as an operator would: beside the cluster, by a unit of its own, back after a boot."""

from __future__ import annotations

from collections.abc import Sequence

from lab import nodes
from lab.topology import Node

PORT = 7443
_CONFIG = f"""
defaults
  mode tcp
  option redispatch
  retries 2
  timeout connect 500ms
  timeout client 1h
  timeout server 1h
  timeout check 1s
frontend api
  bind *:{PORT}
  default_backend apis
backend apis
  option httpchk GET /readyz
  http-check expect rstatus ^(200|401)$
  default-server check check-ssl verify none inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
"""
_UNIT = """[Unit]
After=containerd.service
Wants=containerd.service
[Service]
Restart=always
RestartSec=1
TimeoutStopSec=3
ExecStartPre=-/usr/bin/env ctr -n lb tasks kill --signal SIGKILL lb
ExecStartPre=-/usr/bin/env ctr -n lb tasks delete lb
ExecStartPre=-/usr/bin/env ctr -n lb containers delete lb
ExecStart=/usr/bin/env ctr -n lb run --rm --net-host \
  --mount type=bind,src=/srv/lb,dst=/srv/lb,options=rbind:ro IMAGE lb haproxy -db -f /srv/lb/haproxy.cfg
[Install]
WantedBy=multi-user.target
"""
# The image is the one that the cluster's own balancers run: it lies on hosts that were workers once.
_START = """set -e
image=$(ctr -n k8s.io images ls -q | grep /haproxy: | head -n 1)
ctr -n k8s.io images export /srv/lb/image.tar "$image"
ctr -n lb images import --local /srv/lb/image.tar >/dev/null
rm /srv/lb/image.tar
sed "s,IMAGE,$image," /srv/lb/lb.service >/etc/systemd/system/lb.service
systemctl daemon-reload
systemctl enable --quiet --now lb.service
for _ in $(seq 100); do
  (: </dev/tcp/127.0.0.1/PORT) 2>/dev/null && exit 0
  sleep 0.2
done
journalctl -u lb --no-pager | tail -n 20
exit 1
""".replace("PORT", str(PORT))
_STOP = """systemctl disable --quiet --now lb.service 2>/dev/null
ctr -n lb tasks kill --signal SIGKILL lb 2>/dev/null
ctr -n lb containers delete lb 2>/dev/null
ctr -n lb images ls -q 2>/dev/null | xargs -r ctr -n lb images remove >/dev/null
ctr namespaces remove lb >/dev/null 2>&1
rm -rf /srv/lb /etc/systemd/system/lb.service
systemctl daemon-reload
"""


def endpoint(node: Node) -> str:
    """Return what the balancer on a node is asked by."""
    return f"{node.address}:{PORT}"


def start(node: Node, control_planes: Sequence[Node]) -> None:
    """Start it before these control planes, which need not be there yet."""
    servers = "".join(f"  server {each.name} {each.address}:6443\n" for each in control_planes)
    for name, text in (("haproxy.cfg", _CONFIG + servers), ("lb.service", _UNIT)):
        nodes.exec(node, ["sh", "-c", f"mkdir -p /srv/lb; cat >/srv/lb/{name}"], stdin=text)
    nodes.exec(node, ["bash", "-c", _START])


def stop(node: Node) -> None:
    """Take it away, and all that it needed."""
    nodes.exec(node, ["sh", "-c", _STOP])
