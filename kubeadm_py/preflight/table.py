"""List every check, in the order of the report."""

from __future__ import annotations

from kubeadm_py.preflight.checks import (
    clocks,
    endpoint,
    files,
    kernel,
    kubelet,
    leftovers,
    names,
    network,
    other_runtimes,
    own_files,
    packages,
    ports,
    privilege,
    proxy,
    resources,
    roles,
    runtime,
    security,
    storage,
    swap,
)
from kubeadm_py.preflight.context import Check

CHECKS: tuple[Check, ...] = (
    *privilege.CHECKS,
    *resources.CHECKS,
    *kernel.CHECKS,
    *names.CHECKS,
    *network.CHECKS,
    *clocks.CHECKS,
    *storage.CHECKS,
    *leftovers.CHECKS,
    *roles.CHECKS,
    *ports.CHECKS,
    *endpoint.CHECKS,
    *files.CHECKS,
    *own_files.CHECKS,
    *security.CHECKS,
    *swap.CHECKS,
    *proxy.CHECKS,
    *packages.CHECKS,
    *kubelet.CHECKS,
    *other_runtimes.CHECKS,
    *runtime.CHECKS,
)
