"""Whose host is whose, where the cluster's CA does not lie in the usual place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model.findings import Severity
from kubeadm_py.plan import preflight
from kubeadm_py.plan.artifacts.sources import Source
from kubeadm_py.preflight.run import PreflightRefused


def test_init_goes_on_with_its_own_control_plane(make_world):
    world = make_world(certificates_dir="/srv/pki")
    world.init()
    assert "/srv/pki/ca.key" in world.machines["cp1"].content
    world.forget()
    assert world.init().changed == 0


@pytest.mark.parametrize("path", ["/srv/ca.crt", "/etc/kubernetes/own/cluster.crt"])
def test_join_goes_on_with_its_own_worker(make_world, path):
    world = make_world(up=True, ca_cert_path=path)
    assert world.join("w1").already == ()
    world.forget()
    report = world.join("w1")
    assert (report.already, report.changed) == (("w1",), 0)


def test_a_worker_of_another_cluster_is_still_refused(make_world):
    other = make_world(up=True).api.ca_pem
    world = make_world(up=True, ca_cert_path="/srv/ca.crt")
    world.join("w1")
    w1 = world.machines["w1"]
    fact = replace(w1.facts.files["/srv/ca.crt"], content=other)
    w1.facts = replace(w1.facts, files={**w1.facts.files, "/srv/ca.crt": fact})
    with pytest.raises(PreflightRefused):
        world.join("w1")


def test_the_survey_knows_its_members_too(make_world):
    world = make_world(up=True, certificates_dir="/srv/pki", ca_cert_path="/srv/ca.crt")
    world.join("w1")
    run = world.a_run("preflight")
    run.look(run.cluster.nodes, lock=False)
    found, waiting = preflight.survey(run, artifacts=Source().view, addon_images=[])
    run.close()
    assert waiting == ()
    assert [finding for finding in found if finding.severity is Severity.ERROR] == []
