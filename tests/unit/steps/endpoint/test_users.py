"""What finds the API by its endpoint: moved once, and then nothing is left to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, RestartStaticPod, RunScript, Unit, Wait, WriteFiles
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki import kubeconfig
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.certificates import certs, kubeconfigs
from kubeadm_py.steps.endpoint import users as endpoint_users

Carry = Callable[[StepContext, list[Action]], StepContext]
OLD, NEW = "https://10.0.0.11:6443", "https://10.0.0.100:6443"


def of_kubelet(server: str) -> bytes:
    """Return a kubelet.conf as a kubelet writes it."""
    rendered = kubeconfig.render("default-cluster", server, b"CA", "default-auth")
    document = kubeconfig.load(rendered, "it")
    current = paths.KUBELET_CLIENT_CURRENT
    document["users"][0]["user"] = {"client-certificate": current, "client-key": current}
    return kubeconfig.dump(document)


def with_kubelet_conf(ctx: StepContext, content: bytes, *, partial: bool = False) -> StepContext:
    fact = FileFact(paths.KUBELET_CONF, 0o600, "root:root", content=content, partial=partial)
    return replace(ctx, facts=replace(ctx.facts, files={**ctx.facts.files, paths.KUBELET_CONF: fact}))


@pytest.fixture
def moved(control_plane: StepContext) -> StepContext:
    cluster = replace(control_plane.cluster, control_plane_endpoint="10.0.0.100:6443")
    return replace(control_plane, cluster=cluster, verb="apply")


@pytest.fixture
def worker(moved: StepContext) -> StepContext:
    node = Node("w1", Role.WORKER, ("10.0.0.21",))
    return replace(moved, node=node, cluster=replace(moved.cluster, nodes=(*moved.cluster.nodes, node)))


def test_a_kubelet_reads_its_new_endpoint_at_its_restart(worker: StepContext, carry: Carry) -> None:
    ctx = with_kubelet_conf(worker, of_kubelet(OLD))
    write, restart, wait = endpoint_users.plan_kubelet(ctx)
    assert isinstance(write, WriteFiles)
    assert write.reason == f"kubelet.conf: {OLD} becomes {NEW}"
    (spec,) = write.files
    assert spec.content == of_kubelet(NEW), "the credentials stay"
    assert spec.mode == 0o600
    assert isinstance(restart, Unit)
    assert (restart.name, restart.state) == ("kubelet.service", "restarted")
    assert isinstance(wait, Wait)
    assert endpoint_users.plan_kubelet(carry(ctx, [write])) == []


def test_a_control_plane_asks_itself(moved: StepContext) -> None:
    assert endpoint_users.plan_kubelet(with_kubelet_conf(moved, of_kubelet(OLD))) == []
    # As older releases of kubeadm left it.
    write, *_ = endpoint_users.plan_kubelet(with_kubelet_conf(moved, of_kubelet(NEW)))
    assert isinstance(write, WriteFiles)
    assert write.files[0].content == of_kubelet(OLD)


def test_a_key_in_it_stays_on_its_host(worker: StepContext, tmp_path: Path) -> None:
    ctx = with_kubelet_conf(worker, of_kubelet(OLD), partial=True)
    edit, *_ = endpoint_users.plan_kubelet(ctx)
    assert isinstance(edit, RunScript)
    file = tmp_path / "kubelet.conf"
    file.write_bytes(of_kubelet(OLD) + b"secret: yes\n")
    file.chmod(0o600)
    script = edit.script.replace(paths.KUBELET_CONF, str(file)).replace(paths.KUBERNETES_DIR, str(tmp_path))
    # Stands for kubectl's own edit; what is looked at is what becomes of the file around it.
    words = (
        'kubectl() { [ "$4 $5" = "set-cluster default-cluster" ] && sed -i "s,server: .*,server: $7," "$2"; }'
    )
    subprocess.run(["sh", "-eu"], input=f"{words}\nkpy_relabel() {{ :; }}\n{script}", text=True, check=True)
    assert file.read_bytes() == of_kubelet(NEW) + b"secret: yes\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_read_is_left_alone(worker: StepContext) -> None:
    assert endpoint_users.plan_kubelet(with_kubelet_conf(worker, b"users: strange")) == []
    assert endpoint_users.plan_kubelet(worker) == []


def settled(ctx: StepContext, carry: Carry) -> StepContext:
    done = carry(ctx, certs.plan(ctx))
    return carry(done, kubeconfigs.plan(done))


def test_administrators_move_and_components_stay(control_plane: StepContext, carry: Carry) -> None:
    before = settled(control_plane, carry)
    cluster = replace(before.cluster, control_plane_endpoint="10.0.0.100:6443")
    ctx = replace(before, cluster=cluster)
    assert kubeconfigs.plan(replace(ctx, moving=True)) == [], "not before the endpoint answers"
    (write,) = endpoint_users.plan_kubeconfigs(ctx)
    assert isinstance(write, WriteFiles)
    assert [spec.path for spec in write.files] == [paths.ADMIN_CONF, paths.SUPER_ADMIN_CONF]
    assert endpoint_users.plan_kubeconfigs(carry(ctx, [write])) == []


def test_a_component_that_named_another_server_is_started_anew(
    control_plane: StepContext, carry: Carry
) -> None:
    ctx = settled(control_plane, carry)
    path = paths.SCHEDULER_CONF
    fact = ctx.facts.files[path]
    strange = replace(fact, content=(fact.content or b"").replace(b"10.0.0.11", b"10.0.0.99"))
    ctx = replace(ctx, facts=replace(ctx.facts, files={**ctx.facts.files, path: strange}))
    write, restart, wait = endpoint_users.plan_kubeconfigs(ctx)
    assert isinstance(write, WriteFiles)
    assert isinstance(restart, RestartStaticPod)
    assert restart.component == "kube-scheduler"
    assert isinstance(wait, Wait)
    assert wait.title == "wait for kube-scheduler"


def test_with_an_external_ca_only_the_server_changes(control_plane: StepContext, carry: Carry) -> None:
    before = settled(control_plane, carry)
    files = {path: fact for path, fact in before.facts.files.items() if not path.endswith("/ca.key")}
    cluster = replace(before.cluster, control_plane_endpoint="10.0.0.100:6443")
    ctx = replace(before, cluster=cluster, facts=replace(before.facts, files=files), recorded={})
    edits = endpoint_users.plan_kubeconfigs(ctx)
    assert [edit.title for edit in edits if isinstance(edit, RunScript)] == ["admin.conf", "super-admin.conf"]
    assert not [edit for edit in edits if isinstance(edit, WriteFiles)], "nobody can sign them here"


def test_the_certificate_is_for_the_old_name_too_while_it_moves(
    control_plane: StepContext, carry: Carry
) -> None:
    named = replace(control_plane.cluster, control_plane_endpoint="old.example:6443")
    before = settled(replace(control_plane, cluster=named), carry)
    ctx = replace(before, cluster=replace(named, control_plane_endpoint="new.example:6443"))

    def asked(of: StepContext) -> tuple[str, ...]:
        (write,) = certs.plan(of)
        assert isinstance(write, WriteFiles)
        return write.files[-1].content.spec["sans"]  # type: ignore[union-attr,no-any-return]

    assert {"old.example", "new.example"} <= set(asked(replace(ctx, moving=True)))
    assert "old.example" not in asked(ctx)
