"""Plan the kubelet's move to its rotating certificate (kubeadm's phase kubelet-finalize)."""

from __future__ import annotations

import shlex

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, Late, RunScript
from kubeadm_py.pki.requests import kubeconfig_requests
from kubeadm_py.steps.base import Step, StepContext

PRODUCER = "rotating-kubelet-kubeconfig"
"""Its Late.args is the KubeconfigRequest of kubelet.conf."""


def plan(ctx: StepContext) -> list[Action]:
    """Let kubelet.conf name the certificate that the kubelet renews by itself."""
    current = ctx.node.kubelet_client_certificate
    fact = ctx.facts.files.get(paths.KUBELET_CONF)
    if fact is not None and fact.content is not None and current.encode() in fact.content:
        return []
    request = next(r for r in kubeconfig_requests(ctx.cluster, ctx.node) if r.path == paths.KUBELET_CONF)
    return [
        RunScript(
            "kubelet client certificate rotation",
            f"""if [ ! -e {shlex.quote(current)} ]; then echo unchanged; exit 0; fi
new={paths.KUBERNETES_DIR}/.kubelet.conf.kubeadm-py-new
cat "$INPUT" >"$new"
chmod 0600 "$new"
mv -fT "$new" {paths.KUBELET_CONF}
kpy_relabel {paths.KUBELET_CONF}
systemctl restart kubelet""",
            stdin=Late(
                PRODUCER, {"kubeconfig": "kubelet.conf", "client certificate": current}, (request, current)
            ),
            reason="kubelet.conf holds a certificate that would end in a year",
        )
    ]


STEP = Step(
    "kubelet-finalize",
    "kubelet certificate rotation",
    plan,
    phase="kubelet-finalize/enable-client-cert-rotation",
)
