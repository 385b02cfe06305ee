"""ServiceAccounts of a new cluster's controllers: made before the controller manager comes to need them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from kubeadm_py.model.components import Arg, Component
from kubeadm_py.model.phases import Selection
from kubeadm_py.steps.control_plane import controllers, static_pods

BINDINGS = """system:controller:job-controller kube-system job-controller
system:controller:node-controller kube-system node-controller
system:controller:service-controller kube-system service-controller
system:kube-dns kube-system kube-dns
system:basic-user
"""


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """Put a kubectl on PATH that lists `bindings`, and keeps what is to be created in `created`."""
    command = tmp_path / "kubectl"
    command.write_text(
        f"""#!/bin/sh
case " $* " in
  *" get clusterrolebindings "*) cat {tmp_path}/bindings ;;
  *" create "*) for file; do :; done; cat "$file" >{tmp_path}/created; exit 1 ;;
esac
"""
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("kpy_tmp", str(tmp_path / "run"))
    return tmp_path


def run(ctx) -> None:
    [action] = controllers.plan(ctx)
    subprocess.run(["sh", "-eu", "-c", action.script], check=True, capture_output=True)


def test_each_controller_of_the_first_roles_gets_its_account_and_nobody_else(control_plane, kubectl):
    (kubectl / "bindings").write_text(BINDINGS)
    run(control_plane)
    made = [json.loads(line) for line in (kubectl / "created").read_text().splitlines()]
    assert [(each["kind"], each["metadata"]) for each in made] == [
        ("ServiceAccount", {"namespace": "kube-system", "name": "job-controller"}),
        ("ServiceAccount", {"namespace": "kube-system", "name": "node-controller"}),
    ]


def test_an_api_that_does_not_answer_stops_nobody(control_plane, kubectl):
    run(control_plane)


def test_only_the_first_host_of_a_new_cluster_makes_them(control_plane, carry):
    assert controllers.plan(replace(control_plane, first=control_plane.node)) == []
    assert controllers.plan(carry(control_plane, static_pods.plan_first(control_plane))) == []


def test_a_controller_manager_that_needs_none_gets_none(control_plane):
    own = Component(extra_args=(Arg("use-service-account-credentials", "false"),))
    cluster = replace(control_plane.cluster, controller_manager=own)
    assert controllers.plan(replace(control_plane, cluster=cluster)) == []
    skipped = Selection(skipped=("control-plane/controller-manager",))
    assert controllers.plan(replace(control_plane, phases=skipped)) == []
