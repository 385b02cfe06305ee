"""Certificates, keys and kubeconfigs: what is missing, what does not fit, what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import WriteFiles
from kubeadm_py.model.components import Etcd, ExternalEtcd
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.files import producers
from kubeadm_py.pki.requests import kubeconfig_requests, requests
from kubeadm_py.steps.certificates import certs, kubeconfigs
from kubeadm_py.steps.control_plane import static_pods

PKI = paths.PKI_DIR


def written(actions) -> list[str]:
    return [spec.path for action in actions if isinstance(action, WriteFiles) for spec in action.files]


@pytest.fixture
def made(control_plane, carry):
    """The host with everything in place."""
    ctx = carry(control_plane, certs.plan(control_plane))
    return carry(ctx, kubeconfigs.plan(ctx))


def test_a_bare_host_gets_everything(control_plane):
    [action] = certs.plan(control_plane)
    pairs = ["ca", "apiserver", "apiserver-kubelet-client", "front-proxy-ca", "front-proxy-client"]
    pairs += ["etcd/ca", "etcd/server", "etcd/peer", "etcd/healthcheck-client", "apiserver-etcd-client"]
    expected = {f"{PKI}/{pair}.{half}" for pair in pairs for half in ("crt", "key")}
    assert set(written([action])) == expected | {f"{PKI}/sa.key", f"{PKI}/sa.pub"}
    assert [spec.mode for spec in action.files if spec.path.endswith(".key")] == [0o600] * 11


def test_keys_land_before_certificates(control_plane):
    [action] = certs.plan(control_plane)
    secret = [spec.secret for spec in action.files]
    assert secret == sorted(secret, reverse=True), "a crash in between must not look like an external CA"


def test_once_there_nothing_is_planned(made):
    assert certs.plan(made) == []
    assert kubeconfigs.plan(made) == []


def test_external_etcd_brings_its_own(control_plane):
    external = Etcd(None, ExternalEtcd(("https://10.0.0.5:2379",)))
    ctx = replace(control_plane, cluster=replace(control_plane.cluster, etcd=external))
    assert [path for path in written(certs.plan(ctx)) if "etcd" in path] == []


@pytest.mark.parametrize("name", ["apiserver", "etcd/peer", "front-proxy-client"])
@pytest.mark.parametrize("half", ["crt", "key"])
def test_half_a_pair_is_made_anew_whole(made, with_file, name, half):
    ctx = with_file(made, f"{PKI}/{name}.{half}", None)
    [action] = certs.plan(ctx)
    assert written([action]) == [f"{PKI}/{name}.key", f"{PKI}/{name}.crt"]
    assert action.reason.endswith(": missing")


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (timedelta(days=300), ""),
        (timedelta(days=364, hours=1), "in less than 1 day"),
        (timedelta(days=366), "it expired at"),
    ],
)
def test_lifetimes(made, later, reason):
    ctx = replace(made, now=made.now + later)
    actions = certs.plan(ctx)
    assert bool(actions) == bool(reason)
    if reason:
        assert reason in actions[0].reason
        paths_written = written(actions)
        assert f"{PKI}/ca.crt" not in paths_written, "an authority is kept"
        assert f"{PKI}/sa.key" not in paths_written
        assert {path.rpartition("/")[2] for path in written(kubeconfigs.plan(ctx))} >= {
            "admin.conf",
            "scheduler.conf",
        }


def test_short_lifetimes_are_no_reason_to_make_all_anew(control_plane, carry):
    """certificateValidityPeriod may be less than a day: a rerun in the same hour changes nothing."""
    cluster = replace(control_plane.cluster, certificate_validity=timedelta(hours=20))
    ctx = carry(replace(control_plane, cluster=cluster), certs.plan(replace(control_plane, cluster=cluster)))
    ctx = carry(ctx, kubeconfigs.plan(ctx))
    later = replace(ctx, now=ctx.now + timedelta(hours=1))
    assert (certs.plan(later), kubeconfigs.plan(later)) == ([], [])
    later = replace(ctx, now=ctx.now + timedelta(hours=19))
    assert "in less than 2 hours" in certs.plan(later)[0].reason
    assert kubeconfigs.plan(later)


def test_a_leaf_of_another_authority(made, with_file, control_plane):
    request = next(each for each in requests(made.cluster, made.node) if each.name == "apiserver")
    with Authorities.from_fresh(made.cluster, now=made.now) as others:
        ctx = with_file(made, f"{PKI}/apiserver.crt", others.issue(request).public_pem)
    [action] = certs.plan(ctx)
    assert (
        action.reason
        == "apiserver: it is not signed by the CA CN=kubernetes but by another one of the same name"
    )


def test_a_certificate_that_lacks_a_name_of_the_config(made):
    ctx = replace(made, cluster=replace(made.cluster, api_server_cert_sans=("api.example.test",)))
    [action] = certs.plan(ctx)
    assert written([action]) == [f"{PKI}/apiserver.key", f"{PKI}/apiserver.crt"]
    assert action.reason == "apiserver: it is not for api.example.test"


def test_a_key_that_is_not_the_one_that_we_made(made, with_file):
    ctx = with_file(made, f"{PKI}/apiserver.key", b"-----BEGIN PRIVATE KEY-----\nother\n", mode=0o600)
    [action] = certs.plan(ctx)
    assert action.reason == "apiserver: its key is not the one that was made with it"


def test_a_key_that_we_did_not_make_is_believed(made, with_file):
    """kubeadm's own hosts have no inventory; its files fit and stay."""
    assert certs.plan(replace(made, recorded={})) == []


