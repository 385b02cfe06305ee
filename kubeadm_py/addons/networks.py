"""Say what pod networks leave on hosts: those that come with the product, and a config's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from kubeadm_py.addons.find import available, load
from kubeadm_py.addons.schema import Addon
from kubeadm_py.errors import UsageError
from kubeadm_py.model.network_traces import NetworkTraces


def traces(names: Iterable[str] = ()) -> tuple[NetworkTraces, ...]:
    """Return the traces of every pod network that is known, `names` being those of a config's add-ons.

    An add-on that cannot be read stops no reset.
    """
    known = {addon.name: addon for addon in available()}
    asked_for = set()
    for name in names:
        with contextlib.suppress(UsageError):
            addon = load(name).addon
            known[addon.name] = addon
            asked_for.add(addon.name)
    return tuple(each for addon in known.values() for each in _of(addon, asked_for=addon.name in asked_for))


def _of(addon: Addon, *, asked_for: bool) -> Iterable[NetworkTraces]:
    network = addon.pod_network
    if network is not None:
        leaves = network.leaves
        yield NetworkTraces(
            addon.name,
            network.cni_config,
            leaves.cni_network,
            tuple(leaves.links),
            tuple(leaves.chains),
            tuple(leaves.comments),
            tuple(leaves.nft_tables),
            tuple(leaves.ipsets),
            tuple(leaves.paths),
            asked_for,
            leaves.subnet_file,
        )
