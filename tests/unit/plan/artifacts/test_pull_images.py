"""config images pull on hosts that exist in memory."""

from __future__ import annotations

import pytest

from kubeadm_py.model import paths
from kubeadm_py.plan.artifacts import pull_images
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.plan.run import RunFailedError


@pytest.fixture(autouse=True)
def preinstalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_images, "open_for", lambda _run: Source())


def pull(world, *names: str):
    run = world.a_run("config images pull")
    try:
        run.look([run.cluster.node(name) for name in names])
        return run, pull_images.pull(run)
    finally:
        run.close()


def test_every_host_gets_its_own_images_and_nothing_else(world):
    run, pulled = pull(world, "cp1", "w1")
    assert any("kube-apiserver" in image for image in pulled["cp1"])
    assert not any("kube-apiserver" in image for image in pulled["w1"])
    assert any("kube-proxy" in image for image in pulled["w1"])
    for name in ("cp1", "w1"):
        written = [path for path in world.machines[name].content if path.startswith(paths.KUBERNETES_DIR)]
        assert written == []
    assert run.changed


def test_a_host_that_cannot_is_named(world):
    world.machines["w1"].failing["pull"] = "0 1"
    with pytest.raises(RunFailedError) as failed:
        pull(world, "cp1", "w1")
    assert [error.host for error in failed.value.errors] == ["w1"]