def test_what_is_no_certificate(made, with_file):
    ctx = with_file(made, f"{PKI}/apiserver.crt", b"not a certificate\n")
    [action] = certs.plan(ctx)
    assert action.reason.startswith("apiserver: ")


@pytest.mark.parametrize("name", ["ca", "etcd/ca", "front-proxy-ca"])
def test_what_an_external_authority_signed_is_used_as_it_is(made, with_file, name):
    ctx = with_file(made, f"{PKI}/{name}.key", None)
    assert certs.plan(ctx) == []
    assert kubeconfigs.plan(ctx) == []
    # A subject of the operator's own, on its last hour: whatever it is, nobody here can sign another.
    late = replace(ctx, now=ctx.now + timedelta(hours=8759))
    assert [path for path in written(certs.plan(late)) if path.endswith("/ca.crt")] == []


def test_all_that_an_external_authority_has_not_signed_is_named_at_once(made, with_file):
    ctx = with_file(made, f"{PKI}/ca.key", None)
    for gone in (f"{PKI}/apiserver.crt", f"{PKI}/apiserver-kubelet-client.key", paths.SCHEDULER_CONF):
        ctx = with_file(ctx, gone, None)
    with pytest.raises(KubeadmPyError, match=r"the external CA \(ca\)") as caught:
        certs.plan(ctx)
    assert caught.value.host == "cp1"
    assert len(caught.value.details) == 3
    assert "generate-csr" in caught.value.fix


@pytest.mark.parametrize("gone", [paths.SCHEDULER_CONF, paths.KUBELET_CONF])
def test_a_kubeconfig_that_an_external_authority_has_not_signed(made, with_file, gone):
    """The phase kubeconfig may run alone: nobody has looked before it."""
    ctx = with_file(with_file(made, f"{PKI}/ca.key", None), gone, None)
    with pytest.raises(KubeadmPyError, match=r"the external CA \(ca\)") as caught:
        kubeconfigs.plan(ctx)
    assert list(caught.value.details) == [f"{gone} is missing"]


def test_what_has_its_authoritys_key_is_made_beside_an_external_one(made, with_file):
    ctx = with_file(with_file(made, f"{PKI}/ca.key", None), f"{PKI}/etcd/server.crt", None)
    assert set(written(certs.plan(ctx))) == {f"{PKI}/etcd/server.crt", f"{PKI}/etcd/server.key"}


def test_the_controller_manager_signs_nothing_with_an_external_ca(made, with_file):
    def manifest(ctx):
        (action,) = [each for each in static_pods.plan(ctx) if isinstance(each, WriteFiles)]
        (found,) = [spec.content for spec in action.files if "controller-manager" in spec.path]
        return found

    assert b"--cluster-signing-key-file=/etc/kubernetes/pki/ca.key" in manifest(made)
    assert b"--cluster-signing-key-file=\n" in manifest(with_file(made, f"{PKI}/ca.key", None))


def test_certificates_elsewhere(control_plane, carry):
    ctx = replace(control_plane, cluster=replace(control_plane.cluster, certificates_dir="/srv/pki"))
    assert all(path.startswith("/srv/pki/") for path in written(certs.plan(ctx)))


class TestKubeconfigs:
    def test_all_of_them_with_their_mode(self, control_plane):
        [action] = kubeconfigs.plan(control_plane)
        assert [spec.path for spec in action.files] == [
            paths.ADMIN_CONF,
            paths.SUPER_ADMIN_CONF,
            paths.KUBELET_CONF,
            paths.CONTROLLER_MANAGER_CONF,
            paths.SCHEDULER_CONF,
        ]
        assert {(spec.mode, spec.secret) for spec in action.files} == {(0o600, True)}

    def test_super_admin_that_was_removed_stays_removed(self, made, with_file):
        assert kubeconfigs.plan(with_file(made, paths.SUPER_ADMIN_CONF, None)) == []

    def test_without_admin_conf_both_are_made(self, made, with_file):
        ctx = with_file(with_file(made, paths.SUPER_ADMIN_CONF, None), paths.ADMIN_CONF, None)
        assert written(kubeconfigs.plan(ctx)) == [paths.ADMIN_CONF, paths.SUPER_ADMIN_CONF]

    def test_another_endpoint_changes_who_uses_it(self, made):
        moved = replace(made.cluster, control_plane_endpoint="api.example.test:6443")
        actions = kubeconfigs.plan(replace(made, cluster=moved))
        assert paths.ADMIN_CONF in written(actions)
        assert "api.example.test" in actions[0].reason

    def test_one_of_another_cluster(self, made, with_file):
        request = next(r for r in kubeconfig_requests(made.cluster, made.node) if r.path == paths.ADMIN_CONF)
        with Authorities.from_fresh(made.cluster, now=made.now) as others:
            content = producers(others)["pki.kubeconfig"](request)
        assert written(kubeconfigs.plan(with_file(made, paths.ADMIN_CONF, content))) == [paths.ADMIN_CONF]

    def test_one_that_is_none(self, made, with_file):
        assert written(kubeconfigs.plan(with_file(made, paths.SCHEDULER_CONF, b"{["))) == [
            paths.SCHEDULER_CONF
        ]

    def test_the_kubelets_own_rotating_one_stays(self, made, with_file):
        from kubeadm_py.plan.certificates.producers import rotating_kubeconfig

        request = next(
            r for r in kubeconfig_requests(made.cluster, made.node) if r.path == paths.KUBELET_CONF
        )
        ca = made.facts.files[f"{PKI}/ca.crt"].content
        rotating = rotating_kubeconfig(request, ca, paths.KUBELET_CLIENT_CURRENT)
        assert kubeconfigs.plan(with_file(made, paths.KUBELET_CONF, rotating)) == []
