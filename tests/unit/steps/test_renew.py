"""Renewal on one control plane: what is chosen, in which order, what restarts, when nothing is to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Late, RestartStaticPod, Wait, WriteFiles
from kubeadm_py.model.cluster import LoadBalancer
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki.table import table
from kubeadm_py.steps import renew
from kubeadm_py.steps.certificates import certs, kubeconfigs
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.endpoint import vip

PKI = paths.PKI_DIR


@pytest.fixture
def made(control_plane, carry):
    """The host with everything in place."""
    ctx = control_plane
    for each in (certs, kubeconfigs, static_pods):
        ctx = carry(ctx, each.plan(ctx))
    return carry(ctx, static_pods.plan_etcd(ctx))


def planned(ctx, *names, **options):
    decision = renew.decide(ctx, names or renew.names(), **options)
    return decision, renew.plan(ctx, decision)


def test_names_are_kubeadms():
    assert renew.names() == (
        "admin.conf",
        "apiserver",
        "apiserver-etcd-client",
        "apiserver-kubelet-client",
        "controller-manager.conf",
        "etcd-healthcheck-client",
        "etcd-peer",
        "etcd-server",
        "front-proxy-client",
        "scheduler.conf",
        "super-admin.conf",
    )


def test_all_of_them_keys_first_then_every_component_then_the_waits(made):
    decision, actions = planned(made)
    assert [request.name for request in decision.renewed] == list(renew.names())
    files = actions[0]
    assert isinstance(files, WriteFiles)
    assert [spec.secret for spec in files.files] == sorted(
        (spec.secret for spec in files.files), reverse=True
    )
    assert len(files.files) == 7 * 2 + 4
    assert all(spec.in_place and isinstance(spec.content, Late) for spec in files.files)
    assert {spec.mode for spec in files.files if spec.path.endswith(".crt")} == {0o644}
    assert {spec.mode for spec in files.files if not spec.path.endswith(".crt")} == {0o600}
    assert [
        action.component if isinstance(action, RestartStaticPod) else action.title for action in actions[1:]
    ] == [
        "kube-apiserver",
        "etcd",
        "wait for the kubelet",
        "wait for kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "wait for kube-controller-manager",
        "wait for kube-scheduler",
    ], "the last ones need the API when they start; the next host waits for all"


@pytest.mark.parametrize(
    ("name", "restarted"),
    [
        ("apiserver", ["kube-apiserver"]),
        ("etcd-peer", ["etcd"]),
        ("etcd-healthcheck-client", []),
        ("admin.conf", []),
        ("scheduler.conf", ["kube-scheduler"]),
        ("controller-manager.conf", ["kube-controller-manager"]),
    ],
)
def test_only_what_uses_it_restarts(made, name, restarted):
    decision, actions = planned(made, name)
    assert [request.name for request in decision.renewed] == [name]
    assert [action.component for action in actions if isinstance(action, RestartStaticPod)] == restarted
    assert bool([action for action in actions if isinstance(action, Wait)]) == bool(restarted)
    assert list(table().used_by(name)) == restarted


def test_what_lasts_longer_stays(made):
    decision, actions = planned(made, within=timedelta(days=300))
    assert (decision.renewed, actions) == ((), [])
    decision, actions = planned(made, within=timedelta(days=366))
    assert len(decision.renewed) == len(renew.names())


def test_who_runs_since_before_a_renewal_restarts(made):
    """A run that was cut off between the files and the restarts is finished by the next one."""
    path = paths.SCHEDULER_CONF
    files = {**made.facts.files, path: replace(made.facts.files[path], mtime=1000)}
    ctx = replace(made, facts=replace(made.facts, files=files))
    started = {"kube-scheduler": 900.0, "kube-apiserver": 900.0}
    decision, actions = planned(ctx, within=timedelta(0), started=started)
    assert decision.stale == ("kube-scheduler",)
    assert [action.component for action in actions if isinstance(action, RestartStaticPod)] == [
        "kube-scheduler"
    ]
    decision, actions = planned(ctx, within=timedelta(0), started={"kube-scheduler": 1001.0})
    assert (decision.stale, actions) == ((), [])


def test_an_external_authoritys_stay(made, with_file):
    ctx = with_file(made, f"{PKI}/ca.key", None)
    decision, actions = planned(ctx)
    assert "apiserver" in decision.external
    assert "admin.conf" in decision.external
    assert {request.signer for request in decision.renewed} == {"etcd-ca", "front-proxy-ca"}
    restarted = [action.component for action in actions if isinstance(action, RestartStaticPod)]
    assert restarted == ["kube-apiserver", "etcd"]


def test_what_is_missing_is_told_and_left_out(made, with_file):
    ctx = with_file(made, paths.SUPER_ADMIN_CONF, None)
    decision, _ = planned(ctx)
    assert decision.missing == ("super-admin.conf",)
    assert "super-admin.conf" not in [request.name for request in decision.renewed]


def test_names_that_the_config_wants_besides_are_told(made):
    ctx = replace(made, cluster=replace(made.cluster, api_server_cert_sans=("api.example.com",)))
    decision, _ = planned(ctx, "apiserver")
    (note,) = decision.notes
    assert "api.example.com" in note
    assert "api.example.com" not in decision.renewed[0].dns_names


def test_an_authority_that_ends_first_is_told(made):
    later = replace(made, now=made.now + timedelta(days=3400))
    decision, _ = planned(later, "front-proxy-client")
    assert any("the authority front-proxy-ca ends at" in note for note in decision.notes)
    assert decision.expired


def test_what_is_not_in_the_inventory_stays_out_of_it(made):
    """Reset of a cluster that kubeadm made must not take two files of it for the whole."""
    _, actions = planned(made, "apiserver")
    inventory = Inventory()
    inventory.extend(actions, made.facts, {})
    assert inventory.empty
    known = Inventory(files={f"{PKI}/apiserver.key": {"sha256": "old", "mode": "0600", "made": True}})
    known.extend(actions, made.facts, {f"{PKI}/apiserver.key": "new"})
    assert known.files == {
        f"{PKI}/apiserver.key": {"sha256": "new", "mode": "0600", "made": True, "cluster": True}
    }


def test_the_address_that_moves_is_elsewhere_while_the_api_server_restarts(made, with_file):
    peer = Node("cp2", Role.CONTROL_PLANE, ("10.0.0.12",))
    cluster = replace(
        made.cluster,
        nodes=(made.node, peer),
        control_plane_endpoint="10.0.0.100:6443",
        load_balancer=LoadBalancer.VIP,
    )
    ctx = with_file(replace(made, cluster=cluster), paths.KEEPALIVED_CONFIG, b"x")
    titles = [getattr(each, "title", each) for each in planned(ctx, "apiserver")[1]]
    assert titles.index(vip.LEAVES) < titles.index("wait for kube-apiserver") < titles.index(vip.RETURNS)
    assert vip.LEAVES not in [getattr(each, "title", "") for each in planned(ctx, "scheduler.conf")[1]]


def test_what_nobody_reads_restarts_nothing(made, with_file):
    """Certificates of a copy (--cert-dir), or of a machine that only signs."""
    copy = replace(made.cluster, certificates_dir="/srv/copy")
    files = {
        path.replace(PKI, "/srv/copy"): replace(fact, path=path.replace(PKI, "/srv/copy"), mtime=10)
        for path, fact in made.facts.files.items()
    }
    elsewhere = replace(made, cluster=copy, facts=replace(made.facts, files={**made.facts.files, **files}))
    started = dict.fromkeys(renew.COMPONENTS, 5.0)
    decision, actions = planned(elsewhere, "apiserver", "etcd-server", started=started)
    assert len(decision.renewed) == 2
    assert [type(action) for action in actions] == [WriteFiles]
    signing = made
    for component in renew.COMPONENTS:
        signing = with_file(signing, f"{paths.MANIFESTS_DIR}/{component}.yaml", None)
    decision, actions = planned(signing, "apiserver", "scheduler.conf")
    assert len(decision.renewed) == 2
    assert [type(action) for action in actions] == [WriteFiles]
