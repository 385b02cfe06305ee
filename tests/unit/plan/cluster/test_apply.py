"""apply from end to end on hosts that exist in memory."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
import yaml
from cryptography import x509

from kubeadm_py.engine.events import ActionDone, HostDone
from kubeadm_py.errors import KubeadmPyError, UnreachableError
from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import BootstrapToken
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource
from kubeadm_py.model.facts import Interface, Listener
from kubeadm_py.model.secret import Secret
from kubeadm_py.plan.run import RunFailedError
from kubeadm_py.steps import applied
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import Call

ETCD = f"{paths.MANIFESTS_DIR}/etcd.yaml"


def released(machine) -> bool:
    kinds = [call.kind for call in machine.calls]
    return kinds.count("hold") == kinds.count("release") and kinds[-1] == "close"


def etcd_command(machine) -> list[str]:
    return yaml.safe_load(machine.content[ETCD])["spec"]["containers"][0]["command"]


def test_bare_hosts_take_three_round_trips_and_control_planes_four(make_world):
    world = make_world(
        base="lab-bare",
        control_planes=3,
        workers=3,
        artifacts=ArtifactSource.BUNDLE,
        control_plane_endpoint="10.0.0.11:6443",
    )
    report = world.apply()
    trips = {name: machine.trips for name, machine in world.machines.items()}
    assert trips == {
        "cp1": ["hold", "prepare", "control", "ready"],
        "cp2": ["hold", "prepare", "control", "standby"],
        "cp3": ["hold", "prepare", "control", "standby"],
        "w1": ["hold", "prepare", "join"],
        "w2": ["hold", "prepare", "join"],
        "w3": ["hold", "prepare", "join"],
    }
    assert report.founded
    assert report.joined == ("w1", "w2", "w3")
    assert all(released(machine) for machine in world.machines.values())


@pytest.mark.parametrize(
    ("addons", "leader"),
    [((), ["hold", "ask", "control"]), (("flannel",), ["hold", "ask", "control", "ready"])],
)
def test_where_nothing_is_to_do_a_host_takes_three_round_trips_at_most(make_world, addons, leader):
    world = make_world(
        control_planes=3,
        workers=3,
        control_plane_endpoint="10.0.0.11:6443",
        addons=tuple(map(AddonRequest, addons)),
    )
    world.apply()
    # Without a pod network no node is ever Ready.
    world.api.nodes = dict.fromkeys(world.machines, bool(addons))
    world.forget()
    assert world.apply().changed == 0
    trips = {name: machine.trips for name, machine in world.machines.items()}
    assert trips.pop("cp1") == leader
    # The last of a control plane asks what works whether it still does.
    assert trips.pop("cp2") == trips.pop("cp3") == ["hold", "control"]
    assert trips == {"w1": ["hold"], "w2": ["hold"], "w3": ["hold"]}
    assert all(released(machine) for machine in world.machines.values())


def test_all_members_start_with_the_whole_list(make_world):
    world = make_world(control_planes=3, workers=0, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    for name in ("cp1", "cp2", "cp3"):
        words = etcd_command(world.machines[name])
        assert "--initial-cluster-state=new" in words
        [members] = [word for word in words if word.startswith("--initial-cluster=")]
        assert members == (
            "--initial-cluster=cp1=https://10.0.0.11:2380,cp2=https://10.0.0.12:2380,cp3=https://10.0.0.13:2380"
        )


def test_one_api_server_writes_the_first_roles_and_the_others_begin_behind_it(make_world):
    world = make_world(control_planes=3, workers=1)
    world.apply()
    done = [
        (event.host, event.title)
        for event in world.events
        if isinstance(event, ActionDone) and event.stage == "control"
    ]
    for name in ("cp1", "cp2", "cp3"):
        mine = [title for host, title in done if host == name]
        waited = [title for title in mine if title == "wait for kube-apiserver on cp1 to begin"]
        assert len(waited) == (0 if name == "cp1" else 1)
        # The first one's controller manager and scheduler follow its API server.
        assert mine.count("static pod manifests") == (2 if name == "cp1" else 1)
        assert all(mine.index(title) < mine.index("static pod manifests") for title in waited)
    world.forget()
    world.apply()
    again = [event.title for event in world.events if isinstance(event, ActionDone)]
    assert not [title for title in again if "to begin" in title]


def test_what_stands_by_comes_once_all_have_joined(make_world):
    world = make_world(control_planes=3, workers=1)
    world.apply()
    done = [event for event in world.events if isinstance(event, ActionDone)]
    standing_by = [
        event.host for event in done if event.title == "static pod manifests" and event.stage == "standby"
    ]
    assert sorted(standing_by) == ["cp2", "cp3"]
    stages = [event.stage for event in done]
    assert stages.index("standby") > max(i for i, stage in enumerate(stages) if stage == "join")
    for name in ("cp2", "cp3"):
        titles = [(event.stage, event.title) for event in done if event.host == name]
        assert [stage for stage, title in titles if title == "wait for kube-scheduler"] == ["standby"]
    assert {f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml"} <= world.machines["cp3"].content.keys()


def test_what_stands_by_and_was_left_out_by_a_killed_run_is_written_by_the_next(make_world):
    world = make_world(control_planes=3, workers=1)
    world.apply()
    for component in ("kube-controller-manager", "kube-scheduler"):
        world.machines["cp2"].lose(f"{paths.MANIFESTS_DIR}/{component}.yaml")
    world.forget()
    world.apply()
    written = [
        (event.stage, event.host)
        for event in world.events
        if isinstance(event, ActionDone) and event.title == "static pod manifests"
    ]
    assert written == [("control", "cp2")]
    assert f"{paths.MANIFESTS_DIR}/kube-scheduler.yaml" in world.machines["cp2"].content


@pytest.mark.parametrize("action", [0, 1], ids=["before its manifests", "before its kubelet starts anew"])
def test_a_run_that_ends_among_what_stands_by_is_finished_by_the_next(make_world, action):
    world = make_world(control_planes=3, workers=1)
    world.machines["cp2"].kill("standby", action)
    with pytest.raises(RunFailedError):
        world.apply()
    world.machines["cp2"].failing.clear()
    world.forget()
    assert world.apply().changed > 0
    assert world.machines["cp2"].content.keys() == world.machines["cp3"].content.keys()
    assert b"kubelet-client-current.pem" in world.machines["cp2"].content[paths.KUBELET_CONF]
    world.forget()
    assert world.apply().changed == 0


def test_what_stands_by_comes_also_where_a_worker_or_a_founder_does_not(make_world):
    world = make_world(control_planes=3, workers=1)
    world.machines["w1"].kill("join", 0)
    world.machines["cp2"].kill("control", 0)
    with pytest.raises(RunFailedError) as failed:
        world.apply()
    assert sorted(error.host for error in failed.value.errors) == ["cp2", "w1"]
    assert world.machines["cp3"].stages[-1] == "standby"
    assert "standby" not in world.machines["cp2"].stages


def test_requests_of_kubelets_are_looked_at_once_all_founders_have_started_theirs_anew(make_world):
    """A kubelet that starts anew before it has its certificate asks for another one."""
    asking = {"cgroupDriver": "systemd", "failCgroupV1": False, "serverTLSBootstrap": True}
    world = make_world(control_planes=3, workers=1, kubelet_config=asking)
    world.machines["cp3"].before_stage = lambda stage: time.sleep(0.2 if stage == "standby" else 0)
    started_anew = []

    def listed(_: Call) -> Result:
        started_anew.append([event.host for event in world.event(HostDone) if event.stage == "standby"])
        return Result(0, b'{"items": []}', b"")

    world.machines["cp1"].answer("# wait for kubelets' requests", listed)
    world.apply()
    assert [sorted(hosts) for hosts in started_anew] == [["cp2", "cp3"]]


def test_the_shared_keys_are_the_same_everywhere_and_the_others_are_not(make_world):
    world = make_world(control_planes=3, workers=0, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    machines = list(world.machines.values())
    for name in ("ca.key", "ca.crt", "sa.key", "sa.pub", "front-proxy-ca.key", "etcd/ca.key"):
        assert len({machine.content[f"{paths.PKI_DIR}/{name}"] for machine in machines}) == 1, name
    for name in ("apiserver.key", "apiserver.crt", "etcd/peer.key", "etcd/server.crt"):
        assert len({machine.content[f"{paths.PKI_DIR}/{name}"] for machine in machines}) == 3, name
    holders = [name for name, machine in world.machines.items() if paths.SUPER_ADMIN_CONF in machine.content]
    assert holders == ["cp1"], "as kubeadm leaves it"


def test_one_leader_writes_what_the_cluster_has_once(make_world):
    world = make_world(control_planes=3, workers=1, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    writers = [
        name
        for name, machine in world.machines.items()
        if any("apply --server-side" in s for s in machine.scripts)
    ]
    assert writers == ["cp1"]
    kinds = [(item["kind"], item["metadata"]["name"]) for item in world.api.objects]
    assert len(kinds) == len(set(kinds))
    marked = re.findall(r"patch node (.*?) --type", "\n".join(world.machines["cp1"].scripts))
    assert marked == ["cp1 cp2 cp3"]


def test_no_token_is_made_that_anybody_could_join_with(make_world):
    world = make_world(control_planes=3, workers=2, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    assert world.api.minted == []
    w1 = world.machines["w1"]
    assert paths.BOOTSTRAP_KUBELET_CONF not in w1.content
    assert f"{paths.PKI_DIR}/ca.key" not in w1.content
    [certificate] = [
        content
        for path, content in w1.content.items()
        if path.startswith("/var/lib/kubelet/pki/kubelet-client-")
    ]
    subject = x509.load_pem_x509_certificate(certificate).subject
    assert subject.rfc4514_string() == "CN=system:node:w1,O=system:nodes"


def test_tokens_of_the_file_are_made(make_world):
    token = BootstrapToken(Secret("abcdef.0123456789abcdef"))
    asked = BootstrapToken(description="for the autoscaler")
    world = make_world(workers=0, bootstrap_tokens=(token, asked))
    world.apply()
    assert len(world.api.minted) == 2
    assert "abcdef" in world.api.minted


def test_a_rerun_writes_nothing_and_the_leader_alone_is_asked_something(make_world):
    world = make_world(control_planes=3, workers=3, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    before = {name: machine.facts for name, machine in world.machines.items()}
    world.forget()
    world.api.minted.clear()
    report = world.apply()
    trips = {name: machine.trips for name, machine in world.machines.items()}
    assert trips == {
        "cp1": ["hold", "ask", "control", "ready"],
        "cp2": ["hold", "control"],
        "cp3": ["hold", "control"],
        "w1": ["hold"],
        "w2": ["hold"],
        "w3": ["hold"],
    }
    assert (report.changed, report.founded, report.joined) == (0, False, ())
    assert {name: machine.facts for name, machine in world.machines.items()} == before
    assert not [event for event in world.event(ActionDone) if event.changed]
    assert world.api.minted == []


def test_control_planes_that_come_later_join_one_that_runs(make_world):
    world = make_world(control_planes=3, workers=1, control_plane_endpoint="10.0.0.11:6443", up=True)
    report = world.apply()
    # The keys that the others take over are read beside its own stage.
    assert world.machines["cp1"].trips[:2] == ["hold", "ask"]
    assert world.machines["cp1"].trips.count("control") == 1
    for name in ("cp2", "cp3", "w1"):
        assert world.machines[name].trips[0] == "hold"
        assert world.machines[name].trips[-1] == "join"
    assert report.joined == ("cp2", "cp3", "w1")
    assert not report.founded
    shared = f"{paths.PKI_DIR}/ca.key"
    assert world.machines["cp2"].content[shared] == world.machines["cp1"].content[shared]
    assert paths.SUPER_ADMIN_CONF not in world.machines["cp2"].content
    world.forget()
    assert world.apply().joined == ()


def test_a_later_control_plane_that_was_cut_off_when_ready_is_gone_on_with(make_world):
    world = make_world(control_planes=2, workers=0, control_plane_endpoint="10.0.0.11:6443", up=True)
    cp2 = world.machines["cp2"]
    # Killed when its etcd member, its kubelet and its node were there and its note was not.
    world.apply()
    cp2.lose(applied.AUTHORITY)
    assert world.api.nodes["cp2"]
    world.forget()
    assert world.apply().joined == ("cp2",)
    assert applied.AUTHORITY in cp2.content


def test_a_host_that_is_no_member_never_takes_the_name_of_a_ready_node(make_world):
    world = make_world(workers=1, up=True)
    world.api.nodes["w1"] = True
    with pytest.raises(KubeadmPyError, match="has a Ready node called w1 already"):
        world.apply()
    assert world.machines["w1"].stages == []


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "not signed yet"])
def test_the_token_that_a_killed_join_left_behind_goes_away(signed, make_world):
    world = make_world(workers=1)
    world.apply()
    w1 = world.machines["w1"]
    w1._put(paths.BOOTSTRAP_KUBELET_CONF, b"token: abcdef.0123456789abcdef", 0o600, "root:root")
    if not signed:
        w1.lose(paths.KUBELET_CONF)
    world.forget()
    world.apply()
    assert paths.KUBELET_CONF in w1.content
    assert paths.BOOTSTRAP_KUBELET_CONF not in w1.content
    world.forget()
    assert world.apply().joined == ()


def test_control_planes_with_different_halves_of_the_service_account_keys_are_told_apart(make_world):
    world = make_world(control_planes=3, workers=0, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    public = f"{paths.PKI_DIR}/sa.pub"
    world.machines["cp3"]._put(public, b"-----BEGIN PUBLIC KEY-----\nother\n", 0o600, "root:root")
    world.forget()
    with pytest.raises(KubeadmPyError, match=r"/sa\.pub is not the same on cp1 and cp3"):
        world.apply()


@pytest.mark.parametrize("runs", [True, False], ids=["its member runs", "its member does not run"])
def test_a_founder_cut_off_before_its_note_counts_as_founded_once_its_member_runs(runs, make_world):
    """Else a later change would be made on all control planes at once."""
    world = make_world(control_planes=3, workers=0, control_plane_endpoint="10.0.0.11:6443")
    world.apply()
    cp2 = world.machines["cp2"]
    note = cp2.content[paths.ETCD_BIRTH].replace(b'"started": true', b'"started": false')
    cp2._put(paths.ETCD_BIRTH, note, 0o600, "root:root")
    if runs:
        cp2.facts = replace(cp2.facts, listeners=(*cp2.facts.listeners, Listener("tcp", "127.0.0.1", 2379)))
    world.forget()
    assert world.apply().founded is not runs
    assert b'"started": true' in cp2.content[paths.ETCD_BIRTH]


def readdressed(world, name: str, address: str) -> None:
    """Correct a host's address in the config."""
    nodes = tuple(
        replace(node, addresses=(address,), advertise_address=address) if node.name == name else node
        for node in world.cluster.nodes
    )
    world.cluster = replace(world.cluster, nodes=nodes)
    machine = world.machines[name]
    machine.facts = replace(
        machine.facts, interfaces=(*machine.facts.interfaces, Interface("eth1", "", True, (f"{address}/24",)))
    )


