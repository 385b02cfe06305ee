"""Plan the record of an etcd member's birth, which decides for good how the member may be started."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import yaml

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, RunScript
from kubeadm_py.model.etcd import Birth, parse_members
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.steps.base import Step, StepContext, write

_CLEAR = """rm -f {manifest}
if systemctl is-active --quiet kubelet.service; then running=1; systemctl stop kubelet.service; fi
pods=$(crictl pods --namespace kube-system --label component=etcd -q)
if [ -n "$pods" ]; then
  crictl --timeout 60s stopp $pods
  crictl --timeout 60s rmp -f $pods
fi
rm -rf --one-file-system -- {data}
# Last: a run that is cut off before begins with this again.
rm -f {birth}
if [ -n "${{running:-}}" ]; then systemctl start kubelet.service; fi"""
MANIFEST = f"{paths.MANIFESTS_DIR}/etcd.yaml"


def recorded(facts: HostFacts) -> Birth | None:
    """Return the birth that is noted on a host."""
    fact = facts.files.get(paths.ETCD_BIRTH)
    return Birth.parse(fact.content) if fact is not None else None


def in_manifest(facts: HostFacts) -> Birth | None:
    """Return the birth that a host's manifest tells, ours or kubeadm's; `state` is '' where it is silent."""
    flags = manifest_flags(facts)
    members = parse_members(flags.get("initial-cluster", ""))
    return Birth(members, flags.get("initial-cluster-state", "")) if members else None


def manifest_flags(facts: HostFacts) -> dict[str, str]:
    """Return etcd's flags as a host's manifest gives them, ours or kubeadm's; none where there is none."""
    fact = facts.files.get(MANIFEST)
    try:
        pod: Any = yaml.load((fact.content if fact is not None else None) or b"", Loader=yaml.CSafeLoader)
        words = [str(word) for word in pod["spec"]["containers"][0]["command"]]
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        return {}
    pairs = (word.removeprefix("--").partition("=") for word in words if word.startswith("--"))
    return {name: value for name, _, value in pairs}


def plan_again(ctx: StepContext) -> list[Action]:
    """Clear away what a member has begun that never came together with the others, its record with it."""
    local = ctx.cluster.etcd.local
    if ctx.again is None or local is None or not {MANIFEST, paths.ETCD_BIRTH} & ctx.facts.files.keys():
        return []
    script = _CLEAR.format(
        manifest=MANIFEST, birth=paths.ETCD_BIRTH, data=shlex.quote(f"{local.data_dir}/member")
    )
    return [
        RunScript(
            "clear away what etcd has begun",
            script,
            reason="a founder was awaited at another address, and they never came together",
        )
    ]


def plan_record(ctx: StepContext) -> list[Action]:
    """Note the birth before any member starts: whoever goes on after a crash must know its founders."""
    if ctx.birth is None:
        return []
    return write([_record(ctx.birth)], ctx.facts, title="note etcd's members", reason="a new etcd cluster")


def plan_started(ctx: StepContext) -> list[Action]:
    """Note that the member has been up: an empty data directory is a loss from then on, not a beginning."""
    if ctx.birth is None:
        return []
    record = _record(replace(ctx.birth, started=True))
    return write([record], ctx.facts, title="note that etcd has started", reason="its member is born")


def _record(birth: Birth) -> FileSpec:
    return FileSpec(paths.ETCD_BIRTH, birth.dump(), 0o600, of_cluster=True)


AGAIN = Step("etcd-again", "etcd's members", plan_again)
RECORD = Step("etcd-birth", "etcd's members", plan_record, foreseen=True)
STARTED = Step("etcd-started", "etcd's birth", plan_started)
