"""Plan a host's reset and look at its actions alone."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.addons import networks
from kubeadm_py.model.actions import Action
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.network_traces import NetworkTraces
from kubeadm_py.model.phases import EVERYTHING, Selection
from kubeadm_py.model.reset import ResetSettings
from kubeadm_py.steps.reset import host as reset
from kubeadm_py.steps.reset import network as reset_network

TRACES = networks.traces(["flannel"])
"""What is known of pod networks where the config names flannel."""


def actions(
    inventory: Inventory,
    facts: HostFacts,
    *,
    keep_artifacts: bool = False,
    phases: Selection = EVERYTHING,
    known: Sequence[NetworkTraces] = TRACES,
    **settings,
) -> list[Action]:
    host = reset.ResetHost(
        inventory,
        facts,
        ResetSettings(**settings),
        keep_artifacts,
        phases,
        networks=reset_network.on_host(known, facts),
    )
    return [action for step in reset.plan(host) for action in step.actions]
