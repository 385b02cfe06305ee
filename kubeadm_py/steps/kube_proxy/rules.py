"""Keep Services reachable on a host while its kube-proxy changes its mode."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.kube_proxy.reads import AWAITED

KEPT_MODES = ("iptables", "nftables")
"""Modes whose rules can be copied; kube-proxy's are `iptables` where its configuration says nothing."""
UNIT = "kubeadm-py-proxy-rules.service"
_SCRIPT = f"{paths.RUN_DIR}/proxy-rules.sh"
_AT_MOST = timedelta(minutes=30)
"""What comes before kube-proxy's own turn: control planes that change, an endpoint that moves."""
_A_NODE = timedelta(seconds=20)
# systemd ends it, and takes the copy away, where it is killed or forgotten.
_START = """if sh "$INPUT" is {mode}; then echo unchanged; exit 0; fi
systemctl stop {unit} 2>/dev/null || :
systemctl reset-failed {unit} 2>/dev/null || :
mkdir -p -m 0700 {folder}
cat "$INPUT" >{script}
systemd-run --quiet --collect --unit {unit} -p RuntimeMaxSec={seconds} \\
  -p ExecStopPost="/bin/sh {script} clean" -- /bin/sh {script} keep {mode} {seconds}"""


def mode(cluster: ResolvedCluster) -> str:
    """Return kube-proxy's mode by the config."""
    return str(cluster.kube_proxy_config.get("mode") or "iptables")


def plan(ctx: StepContext) -> list[Action]:
    """Start what waits on the host for its kube-proxy to be replaced, and keeps its rules for that moment.

    It ends by itself. A host whose kube-proxy has the mode already starts nothing.
    """
    note = RunScript(
        "note that kube-proxy is replaced",
        f"mkdir -p -m 0700 {paths.RUN_DIR}\n: >{AWAITED}\necho unchanged",
        reason="so that its new configuration is waited for, should this run be cut off",
    )
    wanted = mode(ctx.cluster)
    if wanted not in KEPT_MODES:
        return [note]
    seconds = int((_AT_MOST + len(ctx.cluster.nodes) * _A_NODE).total_seconds())
    script = _START.format(mode=wanted, unit=UNIT, folder=paths.RUN_DIR, script=_SCRIPT, seconds=seconds)
    content = Path(__file__).with_name("rules.sh").read_bytes()
    reason = f"so that Services answer meanwhile, should it not have the mode {wanted} yet"
    return [note, RunScript("keep kube-proxy's rules until the new ones are there", script, content, reason)]


STEP = Step("proxy-rules", "kube-proxy's rules", plan)
