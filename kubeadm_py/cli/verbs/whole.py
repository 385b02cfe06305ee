"""Read the config of a verb that works on all hosts of a file."""

from __future__ import annotations

from collections.abc import Sequence

from kubeadm_py.cli.verbs import reading
from kubeadm_py.config.flags import ignored_by_flag
from kubeadm_py.config.load import Loaded
from kubeadm_py.errors import UsageError


def read(
    verb: str, config: str, ignore: Sequence[str], *, allow_unknown_fields: bool
) -> tuple[Loaded, frozenset[str]]:
    """Return the config and the preflight checks to ignore; raise UsageError where no Cluster lists hosts."""
    loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
    if not loaded.has_cluster_document:
        raise UsageError(
            f"{config} has no Cluster document: {verb} works on the hosts that one lists",
            fix="add one, or bring up a single machine: kubeadm-py init",
        )
    return loaded, ignored_by_flag(loaded.cluster, ignore)
