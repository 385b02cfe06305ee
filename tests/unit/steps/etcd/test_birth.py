"""Who founds an etcd cluster is decided once, and read back from the host ever after."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from kubeadm_py.model import paths
from kubeadm_py.model.actions import WriteFiles
from kubeadm_py.model.etcd import Birth
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.etcd import birth as etcd_birth

FOUNDERS = (
    ("cp1", "https://10.0.0.11:2380"),
    ("cp2", "https://10.0.0.12:2380"),
    ("cp3", "https://10.0.0.13:2380"),
)
LIST = ",".join(f"{name}={url}" for name, url in FOUNDERS)


def command(actions) -> list[str]:
    """Return what etcd's manifest starts."""
    [manifest] = [
        spec
        for action in actions
        if isinstance(action, WriteFiles)
        for spec in action.files
        if spec.path == etcd_birth.MANIFEST
    ]
    return yaml.safe_load(manifest.content)["spec"]["containers"][0]["command"]


def test_a_founder_starts_with_all_of_them(control_plane):
    words = command(static_pods.plan_etcd(replace(control_plane, birth=Birth(FOUNDERS))))
    assert f"--initial-cluster={LIST}" in words
    assert "--initial-cluster-state=new" in words


def test_a_single_member_starts_as_kubeadms_does(control_plane):
    alone = command(static_pods.plan_etcd(control_plane))
    assert command(static_pods.plan_etcd(replace(control_plane, birth=Birth(FOUNDERS[:1])))) == alone
    assert not [word for word in alone if word.startswith("--initial-cluster-state")]


def test_a_later_member_keeps_its_state(control_plane):
    words = command(static_pods.plan_etcd(replace(control_plane, birth=Birth(FOUNDERS, "existing"))))
    assert "--initial-cluster-state=existing" in words


@pytest.mark.parametrize("founders", [FOUNDERS, FOUNDERS[:1]])
@pytest.mark.parametrize("noted", [True, False])
def test_it_is_read_back_and_follows_no_file(control_plane, carry, with_file, founders, noted):
    ctx = replace(control_plane, birth=Birth(founders))
    after = replace(carry(ctx, static_pods.plan_etcd(ctx)), birth=None)
    if noted:
        after = with_file(after, paths.ETCD_BIRTH, Birth(founders).dump(), mode=0o600)
    assert static_pods.plan_etcd(after) == []


def test_the_record_comes_before_the_member_and_is_sealed_after_it(control_plane, carry):
    ctx = replace(control_plane, birth=Birth(FOUNDERS))
    recorded = carry(ctx, etcd_birth.plan_record(ctx))
    birth = etcd_birth.recorded(recorded.facts)
    assert birth == Birth(FOUNDERS)
    assert etcd_birth.plan_record(recorded) == []
    sealed = carry(recorded, etcd_birth.plan_started(recorded))
    assert etcd_birth.recorded(sealed.facts) == Birth(FOUNDERS, started=True)
    again = replace(sealed, birth=etcd_birth.recorded(sealed.facts))
    assert etcd_birth.plan_record(again) == []
    assert etcd_birth.plan_started(again) == []


def test_no_record_where_nobody_decided(control_plane):
    assert etcd_birth.plan_record(control_plane) == []
    assert etcd_birth.plan_started(control_plane) == []


@pytest.mark.parametrize(
    "raw", [None, b"", b"{", b"[]", b'{"members": [["cp1"]]}', b'{"members": 1, "state": "new"}']
)
def test_what_is_no_record(raw):
    assert Birth.parse(raw) is None


@pytest.mark.parametrize("manifest", [b"", b"{", b"spec: {containers: []}", b"spec: 1", b"a: b"])
def test_a_manifest_that_tells_nothing(control_plane, with_file, manifest):
    assert etcd_birth.in_manifest(with_file(control_plane, etcd_birth.MANIFEST, manifest).facts) is None
