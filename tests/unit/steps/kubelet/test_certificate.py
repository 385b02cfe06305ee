"""A kubelet whose client certificate has ended does not start, and cannot ask for another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Late, RestartStaticPod, RunScript, Unit, WriteFiles
from kubeadm_py.model.node import Role
from kubeadm_py.steps import renew
from kubeadm_py.steps.certificates import certs, kubeconfigs
from kubeadm_py.steps.control_plane import static_pods
from kubeadm_py.steps.kubelet import certificate as kubelet_certificate

CURRENT = paths.KUBELET_CLIENT_CURRENT
LOGIN = f"users:\n- user:\n    client-certificate: {CURRENT}\n".encode()


@pytest.fixture
def member(control_plane, carry, with_file):
    """A control plane whose kubelet logs in with a certificate of a year."""
    ctx = carry(control_plane, certs.plan(control_plane))
    for each in (kubeconfigs.plan, static_pods.plan, static_pods.plan_etcd):
        ctx = carry(ctx, each(ctx))
    certificate = ctx.facts.files[f"{paths.PKI_DIR}/apiserver-kubelet-client.crt"].content
    return with_file(with_file(ctx, CURRENT, certificate), paths.KUBELET_CONF, LOGIN)


@pytest.fixture
def ended(member):
    """The same after that year."""
    return replace(member, now=member.now + timedelta(days=400))


def decide(ctx, *names, kubelet=True):
    return renew.decide(ctx, names or renew.names(), kubelet=kubelet)


def test_it_is_signed_anew_and_the_kubelet_started_before_what_it_starts(ended):
    decision = decide(ended)
    assert decision.kubelet.common_name == "system:node:cp1"
    assert decision.kubelet.organizations == ("system:nodes",)
    assert decision.signed[:-1] == decision.renewed
    write, link, unit, wait, restart = renew.plan(ended, decision)[1:6]
    assert isinstance(write, WriteFiles)
    (spec,) = write.files
    assert spec.path == "/var/lib/kubelet/pki/kubelet-client-2027-12-26-00-00-00.pem"
    assert (spec.mode, spec.secret) == (0o600, True)
    assert spec.content == Late(kubelet_certificate.PRODUCER, decision.kubelet.describe(), decision.kubelet)
    assert isinstance(link, RunScript)
    assert link.script == f"ln -sfn kubelet-client-2027-12-26-00-00-00.pem {CURRENT}"
    assert unit == Unit("kubelet.service", state="restarted", reason="it has a new certificate")
    assert wait.title == "wait for the kubelet"
    assert isinstance(restart, RestartStaticPod)


def test_before_its_end_it_is_the_kubelets_own_matter(member):
    assert decide(member).kubelet is None


def test_it_goes_with_all_only(ended):
    assert decide(ended, "apiserver", kubelet=False).kubelet is None


def test_what_the_kubelet_does_not_log_in_with_may_end(ended, with_file):
    other = with_file(ended, paths.KUBELET_CONF, b"users: []\n")
    assert decide(other).kubelet is None
    assert decide(with_file(ended, CURRENT, None)).kubelet is None
    assert decide(with_file(ended, CURRENT, b"half a certifi")).kubelet is None


def test_an_external_ca_has_to_sign_it(ended, with_file):
    decision = decide(with_file(ended, f"{paths.PKI_DIR}/ca.key", None))
    assert decision.kubelet is None
    assert [note for note in decision.notes if "only the external CA can sign another" in note]


def test_a_workers_is_not_ours_to_sign(ended):
    worker = replace(ended, node=replace(ended.node, role=Role.WORKER))
    assert kubelet_certificate.successor(worker) is None
