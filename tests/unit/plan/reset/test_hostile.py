"""Reset leaves alone what an old or wrong config points it to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.plan.reset import hosts as reset


def resetting(world, name: str):
    run = world.a_run("reset", cluster=replace(world.cluster, name=name))
    asked = []

    def confirm(plan) -> bool:
        asked.append(plan)
        return False

    try:
        return reset.reset(run, run.cluster.control_planes, reset.Wish(), confirm=confirm), asked
    finally:
        run.close()


def test_a_host_of_another_cluster_is_refused(world):
    world.init()
    with pytest.raises(KubeadmPyError, match="belongs to the cluster demo, not to staging") as caught:
        resetting(world, "staging")
    assert caught.value.host == "cp1"
    assert "kubeadm-py reset --host" in caught.value.fix


@pytest.mark.parametrize("recorded", ["demo", "kubernetes", ""])
def test_a_host_of_this_cluster_or_of_one_without_a_name_is_not(world, recorded):
    world.init()
    cp1 = world.machines["cp1"]
    inventory = (cp1.facts.inventory or b"").replace(
        b'"cluster": "demo"', f'"cluster": "{recorded}"'.encode()
    )
    cp1.facts = replace(cp1.facts, inventory=inventory)
    report, asked = resetting(world, "demo")
    assert report is None
    assert len(asked) == 1
