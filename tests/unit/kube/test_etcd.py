"""What etcdctl prints, as we read it."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import etcd

# In the form of etcdctl 3.6.8; the second member is announced and has not started.
MEMBERS = json.dumps(
    {
        "header": {"cluster_id": 17, "member_id": 16091984811014900669, "raft_term": 2},
        "members": [
            {
                "ID": 16091984811014900669,
                "name": "cp1",
                "peerURLs": ["https://10.99.1.11:2380"],
                "clientURLs": ["https://10.99.1.11:2379"],
            },
            {"ID": 1551621, "name": "", "peerURLs": ["https://10.99.1.12:2380"], "isLearner": True},
        ],
    }
).encode()
HEALTH = json.dumps(
    [
        {"endpoint": "https://10.99.1.11:2379", "health": True, "took": "9ms"},
        {"endpoint": "https://10.99.1.12:2379", "health": False, "error": "context deadline exceeded"},
    ]
).encode()
STATUS = json.dumps(
    [
        {
            "Endpoint": "https://10.99.1.11:2379",
            "Status": {
                "header": {"cluster_id": 17, "member_id": 255, "revision": 9, "raft_term": 2},
                "version": "3.6.8",
                "dbSize": 2097152,
                "leader": 255,
                "raftIndex": 1021,
                "raftTerm": 2,
                "raftAppliedIndex": 1021,
                "dbSizeInUse": 1048576,
                "errors": ["memberID:255 alarm:NOSPACE"],
            },
        }
    ]
).encode()


def test_members_and_their_health():
    first, second = etcd.members(MEMBERS, etcd.healthy(HEALTH))
    assert (first.id, first.name, first.healthy, first.learner) == ("df5236ed37864bbd", "cp1", True, False)
    assert first.id == f"{16091984811014900669:x}"
    assert (second.id, second.name, second.healthy, second.learner) == ("17ad05", "", False, True)
    assert second.peer_urls == ("https://10.99.1.12:2380",)


def test_without_a_question_for_health_who_has_started_counts_as_well():
    assert [member.healthy for member in etcd.members(MEMBERS)] == [True, False]


def test_why_a_member_is_not_well():
    assert etcd.unhealthy(HEALTH) == {"https://10.99.1.12:2379": "context deadline exceeded"}


def test_what_a_member_says_of_itself():
    (said,) = etcd.endpoints(STATUS)
    assert (said.member_id, said.version, said.size, said.in_use) == ("ff", "3.6.8", 2 << 20, 1 << 20)
    assert (said.leader, said.term, said.index) == (True, 2, 1021)
    assert said.error == "memberID:255 alarm:NOSPACE"


@pytest.mark.parametrize("raw", [b"", b"Error: context deadline exceeded", b"7", b"[7]", b"{}"])
def test_what_is_no_answer(raw):
    assert etcd.members(raw) == []
    assert etcd.endpoints(raw) == []
    assert etcd.healthy(raw) == frozenset()


def test_the_certificates_are_named_by_path():
    line = etcd.command(["member", "list"], etcd.Access.of_member("/etc/k8s/my pki"))
    assert "--cacert '/etc/k8s/my pki/etcd/ca.crt'" in line
    assert line.endswith("member list")
    assert "unset ETCDCTL_ENDPOINTS" in line, "a login's own settings do not count"


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (etcd.members, {"members": [{"name": "a"}]}),
        (etcd.members, {"members": [{"ID": "x"}]}),
        (etcd.members, {"members": [[]]}),
        (etcd.members, {"members": 1}),
        (etcd.healthy, [{"health": True}]),
        (etcd.unhealthy, [{"health": False}]),
        (etcd.endpoints, [{"Endpoint": "x"}]),
        (etcd.endpoints, [{"Endpoint": "x", "Status": {"header": {"member_id": []}}}]),
    ],
)
def test_an_answer_of_another_shape(read, answer):
    with pytest.raises(KubeadmPyError, match="etcdctl's answer cannot be understood"):
        read(json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ({"etcdctl": "own", "crictl": "lent"}, "own --endpoints https://127.0.0.1:2379"),
        ({"crictl": "lent"}, "lent exec abc etcdctl --endpoints https://127.0.0.1:2379"),
        ({}, ""),
    ],
)
def test_a_host_without_etcdctl_asks_with_the_one_in_etcds_image(tmp_path, tools, said):
    for name, word in tools.items():
        file = tmp_path / name
        file.write_text(f'#!/bin/sh\n[ "$1" = ps ] && {{ echo abc; exit; }}\necho {word} "$@"\n')
        file.chmod(0o755)
    line = etcd.command(["member", "list"], etcd.Access.of_member("/pki")).replace(":/usr/local/bin", "")
    for tool in ("head", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    ran = subprocess.run(
        ["sh", "-c", line], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert ran.stdout.startswith(said)
    assert ran.returncode == (0 if said else 127)
    assert ("member list" in ran.stdout) is bool(said)
