"""What a run finds that comes after one that was killed."""

from __future__ import annotations

from datetime import UTC, datetime

from kubeadm_py.engine.events import EventBus
from kubeadm_py.engine.execute import Executor
from kubeadm_py.engine.session import Session
from kubeadm_py.model.actions import FileSpec, WriteFiles
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.stages import HostPlan, PlannedStep
from kubeadm_py.transport.fake import FakeHost

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def script_for(recorded: dict[str, dict[str, object]]) -> str:
    path = "/etc/containerd/config.toml"
    facts = HostFacts(files={path: FileFact(path, 0o644, "root:root", sha256="0" * 64)})
    session = Session(
        Node("w1", Role.WORKER, ("10.0.0.1",)), FakeHost("w1"), facts, Inventory("demo", files=recorded), ""
    )
    executor = Executor({"w1": session}, EventBus(), {}, lambda _: (0, ()))
    plan = HostPlan("w1", (PlannedStep("s", "s", (WriteFiles((FileSpec(path, b"ours"),)),)),))
    return executor._compile(session, plan, probe_after=False).script


def test_a_foreign_file_that_was_noted_and_not_kept_is_kept_now() -> None:
    noted = {"/etc/containerd/config.toml": {"sha256": "", "mode": "0644", "made": False}}
    assert "kpy_keep /etc/containerd/config.toml\n" in script_for(noted)


def test_our_own_file_is_nobodys_prior_content() -> None:
    noted = {"/etc/containerd/config.toml": {"sha256": "", "mode": "0644", "made": True}}
    assert "kpy_keep /etc" not in script_for(noted)
