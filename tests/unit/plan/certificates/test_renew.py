"""Renewal from end to end on hosts that exist in memory: one by one, or all where the API is down."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kubeadm_py.engine.events import Notice
from kubeadm_py.errors import KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.facts import FileFact, Listener
from kubeadm_py.pki import inspect, kubeconfig
from kubeadm_py.plan.certificates import renew, serving
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.transport.base import Result

PKI = paths.PKI_DIR


@pytest.fixture
def world(make_world):
    """Three control planes that serve."""
    made = make_world(up=True, control_planes=3, control_plane_endpoint="api.demo.internal:6443")
    made.join("cp2", "cp3")
    for name in ("cp1", "cp2", "cp3"):
        machine = made.machines[name]
        listening = (*machine.facts.listeners, Listener("tcp", "*", 6443))
        machine.facts = replace(machine.facts, listeners=listening)
    made.forget()
    return made


def run(world, name="all", *hosts, within=None, **options):
    a_run = world.a_run("certs", **options)
    targets = [node for node in world.cluster.control_planes if not hosts or node.name in hosts]
    try:
        return renew.renew(a_run, targets, name, within=within)
    finally:
        a_run.close()


def serial(machine, path):
    content = machine.content[path]
    if path.endswith(".conf"):
        content = kubeconfig.cluster_of(content).client_certificate_pem
    return x509.load_pem_x509_certificate(content).serial_number


def notices(world):
    return [event.text for event in world.event(Notice) if event.level == "warning"]


def drop(machine, *gone):
    left = {path: fact for path, fact in machine.facts.files.items() if path not in gone}
    machine.facts = replace(machine.facts, files=left)


def test_all_on_one_host_after_the_other(world):
    kept = (f"{PKI}/ca.crt", f"{PKI}/ca.key", f"{PKI}/sa.key", paths.KUBELET_CONF)
    before = {name: dict(machine.content) for name, machine in world.machines.items()}
    order = []
    for name in ("cp1", "cp2", "cp3"):
        world.machines[name].before_stage = lambda _stage, name=name: order.append(name)
    report = run(world)
    assert order == ["cp1", "cp2", "cp3"]
    assert not report.together
    assert len(report.plan.stages) == 3
    for name in ("cp1", "cp2", "cp3"):
        machine = world.machines[name]
        for path in kept:
            assert machine.content.get(path) == before[name].get(path)
        changed = [f"{PKI}/apiserver.crt", f"{PKI}/etcd/peer.crt", paths.ADMIN_CONF, paths.SCHEDULER_CONF]
        for path in changed:
            old = before[name][path]
            assert machine.content[path] != old
        assert inspect.key_matches(
            machine.content[f"{PKI}/apiserver.crt"], machine.content[f"{PKI}/apiserver.key"]
        )
        entry = kubeconfig.cluster_of(machine.content[paths.ADMIN_CONF])
        assert entry.server == kubeconfig.cluster_of(before[name][paths.ADMIN_CONF]).server
        assert inspect.key_matches(entry.client_certificate_pem, entry.client_key)
        # A look, the question since when pods run, the CA's keys and kubeconfigs, the stage.
        assert machine.trips == ["hold", "run", "run", "renew"]
    assert notices(world) == [], "super-admin.conf is missing on all but the first, as it should be"


def test_the_first_failure_leaves_the_other_hosts_alone(world):
    world.machines["cp2"].kill("renew", 1)
    with pytest.raises(KubeadmPyError, match="restart kube-apiserver failed"):
        run(world)
    assert world.machines["cp1"].stages == ["renew"]
    assert world.machines["cp3"].stages == []


def test_a_dry_run_reads_no_key_and_changes_nothing(world):
    report = run(world, dry_run=True)
    assert len(report.plan.stages) == 3
    for name in ("cp1", "cp2", "cp3"):
        assert world.machines[name].trips == ["run", "run"]


def test_once_more_nothing_is_due(world):
    run(world)
    world.forget()
    report = run(world, within=timedelta(days=30))
    assert report.plan.empty
    assert world.machines["cp1"].trips == ["hold", "run"]


def deaf(machine):
    machine.facts = replace(machine.facts, listeners=())


def test_where_the_api_is_down_all_go_at_once(world):
    """etcd members whose certificates ended do not find each other again one by one."""
    for name in ("cp1", "cp2", "cp3"):
        deaf(world.machines[name])
    report = run(world, "etcd-peer")
    assert report.together
    (stage,) = report.plan.stages
    assert [host.host for host in stage.hosts] == ["cp1", "cp2", "cp3"]
    assert any("all control planes at once" in text for text in notices(world))


def test_one_that_is_down_goes_first_and_alone(world):
    """Those that serve are the quorum: they are not touched before the third is back."""
    deaf(world.machines["cp2"])
    report = run(world, "etcd-peer")
    assert not report.together
    assert [host.host for stage in report.plan.stages for host in stage.hosts] == ["cp2", "cp1", "cp3"]
    assert len(report.plan.stages) == 3


def test_a_host_that_has_not_joined_yet_is_left_out(world):
    machine = world.machines["cp3"]
    drop(machine, f"{PKI}/ca.crt")
    report = run(world, "apiserver")
    assert list(report.decisions) == ["cp1", "cp2"]
    assert any("no control plane yet" in text for text in notices(world))


def test_no_control_plane_at_all(make_world):
    with pytest.raises(KubeadmPyError, match="there is no control plane"):
        run(make_world())


def test_a_name_that_there_is_not(world):
    with pytest.raises(UsageError, match=r"no certificate kubelet\.conf to renew"):
        run(world, "kubelet.conf")
    assert world.machines["cp1"].trips == []


def test_what_an_external_ca_signs_is_refused_with_what_to_do(world):
    for name in ("cp1", "cp2", "cp3"):
        drop(world.machines[name], f"{PKI}/ca.key")
    with pytest.raises(KubeadmPyError, match="an external CA") as caught:
        run(world, "apiserver")
    assert "certs generate-csr" in caught.value.fix
    before = {name: serial(world.machines[name], f"{PKI}/apiserver.crt") for name in ("cp1", "cp2")}
    world.forget()
    run(world)
    told = [text for text in notices(world) if "signed by an external CA" in text]
    assert len(told) == 3
    assert "apiserver-kubelet-client" in told[0]
    assert {name: serial(world.machines[name], f"{PKI}/apiserver.crt") for name in before} == before


def test_what_is_not_there(world):
    for name in ("cp1", "cp2", "cp3"):
        drop(world.machines[name], f"{PKI}/apiserver.crt")
    with pytest.raises(KubeadmPyError, match="apiserver is not there"):
        run(world, "apiserver")
    run(world)
    assert "not there, and so not renewed: apiserver" in notices(world)


def test_who_runs_with_old_certificates_restarts(world):
    machine = world.machines["cp1"]
    path = paths.SCHEDULER_CONF
    files = {**machine.facts.files, path: replace(machine.facts.files[path], mtime=2000)}
    machine.facts = replace(machine.facts, files=files)
    containers = [
        {
            "metadata": {"name": "kube-scheduler"},
            "createdAt": "1000000000000",
            "labels": {"io.kubernetes.pod.namespace": "kube-system"},
        },
        {
            "metadata": {"name": "etcd"},
            "createdAt": "1",
            "labels": {"io.kubernetes.pod.namespace": "somebody-elses"},
        },
    ]
    machine.answer("# since when", json.dumps({"containers": containers}))
    report = run(world, within=timedelta(0))
    assert report.decisions["cp1"].stale == ("kube-scheduler",)
    assert report.decisions["cp2"].stale == ()
    assert machine.stages == ["renew"]


@pytest.mark.parametrize("answer", ["", "[]", '{"containers": [{}]}'])
def test_an_odd_answer_of_the_runtime_makes_nothing_stale(world, answer):
    a_run = world.a_run("certs")
    world.machines["cp1"].answer("# since when", answer)
    a_run.look(world.cluster.control_planes[:1], lock=False)
    assert serving.started(a_run.sessions["cp1"]) == {}
    a_run.close()


def test_without_a_runtime_nothing_is_renewed_that_something_uses(world):
    cp2 = world.machines["cp2"]
    cp2.answer("# since when", Result(127, b"", b"crictl: not found"))
    with pytest.raises(RunFailedError, match="nothing was renewed") as caught:
        run(world)
    assert [error.host for error in caught.value.errors] == ["cp2"]
    assert [machine.stages for machine in world.machines.values() if machine.stages] == []
    assert run(world, "admin.conf").changed, "nothing that runs uses it"
    assert cp2.stages == ["renew"]


def test_where_a_host_is_away_it_is_told_how_to_renew_without_it(world):
    world.machines["cp2"].unreachable = UnreachableError("no route to host", host="cp2", fix="look at sshd")
    with pytest.raises(RunFailedError) as caught:
        run(world)
    (error,) = caught.value.errors
    assert error.fix == "look at sshd; or renew without it: --host cp1 --host cp3"
    assert [machine.stages for machine in world.machines.values() if machine.stages] == []


def test_a_kubelet_whose_certificate_has_ended_gets_another_one(world):
    machine = world.machines["cp2"]
    current = paths.KUBELET_CLIENT_CURRENT
    login = FileFact(
        paths.KUBELET_CONF, 0o600, "root:root", content=f"client-certificate: {current}\n".encode()
    )
    past = datetime.now(UTC) - timedelta(days=1)
    certificate = FileFact(current, 0o600, "root:root", content=ended_at(past))
    machine.facts = replace(
        machine.facts, files=machine.facts.files | {paths.KUBELET_CONF: login, current: certificate}
    )
    report = run(world, "all", "cp2")
    assert len(report.decisions["cp2"].signed) == len(report.decisions["cp2"].renewed) + 1
    (dated,) = [path for path in machine.content if path.startswith("/var/lib/kubelet/pki/kubelet-client-2")]
    pem = machine.content[dated]
    made = x509.load_pem_x509_certificate(pem)
    assert made.subject.rfc4514_string() == "CN=system:node:cp2,O=system:nodes"
    assert made.not_valid_after_utc > datetime.now(UTC) + timedelta(days=360)
    key = serialization.load_pem_private_key(pem, None)
    assert key.public_key() == made.public_key()


def ended_at(moment: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "system:node:cp2")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, moment - timedelta(days=9), moment)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
