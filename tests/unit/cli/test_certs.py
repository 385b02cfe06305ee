"""The certs verbs: what is written and printed on this machine."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import certs as verb
from kubeadm_py.cli.verbs import subject
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import ExitCode, UnreachableError, UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.transport.fake import FakeHost

BARE = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.11}
nodeRegistration: {name: cp1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
controlPlaneEndpoint: api.example.com:6443
encryptionAlgorithm: ECDSA-P256
"""
CLUSTER = """
---
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11}
  - {name: cp2, role: control-plane, address: 192.0.2.12}
"""


def generate(config: Path, folder: Path | None, *hosts: str) -> None:
    verb.generate_csr(
        config=str(config),
        hosts=hosts,
        cert_dir=str(folder / "pki") if folder else "",
        kubeconfig_dir=str(folder) if folder else "",
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    path = tmp_path / "bare.yaml"
    path.write_text(BARE)
    return path


@pytest.fixture
def several(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(BARE.partition("---\n")[2] + CLUSTER)
    return path


@pytest.mark.parametrize(("name", "there"), [("cp1", True), ("cp2", False)])
def test_the_masters_kubeconfig_is_the_first_control_planes_alone(several, tmp_path, name, there):
    generate(several, tmp_path / "out", name)
    assert (tmp_path / "out" / "admin.conf.csr").exists()
    assert (tmp_path / "out" / "super-admin.conf.csr").exists() is there


def test_requests_have_kubeadms_names_and_modes(bare, tmp_path, capsys):
    generate(bare, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == 2 * (7 + 5)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert (tmp_path / "out/pki/etcd/healthcheck-client.csr").is_file()
    assert (tmp_path / "out/controller-manager.conf.csr").is_file()
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(map(str, files))


def test_what_is_there_is_never_overwritten(bare, tmp_path):
    generate(bare, tmp_path / "out")
    key = tmp_path / "out/pki/apiserver.key"
    before = key.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        generate(bare, tmp_path / "out")
    assert key.read_bytes() == before


def test_a_disk_that_fills_up_leaves_no_part_of_a_key(bare, tmp_path, monkeypatch):
    opened = []

    class Full(io.BytesIO):
        def write(self, _content: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def fdopen(descriptor: int, mode: str) -> Any:
        opened.append(descriptor)
        real = open(descriptor, mode)  # noqa: SIM115 - as os.fdopen, for the third only its number is kept
        if len(opened) < 3:
            return real
        real.close()
        return Full()

    monkeypatch.setattr(verb.os, "fdopen", fdopen)
    with pytest.raises(UsageError, match="No space left on device"):
        generate(bare, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_of_requests_that_cannot_all_be_written_none_is_left(bare, tmp_path):
    """A part of them would stand in the way of the next run."""
    folder = tmp_path / "out"
    (folder / "pki").mkdir(parents=True)
    (folder / "pki" / "etcd").write_text("no folder")
    with pytest.raises(UsageError, match="pki/etcd"):
        generate(bare, folder)
    assert sorted(path.name for path in folder.rglob("*")) == ["etcd", "pki"]


def test_a_name_that_there_is_not_is_told_before_anybody_is_asked(monkeypatch):
    monkeypatch.setattr(subject, "of_cluster", lambda *_arguments, **_options: pytest.fail("asked"))
    with pytest.raises(UsageError, match="there is no certificate foo to renew"):
        verb.renew(
            Display(), name="foo", config="", hosts=[], cert_dir="", kubeconfig="", within="", dry_run=False
        )


def test_requests_are_for_one_control_plane_of_several(several, tmp_path):
    with pytest.raises(UsageError, match="one control plane at a time") as caught:
        generate(several, tmp_path / "out")
    assert "cp1, cp2" in caught.value.fix
    with pytest.raises(UsageError, match="--cert-dir and --kubeconfig-dir"):
        generate(several, None, "cp2")
    generate(several, tmp_path / "out", "cp2")
    asked = x509.load_pem_x509_csr((tmp_path / "out/pki/etcd/peer.csr").read_bytes())
    assert asked.subject.rfc4514_string() == "CN=cp2"
    kubelet = yaml.safe_load((tmp_path / "out/kubelet.conf").read_text())
    assert kubelet["users"][0]["name"] == "system:node:cp2"


@dataclass
class Looked:
    """Stand in for a run that looks at hosts, of which some are away."""

    cluster: ResolvedCluster
    away: set[str] = field(default_factory=set)
    sessions: dict[str, Session] = field(default_factory=dict)
    files: dict[str, FileFact] = field(default_factory=dict)

    def look(self, nodes: Iterable[Node], **_: object) -> None:
        for node in nodes:
            if node.name not in self.away:
                facts = HostFacts(files=self.files)
                self.sessions[node.name] = Session(node, FakeHost(node.name), facts, Inventory(), "")
        if self.away:
            raise RunFailedError([UnreachableError("no route to host", host=name) for name in self.away])


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Looked:
    nodes = (
        Node("cp1", Role.CONTROL_PLANE, ("192.0.2.11",), advertise_address="192.0.2.11"),
        Node("w1", Role.WORKER, ("192.0.2.21",)),
    )
    cluster = ResolvedCluster("demo", Version(1, 36, 3), nodes)
    monkeypatch.setattr(
        subject, "of_cluster", lambda *_arguments, **_options: subject.Subject(cluster, cluster.nodes)
    )
    run = Looked(cluster)
    monkeypatch.setattr(verb, "errand", lambda *_arguments: contextlib.nullcontext(run))
    return run


def check(output: str) -> None:
    verb.check_expiration(config="c.yaml", hosts=[], cert_dir="", kubeconfig="", output=output)


def test_every_host_has_its_part_of_the_text(hosts, capsys):
    check("text")
    first, _, second = capsys.readouterr().out.partition("\nw1\n\n")
    assert first.startswith("cp1\n\nCERTIFICATE  ")
    assert "!MISSING! apiserver" in first
    assert "!MISSING! etcd-ca" in first
    assert "nothing listens" in first
    assert second.splitlines()[0].split() == [
        "SERVED",
        "BY",
        "PORT",
        "EXPIRES",
        "RESIDUAL",
        "TIME",
        "FROM",
        "FILE",
    ]
    assert len(second.splitlines()) == 2


def test_the_others_are_told_where_a_host_is_away(hosts, capsys):
    hosts.away.add("w1")
    with pytest.raises(RunFailedError, match="no route to host") as caught:
        check("text")
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert capsys.readouterr().out.startswith("cp1\n\nCERTIFICATE  ")


def test_a_file_that_is_no_certificate_fails_after_all_is_told(hosts, capsys):
    """It is not missing: what watches the ends must hear of it."""
    path = "/etc/kubernetes/pki/apiserver.crt"
    hosts.files = {path: FileFact(path, 0o644, "root:root", "0", content=b"x")}
    with pytest.raises(RunFailedError, match=f"there is no certificate in {path}") as caught:
        check("text")
    assert [error.host for error in caught.value.errors] == ["cp1"]
    printed = capsys.readouterr().out
    assert "!UNREADABLE! apiserver\n" in printed
    assert "\nw1\n" in printed


def test_nothing_is_told_where_all_are_away(hosts, capsys):
    hosts.away |= {"cp1", "w1"}
    with pytest.raises(RunFailedError) as caught:
        check("json")
    assert {error.host for error in caught.value.errors} == {"cp1", "w1"}
    assert capsys.readouterr().out == ""


def test_every_host_has_its_object_in_json(hosts, capsys):
    check("json")
    decoder, text, found = json.JSONDecoder(), capsys.readouterr().out, []
    while text.strip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    assert [each["host"] for each in found] == ["cp1", "w1"]
    assert [each["kind"] for each in found] == ["CertificateExpirationInfo"] * 2
    assert [len(each["certificates"]) for each in found] == [11, 0]
    assert [each["component"] for each in found[1]["served"]] == ["kubelet"]
    assert found[0]["restartNeeded"] == []


def test_a_duration_that_is_none():
    with pytest.raises(UsageError, match="--if-ends-within 'soon'"):
        verb._duration("soon")
    assert verb._duration("") is None
