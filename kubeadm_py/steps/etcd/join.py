"""Plan how a joining control plane's etcd becomes a member (kubeadm's phases check-etcd and etcd-join).

One learner at a time is etcd's own rule: who joins beside another waits here until that one is promoted.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta

from kubeadm_py.model import paths
from kubeadm_py.model.actions import INITIAL_CLUSTER, Action, EtcdMember, FileSpec, MakeDirectories, Wait
from kubeadm_py.model.node import Role
from kubeadm_py.render import probes
from kubeadm_py.render.static_pods import ETCD, manifests
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.etcd import cluster as etcd_cluster

MANIFEST = f"{paths.MANIFESTS_DIR}/etcd.yaml"
HEALTH_DEADLINE = timedelta(seconds=40)
"""kubeadm's own patience with a cluster that is to be healthy: 8 tries, 5 s apart."""
STATE = "existing"

# A founder whose address was corrected is awaited at the old one, where it costs a vote.
_STALE = """if kpy_members >"$kpy_tmp/why" 2>&1; then
  stale=$(printf '%s\\n' "$members" | awk -F ', ' -v url={url} '$4 == url {{ print $1; exit }}')
  [ -z "$stale" ] || kpy_etcdctl "$others" member remove "$stale"
  others=
fi
"""
_ANNOUNCE = """deadline=$(($(date +%s) + {seconds}))
said=
while :; do
  why=
  if kpy_members >"$kpy_tmp/why" 2>&1; then
    if [ -n "$own_line" ] && [ ! -d {data}/member ] && [ "${{own_line#*, started, }}" != "$own_line" ]; then
      if kpy_etcdctl "$own_client" endpoint health >/dev/null 2>&1; then
        # Another host's, perhaps: it is not taken out for a wrong address.
        echo "an etcd member answers at $own_client, and there is no data of it on this host"
        echo "is the address this host's own? its data would lie in {data}"
        exit 1
      fi
      # The cluster counts on a member whose data is gone: this host was wiped without leaving.
      kpy_etcdctl "$others" member remove "$own_id" >"$kpy_tmp/why" 2>&1 || why=$(tail -n 1 "$kpy_tmp/why")
      [ -n "$why" ] || continue
    elif [ -n "$own_line" ]; then
      break
    elif [ -d {data}/member ]; then
      echo "the etcd on this host has the data of a member that the cluster does not know (any more)"
      echo "if nobody needs it: kubeadm-py reset of this host, then join again"
      exit 1
    elif kpy_etcdctl "$others" member add {name} --learner --peer-urls="$own_peer" >"$kpy_tmp/why" 2>&1; then
      continue
    fi
  fi
  [ -n "$why" ] || why=$(tail -n 1 "$kpy_tmp/why" | cut -c 1-300)
  case $why in
    *'too many learner'*) why="another control plane's etcd is joining; one does at a time" ;;
    *'unhealthy cluster'*) why="etcd lets its last change settle first" others= ;;
    *) others= ;;
  esac
  if [ -e "$kpy_stop" ]; then exit 130; fi
  if [ "$(date +%s)" -ge "$deadline" ]; then
    printf '%s\\n' "$why"
    exit 1
  fi
  if [ "$why" != "$said" ]; then
    said=$why
    kpy_mark "note $why"
  fi
  sleep 0.5
done
initial=$(printf '%s\\n' "$members" | awk -F ', ' -v own="$own_id" -v name={name} '{{
  member = $1 == own ? name : ($3 == "" ? $1 : $3)
  count = split($4, urls, ",")
  for (i = 1; i <= count; i++) printf "%s%s=%s", (printed++ ? "," : ""), member, urls[i]
}}')
new={directory}/.etcd.yaml.kubeadm-py-new
(umask 077 && sed "s|{placeholder}|$initial|" "$INPUT" >"$new")
chmod {mode:04o} "$new"
mv -fT "$new" {path}
kpy_relabel {path}
"""


def plan_check(ctx: StepContext) -> list[Action]:
    """Look whether all members answer before one is added (kubeadm's phase check-etcd)."""
    if ctx.cluster.etcd.local is None or _has_member(ctx):
        return []
    until = f"""{_functions(ctx)}
kpy_members || {{ others=; return 1; }}
answer=$(kpy_etcdctl "$others" endpoint health 2>&1) && return 0
others=
printf '%s\\n' "$answer" | grep -i unhealthy | cut -c 1-300
return 1"""
    return [
        Wait(
            "look whether etcd is healthy",
            until,
            HEALTH_DEADLINE,
            interval=1.0,
            look="mend what does not answer; one that is gone for good leaves first: kubeadm-py remove HOST",
        )
    ]


