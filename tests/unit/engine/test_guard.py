"""Guarded stages, run for real: what is put back, what is dropped, what a killed run leaves to the next."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kubeadm_py.engine import compile as compile_module
from kubeadm_py.model import paths
from kubeadm_py.model.actions import FileSpec, Guard, KeptObjects, RunScript, Settle, Unit, Wait, WriteFiles

SCRIPTS = ("runtime.sh", "guard.sh")
BREAKS = RunScript("break", "echo 'it is broken'; exit 7")


@pytest.fixture
def kept(sandbox) -> Path:
    return Path(f"{paths.KEPT_DIR}/host")


@pytest.fixture
def pair(sandbox) -> tuple[Path, Path]:
    """A file that is there and one that is not."""
    old, new = Path(sandbox.path("etc/old")), Path(sandbox.path("etc/new"))
    old.parent.mkdir()
    old.write_bytes(b"old\n")
    old.chmod(0o640)
    return old, new


def change(sandbox, *after, recover=(), pods=()):
    files = (sandbox.file("etc/old", b"changed\n"), sandbox.file("etc/new", b"made\n"))
    guard = Guard(tuple(spec.path for spec in files), pods, recover=recover)
    return (guard, WriteFiles(files), *after)


def test_what_goes_well_is_settled_and_leaves_nothing(sandbox, pair, kept):
    old, new = pair
    assert sandbox.run(*change(sandbox, Settle())).ok
    assert sandbox.markers[1] == "done 0 unchanged"
    assert (old.read_bytes(), new.read_bytes()) == (b"changed\n", b"made\n")
    assert not kept.exists()


def test_a_guarded_stage_notes_that_the_host_is_as_its_inventory_says(sandbox, pair, kept):
    assert sandbox.run(*change(sandbox, Settle()), inventory=b"{}\n", settled=b"abc\n").ok
    assert Path(paths.SETTLED).read_text() == "abc\n"


def test_a_failure_puts_everything_back(sandbox, pair, kept):
    old, new = pair
    inode = old.stat().st_mtime_ns
    result = sandbox.run(*change(sandbox, BREAKS, Settle()))
    assert not result.ok
    assert (old.read_bytes(), old.stat().st_mode & 0o7777) == (b"old\n", 0o640)
    assert old.stat().st_mtime_ns == inode, "it is the same in all that can be seen"
    assert not new.exists()
    assert sandbox.markers[-4:] == ["failed 2 7", "output it is broken", "rolling-back", "rolled-back"]
    assert not kept.exists()
    assert os.listdir(old.parent) == ["old"], "nothing half-made stays"


def test_the_inventory_goes_back_too(sandbox, pair):
    inventory = Path(paths.INVENTORY)
    inventory.parent.mkdir(parents=True, exist_ok=True)
    inventory.write_bytes(b'{"was": 1}\n')
    sandbox.run(*change(sandbox, BREAKS), inventory=b'{"is": 2}\n')
    assert inventory.read_bytes() == b'{"was": 1}\n'


def test_an_inventory_that_was_not_there_goes(sandbox, pair):
    sandbox.run(*change(sandbox, BREAKS), inventory=b'{"is": 2}\n')
    assert not Path(paths.INVENTORY).exists()


def test_what_fails_after_it_is_settled_puts_nothing_back(sandbox, pair, kept):
    old, _ = pair
    assert not sandbox.run(*change(sandbox, Settle(), BREAKS)).ok
    assert old.read_bytes() == b"changed\n"
    assert not [line for line in sandbox.markers if "roll" in line]


def test_the_host_is_made_to_work_again(sandbox, pair):
    sandbox.command("systemctl", 'echo "$@" >>$LOG; cat $(dirname $LOG)/etc/old >>$LOG')
    waits = Wait("wait", f"[ -e {sandbox.path('log')} ]", timedelta(seconds=5))
    sandbox.run(*change(sandbox, BREAKS, recover=(Unit("kubelet.service", state="restarted"), waits)))
    assert "restart kubelet.service\nold\n" in sandbox.log, "after the files are back"
    assert sandbox.markers[-1] == "rolled-back"


def test_what_cannot_be_made_to_work_again_is_told_and_stays_kept(sandbox, pair, kept):
    old, _ = pair
    recover = (RunScript("again", "echo 'it does not come back'; exit 1"), RunScript("never", "echo never"))
    sandbox.run(*change(sandbox, BREAKS, recover=recover))
    assert old.read_bytes() == b"old\n"
    assert sandbox.markers[-3:] == ["rolling-back", "not-rolled-back", "output it does not come back"]
    assert (kept / "files" / str(old)[1:]).read_bytes() == b"old\n"


def test_a_recovery_reads_nothing_that_is_sent(sandbox, pair):
    recover = (WriteFiles((sandbox.file("x", b"x"),)),)
    with pytest.raises(TypeError, match="reads nothing"):
        sandbox.compile(*change(sandbox, recover=recover))


def test_a_stop_puts_nothing_back_and_leaves_the_guard(sandbox, pair, kept):
    old, _ = pair
    waits = Wait("wait", "return 1", timedelta(seconds=20))
    stop = f"{paths.RUN_DIR}/stop-test"
    sandbox.run(*change(sandbox, RunScript("stop", f": >{stop}"), waits))
    assert old.read_bytes() == b"changed\n"
    assert sandbox.markers[-1] == "stopped 3"
    assert f"kept {old}\n" in (kept / "list").read_text()


def test_the_next_run_puts_back_what_was_there_before_the_first(sandbox, pair, kept):
    """A run is killed after it wrote; the next writes something else, and that does not work either."""
    old, new = pair
    killed = sandbox.compile(*change(sandbox, RunScript("stay", "sleep 30")))
    run(killed, until=lambda: new.exists(), signal_=signal.SIGKILL)
    assert old.read_bytes() == b"changed\n"
    assert kept.stat().st_mode & 0o777 == 0o700
    third = sandbox.file("etc/third", b"third\n")
    spec = sandbox.file("etc/old", b"another try\n")
    guard = Guard((spec.path, third.path))
    sandbox.run(guard, WriteFiles((spec, third)), BREAKS, Settle())
    assert (old.read_bytes(), old.stat().st_mode & 0o7777) == (b"old\n", 0o640)
    assert not new.exists()
    assert not Path(third.path).exists()
    assert sandbox.markers[-1] == "rolled-back"


def test_the_next_run_settles_what_a_killed_one_began(sandbox, pair, kept):
    old, new = pair
    killed = sandbox.compile(*change(sandbox, RunScript("stay", "sleep 30")))
    run(killed, until=lambda: new.exists(), signal_=signal.SIGKILL)
    sandbox.run(Guard((str(old), str(new))), Settle())
    assert old.read_bytes() == b"changed\n"
    assert not kept.exists()


def test_without_room_to_keep_nothing_is_changed(sandbox, pair):
    old, _ = pair
    sandbox.command("cp", "echo 'cp: no space left on device' >&2; exit 1")
    sandbox.run(*change(sandbox, Settle()))
    assert old.read_bytes() == b"old\n"
    assert sandbox.markers[-2:] == ["failed 0 1", "output cp: no space left on device"]


def run(script, *, until, signal_) -> None:
    """Run a script and kill it and all its children once a condition holds."""
    process = subprocess.Popen(
        ["sh", "-c", script.script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    for piece in script.stream():
        process.stdin.write(piece)
    process.stdin.close()
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(process.pid, signal_)
    process.wait()


# Which pod runs.

MANIFEST = "etc/kubernetes/manifests/kube-scheduler.yaml"


class Runtime:
    """Stands in for crictl: a table of containers, newest first."""

    def __init__(self, sandbox) -> None:
        self.sandbox = sandbox
        self.file = Path(sandbox.path("containers.json"))
        sandbox.command("crictl", f'case $1 in ps) cat {self.file} ;; *) echo "$@" >>$LOG ;; esac')
        sandbox.command("systemctl", "exit 0")
        self.set()

    def set(self, *containers: tuple[str, int, str, float]) -> None:
        """Take (uid, attempt, state, age in seconds) of each container."""
        now = time.time()
        items = ",\n".join(
            f"""    {{
      "id": "{uid}-{attempt}",
      "podSandboxId": "sandbox",
      "metadata": {{
        "name": "kube-scheduler",
        "attempt": {attempt}
      }},
      "state": "CONTAINER_{state}",
      "createdAt": "{int((now - age) * 1e9)}",
      "labels": {{
        "io.kubernetes.pod.namespace": "kube-system",
        "io.kubernetes.pod.uid": "{uid}"
      }}
    }}"""
            for uid, attempt, state, age in containers
        )
        self.file.write_text('{\n  "containers": [\n' + items + "\n  ]\n}\n")


@pytest.fixture
def runtime(sandbox) -> Runtime:
    made = Runtime(sandbox)
    manifest = Path(sandbox.path(MANIFEST))
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(b"first")
    made.set(("one", 4, "RUNNING", 100))
    return made


def scheduler(sandbox, content: bytes | None, script: str, *, written=True, patience=60, seconds=2, grace=""):
    """Guard the scheduler, write its manifest, change what runs, and wait."""
    path = sandbox.path(MANIFEST)
    words = f"kube-scheduler {path} '{'1' if written else ''}' {patience} '{grace}'"
    wait = Wait(
        "wait",
        f"kpy_replaced {words} || return 1\nkpy_steady kube-scheduler 1",
        timedelta(seconds=seconds),
        hopeless='[ "$(cat "$kpy_tmp/exits.kube-scheduler" 2>/dev/null || echo 0)" -ge 3 ] && echo it fell',
    )
    write = (WriteFiles((FileSpec(path, content, 0o600, sandbox.file("x", b"").owner),)),) if content else ()
    return (Guard((path,), ("kube-scheduler",)), *write, RunScript("kubelet", script), wait, Settle())


def swap(runtime: Runtime, name: str, *containers) -> str:
    """Return a script that lets other containers run."""
    before = runtime.file.read_text()
    runtime.set(*containers)
    table = Path(runtime.sandbox.path(f"{name}.json"))
    runtime.file.rename(table)
    runtime.file.write_text(before)
    return f"cp {table} {runtime.file}"


def test_a_pod_of_the_new_manifest_is_waited_for(sandbox, runtime):
    new = swap(runtime, "new", ("two", 0, "RUNNING", -1), ("one", 4, "EXITED", 100))
    assert sandbox.run(*scheduler(sandbox, b"second", new, seconds=25)).ok, sandbox.markers


def test_the_old_pod_is_no_answer(sandbox, runtime):
    sandbox.run(*scheduler(sandbox, b"second", ":"))
    assert "failed 3 9" in sandbox.markers
    assert "output the kubelet has not stopped kube-scheduler yet" in sandbox.markers
    assert Path(sandbox.path(MANIFEST)).read_bytes() == b"first"


def test_a_pod_that_keeps_falling_is_hopeless(sandbox, runtime):
    falls = swap(runtime, "falls", ("two", 2, "EXITED", 1))
    first = swap(runtime, "first", ("two", 0, "EXITED", 1))
    script = f"{first}; (sleep 1; {falls}) >/dev/null 2>&1 &"
    sandbox.run(*scheduler(sandbox, b"second", script, seconds=25))
    assert "failed 3 10" in sandbox.markers
    assert "output it fell" in sandbox.markers
    assert "note kube-scheduler does not run; it ended 1x" in sandbox.markers


def test_attempts_of_an_earlier_day_do_not_count(sandbox, runtime):
    new = swap(runtime, "new", ("two", 40, "RUNNING", 10))
    assert sandbox.run(*scheduler(sandbox, b"second", new, seconds=25)).ok, sandbox.markers


def test_a_manifest_that_went_back_means_the_pod_that_was(sandbox, runtime, kept):
    """Killed with the second manifest in place; the next run is told to have the first again."""
    second = swap(runtime, "second", ("two", 0, "RUNNING", 50))
    waits = RunScript("stay", "sleep 30")
    actions = scheduler(sandbox, b"second", second)[:-2]
    run(
        sandbox.compile(*actions, waits),
        until=lambda: '"two"' in runtime.file.read_text(),
        signal_=signal.SIGKILL,
    )
    sandbox.run(*scheduler(sandbox, b"first", ":"))
    assert "failed 3 9" in sandbox.markers, "the second one's pod still runs"


def test_a_killed_run_is_finished_without_writing_again(sandbox, runtime, kept):
    second = swap(runtime, "second", ("two", 0, "RUNNING", 50))
    actions = scheduler(sandbox, b"second", ":")[:-2]
    run(
        sandbox.compile(*actions, RunScript("stay", f"{second}; sleep 30")),
        until=lambda: '"two"' in runtime.file.read_text(),
        signal_=signal.SIGKILL,
    )
    assert sandbox.run(*scheduler(sandbox, None, ":", written=False, seconds=25)).ok, sandbox.markers
    assert not kept.exists()


def test_a_pod_that_the_kubelet_keeps_is_ended(sandbox, runtime):
    """The manifest differs in its text only: same uid. A container that was made since then is a new one."""
    anew = swap(runtime, "anew", ("one", 0, "RUNNING", -4))
    ps = f'[ "$2" = --pod ] || cat {runtime.file}'
    sandbox.command("crictl", f"case $* in pods*) echo sandbox ;; *rmp*) {anew} ;; ps*) {ps} ;; esac")
    assert sandbox.run(*scheduler(sandbox, b"first ", ":", patience=0, seconds=25)).ok, sandbox.markers


def test_an_old_pod_that_takes_its_time_is_hurried(sandbox, runtime):
    new = swap(runtime, "new", ("two", 0, "RUNNING", 0), ("one", 4, "EXITED", 100))
    sandbox.command(
        "crictl", f'echo "$*" >>$LOG; case $* in *stop*) {new} ;; ps*) cat {runtime.file} ;; esac'
    )
    assert sandbox.run(*scheduler(sandbox, b"second", ":", seconds=25, grace="7")).ok, sandbox.markers
    assert sandbox.log.count("--timeout 37s stop --timeout 7 one-4") == 1


def test_what_fell_is_nothing_to_the_pod_that_comes_back(sandbox, runtime):
    """Until the kubelet has started the old pod again, the newest container is one that fell."""
    falls = swap(runtime, "falls", ("two", 2, "EXITED", 1))
    first = swap(runtime, "first", ("two", 0, "EXITED", 1))
    back = swap(runtime, "back", ("one", 5, "RUNNING", 0), ("two", 2, "EXITED", 5))
    guard, write, _, wait, settle = scheduler(sandbox, b"second", ":", seconds=25)
    recover = (RunScript("kubelet", f"(sleep 4; {back}) >/dev/null 2>&1 &"), wait)
    guard = replace(guard, recover=recover)
    script = RunScript("kubelet", f"{first}; (sleep 1; {falls}) >/dev/null 2>&1 &")
    sandbox.run(guard, write, script, wait, settle)
    assert "failed 3 10" in sandbox.markers
    assert sandbox.markers[-1] == "rolled-back"


def test_the_guards_functions_replace_none_of_the_frames():
    folder = Path(compile_module.__file__).parent
    names = [re.findall(r"^(\w+)\(\) \{", (folder / file).read_text(), re.M) for file in SCRIPTS]
    assert all(names)
    assert not set(names[0]) & set(names[1])


class TestObjects:
    """The API is a directory here: `got` is what it has, `put` what it was given."""

    KUBECTL = """
    cd "$(dirname "$LOG")" || exit 1
    case "$*" in
      *' get '*) cat >asked; cat got ;;
      *' replace '*) echo replace >>"$LOG"; [ ! -e refuses ] || exit 1; cp "$(eval echo \\${$#})" put ;;
      *' apply --server-side '*) echo apply >>"$LOG"; cp "$(eval echo \\${$#})" put ;;
    esac"""
    GOT = """{
    "kind": "ConfigMap",
    "data": {"a": "1"},
    "metadata": {
        "name": "x",
        "resourceVersion": "7",
        "uid": "u"
    }
}
"""

    @pytest.fixture
    def guard(self, sandbox):
        sandbox.command("kubectl", self.KUBECTL)
        (sandbox.root / "got").write_text(self.GOT)
        stub = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "it's"}}
        return Guard(objects=KeptObjects((stub,), "/etc/admin.conf", "https://a:6443"), name="kube-proxy")

    def test_are_asked_for_by_what_tells_them_apart(self, sandbox, guard):
        assert sandbox.run(guard, Settle()).ok
        [asked] = json.loads((sandbox.root / "asked").read_text())["items"]
        assert asked["metadata"] == {"name": "x", "namespace": "it's"}
        assert not (sandbox.root / "put").exists()
        assert not Path(f"{paths.KEPT_DIR}/kube-proxy").exists()

    def test_are_put_back_as_they_were(self, sandbox, guard):
        assert not sandbox.run(guard, BREAKS, Settle()).ok
        put = (sandbox.root / "put").read_text()
        assert '"a": "1"' in put
        assert "resourceVersion" not in put
        assert "uid" not in put
        assert sandbox.log == "replace\n"
        assert sandbox.markers[-2:] == ["rolling-back", "rolled-back"]

    def test_that_somebody_deleted_are_made_anew(self, sandbox, guard):
        (sandbox.root / "refuses").touch()
        assert not sandbox.run(guard, BREAKS, Settle()).ok
        assert sandbox.log == "replace\napply\n"
        assert sandbox.markers[-1] == "rolled-back"

    def test_that_were_not_there_are_left(self, sandbox, guard):
        (sandbox.root / "got").write_text("")
        assert not sandbox.run(guard, BREAKS, Settle()).ok
        assert sandbox.log == ""
        assert sandbox.markers[-1] == "rolled-back"

    def test_stay_as_a_killed_run_has_kept_them(self, sandbox, guard):
        waits = Wait("wait", "return 1", timedelta(seconds=1))
        stop = f"{paths.RUN_DIR}/stop-test"
        sandbox.run(guard, RunScript("stop", f": >{stop}"), waits)
        assert sandbox.markers[-1] == "stopped 2"
        (sandbox.root / "got").write_text(self.GOT.replace('"1"', '"2"'))
        assert not sandbox.run(guard, BREAKS).ok
        assert '"a": "1"' in (sandbox.root / "put").read_text()
