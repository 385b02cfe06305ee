"""Runs that do not get to their end: a control plane that cannot start, a killed tool, a Ctrl-C."""

from __future__ import annotations

import signal

import pytest
from lab import nodes

CA = "/etc/kubernetes/pki/ca.crt"
LOCKS = "/run/kubeadm-py/lock", "/run/kubeadm-py/stage.lock"


@pytest.fixture
def bare(fleet):
    """A control-plane host that is a member of nothing; its runtime and images may be there."""
    fleet.bare()
    return fleet.control_plane


def sha256(node, path):
    return nodes.exec(node, ["sha256sum", path]).stdout.split()[0]


def test_ctrl_c_ends_in_order_and_frees_the_locks(cli, fleet, bare):
    run = cli.start("init", "--config", fleet.config)
    run.until(type="action-done", title="certificates and keys")
    run.signal(signal.SIGINT)
    done = run.end(within=60)
    assert done.code == 130
    (failed,) = (event for event in done.events if event["type"] == "failed")
    assert failed["summary"].startswith("stopped ")
    assert failed["fix"]
    # What was done is said, action by action, and is there.
    finished = [event["title"] for event in done.events if event["type"] == "action-done"]
    assert "certificates and keys" in finished
    assert "apply 44 API objects" not in finished
    assert len(sha256(bare, CA)) == 64
    for lock in LOCKS:
        nodes.exec(bare, ["flock", "--nonblock", lock, "true"])


def test_a_killed_init_goes_on_with_the_same_authorities(cli, fleet, bare):
    run = cli.start("init", "--config", fleet.config)
    run.until(type="host-progress", message="wait for kube-apiserver")
    run.signal(signal.SIGKILL)
    run.end()
    authorities = ("ca", "etcd/ca", "front-proxy-ca")
    before = {
        name: sha256(bare, f"/etc/kubernetes/pki/{name}.{end}")
        for name in authorities
        for end in ["crt", "key"]
    }
    sa = sha256(bare, "/etc/kubernetes/pki/sa.key")
    done = cli.run("init", "--config", fleet.config)
    fleet.runs(fleet.config)
    assert "the control plane on cp1 is up" in done.out
    after = {
        name: sha256(bare, f"/etc/kubernetes/pki/{name}.{end}")
        for name in authorities
        for end in ["crt", "key"]
    }
    assert after == before
    assert sha256(bare, "/etc/kubernetes/pki/sa.key") == sa
    # And once more there is nothing left to do.
    assert cli.run("init", "--config", fleet.config, "--format", "json").report["changed"] == 0


def test_a_control_plane_that_cannot_start_says_why_and_is_mended_by_the_next_run(cli, fleet, bare):
    def broken(kinds):
        # Of a type that only the component itself can judge: anything else is refused before.
        arguments = [{"name": "runtime-config", "value": "nonsense/v1=true"}]
        kinds["ClusterConfiguration"]["apiServer"] = {"extraArgs": arguments}

    done = cli.run("init", "--config", fleet.variant("broken", broken), code=1, within=180)
    assert "kube-apiserver" in done.out
    assert "kube-apiserver on this host ended 3 times" in done.out
    assert "unknown api groups nonsense" in done.out
    assert f"kubeadm-py logs kube-apiserver --config {fleet.variant('broken', broken)} --host cp1" in done.out
    assert done.seconds < 120, "it does not wait until time is up"
    mended = cli.run("init", "--config", fleet.config)
    fleet.runs(fleet.config)
    assert "the control plane on cp1 is up" in mended.out
