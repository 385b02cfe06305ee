"""List what makes a host ready for Kubernetes, in order."""

from __future__ import annotations

from kubeadm_py.steps.base import Step
from kubeadm_py.steps.prepare.images import plan_images
from kubeadm_py.steps.prepare.kubelet import (
    plan_cni_directories,
    plan_cni_plugins,
    plan_directories,
    plan_kubelet,
    plan_tools,
)
from kubeadm_py.steps.prepare.packages import plan_packages
from kubeadm_py.steps.prepare.runtime import plan_crictl, plan_runtime
from kubeadm_py.steps.prepare.settings import plan_modules, plan_sysctls
from kubeadm_py.steps.prepare.swap import plan_swap
from kubeadm_py.steps.prepare.waits import plan_waits

STEPS = (
    Step("prepare/wait", "let the host finish its own setup", plan_waits),
    Step("prepare/modules", "load kernel modules", plan_modules),
    Step("prepare/sysctls", "set sysctls", plan_sysctls),
    Step("prepare/swap", "switch swap off", plan_swap),
    Step("prepare/cni-directories", "make directories", plan_cni_directories),
    Step("prepare/packages", "install packages", plan_packages),
    Step("prepare/tools", "install crictl, kubectl and etcd's tools", plan_tools),
    Step("prepare/crictl", "configure crictl", plan_crictl),
    Step("prepare/cni", "install CNI plugins", plan_cni_plugins),
    Step("prepare/runtime", "install and configure the container runtime", plan_runtime),
    Step("prepare/kubelet", "install the kubelet", plan_kubelet),
    Step("prepare/images", "bring the images", plan_images),
)
"""kubeadm has none of these phases; its packages and the operator do this work there."""

BELOW = STEPS[:-1]
"""All but the images: what the kubelet and its pods stand on."""
SETTINGS = ("prepare/wait", "prepare/modules", "prepare/sysctls", "prepare/swap")
"""Those of them that wait, or set the kernel up."""

DIRECTORIES = Step("directories", "make directories", plan_directories, goes_with=("kubelet-start",))
"""Not of the preparation: they come with the kubelet, so a prepared host needs no round trip for them."""
