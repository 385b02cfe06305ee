"""Make ready for control planes that join: refuse what cannot be, take over what the cluster has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.node import Role
from kubeadm_py.pki import shared
from kubeadm_py.plan.certificates import shared_keys
from kubeadm_py.plan.certificates.producers import Adopt
from kubeadm_py.plan.certificates.shared_keys import SharedKeys
from kubeadm_py.plan.joining import discover
from kubeadm_py.plan.joining.leader import Leader
from kubeadm_py.plan.run import Run, RunFailedError
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.control_plane import prepare as control_plane_prepare


def refuse_without_endpoint(joined: JoinedCluster, names: Sequence[str]) -> None:
    """Raise KubeadmPyError where the cluster has no address that all control planes share."""
    if not joined.cluster_configuration.get("controlPlaneEndpoint"):
        raise _no_endpoint(names)


def refuse_unfit(contexts: Sequence[StepContext]) -> None:
    """Raise RunFailedError for control planes whose keys and certificates do not fit the cluster.

    They have other shared files than it, or lack what an external CA has to sign.
    """
    errors: list[KubeadmPyError] = []
    for step, refuse in (
        (control_plane_prepare.STEP_DOWNLOAD, control_plane_prepare.refuse_others),
        (control_plane_prepare.STEP_CERTS, control_plane_prepare.refuse_incomplete),
    ):
        for ctx in contexts:
            if ctx.node.role is Role.CONTROL_PLANE and ctx.phases.wants(step.phase):
                try:
                    refuse(ctx)
                except KubeadmPyError as error:
                    errors.append(error)
    if errors:
        raise RunFailedError(errors)


def adopted(run: Run, joined: JoinedCluster, adopt: Adopt | None) -> JoinedCluster:
    """Take over the live ClusterConfiguration, and say which API server helps."""
    if adopt is not None:
        run.use(adopt(run.cluster, joined.cluster_configuration))
    return replace(joined, helper=joined.helper or joined.server)


def shared_keys_of(
    run: Run, joined: JoinedCluster, leader: Leader | None, names: Sequence[str], now: datetime
) -> SharedKeys:
    """Find what control planes share.

    It comes from a control plane of the file; without one from the Secret kubeadm-certs, by the certificate
    key; without a key from the joining host itself, where an operator has put it.
    """
    if leader is not None:
        return shared_keys.of_host(run.cluster, leader.session, now)
    first = run.sessions[names[0]]
    key = run.cluster.certificate_key
    if key is None:
        errors: list[KubeadmPyError] = []
        found = []
        for name in names:
            try:
                found.append(shared_keys.of_host(run.cluster, run.sessions[name], now))
            except KubeadmPyError as error:
                errors.append(error)
        if errors:
            raise RunFailedError(errors)
        return found[0]
    secret = discover.secret(first, joined, shared.SECRET_NAME)
    if secret is None:
        raise shared.gone()
    return shared_keys.of_secret(run.cluster, secret, key, now)


def _no_endpoint(names: Sequence[str]) -> KubeadmPyError:
    return KubeadmPyError(
        f"the cluster has no controlPlaneEndpoint: {', '.join(names)} cannot join it as a control plane",
        details=["kubelets and certificates know one API server only, and would go down with it"],
        fix="give the cluster one first: a name or address that always leads to an API server that runs"
        " (ClusterConfiguration.controlPlaneEndpoint)",
    )
