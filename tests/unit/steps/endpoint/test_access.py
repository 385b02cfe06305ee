"""What a host needs to find the API: planned, planned again on the result, and taken back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, Remove, RunScript, Unit, Wait, WriteFiles
from kubeadm_py.model.cluster import LoadBalancer
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.steps.base import StepContext
from kubeadm_py.steps.endpoint import access as endpoint

LINE = "127.0.0.1 api.demo.internal # kubeadm-py: the API of cluster demo"
Carry = Callable[[StepContext, list[Action]], StepContext]


@pytest.fixture
def worker(control_plane: StepContext) -> StepContext:
    node = Node("w1", Role.WORKER, ("10.0.0.21",))
    cluster = replace(
        control_plane.cluster,
        nodes=(*control_plane.cluster.nodes, node),
        control_plane_endpoint="api.demo.internal:6443",
        load_balancer=LoadBalancer.NODE_LOCAL,
    )
    return replace(control_plane, cluster=cluster, node=node, verb="join")


def with_hosts(ctx: StepContext, text: str) -> StepContext:
    return replace(ctx, facts=replace(ctx.facts, hosts_file=text))


def test_external_endpoint_needs_nothing(control_plane: StepContext) -> None:
    assert endpoint.plan(control_plane) == []


def test_nothing_is_left_to_do_afterwards(worker: StepContext, carry: Carry) -> None:
    line, files = endpoint.plan(worker)
    assert isinstance(line, RunScript)
    assert line.title == "/etc/hosts: 127.0.0.1 api.demo.internal"
    assert isinstance(files, WriteFiles)
    done = with_hosts(carry(worker, [line, files]), f"127.0.0.1 localhost\n{LINE}\n")
    assert endpoint.plan(done) == []


def test_another_endpoint_takes_the_old_one_away(worker: StepContext, carry: Carry) -> None:
    done = with_hosts(carry(worker, endpoint.plan(worker)), f"{LINE}\n")
    moved = replace(
        done.cluster, control_plane_endpoint="api.example:6443", load_balancer=LoadBalancer.EXTERNAL
    )
    line, gone = endpoint.plan(replace(done, cluster=moved))
    assert isinstance(line, RunScript)
    assert line.title == "take our line out of /etc/hosts"
    assert isinstance(gone, Remove)
    assert gone.paths == (f"{paths.MANIFESTS_DIR}/haproxy.yaml", paths.HAPROXY_CONFIG)


def test_a_strangers_files_stay(control_plane: StepContext, with_file: Callable[..., StepContext]) -> None:
    manifest = f"{paths.MANIFESTS_DIR}/haproxy.yaml"
    assert endpoint.plan(with_file(control_plane, manifest, b"theirs")) == []


def test_a_joining_kubelet_starts_anew_behind_its_balancer(
    worker: StepContext, with_file: Callable[..., StepContext]
) -> None:
    joining = replace(worker, joined=object())
    wait, unit = endpoint.plan_balancer(joining)
    assert isinstance(wait, Wait)
    assert "kpy_listens 192B" in wait.until
    assert isinstance(unit, Unit)
    assert (unit.name, unit.state) == ("kubelet.service", "restarted")
    assert endpoint.plan_balancer(with_file(joining, paths.KUBELET_CONF, b"x")) == []
    elsewhere = replace(joining.cluster, load_balancer=LoadBalancer.EXTERNAL)
    assert endpoint.plan_balancer(replace(joining, cluster=elsewhere)) == []


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [
        ("127.0.0.1 localhost\n", LINE, f"127.0.0.1 localhost\n{LINE}\n"),
        ("127.0.0.1 localhost", LINE, f"127.0.0.1 localhost\n{LINE}\n"),
        ("", LINE, f"{LINE}\n"),
        (f"{LINE.replace('127.0.0.1', '10.0.0.9')}\na b\n", LINE, f"a b\n{LINE}\n"),
        (f"{LINE.replace('demo', 'old')}\n", LINE, f"{LINE}\n"),
        (f"{LINE}\n{LINE}\n", LINE, f"{LINE}\n"),
        (f"a b\n{LINE}\n# kubeadm-py: c\n", "", "a b\n# kubeadm-py: c\n"),
        (f"{LINE}\n", "", ""),
    ],
)
def test_edits_the_file_and_nothing_else_in_it(before: str, line: str, after: str, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(before)
    file.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(file)
    (edit,) = endpoint.plan_hosts_line(line, HostFacts(hosts_file=before))
    assert isinstance(edit, RunScript)
    script = f"set -eu\nkpy_relabel() {{ :; }}\n{edit.script.replace(paths.HOSTS_FILE, str(link))}"
    subprocess.run(["sh"], input=script, text=True, check=True)
    assert file.read_text() == after
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [file, link]
    assert endpoint.plan_hosts_line(line, HostFacts(hosts_file=after)) == []


def test_a_hosts_file_that_was_missing_can_be_read_by_all(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    (edit,) = endpoint.plan_hosts_line(LINE, HostFacts())
    assert isinstance(edit, RunScript)
    # As a stage runs it.
    frame = "umask 077\nkpy_relabel() { :; }\nset -eu\n"
    subprocess.run(
        ["sh"], input=frame + edit.script.replace(paths.HOSTS_FILE, str(file)), text=True, check=True
    )
    assert (file.read_text(), file.stat().st_mode & 0o777) == (f"{LINE}\n", 0o644)
