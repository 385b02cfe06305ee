"""The operator's kubeconfig: merged in one step, backed up, private, and foreign entries never touched."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from kubeadm_py.cli.verbs import kubeconfig as verb
from kubeadm_py.errors import KubeadmPyError, LockedError, UsageError
from kubeadm_py.model import paths
from kubeadm_py.model.cluster import LoadBalancer, ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.transport.fake import FakeHost

FOREIGN = """\
apiVersion: v1
kind: Config
current-context: theirs
clusters:
- name: theirs  # a comment
  cluster: {server: "https://192.0.2.1:6443"}
contexts:
- name: theirs
  context: {cluster: theirs, user: someone}
users:
- name: someone
  user: {token: t}
"""


@functools.cache
def ca_pem() -> bytes:
    node = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",))
    cluster = ResolvedCluster("demo", Version(1, 36, 3), (node,), encryption_algorithm="ECDSA-P256")
    with Authorities.from_fresh(cluster, now=datetime.now(UTC)) as authorities:
        return authorities.ca_pem()


def admin_conf(server: str = "https://10.0.0.1:6443") -> bytes:
    user = "kubernetes-admin"
    return kubeconfig.render(
        "kubernetes", server, ca_pem(), user, client_certificate=b"C", client_key=Secret("K")
    )


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kube" / "config"
    monkeypatch.setenv("KUBECONFIG", f"{path}{os.pathsep}{tmp_path / 'another'}")
    monkeypatch.setattr(time, "strftime", lambda _format: "20260101-000000")
    return path


@pytest.fixture
def get(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gets the kubeconfig of a control plane whose admin.conf is `content`."""
    node = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.1",))

    def run(content: bytes | None = None, balancer: str = "external", **options: object) -> None:
        host = FakeHost("cp1")
        if content is not None:
            host.files[paths.ADMIN_CONF] = content

        @contextlib.contextmanager
        def leader(_config: str, _hosts: object, **_options: object) -> Iterator[tuple[object, FakeHost]]:
            name = "api.demo.internal:6443"
            yield (
                ResolvedCluster(
                    "demo",
                    Version(1, 36, 3),
                    (node,),
                    control_plane_endpoint=name,
                    load_balancer=LoadBalancer(balancer),
                ),
                host,
            )

        monkeypatch.setattr(verb, "leader", leader)
        given = {"config": "c.yaml", "hosts": [], "merge": True, "path": False, "output": "", **options}
        verb.get(**given)  # type: ignore[arg-type]

    return run


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_into_no_file(get, target):
    get(admin_conf())
    assert (mode(target), mode(target.parent)) == (0o600, 0o700)
    assert yaml.safe_load(target.read_text())["current-context"] == "kubernetes-admin@demo"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("balancer", "server", "name"),
    [
        ("vip", "https://api.demo.internal:6443", ""),
        ("node-local", "https://10.0.0.1:6443", "api.demo.internal"),
    ],
)
def test_an_operator_needs_an_address_where_only_nodes_know_the_name(get, target, balancer, server, name):
    get(admin_conf("https://api.demo.internal:6443"), balancer)
    found = kubeconfig.cluster_of(target.read_bytes())
    assert (found.server, found.tls_server_name) == (server, name)


def test_beside_others(get, target, capsys):
    target.parent.mkdir()
    target.write_text(FOREIGN)
    target.chmod(0o644)
    get(admin_conf())
    assert mode(target) == 0o600
    assert target.read_text().startswith(FOREIGN.partition("current-context")[0])
    assert "# a comment" in target.read_text()
    merged = yaml.safe_load(target.read_text())
    foreign = yaml.safe_load(FOREIGN)
    for kind in ("clusters", "contexts", "users"):
        assert merged[kind][0] == foreign[kind][0]
    (backup,) = target.parent.glob("*.bak")
    assert (backup.read_text(), mode(backup)) == (FOREIGN, 0o600)
    assert str(backup) in capsys.readouterr().err
    # Once more there is nothing to do.
    before = target.stat()
    get(admin_conf())
    assert target.stat().st_mtime_ns == before.st_mtime_ns
    assert list(target.parent.glob("*.bak")) == [backup]


def test_no_backup_takes_the_place_of_another(get, target):
    """Two merges in one second: what was there at first is still somewhere."""
    target.parent.mkdir()
    target.write_text(FOREIGN)
    get(admin_conf())
    get(admin_conf("https://10.0.0.2:6443"))
    backups = sorted(path.read_text() for path in target.parent.glob("*.bak"))
    assert len(backups) == 2
    assert FOREIGN in backups


def test_a_link_stays_one(get, target, tmp_path):
    target.parent.mkdir()
    (tmp_path / "real").write_text(FOREIGN)
    target.symlink_to(tmp_path / "real")
    get(admin_conf())
    assert target.is_symlink()
    assert "kubernetes-admin@demo" in (tmp_path / "real").read_text()


def test_a_file_that_somebody_else_writes_is_waited_for_and_then_refused(get, target, monkeypatch):
    """kubectl makes the same lock."""
    monkeypatch.setattr(verb, "LOCK_SECONDS", 0.0)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    target.parent.mkdir()
    target.write_text(FOREIGN)
    lock = target.with_name("config.lock")
    lock.touch()
    with pytest.raises(LockedError, match="is locked by another program") as caught:
        get(admin_conf())
    assert str(lock) in caught.value.fix
    assert (target.read_text(), lock.exists()) == (FOREIGN, True)
    lock.unlink()
    get(admin_conf())
    assert not lock.exists()


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", b"[]"])
def test_what_is_no_kubeconfig_is_left_alone(get, target, content):
    target.parent.mkdir()
    target.write_bytes(content)
    with pytest.raises(KubeadmPyError) as caught:
        get(admin_conf())
    assert str(target) in caught.value.summary
    assert caught.value.fix
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_what_cannot_be_read_is_no_traceback(get, target):
    target.mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        get(admin_conf())


def test_what_cannot_be_written_is_no_traceback(get, target):
    target.parent.write_text("a file where a folder should be")
    with pytest.raises(UsageError, match="cannot be written"):
        get(admin_conf(), merge=False, output=str(target))


def test_into_a_file_of_its_own(get, target, capsys, tmp_path):
    get(admin_conf(), merge=False, output=str(tmp_path / "admin.conf"))
    assert (mode(tmp_path / "admin.conf"), (tmp_path / "admin.conf").read_bytes()) == (0o600, admin_conf())
    get(admin_conf(), merge=False)
    assert capsys.readouterr().out == admin_conf().decode()


def test_a_host_that_is_no_control_plane_yet(get, target):
    with pytest.raises(KubeadmPyError, match=r"admin\.conf is not there") as caught:
        get(None)
    assert caught.value.fix == "kubeadm-py init --config c.yaml"
    assert not target.exists()


def test_one_way_at_a_time(get, target):
    with pytest.raises(UsageError, match="exclude each other"):
        get(admin_conf(), path=True)
