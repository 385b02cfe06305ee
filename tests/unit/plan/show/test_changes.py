"""What a plan would change, told from what is known of the hosts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from kubeadm_py.facts.profiles import plain_debian_12
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    ApplyObjects,
    EtcdMember,
    FileSpec,
    ImportImages,
    Late,
    LocalFile,
    MakeDirectories,
    Remove,
    RestartStaticPod,
    RunScript,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.changes import Sign
from kubeadm_py.model.facts import FileFact, UnitFact
from kubeadm_py.model.stages import HostPlan, Plan, PlannedStep, Stage
from kubeadm_py.plan.build import changes, plan_changes
from kubeadm_py.plan.show import before as known
from kubeadm_py.plan.show.before import Before
from kubeadm_py.plan.show.changes import tell
from kubeadm_py.plan.show.files import content_text

MANIFEST = f"{paths.MANIFESTS_DIR}/kube-apiserver.yaml"
OLD = b"spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --v=2\n    - --x=1\n"
NEW = OLD.replace(b"--v=2", b"--v=4")


def sha(content):
    return hashlib.sha256(content).hexdigest()


def fact(path, content=b"", mode=0o644, shown=True, **more):
    return FileFact(
        path,
        mode,
        more.pop("owner", "root:root"),
        sha(content),
        len(content),
        content if shown else None,
        **more,
    )


def facts(*files, **more):
    base = plain_debian_12("cp1", "192.0.2.11")
    return replace(base, files={each.path: each for each in files}, **more)


def plan_of(*actions, host="cp1", step="s"):
    return Plan("apply", (Stage("control", "t", (HostPlan(host, (PlannedStep(step, "a step", actions),)),)),))


def told(*actions, before=None, **more):
    event = tell(plan_of(*actions, **more), {} if before is None else {"cp1": before})
    json.dumps(event.to_json())
    return event


def only(event):
    [host] = event.hosts
    [change] = host.changes
    return change


def write(content, path="/etc/a", **more):
    return WriteFiles((FileSpec(path, content, **more),), reason="missing or changed")


def entry(content, mode="0644", **more):
    return {"sha256": sha(content), "mode": mode, "made": True, **more}


def test_a_new_file_is_told_with_its_content():
    change = only(told(write(b"one\ntwo\n"), before=Before(facts())))
    assert (change.sign, change.subject, change.size) == (Sign.ADD, "/etc/a", 8)
    assert change.diff.splitlines()[-2:] == ["+one", "+two"]
    assert change.details[0] == "0644"


def test_a_changed_manifest_is_a_diff_and_restarts_its_pod():
    event = told(write(NEW, MANIFEST, mode=0o600), before=Before(facts(fact(MANIFEST, OLD, 0o600))))
    change = only(event)
    assert change.sign is Sign.CHANGE
    assert change.because == "", "that says no more than the sign"
    lines = change.diff.splitlines()
    assert lines[2].endswith("@@ command")
    assert [line for line in lines[3:] if line[0] in "+-"] == ["-    - --v=2", "+    - --v=4"]
    assert event.hosts[0].restarts == ("kube-apiserver",)


def test_a_file_that_the_probe_did_not_show_is_told_by_what_was_read():
    there = facts(fact("/etc/a", b"old\n", shown=False))
    assert not only(told(write(b"new\n"), before=Before(there))).diff
    change = only(told(write(b"new\n"), before=Before(there, contents={"/etc/a": b"old\n"})))
    assert "-old" in change.diff


class TestDrift:
    """What differs from our record was changed by hand, once the last run ended what it had begun."""

    @pytest.fixture
    def drifted(self):
        return Before(facts(fact("/etc/a", b"by hand\n", mtime=1_795_000_000)), {"/etc/a": entry(b"ours\n")})

    def test_changed(self, drifted):
        change = only(told(write(b"ours\n"), before=drifted))
        assert (change.sign, change.because) == (
            Sign.DRIFT,
            "changed by hand since 2026-11-18 11:06 UTC (drift)",
        )
        assert "-by hand" in change.diff

    def test_a_run_that_was_cut_off_is_nobodys_doing(self, drifted):
        assert only(told(write(b"ours\n"), before=replace(drifted, settled=False))).sign is Sign.CHANGE

    def test_a_changed_config_is_none(self):
        before = Before(facts(fact("/etc/a", b"old\n")), {"/etc/a": entry(b"old\n")})
        assert only(told(write(b"new\n"), before=before)).sign is Sign.CHANGE

    def test_removed(self):
        change = only(told(write(b"ours\n"), before=Before(facts(), {"/etc/a": entry(b"ours\n")})))
        assert (change.sign, change.because) == (Sign.DRIFT, "removed by hand (drift)")

    def test_what_we_removed_ourselves_is_none(self):
        before = Before(facts(), {"/etc/a": entry(b"ours\n", removed=True)})
        assert only(told(write(b"ours\n"), before=before)).sign is Sign.ADD

    @pytest.mark.parametrize(
        ("changed", "because", "detail"),
        [
            ({"mode": 0o666}, "its mode was changed by hand (drift)", "mode 0666 -> 0644"),
            ({"owner": "me:me"}, "its owner was changed by hand (drift)", "owner me:me -> root:root"),
        ],
    )
    def test_mode_and_owner(self, changed, because, detail):
        before = Before(facts(fact("/etc/a", b"ours\n", **changed)), {"/etc/a": entry(b"ours\n")})
        change = only(told(write(b"ours\n"), before=before))
        assert (change.sign, change.because, change.details, change.diff) == (
            Sign.DRIFT,
            because,
            (detail,),
            "",
        )

    @pytest.mark.parametrize(
        ("state", "word"), [(("inactive", "enabled"), "stopped"), (("active", "disabled"), "disabled")]
    )
    def test_units(self, state, word):
        unit = UnitFact("kubelet.service", "loaded", *state)
        before = Before(facts(units={"kubelet.service": unit}), units=("kubelet.service",))
        event = told(
            Unit("kubelet.service", "restarted", enabled=True, reason="it is not running"), before=before
        )
        change = only(event)
        assert change.sign is Sign.DRIFT
        assert f"it was {word} by hand" in change.because
        assert event.hosts[0].restarts == (("kubelet",) if word == "disabled" else ())


class TestSecrets:
    """Of a secret there are hashes, and lines that hold a credential are withheld."""

    def test_hashes(self):
        there = fact("/etc/a", b"hunter1\n", 0o600, shown=False)
        change = only(told(write(b"hunter2\n", secret=True, mode=0o600), before=Before(facts(there))))
        assert change.diff == ""
        old, new = sha(b"hunter1\n")[:12], sha(b"hunter2\n")[:12]
        assert change.details == (f"sha256 {old} -> {new}",)

    def test_an_environment_variables_value(self):
        before = b"env:\n- name: DB_PASSWORD\n  value: old-one\n- name: V\n  value: '1'\n"
        after = before.replace(b"old-one", b"new-one").replace(b"'1'", b"'2'")
        change = only(told(write(after), before=Before(facts(fact("/etc/a", before)))))
        assert "old-one" not in change.diff
        assert "new-one" not in change.diff
        assert "+  value: '2'" in change.diff

    def test_only_a_credential_changed(self):
        change = only(
            told(write(b"password = new\n"), before=Before(facts(fact("/etc/a", b"password = old\n"))))
        )
        assert (change.diff, change.details) == ("", ("written again",))

    def test_none_is_asked_for(self, make_session):
        actions = [write(b"x", secret=True), write(b"y", f"{paths.STATE_DIR}/note"), write(b"z", "/etc/z")]
        there = facts(
            *(fact(path, b"old", shown=False) for path in ("/etc/a", f"{paths.STATE_DIR}/note", "/etc/z"))
        )
        session = make_session(there, {"read what a plan changes": b"b2xk\n"})
        found = known.of_sessions({"cp1": session}, plan_of(*actions))
        assert found["cp1"].contents == {"/etc/z": b"old"}
        [call] = session.host.calls
        assert "/etc/a" not in call.text


@pytest.fixture
def make_session():
    """Return a function that makes a session of a host which gives these answers."""
    from kubeadm_py.engine.session import Session
    from kubeadm_py.model.inventory import Inventory
    from kubeadm_py.model.node import Node, Role
    from kubeadm_py.transport.base import Result
    from kubeadm_py.transport.fake import FakeHost

    def make(found, answers):
        host = FakeHost("cp1")
        for text, output in answers.items():
            host.answer(text, lambda _call, output=output: Result(0, output, b""))
        return Session(Node("cp1", Role.CONTROL_PLANE, ("192.0.2.11",)), host, found, Inventory("demo"), "")

    return make


def test_what_the_probe_has_shown_costs_no_round_trip(make_session):
    session = make_session(facts(fact("/etc/a", b"old\n")), {})
    known.of_sessions({"cp1": session}, plan_of(write(b"new\n")))
    assert session.host.calls == []


def test_all_other_actions():
    late = Late("t", {"bootstrap token": "for joining nodes"})
    event = told(
        MakeDirectories((("/var/lib/etcd", 0o700),)),
        RunScript(
            "load modules", "modprobe overlay", stdin=b"hidden", reason="not loaded", shows=("a 0 -> 1",)
        ),
        Unit("swap.target", "stopped", enabled=False),
        ApplyObjects(
            "2", ({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}, late), reason="r"
        ),
        Wait("wait", "true", timedelta(minutes=4)),
        Remove(("/etc/old",), reason="the config no longer asks for it"),
        RestartStaticPod("etcd", "its certificate changed"),
        EtcdMember("add cp2", "cp2", "https://cp2:2380", FileSpec("/m/etcd.yaml", b""), "script"),
        ImportImages("/l", (("registry.k8s.io/pause:3.10", "sha256:1"),)),
        WriteFiles((FileSpec("/usr/bin/kubelet", LocalFile("/b/kubelet", "c0ffee" * 11, 7), 0o755),)),
        WriteFiles(
            (FileSpec("/etc/key", Late("k", {"key of": "apiserver"}), 0o600, secret=True),),
            why={"/etc/key": "w"},
        ),
        before=Before(facts()),
    )
    [host] = event.hosts
    assert [(change.sign.value, change.kind, change.subject) for change in host.changes] == [
        ("+", "directory", "/var/lib/etcd/"),
        ("*", "script", "load modules"),
        ("*", "unit", "swap.target stopped"),
        ("-", "file", "/etc/old"),
        ("*", "unit", "restart etcd"),
        ("*", "member", "add cp2: cp2=https://cp2:2380"),
        ("~", "file", "/m/etcd.yaml"),
        ("+", "images", "1 image"),
        ("+", "file", "/usr/bin/kubelet"),
        ("+", "file", "/etc/key"),
    ]
    assert host.restarts == ("etcd",)
    assert [change.subject for change in event.objects] == [
        "ConfigMap n/c",
        "bootstrap token: for joining nodes",
    ]
    assert host.changes[1].details == ("a 0 -> 1",)
    assert host.changes[-1].because == "w"
    assert "hidden" not in json.dumps(event.to_json())


def test_nothing_is_known_of_a_host():
    assert only(told(write(b"x"))).sign is Sign.CHANGE


def test_labels_are_the_clusters():
    event = told(RunScript("labels and taints of w1", "kubectl", reason="disk"), step="mark-workers")
    assert (event.hosts, [change.kind for change in event.objects]) == ((), ["node"])


def test_nothing_to_do():
    empty = Plan("init", (Stage("control", "control plane", (HostPlan("cp1", ()),)),))
    assert empty.empty
    event = tell(empty, {})
    assert event.empty
    assert event.considered == ("cp1",)


def test_waits_alone_are_nothing_to_do():
    """An unchanged cluster is still waited for, which is no change that anybody has to read."""
    plan = plan_of(Wait("wait for kube-apiserver", "true", timedelta(minutes=4)))
    assert not plan.empty
    assert tell(plan, {}).empty
    assert not plan_changes(plan)
    assert (
        changes(
            plan_of(MakeDirectories((("/a", 0o700),)), *plan.stages[0].hosts[0].steps[0].actions).stages[0]
        )
        == 1
    )


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (FileSpec("/f", b"hunter2", secret=True), f"secret, 7 bytes, sha256 {sha(b'hunter2')[:12]}"),
        (FileSpec("/f", Late("p")), "made when applied"),
        (FileSpec("/f", Late("p", {"lifetime": 3})), "lifetime 3"),
    ],
)
def test_content(spec, text):
    assert content_text(spec) == text
    assert "hunter2" not in repr(spec)
