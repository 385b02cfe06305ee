"""How `status` reads: what is wrong first to the eye, no line wider than the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.engine.events import Failed
from kubeadm_py.model.status import ClusterStatus, HostStatus, OldPod, WorkloadStatus
from kubeadm_py.report.status_text import lines, troubles
from kubeadm_py.report.text import ASCII, UNICODE, width_of

CP1 = HostStatus(
    "cp1",
    "control-plane",
    ready=True,
    version="v1.36.3",
    runtime="containerd 2.3.7",
    proxy_mode="nftables",
    api=True,
    etcd="leader",
    components={"kube-apiserver": "v1.36.3"},
    certificate="apiserver",
    ends="2027-11-30T00:00:00Z",
    days=364,
)
W1 = HostStatus(
    "w1", "worker", ready=True, version="v1.36.3", runtime="containerd 2.3.7", proxy_mode="nftables"
)
WELL = ClusterStatus("demo", "v1.36.3", (CP1, W1), (WorkloadStatus("kube-proxy", "kube-system", 2, 2),))


def text(status: ClusterStatus, width: int | None = None) -> str:
    return "\n".join(lines(status, width, UNICODE))


def test_a_cluster_that_is_well():
    assert text(WELL).splitlines() == [
        "✓ demo · Kubernetes v1.36.3 · 2 of 2 nodes Ready, 1 of 1 etcd member well",
        "",
        "  NAME  ROLE           READY  VERSION  API    ETCD    PROXY     CERTS  RUNTIME",
        "  cp1   control-plane  yes    v1.36.3  ready  leader  nftables  364d   containerd 2.3.7",
        "  w1    worker         yes    v1.36.3  -      -       nftables  -      containerd 2.3.7",
        "",
        "  pods   kube-proxy 2/2",
        "  certs  the first to end is apiserver on cp1: 2027-11-30, in 364 days",
    ]


def test_a_host_of_role_etcd_is_no_node():
    e1 = HostStatus("e1", "etcd", etcd="leader", certificate="etcd-server", ends="2027-01-01", days=32)
    cp1 = replace(CP1, etcd="")
    told = text(replace(WELL, hosts=(cp1, e1, W1)))
    assert told.startswith("✓ demo · Kubernetes v1.36.3 · 2 of 2 nodes Ready, 1 of 1 etcd member well")
    [line] = [line for line in told.splitlines() if line.startswith("  e1")]
    assert line.split() == ["e1", "etcd", "-", "-", "-", "leader", "-", "32d", "-"]
    silent = text(replace(WELL, hosts=(cp1, replace(e1, etcd=""), W1)))
    assert "e1: its etcd member does not answer, or is none of the cluster's" in silent


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_is_wider_than_the_terminal(width):
    worse = replace(W1, name="worker-with-a-long-name-0001", ready=False, why="word " * 40)
    status = replace(WELL, hosts=(CP1, worse), strangers=tuple(f"node-{number}" for number in range(30)))
    found = lines(status, width, UNICODE)
    assert all(width_of(line) <= width for line in found), found
    assert "NAME" in "\n".join(found)
    assert "nftables" in "\n".join(found), "what matters stays where there is little room"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ready": False, "why": "no network"}, "w1: its node is not Ready: no network"),
        ({"ready": None}, "w1: the cluster has no such node"),
        ({"problem": "connection refused"}, "w1: connection refused"),
        ({"proxy_mode": ""}, "w1: kube-proxy does not say what it does"),
        ({"unsettled": True}, "w1: a change was cut off"),
        ({"etcd": "does not answer"}, "w1: its etcd member: does not answer"),
        (
            {"days": 3, "certificate": "apiserver", "ends": "2026-12-03T00:00:00Z"},
            "w1: apiserver ends in 3 days",
        ),
        ({"api": False}, "w1: its API server is not ready"),
        (
            {"components": {"kube-scheduler": "v1.36.3 not ready"}},
            "w1: not well: kube-scheduler (v1.36.3 not",
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_to_type(change, told):
    found = text(replace(WELL, hosts=(CP1, replace(W1, **change))))
    assert found.startswith("✗ demo")
    assert told in found


def test_a_run_that_is_under_way_is_told_and_is_no_trouble():
    busy = replace(
        WELL, hosts=(CP1, replace(W1, under_way="kubeadm-py apply by jane@laptop", unsettled=True))
    )
    found = text(busy)
    assert found.startswith("✓ demo")
    assert "w1: a run is under way: kubeadm-py apply by jane@laptop" in found
    assert troubles(busy) == []


def test_where_no_api_server_answers_it_is_said_once():
    hosts = [replace(CP1, name=f"cp{number}", ready=None, api=False, etcd="") for number in (1, 2, 3)]
    dead = ClusterStatus("demo", "", (*hosts, replace(W1, ready=None)))
    (only,) = troubles(dead, "c.yaml")
    assert only.text == "no API server answers: nothing is known of nodes and pods"
    assert only.fix == "kubeadm-py logs kube-apiserver --config c.yaml --host cp1"
    found = text(dead)
    assert (found.count("no API server answers"), "no such node" in found) == (1, False)


def test_why_a_host_was_not_reached_is_told_in_full_and_once():
    why = Failed("host key has changed", "w1", ("it was SHA256:a",), "ssh-keygen -R w1", exit_code=8)
    silent = replace(WELL, hosts=(CP1, HostStatus("w1", "worker", problem="host key has changed")))
    found = "\n".join(lines(silent, None, UNICODE, unreached=[why], exit_code=8))
    assert "1 of 1 etcd member well  (exit 8)" in found
    assert found.count("host key has changed") == 1
    assert "it was SHA256:a" in found
    assert "→ ssh-keygen -R w1" in found


def test_old_pods_are_named_with_the_way_to_new_ones():
    old = OldPod("kube-proxy-x", "kube-system", "w1", "kube-proxy", "2026-11-30T10:00:00Z")
    found = text(replace(WELL, old_pods=(old,)))
    assert "w1: kube-proxy-x runs with the configuration before that of 2026-11-30T10:00:00Z" in found
    assert "kubectl -n kube-system delete pod kube-proxy-x" in found


def test_words_of_hosts_steer_no_terminal():
    found = lines(replace(WELL, hosts=(replace(CP1, ready=False, why="\x1b[31mred\x07"),)), None, ASCII)
    assert all(line.isascii() and line.isprintable() for line in found)


@pytest.mark.parametrize(
    ("change", "typed"),
    [
        ({"api": False}, ["kubeadm-py logs kube-apiserver --config c.yaml --host w1"]),
        ({"proxy_mode": ""}, ["kubeadm-py logs kube-proxy --config c.yaml --host w1"]),
        (
            {"components": {"etcd": "3.6.8 not ready", "kube-scheduler": "not there", "other": "well"}},
            [
                "kubeadm-py logs etcd --config c.yaml --host w1",
                "kubeadm-py logs kube-scheduler --config c.yaml --host w1",
            ],
        ),
        ({"etcd": "does not answer"}, ["kubeadm-py etcd status --config c.yaml"]),
        ({"unsettled": True}, ["kubeadm-py apply --config c.yaml"]),
        ({"days": 3}, ["kubeadm-py certs renew all --config c.yaml"]),
    ],
)
def test_commands_of_ours_can_be_typed_as_they_stand(change, typed):
    found = lines(replace(WELL, hosts=(CP1, replace(W1, **change))), None, UNICODE, "c.yaml")
    stripped = [line.strip().removeprefix("→ ") for line in found]
    assert [line for line in stripped if line.startswith("kubeadm-py")] == typed
