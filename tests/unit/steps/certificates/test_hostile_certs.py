"""What becomes of keys where a run was cut off, or where somebody took files away or laid them there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import WriteFiles
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.pki.files import certificate_files, key_pair_files
from kubeadm_py.pki.requests import CertificateRequest, authority_requests, key_pair_requests
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.certificates import certs

NODE = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",), advertise_address="10.0.0.11")
CLUSTER = ResolvedCluster("demo", Version.parse("v1.36.3"), (NODE,))
AUTHORITIES = authority_requests(CLUSTER)
KEYS = [request.key_path for request in AUTHORITIES]
(PAIR,) = key_pair_requests(CLUSTER)
EVERYTHING = [spec.path for spec in (*certificate_files(AUTHORITIES), *key_pair_files([PAIR]))]


def context(*present: str, ours: bool = True) -> StepContext:
    facts = HostFacts(files={path: FileFact(path, 0o600, "root:root") for path in present})
    recorded = {path: {"sha256": "", "mode": "0600", "made": True} for path in EVERYTHING} if ours else {}
    return StepContext(CLUSTER, NODE, facts, "init", datetime(2026, 1, 1, tzinfo=UTC), recorded=recorded)


def planned(ctx: StepContext) -> list[str]:
    return [
        spec.path for action in certs.plan(ctx) if isinstance(action, WriteFiles) for spec in action.files
    ]


def test_a_run_that_was_cut_off_before_its_certificates_goes_on() -> None:
    assert set(EVERYTHING) <= set(planned(context(*KEYS, PAIR.key_path)))


def test_the_public_half_that_a_cut_run_did_not_write_follows() -> None:
    ctx = context(PAIR.key_path)
    assert PAIR.public_key_path in planned(ctx)
    assert PAIR.public_key_path not in planned(context(PAIR.key_path, PAIR.public_key_path))


def test_a_given_service_account_key_stays_alone_as_with_kubeadm() -> None:
    assert PAIR.public_key_path not in planned(context(PAIR.key_path, ours=False))


@pytest.mark.parametrize("key", KEYS)
def test_somebodys_key_is_not_replaced(key: str) -> None:
    with pytest.raises(KubeadmPyError, match="is there without"):
        planned(context(key, ours=False))


@pytest.mark.parametrize("request_", AUTHORITIES, ids=lambda request: request.name)
@pytest.mark.parametrize("key_too", [False, True])
def test_a_running_control_plane_gets_no_new_authority(request_: CertificateRequest, key_too: bool) -> None:
    lost = {request_.certificate_path, *([request_.key_path] if key_too else [])}
    present = [path for path in EVERYTHING if path not in lost]
    with pytest.raises(KubeadmPyError, match="has lost"):
        planned(context(*present, paths.ADMIN_CONF))


def test_the_same_files_without_a_cluster_are_made_anew() -> None:
    lost = f"{paths.PKI_DIR}/etcd/ca.crt"
    assert lost in planned(context(*(path for path in EVERYTHING if path != lost)))
