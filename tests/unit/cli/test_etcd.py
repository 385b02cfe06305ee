"""The etcd verbs on a control plane that exists in memory."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kubeadm_py.cli.verbs import errand, etcd, etcd_defrag, reading
from kubeadm_py.errors import ExitCode, KubeadmPyError, UsageError
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Etcd, ExternalEtcd, LocalEtcd
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHost

SAVED = Path(__file__).parents[1] / "steps" / "prepare" / "cases" / "lab-bare.probe"
CLUSTER = ResolvedCluster("demo", Version(1, 36, 3), (Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",)),))


def answer(document: object, code: int = 0) -> Result:
    return Result(code, json.dumps(document).encode(), b"")


class Cluster(FakeHost):
    """Two members; the second leads."""

    def __init__(self) -> None:
        super().__init__("cp1")
        self.cluster = CLUSTER
        self.silent: set[str] = set()
        self.locked_by = ""
        self.alarm = ""
        self.size, self.in_use = 3 << 20, 1 << 20
        self.answer(re.compile(" compaction "), lambda _: self.compact())
        self.answer(re.compile(" alarm disarm"), lambda _: self.disarm())
        self.values = {"/registry/a": b"k8s\0\xff", "/registry/b": b"text"}
        self.answer(re.compile("member list"), lambda _: answer({"members": self.listed()}))
        self.answer(re.compile("endpoint health --cluster"), lambda _: self.health())
        self.answer(re.compile("endpoint status --cluster"), lambda _: self.status())
        self.answer(re.compile(r"etcdctl.* get "), self.get)
        facts = PROBE_MARKER + SAVED.read_text().removeprefix(PROBE_MARKER).strip()
        self.answer("kubeadm_py_probe", facts + "\n")
        self.answer("flock -n 9", lambda _: self.lock(facts))

    def lock(self, facts: str) -> Result:
        if self.locked_by:
            return Result(75, f"##kubeadm-py locked {self.locked_by}\n".encode(), b"")
        return Result(0, f"{facts}\n##kubeadm-py held\n".encode(), b"")

    def listed(self) -> list[dict[str, object]]:
        return [
            {
                "ID": number,
                "name": name,
                "peerURLs": [f"https://{name}:2380"],
                "clientURLs": [f"https://{name}:2379"],
            }
            for number, name in ((1, "cp1"), (2, "cp2"))
        ]

    def health(self) -> Result:
        said = [
            {
                "endpoint": f"https://{name}:2379",
                "health": name not in self.silent and not self.alarm,
                **({"error": "context deadline exceeded"} if name in self.silent else {}),
                **({"error": self.alarm} if self.alarm and name not in self.silent else {}),
            }
            for name in ("cp1", "cp2")
        ]
        return answer(said, 1 if self.silent or self.alarm else 0)

    def compact(self) -> Result:
        if self.in_use == 1 << 20:
            return Result(1, b"", b"Error: etcdserver: mvcc: required revision has been compacted")
        self.in_use = 1 << 20
        return Result(0, b"compacted revision 77", b"")

    def disarm(self) -> Result:
        self.alarm = ""
        return Result(0, b"memberID:1 alarm:NOSPACE", b"")

    def status(self) -> Result:
        said = [
            {
                "Endpoint": f"https://{name}:2379",
                "Status": {
                    "header": {"member_id": number, "revision": 77},
                    "version": "3.6.8",
                    "dbSize": self.size,
                    "dbSizeInUse": self.in_use,
                    "dbSizeQuota": 4 << 20,
                    "leader": 2,
                    "raftTerm": 4,
                    "raftIndex": 99,
                },
            }
            for number, name in ((1, "cp1"), (2, "cp2"))
            if name not in self.silent
        ]
        return answer(said)

    def get(self, call) -> Result:
        words = call.text.split(" get ")[1].split()
        found = [key for key in self.values if key.startswith(words[0]) or key == words[0]]
        kvs = [
            {
                "key": base64.b64encode(key.encode()).decode(),
                "value": base64.b64encode(self.values[key]).decode(),
                "create_revision": 1,
                "mod_revision": 2,
                "version": 3,
            }
            for key in found
        ]
        return answer({"kvs": kvs} if kvs else {"header": {}})


@pytest.fixture
def host(monkeypatch):
    made = Cluster()

    def connect(node: Node) -> Cluster:
        assert node.name == "cp1"
        return made

    monkeypatch.setattr(reading, "read_cluster", lambda *_args, **_options: made.cluster)
    monkeypatch.setattr(errand, "host_for", connect)
    return made


def test_status(host, capsys):
    assert etcd.status("c.yaml", [], output="text") is ExitCode.DONE
    said = capsys.readouterr()
    head, first, second = (re.split(r"   +", line) for line in said.out.splitlines())
    assert head[:5] == ["NAME", "ID", "VERSION", "SIZE", "IN USE"]
    assert first[:5] == ["cp1", "1", "3.6.8", "3.0 MiB", "1.0 MiB"]
    assert "yes" in second[5]
    assert said.err == ""


def test_a_silent_member_is_in_the_table_and_told(host, capsys):
    host.silent = {"cp2"}
    assert etcd.status("c.yaml", [], output="text") is ExitCode.FAILED
    said = capsys.readouterr()
    assert "context deadline exceeded" in said.out
    assert said.err == "warning: 1 of 2 members are well, 2 must agree; not well: cp2\n"


def test_status_for_machines(host, capsys):
    etcd.status("c.yaml", [], output="json")
    (first, second) = json.loads(capsys.readouterr().out)["items"]
    assert (first["leader"], second["leader"]) == (False, True)
    assert (first["size"], first["inUse"], first["health"]) == (3 << 20, 1 << 20, "healthy")


def test_members(host, capsys):
    etcd.members("c.yaml", [], output="text")
    assert "https://cp2:2380" in capsys.readouterr().out
    etcd.members("c.yaml", [], output="json")
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "EtcdMembers"
    assert [item["vote"] for item in document["items"]] == [True, True]


def test_keys(host, capsys):
    etcd.keys("c.yaml", [], "/registry", output="text")
    assert capsys.readouterr().out == "/registry/a\n/registry/b\n"
    etcd.keys("c.yaml", [], "/none", output="json")
    assert json.loads(capsys.readouterr().out)["items"] == []


def test_a_value_is_printed_byte_by_byte(host, capsysbinary):
    etcd.get("c.yaml", [], "/registry/a", output="text")
    assert capsysbinary.readouterr().out == b"k8s\0\xff"


def test_a_value_for_machines(host, capsys):
    etcd.get("c.yaml", [], "/registry/b", output="json")
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert base64.b64decode(item["value"]) == b"text"
    assert (item["createRevision"], item["modRevision"], item["version"]) == (1, 2, 3)


def test_a_key_that_is_not_there(host):
    with pytest.raises(KubeadmPyError, match="etcd has no key /nothing"):
        etcd.get("c.yaml", [], "/nothing", output="text")


def test_the_leader_is_defragmented_last(host, capsys):
    etcd_defrag.defrag("c.yaml", [])
    at = [re.search(r"--endpoints (\S+)", script) for script in host.scripts if " defrag" in script]
    assert [found[1] for found in at if found] == ["https://cp1:2379", "https://cp2:2379"]
    assert capsys.readouterr().out == "cp1: 2.0 MiB given back\ncp2: 2.0 MiB given back\n"


def test_nobody_is_defragmented_beside_a_sick_member(host):
    host.silent = {"cp2"}
    with pytest.raises(KubeadmPyError, match="not all members are well: cp2"):
        etcd_defrag.defrag("c.yaml", [])
    assert not any(" defrag" in script for script in host.scripts)


NOSPACE = "Active Alarm(s): NOSPACE "


class TestOutOfQuota:
    """An etcd that has used up its quota is not well by its own word; a look at it must not end there."""

    def test_status_says_so_and_what_to_type(self, host, capsys):
        host.alarm = NOSPACE
        assert etcd.status("c.yaml", [], output="text") is ExitCode.FAILED
        assert (
            "takes no writes; to make room: kubeadm-py etcd defrag --config c.yaml" in capsys.readouterr().err
        )

    def test_room_is_made_and_writes_are_taken_again(self, host, capsys):
        host.alarm, host.in_use = NOSPACE, 3 << 20
        etcd_defrag.defrag("c.yaml", [])
        did = [
            word
            for script in host.scripts
            for word in ("compaction 77 --physical", " defrag", "alarm disarm")
            if word in script
        ]
        assert did == ["compaction 77 --physical", " defrag", " defrag", "alarm disarm"]
        assert capsys.readouterr().out.splitlines() == [
            "etcd has used up its quota: compacted at revision 77",
            "cp1: 2.0 MiB given back",
            "cp2: 2.0 MiB given back",
            "etcd takes writes again",
        ]

    def test_a_run_that_was_cut_off_after_the_compaction_is_done_again(self, host):
        host.alarm = NOSPACE
        etcd_defrag.defrag("c.yaml", [])
        assert host.alarm == ""

    def test_a_compaction_that_fails_ends_it(self, host):
        host.alarm = NOSPACE
        host.answer(re.compile(" compaction "), Result(1, b"", b"Error: permission denied"))
        with pytest.raises(KubeadmPyError, match="compacting at revision 77 failed"):
            etcd_defrag.defrag("c.yaml", [])
        assert not any(" defrag" in script for script in host.scripts)

    def test_nobody_is_defragmented_beside_one_that_does_not_answer(self, host):
        host.alarm, host.silent = NOSPACE, {"cp2"}
        with pytest.raises(KubeadmPyError, match="not all members are well: cp2"):
            etcd_defrag.defrag("c.yaml", [])
        assert not any(word in script for script in host.scripts for word in (" defrag", "compaction"))

    def test_a_corrupt_member_is_never_called_well(self, host):
        host.alarm = "Active Alarm(s): NOSPACE CORRUPT "
        with pytest.raises(KubeadmPyError, match="not all members are well"):
            etcd_defrag.defrag("c.yaml", [])
        assert not any("disarm" in script for script in host.scripts)

    def test_a_dry_run_changes_nothing(self, host, capsys):
        host.alarm = NOSPACE
        etcd_defrag.defrag("c.yaml", [], dry_run=True)
        assert "would be compacted at revision 77" in capsys.readouterr().out
        assert not any(
            word in script for script in host.scripts for word in (" defrag", "compaction", "disarm")
        )

    def test_what_needs_more_room_than_there_is_is_told(self, host, capsys):
        host.alarm, host.size = NOSPACE, 4 << 20
        etcd_defrag.defrag("c.yaml", [])
        assert "4.0 MiB of its quota of 4.0 MiB; to make room: raise quota-backend" in capsys.readouterr().err

    def test_one_that_soon_will_have_is_told(self, host, capsys):
        host.size = 4 << 20
        assert etcd.status("c.yaml", [], output="text") is ExitCode.DONE
        assert "warning: cp1: its database takes 4.0 MiB of its quota" in capsys.readouterr().err


def test_a_dry_run_of_defrag(host, capsys):
    etcd_defrag.defrag("c.yaml", [], dry_run=True)
    assert "cp1: would give back 2.0 MiB" in capsys.readouterr().out
    assert not any(" defrag" in script for script in host.scripts)


class TestAnEtcdThatOthersRun:
    URLS = ("https://a:2379", "https://b:2379")

    @pytest.fixture
    def others(self, host):
        reached = ExternalEtcd(self.URLS, (), "/srv/ca.crt", "/srv/client.crt", "/srv/client.key")
        w1 = Node("w1", Role.WORKER, ("10.0.0.21",))
        host.cluster = replace(CLUSTER, nodes=(*CLUSTER.nodes, w1), etcd=Etcd(None, reached))
        return host

    def test_is_asked_from_a_control_plane_as_its_api_server_asks(self, others, capsys):
        etcd.status("c.yaml", [], output="text")
        assert "https" not in capsys.readouterr().err
        asked = [script for script in others.scripts if script.startswith("unset ETCDCTL")]
        assert len(asked) == 3
        for script in asked:
            assert "--endpoints https://a:2379,https://b:2379 --cacert /srv/ca.crt" in script
            assert "--cert /srv/client.crt --key /srv/client.key" in script
        etcd.keys("c.yaml", [], "/registry", output="text")
        assert capsys.readouterr().out == "/registry/a\n/registry/b\n"

    def test_may_have_no_certificates(self, others):
        plain = ExternalEtcd(("http://a:2379",))
        others.cluster = replace(CLUSTER, etcd=Etcd(None, plain))
        etcd.members("c.yaml", [], output="text")
        [script] = [script for script in others.scripts if script.startswith("unset ETCDCTL")]
        assert "--endpoints http://a:2379 --dial-timeout" in script

    def test_is_asked_by_control_planes_only(self, others):
        with pytest.raises(UsageError, match="w1: only control planes can ask etcd") as refused:
            etcd.members("c.yaml", ["w1"], output="text")
        assert refused.value.fix == "these can: cp1"

    def test_is_mended_by_others(self, others):
        others.answer(re.compile(" get "), Result(1, b"", b"context deadline exceeded"))
        with pytest.raises(KubeadmPyError) as failed:
            etcd.get("c.yaml", [], "/a", output="text")
        assert failed.value.fix == f"others run this etcd: does it answer there? {' '.join(self.URLS)}"


def failing(monkeypatch, host, config: str, code: int) -> KubeadmPyError:
    monkeypatch.setattr(errand, "host_for", lambda _: host)
    host.answer(re.compile("member list"), Result(code, b"", b"sh: 1: etcdctl: not found"))
    with pytest.raises(KubeadmPyError) as failed:
        etcd.members(config, [], output="text")
    return failed.value


def test_without_etcd_on_this_machine_nobody_is_told_to_install_it(host, monkeypatch):
    error = failing(monkeypatch, host, "", 127)
    assert "there is no etcdctl on the host" in error.summary
    assert error.details == ()
    assert "add --config FILE" in error.fix
    assert "install" not in error.fix


def test_a_member_that_does_not_answer_has_logs(host, monkeypatch):
    error = failing(monkeypatch, host, "c.yaml", 1)
    assert error.summary == "listing the members failed"
    assert error.details == ("sh: 1: etcdctl: not found",)
    assert error.fix == "kubeadm-py logs etcd --config c.yaml --host cp1"


def test_defrag_locks_the_hosts_and_nothing_else_does(host):
    etcd.status("c.yaml", [], output="text")
    etcd_defrag.defrag("c.yaml", [], dry_run=True)
    assert not [call for call in host.calls if call.kind == "hold"]
    etcd_defrag.defrag("c.yaml", [])
    assert [call.kind for call in host.calls if call.kind in ("hold", "release")] == ["hold", "release"]
    host.locked_by = "kubeadm-py apply by somebody"
    with pytest.raises(KubeadmPyError, match="locked: kubeadm-py apply by somebody") as refused:
        etcd_defrag.defrag("c.yaml", [])
    assert refused.value.exit_code is ExitCode.LOCKED


def test_members_on_hosts_of_their_own_are_asked_there(host):
    nodes = (Node("cp0", Role.CONTROL_PLANE, ("10.0.0.10",)), Node("cp1", Role.ETCD, ("10.0.0.11",)))
    reached = ExternalEtcd(("https://10.0.0.11:2379",))
    host.cluster = replace(CLUSTER, nodes=nodes, etcd=Etcd(None, reached, members=LocalEtcd()))
    etcd.members("c.yaml", [], output="text")
    with pytest.raises(UsageError, match="cp0: no member of etcd runs there"):
        etcd.members("c.yaml", ["cp0"], output="text")
