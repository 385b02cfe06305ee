"""Keep the suite's own namespace: made when the first check needs it, removed whatever happens."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from kubeadm_py.verify.checks import CheckError, Problem, fail
from kubeadm_py.verify.kubectl import Kubectl, Output
from kubeadm_py.verify.objects import LABEL, namespace

PREFIX = "kubeadm-py-verify-"
STALE_SECONDS = 3600
REMOVAL_SECONDS = 60
ACCOUNT_SECONDS = 60
_DIAGNOSIS_LINES = 4
_OWNERS = "deployments,daemonsets,statefulsets,jobs,pods,persistentvolumeclaims"


class Playground:
    """Make, watch and remove test objects in a namespace of this run."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.run_name = secrets.token_hex(3)
        self.namespace = f"{PREFIX}{self.run_name}"
        self.notes: list[str] = []
        self._made = False

    def create(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Make the namespace with its first objects, and remove what earlier runs left behind."""
        self._made = True
        stale = self.kubectl.run(_remove_stale(), timeout=30, title="remove what earlier runs left").stdout
        self.notes += [f"removed {name}, which an earlier run left behind" for name in stale.split()]
        self.kubectl.apply([namespace(self.namespace, self.run_name)])
        # A pod is refused until the controller manager has made the namespace's own account.
        account = f"kw -n {self.namespace} wait serviceaccount/default --for=create"
        ready = self.kubectl.run(f"{account} --timeout={ACCOUNT_SECONDS}s", timeout=ACCOUNT_SECONDS + 30)
        if not ready.ok:
            found = f"a new namespace got no ServiceAccount in {ACCOUNT_SECONDS} s: {ready.said}"
            look = self.kubectl.look("-n", "kube-system", "logs", "-l", "component=kube-controller-manager")
            raise fail(found, expected="the ServiceAccount default", look=look)
        self.kubectl.apply(objects)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Make or change objects."""
        self.kubectl.apply(objects)

    def run(self, script: str, *, timeout: float = 60.0, title: str = "verify") -> Output:
        """Run a script in which `k` and `kw` are kubectl and $ns is the namespace."""
        return self.kubectl.run(f"ns={self.namespace}\n{script}", timeout=timeout, title=title)

    def get(self, *what: str) -> Any:
        """Return objects of the namespace as JSON."""
        return self.kubectl.json("-n", self.namespace, "get", *what)

    def wait(self, target: str, condition: str, *, seconds: int, selector: str, about: str) -> None:
        """Wait on the control plane until kubectl says `condition`; raise CheckError with the reasons.

        `target` is what kubectl calls it (`pod/x`, `pod -l app=x`), `selector` finds the pods to look at
        when the wait runs out, `about` is what a person waits for.
        """
        arguments = f"-n {self.namespace} wait {target} --for={shlex.quote(condition)} --timeout={seconds}s"
        output = self.kubectl.run(f"kw {arguments}", timeout=seconds + 30, title=f"wait for {about}")
        if not output.ok:
            raise self.trouble(f"{about}: not so after {seconds} s", selector, output.said)

    def rollout(self, target: str, *, seconds: int, selector: str, about: str) -> None:
        """Wait until a rollout has ended; raise CheckError with the reasons."""
        arguments = f"-n {self.namespace} rollout status {target} --timeout={seconds}s"
        output = self.kubectl.run(f"kw {arguments}", timeout=seconds + 30, title=f"wait for {about}")
        if not output.ok:
            raise self.trouble(f"{about}: not so after {seconds} s", selector, output.said)

    def trouble(self, found: str, selector: str, said: str = "") -> CheckError:
        """Return the error of a check, with why the selected pods are as they are.

        The namespace will be gone when a person looks, so it is the pod's kubelet that they are sent to,
        or the controller manager where no pod is to blame.
        """
        look = self.kubectl.look("-n", "kube-system", "logs", "--tail=50", "-l", "tier=control-plane")
        try:
            pods = self.get("pods", "-l", selector)["items"]
        except CheckError as error:
            return CheckError([Problem(f"{found}\n{error}", look=look)])
        troubled = [(pod["spec"].get("nodeName"), pod_trouble(pod)) for pod in pods]
        reasons = [reason for _, told in troubled for reason in told] or ["no trouble seen in its pods"]
        node = next((node for node, told in troubled if node and told), None)
        if node is not None:
            look = f"on {node}: journalctl -u kubelet -n 50"
        lines = [found, *reasons[:_DIAGNOSIS_LINES], *([said] if said else [])]
        return CheckError([Problem("\n".join(lines), look=look)])

    def remove(self) -> None:
        """Remove the namespace and the labels on nodes; say so where it takes longer than a minute."""
        if not self._made:
            return
        script = (
            f"kw get nodes -l {LABEL}={self.run_name} -o name | while read -r node; do "
            f'k label "$node" {LABEL}-; done\n'
            # A namespace that is empty goes at once; one with running pods is looked at again and again.
            f"kw -n {self.namespace} delete {_OWNERS} --all --grace-period=1 --timeout=30s >/dev/null 2>&1\n"
            f"k delete namespace {self.namespace} --ignore-not-found --wait=false >/dev/null || exit 1\n"
            f"kw wait --for=delete namespace/{self.namespace} --timeout={REMOVAL_SECONDS}s >/dev/null"
        )
        output = self.kubectl.run(script, timeout=REMOVAL_SECONDS + 30, title="remove the test namespace")
        if not output.ok:
            self.notes.append(
                f"{self.namespace} is still there: kubectl delete namespace {self.namespace}; {output.said}"
            )


def pod_trouble(pod: Mapping[str, Any]) -> list[str]:
    """Say why a pod is not ready, as its status tells it."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    reasons = [
        f"pod {name}: {condition.get('reason', '')}: {condition.get('message', '')}"
        for condition in status.get("conditions", [])
        if condition.get("type") == "PodScheduled" and condition.get("status") != "True"
    ]
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    for state in states:
        waiting = state.get("state", {}).get("waiting") or {}
        ended = state.get("state", {}).get("terminated") or state.get("lastState", {}).get("terminated") or {}
        if waiting.get("reason") and waiting["reason"] not in ("ContainerCreating", "PodInitializing"):
            reasons.append(f"pod {name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": "))
        elif ended and ended.get("exitCode"):
            reasons.append(
                f"pod {name}: {state['name']} ended with {ended['exitCode']} ({ended.get('reason', '')})"
            )
        elif waiting:
            reasons.append(f"pod {name}: still {waiting['reason']} on {pod['spec'].get('nodeName', '?')}")
        elif not state.get("ready", True):
            reasons.append(f"pod {name}: {state['name']} runs and is not ready")
    return reasons


def _remove_stale() -> str:
    """Remove the namespaces of runs that were cut off an hour ago or earlier, and their node labels."""
    created = "jsonpath='{range .items[*]}{.metadata.name} {.metadata.creationTimestamp}{\"\\n\"}{end}'"
    return f"""now=$(date +%s)
k get namespaces -l {LABEL} -o {created} | while read -r name created; do
  [ $((now - $(date -d "$created" +%s))) -gt {STALE_SECONDS} ] || continue
  k get nodes -l {LABEL}="${{name#{PREFIX}}}" -o name | while read -r node; do
    k label "$node" {LABEL}- >/dev/null
  done
  k delete namespace "$name" --wait=false >/dev/null && echo "$name"
done"""
