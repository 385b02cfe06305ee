"""Plan the ServiceAccounts of the controllers in kube-controller-manager."""

from __future__ import annotations

from kubeadm_py.model.actions import Action, RunScript
from kubeadm_py.render.arguments import extra_value
from kubeadm_py.render.component_flags import KUBE_CONTROLLER_MANAGER
from kubeadm_py.steps import waits
from kubeadm_py.steps.base import Step, StepContext, admin_kubeconfig
from kubeadm_py.steps.control_plane import static_pods

_PART = "control-plane/controller-manager"
_FLAG = "use-service-account-credentials"
_OFF = ("route-controller", "service-controller", "selinux-warning-controller")
"""Controllers that have roles and are off unless a cloud, or --controllers, switches them on: the controller
manager makes no account for them."""
# RBAC's first roles name them all, whatever controllers a version has.
_BINDINGS = '{range .items[*]}{.metadata.name} {.subjects[0].namespace} {.subjects[0].name}{"\\n"}{end}'
_MAKE = """{kubectl} get clusterrolebindings --selector kubernetes.io/bootstrapping=rbac-defaults \\
  -o jsonpath='{bindings}' >"$kpy_tmp/bindings" || :
while read -r binding namespace name; do
  case ${{binding#system:controller:}} in
    "$binding" | {off}) ;;
    *)
      printf '{{"apiVersion":"v1","kind":"ServiceAccount","metadata":{{"namespace":"%s","name":"%s"}}}}\\n' \\
        "$namespace" "$name"
      ;;
  esac
done <"$kpy_tmp/bindings" >"$kpy_tmp/accounts"
# What is not made here, it makes by itself, and what it was quicker to make is there.
{kubectl} create --validate=false -f "$kpy_tmp/accounts" >/dev/null 2>&1 || :"""


def plan(ctx: StepContext) -> list[Action]:
    """Make the ServiceAccounts of a new cluster's controllers while kube-controller-manager starts.

    It would make them by itself, but no controller begins before it has come to the end of all of them, and
    it asks the API 20 times a second at most (--kube-api-qps): a new cluster runs no pod for five seconds.
    """
    if not static_pods.begins(ctx.facts) or ctx.first is not None or not ctx.phases.wants(_PART):
        return []
    own = extra_value(ctx.cluster.controller_manager.extra_args, _FLAG)
    if (KUBE_CONTROLLER_MANAGER[_FLAG] if own is None else own) != "true":
        return []
    kubectl = waits.kubectl(admin_kubeconfig(ctx), f"https://{ctx.node.local_endpoint}")
    return [
        RunScript(
            "make the ServiceAccounts of controllers",
            _MAKE.format(kubectl=kubectl, bindings=_BINDINGS, off=" | ".join(_OFF)),
            reason="kube-controller-manager would make them one by one before it works",
        )
    ]


STEP = Step("controllers", "ServiceAccounts of controllers", plan)
