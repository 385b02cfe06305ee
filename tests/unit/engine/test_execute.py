"""The executor over fake hosts: events, counts, errors, stops; and over this machine for real."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from kubeadm_py.engine import session as sessions
from kubeadm_py.engine.events import (
    ActionDone,
    EventBus,
    HostDone,
    HostProgress,
    HostStarted,
    ImagePulled,
    Notice,
    StageDone,
    StageStarted,
)
from kubeadm_py.engine.execute import Executor
from kubeadm_py.engine.interrupt import Interrupt, InterruptedRunError
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import (
    ExitCode,
    KubeadmPyError,
    LockedError,
    UnreachableError,
    WaitTimeoutError,
)
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec, Late, LocalFile, MakeDirectories, RunScript, Wait, WriteFiles
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.model.inventory import Inventory
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import FakeHeld, FakeHost

TWO = (RunScript("one", ":"), RunScript("two", ":"))
WAIT = Wait("wait for etcd", "true", timedelta(seconds=5), look="crictl ps -a")


def lines(*markers: str, code: int = 0, stderr: bytes = b"") -> Result:
    return Result(code, "".join(f"##kubeadm-py {marker}\n" for marker in markers).encode(), stderr)


def session(host, facts: HostFacts | None = None, held=None) -> Session:
    found = facts or HostFacts()
    node = Node(host.name, Role.WORKER, ("10.0.0.1",))
    return Session(node, host, found, Inventory.parse(found.inventory), "echo probe", held)


def stage(*hosts: str, actions=TWO) -> Stage:
    step = PlannedStep("step", "a step", tuple(actions))
    return Stage("prepare", "runtime, kubelet, images", tuple(HostPlan(host, (step,)) for host in hosts))


class Work:
    """An executor on hosts, and everything that it told."""

    def __init__(self, *hosts, producers=None, facts=None) -> None:
        self.events = []
        self.bus = EventBus()
        self.bus.subscribe(self.events.append)
        self.interrupt = Interrupt()
        self.sessions = {host.name: session(host, facts) for host in hosts}
        self.executor = Executor(self.sessions, self.bus, producers or {}, lambda _: (0, ()), self.interrupt)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def host():
    return FakeHost("w1")


def test_what_a_pull_came_to_is_an_event(host):
    host.answer(
        "# stage prepare", lines("begin 0", "pulled registry.example/x:1 sha256:ab", "done 0 changed")
    )
    work = Work(host)
    assert work.executor.run(stage("w1")).errors == {}
    (pulled,) = work.of(ImagePulled)
    assert (pulled.host, pulled.reference, pulled.digest) == ("w1", "registry.example/x:1", "sha256:ab")


def test_a_hosts_warning_is_a_notice(host):
    host.answer("# stage prepare", lines("begin 0", "warning a shim is left", "done 0 changed"))
    work = Work(host)
    assert work.executor.run(stage("w1")).errors == {}
    (notice,) = [event for event in work.events if isinstance(event, Notice)]
    assert (notice.level, notice.text, notice.host) == ("warning", "a shim is left", "w1")


def test_events_in_their_order(host):
    host.answer(
        "# stage prepare", lines("begin 0", "done 0 changed", "begin 1", "note almost", "done 1 unchanged")
    )
    work = Work(host)
    result = work.executor.run(stage("w1"))
    assert (result.changed, result.errors) == ({"w1": 1}, {})
    result.raise_first()
    assert [type(event) for event in work.events] == [
        StageStarted,
        HostStarted,
        HostProgress,
        ActionDone,
        HostProgress,
        HostProgress,
        ActionDone,
        HostDone,
        StageDone,
    ]
    started, *_, host_done, done = work.events
    assert (started.stage, started.title, started.hosts) == ("prepare", "runtime, kubelet, images", ("w1",))
    assert [event.message for event in work.of(HostProgress)] == ["one", "two", "almost"]
    first, second = work.of(ActionDone)
    assert (first.action, first.title, first.changed) == ("RunScript", "one", True)
    assert not second.changed
    assert (host_done.changed, host_done.error) == (1, "")
    assert (done.changed, done.ok) == (1, True)
    assert [(timing.stage, timing.host) for timing in work.executor.timings] == [("prepare", "w1")]


def test_hosts_without_work_are_not_asked(host):
    idle = FakeHost("idle")
    host.answer("# stage", lines("begin 0", "done 0 changed"))
    work = Work(host, idle)
    plans = stage("w1")
    both = Stage("s", "t", (*plans.hosts, HostPlan("idle", ())))
    work.executor.run(both)
    assert idle.calls == []
    assert work.events[0].hosts == ("w1",)


def test_an_empty_stage_is_silent(host):
    work = Work(host)
    result = work.executor.run(Stage("s", "t", (HostPlan("w1", ()),)))
    assert (result.changed, work.events, host.calls) == ({}, [], [])


@pytest.mark.parametrize(
    ("answer", "error", "code", "text"),
    [
        (
            lines("begin 0", "failed 0 3", "output no space left", code=1),
            KubeadmPyError,
            1,
            "one failed (exit code 3)",
        ),
        (lines("busy", code=75), LockedError, 5, "an earlier run's stage is still at work"),
        (lines("lost", code=75), UnreachableError, 7, "this host's lock was lost"),
        (
            lines("begin 0", "done 0 changed", "stopped 1", code=130),
            InterruptedRunError,
            130,
            "1 of 3 actions",
        ),
        (lines("begin 2", "failed 2 130", code=1), InterruptedRunError, 130, "2 of 3 actions"),
        (
            lines("begin 2", "note 2 of 3 up", "failed 2 9", "output etcd says: no", code=1),
            WaitTimeoutError,
            9,
            "wait for etcd: not within 5s; 2 of 3 up",
        ),
        (
            lines("begin 2", "failed 2 10", "output etcd ended 4 times", "output its log", code=1),
            KubeadmPyError,
            1,
            "wait for etcd: etcd ended 4 times",
        ),
        (lines("begin 2", "failed 2 10", code=1), KubeadmPyError, 1, "it cannot succeed any more"),
        (
            lines("begin 2", "failed 2 2", "output unset", code=1),
            KubeadmPyError,
            1,
            "wait for etcd failed (exit code 2)",
        ),
        (lines("begin 0", "failed 0 9", code=1), KubeadmPyError, 1, "one failed (exit code 9)"),
        (
            lines("unnoted", code=1, stderr=b"tar: Read-only file system\n"),
            KubeadmPyError,
            1,
            f"noted in {paths.INVENTORY}: nothing was changed",
        ),
        (lines("begin 0", code=137), KubeadmPyError, 1, "the script ended with code 137"),
        (
            lines(code=1, stderr=b"mkdir: read-only file system\n"),
            KubeadmPyError,
            1,
            "the script ended with code 1",
        ),
    ],
)
def test_how_a_stage_fails(host, answer, error, code, text):
    host.answer("# stage", answer)
    work = Work(host)
    result = work.executor.run(stage("w1", actions=(RunScript("one", ":"), RunScript("two", ":"), WAIT)))
    found = result.errors["w1"]
    assert type(found) is error
    assert found.exit_code == code
    assert found.host == "w1"
    assert text in found.summary
    assert found.fix
    assert result.changed == {}
    [done] = work.of(HostDone)
    assert done.error == found.summary
    [ended] = work.of(StageDone)
    assert not ended.ok
    with pytest.raises(error):
        result.raise_first()


@pytest.mark.parametrize(
    "odd", ["begin", "begin x", "begin 7", "begin -1", "done 2 changed", "failed 0 x", "stopped x", "heard 1"]
)
def test_what_only_looks_like_a_marker_is_ignored(host, odd):
    host.answer("# stage", lines("locked", odd, "begin 0", "done 0 changed", "begin 1", "done 1 changed"))
    work = Work(host)
    result = work.executor.run(stage("w1"))
    assert (result.changed, result.errors) == ({"w1": 2}, {})
    assert [event.message for event in work.of(HostProgress)] == ["one", "two"]


def test_what_a_failed_action_said_is_told(host):
    said = [f"output line {number}" for number in range(40)]
    host.answer("# stage", lines("begin 0", "failed 0 1", *said, code=1))
    error = Work(host).executor.run(stage("w1")).errors["w1"]
    assert error.details == tuple(f"line {number}" for number in range(20, 40))


def test_what_the_shell_said_is_told_where_no_action_failed(host):
    host.answer("# stage", lines(code=1, stderr=b"mktemp: No space left on device\n"))
    error = Work(host).executor.run(stage("w1")).errors["w1"]
    assert error.details == ("mktemp: No space left on device",)


def test_one_host_fails_and_the_others_go_on():
    good, bad, lost = FakeHost("good"), FakeHost("bad"), FakeHost("lost")
    good.answer("# stage", lines("begin 0", "done 0 changed", "begin 1", "done 1 changed"))
    bad.answer("# stage", lines("begin 0", "failed 0 1", code=1))
    lost.lost = True
    result = Work(good, bad, lost).executor.run(stage("good", "bad", "lost"))
    assert result.changed == {"good": 2}
    assert set(result.errors) == {"bad", "lost"}
    assert result.errors["lost"].exit_code is ExitCode.UNREACHABLE
    assert "stage prepare" in result.errors["lost"].summary, "a lost connection names what was running"


def test_a_lost_lock_begins_nothing(host):
    work = Work(host)
    held = FakeHeld(Result(0, b"", b""), host)
    work.sessions["w1"].held = held
    held.released = True
    result = work.executor.run(stage("w1"))
    assert isinstance(result.errors["w1"], UnreachableError)
    assert host.scripts == []


def test_a_file_of_the_bundle_that_is_gone(host):
    work = Work(host)
    missing = WriteFiles((FileSpec("/usr/bin/x", LocalFile("/nowhere/x", "0" * 64, 5), 0o755),))
    result = work.executor.run(stage("w1", actions=(missing,)))
    assert "reading what was to be sent failed" in result.errors["w1"].summary
    assert "/nowhere/x" in result.errors["w1"].summary


class TestLate:
    def test_one_late_is_made_once_for_a_host(self, host):
        made = []

        def produce(name, late):
            made.append((name, late.args))
            return b"content"

        host.answer("# stage", lines("begin 0", "done 0 changed"))
        late = Late("p", {}, "a")
        other = Late("p", {}, "b")
        files = WriteFiles((FileSpec("/a", late), FileSpec("/b", late), FileSpec("/c", other)))
        Work(host, producers={"p": produce}).executor.run(stage("w1", actions=(files,)))
        assert made == [("w1", "a"), ("w1", "b")]
        assert host.calls[-1].data.count(b"content") == 3

    def test_a_producer_that_fails_stops_its_host_before_anything_is_sent(self, host):
        def produce(name, late):
            raise KubeadmPyError("the CA's key is not on the host", fix="put it there")

        files = WriteFiles((FileSpec("/a", Late("p")),))
        result = Work(host, producers={"p": produce}).executor.run(stage("w1", actions=(files,)))
        assert str(result.errors["w1"]) == "w1: the CA's key is not on the host"
        assert host.scripts == []


class TestInventory:
    def test_it_is_extended_before_the_stage(self, host):
        host.answer("# stage", lines("begin 0", "failed 0 1", code=1))
        facts = HostFacts(files={"/etc/old": FileFact("/etc/old", 0o644, "root:root", "00")})
        work = Work(host, facts=facts)
        files = WriteFiles((FileSpec("/etc/old", b"x"), FileSpec("/etc/new", b"y", 0o600)))
        work.executor.run(stage("w1", actions=(files, MakeDirectories((("/var/lib/etcd", 0o700),)))))
        found = work.sessions["w1"].inventory
        assert {path: entry["made"] for path, entry in found.files.items()} == {
            "/etc/old": False,
            "/etc/new": True,
        }
        assert found.files["/etc/new"]["mode"] == "0600"
        assert found.directories == ["/var/lib/etcd"]
        before, _, _ = host.scripts[0].partition("kpy_begin 0\n")
        assert paths.INVENTORY in before
        assert found.dump() in host.calls[-1].data

    def test_one_that_says_nothing_new_is_not_written(self, host):
        host.answer("# stage", lines("begin 0", "done 0 changed"))
        known = Inventory("demo", {"/etc/a": {"sha256": "", "mode": "0644", "made": True}})
        work = Work(host, facts=HostFacts(inventory=known.dump()))
        work.executor.run(stage("w1"))
        assert host.calls[-1].data == b""
        assert f"mv -fT -- {paths.STATE_DIR}" not in host.scripts[0]

    def test_a_host_that_we_only_command_gets_none(self, host):
        host.answer("# stage", lines("begin 0", "done 0 changed"))
        Work(host).executor.run(stage("w1"))
        assert host.calls[-1].data == b""

    def test_what_others_wrote_is_kept_and_what_we_wrote_is_not(self, host):
        host.answer("# stage", lines("begin 0", "done 0 changed"))
        known = Inventory("demo", {"/etc/ours": {"sha256": "", "mode": "0644", "made": True}})
        files = {path: FileFact(path, 0o644, "root:root") for path in ("/etc/ours", "/etc/theirs")}
        work = Work(host, facts=HostFacts(files=files, inventory=known.dump()))
        both = WriteFiles((FileSpec("/etc/ours", b"x"), FileSpec("/etc/theirs", b"y")))
        work.executor.run(stage("w1", actions=(both,)))
        assert "kpy_keep /etc/theirs\n" in host.scripts[0]
        assert "kpy_keep /etc/ours\n" not in host.scripts[0]


class TestProbeAfter:
    def test_the_session_learns(self, host, monkeypatch):
        monkeypatch.setattr(sessions, "parse", lambda line, **_: HostFacts(hostname=line.decode().strip()))
        answer = lines("begin 0", "done 0 changed")
        host.answer("echo probe", Result(0, answer.stdout + f"{PROBE_MARKER}new\n".encode(), b""))
        work = Work(host)
        work.executor.run(stage("w1"), probe_after=True)
        assert work.sessions["w1"].facts.hostname == "new"

    def test_without_an_answer_it_is_an_error(self, host):
        host.answer("# stage", lines("begin 0", "done 0 changed"))
        result = Work(host).executor.run(stage("w1"), probe_after=True)
        assert "the probe ended without an answer" in result.errors["w1"].summary

    def test_what_is_foreseen_needs_no_look(self, host):
        host.answer("# stage", lines("begin 0", "done 0 changed"))
        known = PlannedStep("note", "a note", (RunScript("note it", ":"),), foreseen=True)
        alone = Stage("prepare", "notes", (HostPlan("w1", (known,)),))
        Work(host).executor.run(alone, probe_after=True).raise_first()
        assert "echo probe" not in host.scripts[0]
        with_more = Stage("prepare", "more", (HostPlan("w1", (known, *stage("w1").hosts[0].steps)),))
        Work(host).executor.run(with_more, probe_after=True)
        assert "echo probe" in host.scripts[-1]

    def test_a_stage_without_it_has_no_epilogue(self, host):
        host.answer("# stage", lines("begin 0", "done 0 changed"))
        Work(host).executor.run(stage("w1"))
        assert "echo probe" not in host.scripts[0]


class TestStop:
    def test_after_a_stop_no_stage_begins(self, host):
        work = Work(host)
        work.interrupt._stop(2, None)
        with pytest.raises(InterruptedRunError):
            work.executor.run(stage("w1"))
        assert [script for script in host.scripts if "# stage" in script] == []

    def test_a_stop_asks_every_host_even_where_one_is_lost(self):
        hosts = [FakeHost("a"), FakeHost("b"), FakeHost("c")]
        hosts[0].lost = True
        work = Work(*hosts)
        work.executor._ask_hosts_to_stop()
        for each in hosts:
            assert each.scripts == [f"# stop\n: >{work.executor.stop_file}"]

    def test_each_run_has_a_stop_of_its_own(self, host):
        first, second = Work(host).executor, Work(host).executor
        assert first.stop_file != second.stop_file
        assert first.stop_file.startswith(f"{paths.RUN_DIR}/stop-")

    def test_the_script_looks_for_this_runs_stop(self, host):
        work = Work(host)
        host.answer("# stage", lines("begin 0", "done 0 changed"))
        work.executor.run(stage("w1"))
        assert f"kpy_stop={work.executor.stop_file}\n" in host.scripts[0]


class TestForReal:
    """The same over this very machine, in the sandbox."""

    def work(self, sandbox, **more) -> Work:
        return Work(sandbox.host, **more)

    def test_a_stage_and_its_rerun(self, sandbox):
        work = self.work(sandbox)
        actions = (
            WriteFiles((sandbox.file("etc/a", b"a\n"),), title="files"),
            RunScript("script", f"cat {sandbox.root}/etc/a; echo unchanged"),
        )
        result = work.executor.run(stage("here", actions=actions))
        assert (result.changed, result.errors) == ({"here": 1}, {})
        assert (sandbox.root / "etc/a").read_bytes() == b"a\n"
        inventory = json.loads(Path(paths.INVENTORY).read_bytes())
        assert list(inventory["files"]) == [sandbox.path("etc/a")]

    def test_a_failure(self, sandbox):
        work = self.work(sandbox)
        actions = (RunScript("good", ":"), RunScript("bad", "echo why >&2; exit 4"))
        error = work.executor.run(stage("here", actions=actions)).errors["here"]
        assert (error.summary, error.details) == ("bad failed (exit code 4)", ("why",))
        assert [event.title for event in work.of(ActionDone)] == ["good"]

    def test_ctrl_c_ends_the_action_that_waits_and_begins_no_other(self, sandbox):
        work = self.work(sandbox)
        waiting = threading.Event()
        work.bus.subscribe(
            lambda event: isinstance(event, HostProgress) and event.message == "not yet" and waiting.set()
        )
        actions = (
            Wait("wait for the moon", "echo not yet; return 1", timedelta(minutes=4), 0.02),
            RunScript("never", f"touch {sandbox.root}/never"),
        )
        stopper = threading.Thread(target=lambda: waiting.wait(20) and work.interrupt._stop(2, None))
        stopper.start()
        error = work.executor.run(stage("here", actions=actions)).errors["here"]
        stopper.join()
        assert isinstance(error, InterruptedRunError)
        assert error.details == ("not done or not finished: wait for the moon",)
        assert not (sandbox.root / "never").exists()

    def test_a_script_that_hangs_is_given_up(self, sandbox, monkeypatch):
        from kubeadm_py.engine import compile as engine

        monkeypatch.setattr(engine, "STAGE_LOCK_WAIT_SECONDS", 0)
        work = self.work(sandbox)
        hangs = RunScript(
            "hangs", f"while [ ! -e {sandbox.root}/end ]; do sleep 0.05; done", timeout=timedelta(seconds=0.5)
        )
        error = work.executor.run(stage("here", actions=(hangs,))).errors["here"]
        (sandbox.root / "end").touch()
        assert isinstance(error, WaitTimeoutError)
        assert error.summary == "stage prepare did not end in time"