def test_a_founders_wrong_address_can_be_corrected_while_they_never_came_together(make_world):
    world = make_world(control_planes=3, workers=0, control_plane_endpoint="10.0.0.11:6443")
    for machine in world.machines.values():
        machine.kill("control", 9)
    with pytest.raises(RunFailedError):
        world.apply()
    ca = world.machines["cp1"].content[f"{paths.PKI_DIR}/ca.key"]
    for machine in world.machines.values():
        assert b'"started": false' in machine.content[paths.ETCD_BIRTH]
        machine.failing.clear()
    readdressed(world, "cp2", "10.0.0.92")
    world.forget()
    world.apply()
    for name in ("cp1", "cp2", "cp3"):
        machine = world.machines[name]
        (prepared,) = [call.text for call in machine.calls if "# stage prepare" in call.text]
        assert "rm -rf --one-file-system -- /var/lib/etcd/member" in prepared
        assert "cp2=https://10.0.0.92:2380" in " ".join(etcd_command(machine))
        assert b"10.0.0.92" in machine.content[paths.ETCD_BIRTH]
    assert world.machines["cp1"].content[f"{paths.PKI_DIR}/ca.key"] == ca
    world.forget()
    assert world.apply().changed == 0


def test_where_the_others_came_together_the_corrected_one_comes_later(make_world):
    world = make_world(control_planes=3, workers=0, control_plane_endpoint="10.0.0.11:6443")
    world.machines["cp2"].kill("control", 9)
    with pytest.raises(RunFailedError):
        world.apply()
    assert b'"started": true' in world.machines["cp1"].content[paths.ETCD_BIRTH]
    world.machines["cp2"].failing.clear()
    readdressed(world, "cp2", "10.0.0.92")
    world.forget()
    world.apply()
    cp2 = world.machines["cp2"]
    (prepared,) = [call.text for call in cp2.calls if "# stage prepare" in call.text]
    assert "rm -rf --one-file-system -- /var/lib/etcd/member" in prepared
    joined = next(call.text for call in cp2.calls if "member add" in call.text)
    assert "url=https://10.0.0.12:2380" in joined, "who is awaited in vain is taken out first"
    assert "--initial-cluster-state=existing" in etcd_command(cp2)
    for name in ("cp1", "cp3"):
        asked = " ".join(call.text for call in world.machines[name].calls)
        assert "rm -rf --one-file-system -- /var/lib/etcd/member" not in asked, "nobody else's data goes"


def test_a_control_plane_that_is_away_stops_it_and_how_it_leaves_is_told(make_world):
    world = make_world(control_planes=3, workers=1, control_plane_endpoint="10.0.0.11:6443")
    gone = UnreachableError("no route to host", host="cp2", fix="is the machine up?")
    world.machines["cp2"].unreachable = gone
    with pytest.raises(RunFailedError):
        world.apply()
    assert gone.fix == "is the machine up?", "of no cluster nobody leaves"
    world.machines["cp2"].unreachable = None
    world.apply()
    world.forget()
    world.machines["cp2"].unreachable = gone
    with pytest.raises(RunFailedError) as caught:
        world.apply()
    [error] = caught.value.errors
    assert error.fix.splitlines() == [
        "is the machine up?",
        "if it is gone for good: kubeadm-py remove cp2 --config c.yaml",
    ]
    assert "control" not in world.machines["cp1"].trips