def plan(ctx: StepContext) -> list[Action]:
    """Announce this member as a learner, write its manifest, and see it through to a vote."""
    local = ctx.cluster.etcd.local
    if local is None:
        return []
    actions: list[Action] = []
    if not _has_member(ctx):
        if local.data_dir not in ctx.facts.directories:
            actions.append(MakeDirectories(((local.data_dir, 0o700),), title="etcd's data directory"))
        actions.append(_announce(ctx, local.data_dir))
    return [*actions, _promotion(ctx)]


def _has_member(ctx: StepContext) -> bool:
    """Say whether the manifest is there: it is written only once the cluster knows the member."""
    return MANIFEST in ctx.facts.files


def _functions(ctx: StepContext) -> str:
    if ctx.node.role is Role.ETCD:
        return etcd_cluster.functions(ctx.cluster, ctx.node, "", ctx.etcd_others)
    server = ctx.joined.helper or ctx.joined.server
    return etcd_cluster.functions(ctx.cluster, ctx.node, server)


def _announce(ctx: StepContext, data_dir: str) -> EtcdMember:
    name, spec = shlex.quote(ctx.node.name), _manifest(ctx)
    deadline = ctx.cluster.join_timeouts.etcd_api_call
    announce = _ANNOUNCE.format(
        seconds=int(deadline.total_seconds()),
        data=shlex.quote(data_dir),
        name=name,
        directory=paths.MANIFESTS_DIR,
        path=MANIFEST,
        placeholder=INITIAL_CLUSTER,
        mode=spec.mode,
    )
    return EtcdMember(
        "announce the etcd member as a learner",
        ctx.node.name,
        etcd_cluster.peer_url(ctx.node),
        spec,
        _functions(ctx) + (_STALE.format(url=shlex.quote(ctx.again)) if ctx.again else "") + announce,
        reason="the cluster does not know it yet",
        timeout=deadline + timedelta(minutes=1),
    )


def _manifest(ctx: StepContext) -> FileSpec:
    """Return the manifest with a mark where the members go."""
    alone = (ctx.node.name, etcd_cluster.peer_url(ctx.node))
    (spec,) = manifests(
        ctx.cluster,
        ctx.node,
        ctx.facts,
        environment=ctx.facts.environment,
        etcd_members=[alone],
        initial_cluster_state=STATE,
        wanted=[ETCD],
    )
    if not isinstance(spec.content, bytes):
        raise TypeError("a manifest's content is known")
    flag = f"--initial-cluster={'='.join(alone)}".encode()
    return replace(spec, content=spec.content.replace(flag, f"--initial-cluster={INITIAL_CLUSTER}".encode()))


def _promotion(ctx: StepContext) -> Wait:
    """Wait until the member has started, caught up with the others and been promoted, and answers."""
    local = ctx.cluster.etcd.local
    port = probes.etcd_clients(local, ctx.node).port if local is not None else 0
    until = f"""{_functions(ctx)}
kpy_listens {port:04X} || {{ echo "etcd has not started"; return 1; }}
kpy_members || {{ others=; return 1; }}
[ -n "$own_line" ] || {{ echo "the cluster does not know this member"; return 1; }}
case $own_line in
  *', started, '*) ;;
  *)
    echo "etcd has not found the other members yet"
    return 1
    ;;
esac
case $own_line in
  *', true')
    answer=$(kpy_etcdctl "$others" member promote "$own_id" 2>&1) || {{
      case $answer in
        *'in sync with leader'*) echo "etcd catches up with the others" ;;
        *) kpy_last ;;
      esac
      return 1
    }}
    ;;
esac
answer=$(kpy_etcdctl "$own_client" endpoint health 2>&1) && return 0
echo "etcd is not healthy yet: $(kpy_last)"
return 1"""
    return Wait(
        "wait for the etcd member",
        until,
        ctx.cluster.join_timeouts.etcd_api_call,
        hopeless=waits.keeps_ending("etcd"),
        diagnose=waits.container_log("etcd"),
        logs=("etcd", "kubelet"),
    )


STEP_CHECK = Step("check-etcd", "etcd's health", plan_check, phase="check-etcd")
STEP = Step("etcd-join", "etcd member", plan, phase="etcd-join")
