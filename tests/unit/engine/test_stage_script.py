"""Stage scripts, run for real under this machine's /bin/sh."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kubeadm_py.artifacts.checked import CHUNK, ChangedError
from kubeadm_py.artifacts.images import Blob, ImageArchive
from kubeadm_py.engine import compile as engine
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    LIVE_REPLICAS,
    ApplyObjects,
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
from kubeadm_py.model.stages import HostPlan, PlannedStep
from kubeadm_py.transport.script import Envelope

SOON = timedelta(seconds=20)
HOSTILE = ["with space", "quo'te", 'dou"ble', "$HOME", "`id`", "-dash", "semi;colon", "ütf", "a" * 150, "*"]


def mode_of(path: str) -> int:
    return os.stat(path).st_mode & 0o7777


def leftovers(sandbox) -> list[str]:
    """What a stage leaves in its run directory, the lock aside."""
    return sorted(set(os.listdir(paths.RUN_DIR)) - {"stage.lock"})


def test_files_are_written_with_mode_and_content(sandbox):
    result = sandbox.write(
        sandbox.file("etc/a/open", b"open\n"),
        sandbox.file("etc/a/key", b"secret\n", 0o600, secret=True),
        sandbox.file("etc/b/run", b"#!/bin/sh\n", 0o755),
        sandbox.file("etc/b/empty", b""),
        sandbox.file("etc/b/group", b"x", 0o640),
    )
    assert result.ok, result
    assert sandbox.markers == ["begin 0", "done 0 changed"]
    for name, content, mode in [
        ("etc/a/open", b"open\n", 0o644),
        ("etc/a/key", b"secret\n", 0o600),
        ("etc/b/run", b"#!/bin/sh\n", 0o755),
        ("etc/b/empty", b"", 0o644),
        ("etc/b/group", b"x", 0o640),
    ]:
        path = sandbox.path(name)
        assert (Path(path).read_bytes(), mode_of(path)) == (content, mode), name
        assert (os.stat(path).st_uid, os.stat(path).st_gid) == (os.getuid(), os.getgid())
    assert sorted(os.listdir(sandbox.path("etc/b"))) == ["empty", "group", "run"], "no temporary stays"
    assert mode_of(sandbox.path("etc")) == 0o755
    assert leftovers(sandbox) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_names_mean_themselves(sandbox, name):
    spec = sandbox.file(f"dir {name}/{name}", b"line one\nline ' two\n\x00\xff")
    assert sandbox.write(spec).ok
    assert Path(spec.path).read_bytes() == b"line one\nline ' two\n\x00\xff"
    assert sorted(os.listdir(os.path.dirname(spec.path))) == [name]
    assert sandbox.run(Remove((spec.path,))).ok
    assert not os.path.exists(spec.path)


def test_what_is_replaced_is_replaced_whole(sandbox):
    """Readers hold the old file or the new one: the new one is another inode, renamed into place."""
    path = Path(sandbox.path("f"))
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        inode = os.fstat(reader.fileno()).st_ino
        assert sandbox.write(sandbox.file("f", b"new", 0o600)).ok
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert (mode_of(str(path)), path.stat().st_ino != inode) == (0o600, True)


def test_a_link_is_replaced_and_not_followed(sandbox):
    target, link = Path(sandbox.path("target")), Path(sandbox.path("link"))
    target.write_bytes(b"foreign")
    link.symlink_to(target)
    assert sandbox.write(sandbox.file("link", b"ours")).ok
    assert (target.read_bytes(), link.is_symlink(), link.read_bytes()) == (b"foreign", False, b"ours")


def test_a_directory_in_the_way_fails_the_action(sandbox):
    Path(sandbox.path("f/inside")).mkdir(parents=True)
    result = sandbox.write(sandbox.file("f", b"x"))
    assert (result.exit_code, sandbox.markers[1]) == (1, "failed 0 1")
    assert "directory" in sandbox.output[-1]
    assert os.path.isdir(sandbox.path("f/inside"))


def test_a_secret_is_never_readable_by_others_on_its_way(sandbox):
    """The stream stops in the middle of a secret: what lies on the disk by then is the owner's alone."""
    (sandbox.root / "pki").mkdir()
    secret = os.urandom(1 << 20)
    script = sandbox.compile(
        WriteFiles((sandbox.file("pki/key", secret, 0o600, secret=True), sandbox.file("pki/crt", b"c")))
    )
    content = b"".join(script.stream())
    seen: list[tuple[str, int]] = []

    def slow():
        yield content[: 600 << 10]
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            for folder, _, names in os.walk(sandbox.root):
                for name in names:
                    path = os.path.join(folder, name)
                    if os.path.getsize(path) > 100 << 10:
                        seen.append((name, mode_of(path)))
            time.sleep(0.01)
        yield content[600 << 10 :]

    assert sandbox.host.run(script.script, stdin=slow(), timeout=30).ok
    assert seen, "the half-written file was not seen"
    assert [(name, oct(mode)) for name, mode in seen if mode & 0o077] == []
    assert Path(sandbox.path("pki/key")).read_bytes() == secret


def test_input_for_a_script_is_private_and_gone_afterwards(sandbox):
    result = sandbox.run(
        RunScript(
            "t",
            f'stat -c %a "$INPUT" >{sandbox.root}/modes; stat -c %a "${{INPUT%/*}}" >>{sandbox.root}/modes\n'
            f'cat "$INPUT" >{sandbox.root}/got; exit 0',
            stdin=b"kubeconfig",
        ),
        RunScript("u", f"ls $(dirname $INPUT) >{sandbox.root}/listed", stdin=b""),
        RunScript("v", f"ls {paths.RUN_DIR}/stage.*/ >{sandbox.root}/after"),
    )
    assert result.ok, result
    assert (sandbox.root / "got").read_bytes() == b"kubeconfig"
    assert (sandbox.root / "modes").read_text() == "600\n700\n"
    assert "input" not in (sandbox.root / "after").read_text(), "an early exit leaves the input lying there"
    assert leftovers(sandbox) == []


def test_input_that_is_cut_short_is_not_used(sandbox):
    script = sandbox.compile(RunScript("t", f'cat "$INPUT" >{sandbox.root}/got', stdin=b"x" * 1000))
    markers: list[str] = []
    result = sandbox.host.run(script.script, stdin=b"x" * 999, timeout=20, on_line=markers.append)
    assert result.exit_code == 1
    assert not (sandbox.root / "got").exists()
    assert "##kubeadm-py output what was sent arrived incomplete" in markers


def test_files_that_are_cut_short_are_not_put_in_place(sandbox):
    script = sandbox.compile(WriteFiles((sandbox.file("a", b"a" * 2000), sandbox.file("b", b"b" * 2000))))
    whole = b"".join(script.stream())
    for size in (0, 100, 512, 700, 2560, 3000, len(whole) - 1500):
        assert sandbox.host.run(script.script, stdin=whole[:size], timeout=20).exit_code == 1, size
        assert sorted(os.listdir(sandbox.root)) == ["run", "var"], size


def test_a_late_content_is_asked_for_once_an_action(sandbox):
    asked: list[str] = []

    def resolve(late: Late) -> bytes:
        asked.append(late.producer)
        return b'{"kind": "Secret"}'

    late = Late("p", {}, None)
    sandbox.command("kubectl", 'for last; do :; done; cat "$last" >>$LOG')
    result = sandbox.run(
        WriteFiles((sandbox.file("late", late, 0o600),)), ApplyObjects("o", (late,)), resolve=resolve
    )
    assert result.ok
    assert asked == ["p", "p"]
    assert Path(sandbox.path("late")).read_bytes() == b'{"kind": "Secret"}'
    assert json.loads(sandbox.log)["items"] == [{"kind": "Secret"}]


OBJECTS = ApplyObjects("o", ({"kind": "A"},), patience=timedelta(seconds=20))


def test_an_api_that_does_not_answer_yet_is_asked_again(sandbox):
    sandbox.command(
        "kubectl",
        'echo try >>$LOG; [ "$(wc -l <$LOG)" -gt 2 ] || { echo "dial tcp: connection refused" >&2; exit 1; }',
    )
    assert sandbox.run(OBJECTS).ok
    assert sandbox.log.split() == ["try"] * 3
    assert leftovers(sandbox) == []


def test_what_the_api_refuses_is_not_tried_again(sandbox):
    sandbox.command("kubectl", 'echo try >>$LOG; echo "A is invalid: spec" >&2; exit 1')
    result = sandbox.run(OBJECTS)
    assert not result.ok
    assert "A is invalid: spec" in result.stdout.decode() + result.stderr.decode()
    assert sandbox.log.split() == ["try"]


def test_patience_with_the_api_ends(sandbox):
    sandbox.command("kubectl", 'echo try >>$LOG; echo "connection refused" >&2; exit 1')
    assert not sandbox.run(replace(OBJECTS, patience=timedelta(0))).ok
    assert sandbox.log.split() == ["try"]


def test_local_files_are_streamed(sandbox, tmp_path):
    big = tmp_path / "binary"
    pattern = os.urandom(1 << 16)
    with big.open("wb") as file:
        for _ in range(200):
            file.write(pattern)
        file.write(b"end")
    content = LocalFile(str(big), hashlib.sha256(big.read_bytes()).hexdigest(), big.stat().st_size)
    script = sandbox.compile(WriteFiles((sandbox.file("bin/tool", content, 0o755), sandbox.file("x", b"x"))))
    assert max(len(chunk) for chunk in script.stream()) <= CHUNK
    assert sum(len(chunk) for chunk in script.stream()) == script.size
    assert sandbox.host.run(script.script, stdin=script.stream(), timeout=60).ok
    written = Path(sandbox.path("bin/tool"))
    assert written.read_bytes() == big.read_bytes()
    assert mode_of(str(written)) == 0o755


def test_a_local_file_that_shrank_is_an_error_of_ours(sandbox, tmp_path):
    short = tmp_path / "short"
    short.write_bytes(b"123")
    with pytest.raises(ChangedError, match="short"):
        sandbox.write(sandbox.file("f", LocalFile(str(short), "", 10)))
    assert not os.path.exists(sandbox.path("f"))


@pytest.mark.parametrize("size", [3, 512, 1 << 20, (1 << 20) + 1])
@pytest.mark.parametrize("last", [True, False])
def test_a_local_file_that_was_swapped_is_not_installed(sandbox, tmp_path, size, last):
    binary = tmp_path / "binary"
    binary.write_bytes(b"x" * size)
    content = LocalFile(str(binary), hashlib.sha256(b"y" * size).hexdigest(), size)
    swapped = sandbox.file("bin/tool", content, 0o755)
    files = [sandbox.file("bin/other", b"other"), swapped]
    with pytest.raises(ChangedError, match="binary"):
        sandbox.write(*(files if last else reversed(files)))
    # The script may still be at its end.
    with Path(paths.STAGE_LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert os.listdir(sandbox.path("bin")) == []


def test_a_swapped_file_is_not_handed_to_a_script(sandbox, tmp_path):
    archive = tmp_path / "archive"
    archive.write_bytes(b"x" * 10)
    content = LocalFile(str(archive), hashlib.sha256(b"y" * 10).hexdigest(), 10)
    with pytest.raises(ChangedError, match="archive"):
        sandbox.run(RunScript("unpack", f"touch {sandbox.root}/unpacked", stdin=content))
    with Path(paths.STAGE_LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert not os.path.exists(f"{sandbox.root}/unpacked")


def test_an_action_can_warn(sandbox):
    assert sandbox.run(RunScript("w", "kpy_warn 'left behind: %s \\\\ x'; echo done")).ok
    assert sandbox.markers == ["begin 0", r"warning left behind: %s \\ x", "done 0 changed"]


def test_a_failing_action_ends_the_stage_with_what_it_said(sandbox):
    sandbox.markers = []
    result = sandbox.run(
        RunScript("one", "echo fine"),
        RunScript("two", "echo first; echo '##kubeadm-py done 0 changed'; false; echo never"),
        RunScript("three", f"touch {sandbox.root}/three"),
    )
    assert result.exit_code == 1
    assert sandbox.markers == [
        "begin 0",
        "done 0 changed",
        "begin 1",
        "failed 1 1",
        "output first",
        "output ##kubeadm-py done 0 changed",
    ]
    assert not (sandbox.root / "three").exists()
    assert leftovers(sandbox) == []


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 7", 7), ("false", 1), ("echo $UNSET", 2), ("no-such-command", 127), ("kill -9 $$", None)],
)
def test_exit_codes_of_scripts(sandbox, script, code):
    result = sandbox.run(RunScript("t", script))
    if code is None:
        assert result.exit_code == 137
        assert sandbox.markers == ["begin 0"]
    else:
        assert sandbox.markers[1] == f"failed 0 {code}"


def test_unchanged_is_told(sandbox):
    sandbox.run(
        RunScript("a", "echo unchanged"),
        RunScript("b", "echo 'it is unchanged'"),
        RunScript("c", "echo something; echo unchanged; exit 0"),
    )
    assert [line for line in sandbox.markers if line.startswith("done")] == [
        "done 0 unchanged",
        "done 1 changed",
        "done 2 unchanged",
    ]


def test_an_action_sees_no_lock_and_no_foreign_input(sandbox):
    result = sandbox.run(
        RunScript("t", f"cat >{sandbox.root}/stdin; [ ! -e /proc/self/fd/8 ]"), WriteFiles(())
    )
    assert result.ok, sandbox.markers
    assert (sandbox.root / "stdin").read_bytes() == b""


def test_a_child_that_stays_behind_does_not_hold_the_lock(sandbox):
    sandbox.run(RunScript("t", "sleep 30 >/dev/null 2>&1 3>&- 4>&- & echo $! >&2"))
    assert sandbox.run(RunScript("t", ":")).ok


def test_directories_get_their_mode_and_are_remembered(sandbox):
    data = sandbox.path("srv/data/etcd")
    assert sandbox.run(MakeDirectories(((data, 0o700),))).ok
    assert (mode_of(data), mode_of(os.path.dirname(data))) == (0o700, 0o755)
    assert sandbox.markers[-1] == "done 0 changed"
    made = Path(paths.MADE_DIRECTORIES).read_text().splitlines()
    assert made == [data, sandbox.path("srv/data"), sandbox.path("srv")]
    os.chmod(data, 0o755)
    assert sandbox.run(MakeDirectories(((data, 0o700),))).ok
    assert sandbox.markers[-1] == "done 0 unchanged"
    assert mode_of(data) == 0o755, "a directory that is there belongs to who made it"


def test_our_own_state_is_no_made_directory(sandbox):
    assert sandbox.run(RunScript("t", ":"), inventory=b'{"schema": 1}\n').ok
    assert not os.path.exists(paths.MADE_DIRECTORIES)


def test_the_inventory_is_there_before_the_first_action(sandbox):
    result = sandbox.run(
        RunScript("t", f"cat {paths.INVENTORY} >{sandbox.root}/seen; false"), inventory=b"listed\n"
    )
    assert result.exit_code == 1
    assert (sandbox.root / "seen").read_bytes() == b"listed\n"
    assert mode_of(paths.INVENTORY) == 0o600
    assert mode_of(paths.STATE_DIR) == 0o700


def test_without_room_for_the_inventory_nothing_begins(sandbox):
    Path(paths.STATE_DIR).write_text("a file in the way")
    result = sandbox.run(RunScript("t", f"touch {sandbox.root}/begun"), inventory=b"{}")
    assert result.exit_code == 1
    assert sandbox.markers == ["unnoted"]
    assert b"kubeadm-py" in result.stderr
    assert not (sandbox.root / "begun").exists()


def test_what_a_file_was_is_kept_once(sandbox):
    path = Path(sandbox.path("etc/config.toml"))
    path.parent.mkdir()
    path.write_bytes(b"the operator's\n")
    path.chmod(0o640)
    spec = sandbox.file("etc/config.toml", b"ours\n")
    existing = frozenset({str(path)})
    assert sandbox.write(spec, existing=existing).ok
    kept = Path(f"{paths.STATE_DIR}/prior{path}")
    assert (kept.read_bytes(), mode_of(str(kept))) == (b"the operator's\n", 0o640)
    assert mode_of(f"{paths.STATE_DIR}/prior") == 0o700
    assert path.read_bytes() == b"ours\n"
    assert sandbox.write(sandbox.file("etc/config.toml", b"ours again\n"), existing=existing).ok
    assert kept.read_bytes() == b"the operator's\n", "the first prior content is the one that counts"


def test_what_was_not_there_is_not_kept(sandbox):
    assert sandbox.write(sandbox.file("new", b"n"), existing=frozenset({sandbox.path("other")})).ok
    assert not os.path.exists(f"{paths.STATE_DIR}/prior")


def test_remove(sandbox):
    tree = Path(sandbox.path("tree/a b"))
    tree.mkdir(parents=True)
    (tree / "f").write_text("x")
    outside = Path(sandbox.path("outside"))
    outside.mkdir()
    (outside / "stays").write_text("x")
    Path(sandbox.path("tree/link")).symlink_to(outside)
    result = sandbox.run(Remove((sandbox.path("tree"), sandbox.path("was never there"))))
    assert result.ok
    assert not Path(sandbox.path("tree")).exists()
    assert (outside / "stays").exists(), "a link is removed, not what it leads to"


def test_units(sandbox):
    sandbox.command("systemctl", 'echo "$@" >>$LOG')
    sandbox.run(
        Unit("a.service", "restarted", enabled=True, daemon_reload=True),
        Unit("b.service", "started"),
        Unit("c.service", "stopped", enabled=False),
        Unit("odd name.service", "", enabled=True),
        Unit("d.service", "restarted", daemon_reload=True),
    )
    assert sandbox.markers[-1] == "done 4 changed"
    calls = sandbox.log.splitlines()
    assert calls == [
        # It reloads the manager by itself.
        "enable --quiet a.service",
        "reset-failed a.service",
        "restart a.service",
        "reset-failed b.service",
        "start b.service",
        "disable --quiet c.service",
        "stop c.service",
        "enable --quiet odd name.service",
        "daemon-reload",
        "reset-failed d.service",
        "restart d.service",
    ]


def test_a_unit_that_does_not_start_says_why(sandbox):
    sandbox.command(
        "systemctl", 'case $1 in restart) echo "Job failed. See journalctl -xe." >&2; exit 1; esac'
    )
    sandbox.run(Unit("kubelet.service", "restarted"))
    assert sandbox.markers[1:] == ["failed 0 1", "output Job failed. See journalctl -xe."]


def test_titles_of_units():
    titles = {
        Unit("u", "restarted"): "restart u",
        Unit("u", enabled=True): "enable u",
        Unit("u", enabled=False): "disable u",
        Unit("u", daemon_reload=True): "reload units",
    }
    for unit, title in titles.items():
        assert engine._describe(unit).title == title


def test_objects_are_applied_in_one_call(sandbox):
    sandbox.command("kubectl", 'printf "%s\\n" "$@" >>$LOG; for last; do :; done; cat "$last" >>$LOG.json')
    action = ApplyObjects(
        "objects",
        ({"kind": "A", "metadata": {"name": "it's"}}, Late("p"), {"kind": "C"}),
        server="https://10.0.0.1:6443",
        kubeconfig="/etc/kubernetes/admin.conf",
    )
    assert sandbox.run(action, resolve=lambda late: b'{"kind": "B"}').ok
    assert sandbox.log.splitlines()[:-1] == [
        "--cache-dir",
        paths.KUBECTL_CACHE,
        "--kubeconfig",
        "/etc/kubernetes/admin.conf",
        "--server",
        "https://10.0.0.1:6443",
        "apply",
        "--server-side",
        "--force-conflicts",
        "--validate=false",
        "--field-manager",
        "kubeadm-py",
        "-f",
    ]
    applied = json.loads((sandbox.root / "log.json").read_text())
    assert applied["kind"] == "List"
    assert [item["kind"] for item in applied["items"]] == ["A", "B", "C"]
    assert leftovers(sandbox) == []


SCALED = {
    "kind": "Deployment",
    "metadata": {"namespace": "kube-system", "name": "coredns"},
    "spec": {"replicas": LIVE_REPLICAS.format(otherwise=2)},
}


@pytest.mark.parametrize(("answer", "replicas"), [("5", 5), ("", 2)], ids=["scaled", "not there"])
def test_a_deployment_keeps_the_replicas_that_the_cluster_has(sandbox, answer, replicas):
    sandbox.command(
        "kubectl",
        f'case "$*" in *"get deployment coredns --namespace kube-system"*) printf "{answer}";;'
        ' *) for last; do :; done; cat "$last" >>$LOG.json;; esac',
    )
    assert sandbox.run(ApplyObjects("objects", ({"kind": "A"}, SCALED))).ok
    applied = json.loads((sandbox.root / "log.json").read_text())
    assert [item.get("spec") for item in applied["items"]] == [None, {"replicas": replicas}]
    assert leftovers(sandbox) == []


def test_nothing_is_applied_where_nobody_can_say_how_many_replicas_there_are(sandbox):
    sandbox.command("kubectl", 'case "$*" in *get*) echo forbidden >&2; exit 1;; *) touch $LOG.json;; esac')
    result = sandbox.run(ApplyObjects("objects", (SCALED,)))
    assert not result.ok
    assert b"forbidden" in result.stdout + result.stderr
    assert not (sandbox.root / "log.json").exists()


CTR = 'printf "%s\\n" "$*" >>$LOG; case $4 in import) tar -x -C {root}/imported ;; esac'
IMPORT = ImportImages("/layout", (("registry.k8s.io/pause:3.10", "sha256:1"), ("odd name:1", "sha256:2")))


@pytest.fixture
def archive(sandbox, tmp_path):
    """What is sent of two images: a manifest, and a layer of 3 MiB; ctr unpacks it."""
    (sandbox.root / "imported").mkdir()
    sandbox.command("ctr", CTR.format(root=sandbox.root))
    layout = tmp_path / "layout"
    blobs = []
    for content in (b"manifest", os.urandom(3 << 20)):
        digest = hashlib.sha256(content).hexdigest()
        (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (layout / "blobs/sha256" / digest).write_bytes(content)
        blobs.append(Blob(f"sha256:{digest}", len(content)))
    return ImageArchive(layout, b'{"index": 1}', tuple(blobs))


def imported(sandbox) -> dict[str, bytes]:
    folder = sandbox.root / "imported"
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def sent(archive: ImageArchive) -> dict[str, bytes]:
    blobs = {f"blobs/sha256/{each.sha256}": Path(each.path).read_bytes() for each in archive.files}
    return {**blobs, "index.json": archive.index, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}\n'}


def test_images_are_sent_imported_and_pinned(sandbox, archive):
    opened: list[ImportImages] = []

    def open_images(wanted: ImportImages):
        opened.append(wanted)
        return archive

    result = sandbox.run(IMPORT, WriteFiles((sandbox.file("after", b"a"),)), open_images=open_images)
    assert result.ok, sandbox.markers
    assert opened == [IMPORT]
    assert imported(sandbox) == sent(archive)
    calls = sandbox.log.splitlines()
    assert calls[0].startswith("-n k8s.io images import ")
    assert calls[1:] == [
        "-n k8s.io images label registry.k8s.io/pause:3.10 io.cri-containerd.pinned=pinned",
        "-n k8s.io images label odd name:1 io.cri-containerd.pinned=pinned",
    ]
    assert Path(sandbox.path("after")).read_bytes() == b"a", "the stream goes on right behind the images"
    assert not Path(paths.INCOMING_DIR).exists()


def test_how_much_of_many_images_has_come_is_told_now_and_then(sandbox, tmp_path):
    sandbox.command("ctr", "cat >/dev/null")
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    blobs = []
    for number in range(24):
        content = bytes([number]) * 1_000_000
        digest = hashlib.sha256(content).hexdigest()
        (tmp_path / "blobs/sha256" / digest).write_bytes(content)
        blobs.append(Blob(f"sha256:{digest}", len(content)))
    archive = ImageArchive(tmp_path, b"{}", tuple(blobs))
    assert sandbox.run(IMPORT, open_images=lambda _: archive).ok, sandbox.markers
    assert [marker for marker in sandbox.markers if marker.startswith("note ")] == [
        "note 2 images: 0 of 24 MB have come",
        "note 2 images: 5 of 24 MB have come",
        "note 2 images: 10 of 24 MB have come",
        "note 2 images: 15 of 24 MB have come",
        "note 2 images: 20 of 24 MB have come",
        "note 2 images: all 24 MB have come, containerd takes them in",
    ]


def test_a_refused_archive_fails(sandbox, archive):
    sandbox.command("ctr", "echo 'ctr: no space left on device' >&2; exit 1")
    sandbox.run(IMPORT, open_images=lambda _: archive)
    assert sandbox.markers[1] == "failed 0 1"
    assert "output ctr: no space left on device" in sandbox.markers


def partly_sent() -> dict[str, int]:
    """Return what a probe would find of an earlier run."""
    folder = Path(paths.INCOMING_BLOBS)
    return {each.name: each.stat().st_size for each in folder.iterdir()} if folder.exists() else {}


def test_images_that_were_cut_off_go_on_where_they_stopped(sandbox, archive):
    def script(**options):
        return sandbox.compile(IMPORT, open_images=lambda _: archive, **options)

    whole = b"".join(script().stream())
    for size in (4, 1000, 2 << 20):
        assert not sandbox.host.run(script().script, stdin=whole[:size], timeout=20).ok
    layer = archive.files[-1]
    found = partly_sent()
    assert found[layer.sha256] == (2 << 20) - len(b"manifest")
    rest = script(incoming=found)
    assert rest.size == len(whole) - (2 << 20) == sum(map(len, rest.stream()))
    assert sandbox.host.run(rest.script, stdin=rest.stream(), timeout=20).ok
    assert imported(sandbox) == sent(archive)
    assert partly_sent() == {}


def test_what_was_sent_in_part_and_is_damaged_is_dropped(sandbox, archive):
    def go_on():
        return sandbox.run(IMPORT, open_images=lambda _: archive, incoming=partly_sent())

    layer = archive.files[-1]
    folder = Path(paths.INCOMING_BLOBS)
    folder.mkdir(parents=True)
    (folder / layer.sha256).write_bytes(bytes(1 << 20))
    (folder / ("0" * 64)).write_bytes(b"of another bundle")
    assert not go_on().ok
    assert any("damaged" in line for line in sandbox.output)
    assert imported(sandbox) == {}
    assert set(partly_sent()) == {archive.files[0].sha256}
    assert go_on().ok, sandbox.markers
    assert imported(sandbox) == sent(archive)


def test_what_nobody_wants_any_more_goes_with_the_next_stage(sandbox):
    folder = Path(paths.INCOMING_BLOBS)
    folder.mkdir(parents=True)
    assert not sandbox.run(RunScript("t", "exit 3")).ok
    assert folder.exists(), "a stage that failed may be tried again"
    assert sandbox.run(RunScript("t", ":")).ok
    assert not Path(paths.INCOMING_DIR).exists()


def test_what_changed_since_the_probe_is_not_taken_for_whole(sandbox, archive):
    layer = archive.files[-1]
    sandbox.run(IMPORT, open_images=lambda _: archive, incoming={layer.sha256: 1 << 20})
    assert any("run the same command again" in line for line in sandbox.output)
    assert imported(sandbox) == {}


def test_a_large_binary_goes_on_where_it_was_cut_off(sandbox, tmp_path):
    """Small files of the same action come anew, the large one from where it stopped."""
    source = tmp_path / "kubelet"
    source.write_bytes(os.urandom(3 << 20))
    content = LocalFile(str(source), hashlib.sha256(source.read_bytes()).hexdigest(), 3 << 20)
    files = (sandbox.file("small", b"s", 0o600), sandbox.file("kubelet", content, 0o755))
    first = sandbox.compile(WriteFiles(files))
    whole = b"".join(first.stream())
    assert not sandbox.host.run(first.script, stdin=whole[: 2 << 20], timeout=20).ok
    assert not Path(sandbox.path("kubelet")).exists()
    assert not Path(sandbox.path("small")).exists()
    (have,) = partly_sent().values()
    assert 1 << 20 < have < 2 << 20
    rest = sandbox.compile(WriteFiles(files), incoming=partly_sent())
    assert rest.size == first.size - have
    assert sandbox.host.run(rest.script, stdin=rest.stream(), timeout=20).ok
    assert Path(sandbox.path("kubelet")).read_bytes() == source.read_bytes()
    assert (mode_of(sandbox.path("kubelet")), mode_of(sandbox.path("small"))) == (0o755, 0o600)
    assert partly_sent() == {}


class TestWaits:
    def test_success_changes_nothing(self, sandbox):
        flag = sandbox.root / "flag"
        wait = Wait("w", f"[ -e {flag} ] && return 0\ntouch {flag}\necho not yet\nreturn 1", SOON, 0.02)
        assert sandbox.run(wait).ok
        assert sandbox.markers == ["begin 0", "note not yet", "done 0 unchanged"]

    def test_a_reason_is_told_when_it_changes(self, sandbox):
        count = sandbox.root / "count"
        until = f"""echo x >>{count}
n=$(wc -l <{count})
[ "$n" -ge 5 ] && return 0
echo noise; echo "turn $((n / 3))"
return 1"""
        assert sandbox.run(Wait("w", until, SOON, 0.02)).ok
        assert [line for line in sandbox.markers if line.startswith("note")] == ["note turn 0", "note turn 1"]

    @pytest.mark.parametrize("reason", [r"a\cb", r"two\nlines", r"\0101 $(id) `id` %s", "tab\there"])
    def test_reasons_of_others_are_not_read_as_escapes(self, sandbox, reason):
        flag = sandbox.root / "flag"
        (sandbox.root / "reason").write_text(reason)
        until = f"[ -e {flag} ] && return 0; touch {flag}; cat {sandbox.root}/reason; return 1"
        assert sandbox.run(Wait("w", until, SOON, 0.02)).ok
        assert sandbox.markers == ["begin 0", f"note {reason}", "done 0 unchanged"]

    def test_out_of_time(self, sandbox):
        wait = Wait(
            "w",
            "echo 'etcd has not started'; return 1",
            timedelta(seconds=1),
            0.02,
            diagnose="echo 'etcd says:'; echo '  no space'",
        )
        assert sandbox.run(wait).exit_code == 1
        assert "failed 0 9" in sandbox.markers
        assert sandbox.output == ["etcd has not started", "etcd says:", "  no space"]

    def test_hopeless_ends_at_once(self, sandbox):
        started = time.monotonic()
        a_second_a_turn = "kpy_clock() { kpy_seconds=$((kpy_seconds + 1)); }"
        wait = Wait(
            "w",
            f"{a_second_a_turn}; echo waiting; return 1",
            timedelta(minutes=4),
            0.01,
            hopeless="echo 'it ended 4 times'; return 0",
            diagnose="echo its log",
        )
        sandbox.run(wait)
        assert time.monotonic() - started < 10
        assert "failed 0 10" in sandbox.markers
        assert sandbox.output == ["it ended 4 times", "waiting", "its log"]

    def test_not_hopeless_goes_on(self, sandbox):
        count = sandbox.root / "count"
        until = f'echo x >>{count}; [ "$(wc -l <{count})" -ge 25 ]'
        assert sandbox.run(Wait("w", until, SOON, 0.01, hopeless="false")).ok

    def test_a_stop_is_seen_while_waiting(self, sandbox):
        stop = f"{paths.RUN_DIR}/stop-test"
        wait = Wait("w", f": >{stop}; echo waiting; return 1", timedelta(minutes=4), 0.01)
        assert sandbox.run(wait).exit_code == 1
        assert "failed 0 130" in sandbox.markers
        assert leftovers(sandbox) == [], (
            "the stop file goes with the stage: the next run is not stopped by it"
        )

    def test_a_stop_of_another_run_is_not_ours(self, sandbox):
        Path(paths.RUN_DIR).mkdir()
        Path(f"{paths.RUN_DIR}/stop-another").touch()
        Path(f"{paths.RUN_DIR}/stop").touch()
        assert sandbox.run(Wait("w", "true", SOON), RunScript("t", ":")).ok

    def test_the_first_question_may_come_later(self, sandbox, tmp_path):
        # The stand-in for sleep says what it was asked for.
        slept = tmp_path / "slept"
        sandbox.command("sleep", f'echo "$1" >>{slept}')
        assert sandbox.run(Wait("w", f"[ -e {slept} ]", SOON, delay=1.3)).ok
        assert slept.read_text() == "1.3\n"

    def test_an_unset_variable_of_a_condition_is_an_error_and_no_endless_loop(self, sandbox):
        sandbox.run(Wait("w", 'echo "$unheard_of"; return 1', timedelta(seconds=20), 0.01))
        assert "failed 0 2" in sandbox.markers


def test_a_stop_between_actions(sandbox):
    result = sandbox.run(
        RunScript("one", f": >{paths.RUN_DIR}/stop-test"), RunScript("two", f"touch {sandbox.root}/two")
    )
    assert result.exit_code == 130
    assert sandbox.markers == ["begin 0", "done 0 changed", "stopped 1"]
    assert not (sandbox.root / "two").exists()


def test_an_earlier_stage_is_waited_for(sandbox):
    """The lock is free in time: the stage runs. It is not: the stage says busy and does nothing."""
    Path(paths.RUN_DIR).mkdir()
    with open(paths.STAGE_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        timer = threading.Timer(0.3, lambda: fcntl.flock(lock, fcntl.LOCK_UN))
        timer.start()
        assert sandbox.run(RunScript("t", ":")).ok
        timer.join()


def test_a_stage_that_stays_busy(sandbox, monkeypatch):
    monkeypatch.setattr(engine, "STAGE_LOCK_WAIT_SECONDS", 0)
    Path(paths.RUN_DIR).mkdir()
    with open(paths.STAGE_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = sandbox.run(RunScript("t", f"touch {sandbox.root}/begun"))
    assert (result.exit_code, sandbox.markers) == (75, ["busy"])
    assert not (sandbox.root / "begun").exists()


def test_the_run_directory_is_roots_alone(sandbox):
    sandbox.run(RunScript("t", ":"))
    assert mode_of(paths.RUN_DIR) == 0o700


def test_the_epilogue_speaks_on_standard_output(sandbox):
    result = sandbox.run(RunScript("t", "echo inside"), epilogue="echo '##facts {}'")
    assert result.ok
    assert result.stdout.decode().splitlines() == [
        "##kubeadm-py locked",
        "##kubeadm-py begin 0",
        "##kubeadm-py done 0 changed",
        "##facts {}",
    ]


def test_a_failed_stage_has_no_epilogue(sandbox):
    result = sandbox.run(RunScript("t", "false"), epilogue="echo '##facts {}'")
    assert b"##facts" not in result.stdout


def test_a_cut_connection_begins_nothing_new_and_leaves_no_secret(sandbox):
    """Nobody reads the markers any more: what is under way ends, the private directory goes."""
    script = sandbox.compile(
        RunScript("one", f"touch {sandbox.root}/one; while [ ! -e {sandbox.root}/cut ]; do sleep 0.01; done"),
        RunScript("two", f'cp "$INPUT" {sandbox.root}/two', stdin=b"secret"),
    )
    envelope = Envelope.of(script.script)
    process = subprocess.Popen(
        ["sh", "-c", envelope.bootstrap],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    with process:
        process.stdin.write(envelope.payload + b"secret")
        process.stdin.close()
        while not (sandbox.root / "one").exists():
            time.sleep(0.01)
        process.stdout.close()
        (sandbox.root / "cut").touch()
        assert process.wait(20) == 141
    assert not (sandbox.root / "two").exists()
    assert leftovers(sandbox) == []


def test_a_stage_that_waited_for_the_lock_and_lost_its_run_writes_no_inventory(sandbox):
    """Its inventory is older than that of the run which was at work meanwhile."""
    envelope = Envelope.of(sandbox.compile(RunScript("t", ":"), inventory=b"stale").script)
    Path(paths.RUN_DIR).mkdir()
    with open(paths.STAGE_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            ["sh", "-c", envelope.bootstrap],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin
        assert process.stdout
        with process:
            process.stdin.write(envelope.payload)
            process.stdin.close()
            process.stdout.close()
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert process.wait(20) == 141
    assert not Path(paths.INVENTORY).exists()
    assert leftovers(sandbox) == []


@pytest.mark.usefixtures("heard_hangups")
@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("HUP", 129)])
def test_a_signal_leaves_no_secret(sandbox, name, code):
    result = sandbox.run(RunScript("t", f"kill -{name} $$; sleep 0.05", stdin=b"secret"))
    assert result.exit_code == code
    assert leftovers(sandbox) == []


def test_how_long_a_stage_may_take():
    def seconds(*actions) -> float:
        plan = engine.HostPlan("h", (engine_step(actions),))
        return engine.compile_stage(plan, lambda _: b"", lambda _: (0, ())).seconds

    idle = seconds()
    assert idle == engine.STAGE_LOCK_WAIT_SECONDS
    assert seconds(RunScript("t", ":", timeout=timedelta(minutes=7))) - idle == 420
    assert seconds(Wait("w", ":", timedelta(minutes=4))) - idle > 240
    big = FileSpec("/f", LocalFile("/nowhere", "", 1 << 30))
    assert seconds(WriteFiles((big,))) - idle > (1 << 30) / engine.SLOWEST_BYTES_PER_SECOND


def engine_step(actions):
    from kubeadm_py.model.stages import PlannedStep

    return PlannedStep("s", "s", tuple(actions))


@pytest.mark.parametrize(("secret", "synced"), [(True, True), (False, False)])
def test_keys_reach_the_disk_before_their_names_do(secret, synced):
    spec = FileSpec("/etc/kubernetes/pki/ca.key", b"key", 0o600, secret=secret)
    plan = HostPlan("cp1", (PlannedStep("certs", "certificates", (WriteFiles((spec,)),)),))
    script = engine.compile_stage(plan, lambda late: b"", lambda action: (0, ())).script
    assert ("sync -- /etc/kubernetes/pki/.ca.key" in script) is synced
    if synced:
        assert script.index("sync -- ") < script.index("mv -fT -- /etc/kubernetes/pki/.ca.key")


def test_a_stage_that_ends_well_settles_its_inventory(sandbox):
    note = Path(paths.SETTLED)
    sandbox.run(RunScript("work", "true"), inventory=b"{}\n", settled=b"abc\n")
    assert (note.read_text(), mode_of(str(note))) == ("abc\n", 0o600)
    sandbox.run(RunScript("fail", "false"), inventory=b"{ }\n", settled=b"def\n")
    assert note.read_text() == "abc\n", "what was begun has not ended"


def test_where_there_is_no_inventory_nothing_is_noted(sandbox):
    sandbox.run(RunScript("label a node", "true"), settled=b"abc\n")
    assert not Path(paths.SETTLED).exists()


CRICTL = """echo "$*" >>$LOG
case "$*" in
  *rmp*)
    echo "container is in starting state, can't be removed" >&2
    [ "$(grep -c rmp $LOG)" -ge {turns} ] ;;
  "pods --id"*) [ "$(grep -c rmp $LOG)" -ge {gone} ] || echo pod ;;
  pods*) echo pod ;;
  ps*) echo container ;;
esac"""


class TestAPodThatRestarts:
    @pytest.mark.parametrize(("turns", "gone"), [(1, 9), (3, 9), (9, 2)], ids=["ends", "starts", "goes"])
    def test_while_its_kubelet_is_at_work_too(self, sandbox, turns, gone):
        sandbox.command("systemctl", "exit 0")
        sandbox.command("sleep", "exec /bin/sleep 0.02")
        sandbox.command("crictl", CRICTL.format(turns=turns, gone=gone))
        assert sandbox.run(RestartStaticPod("kube-scheduler")).ok
        assert sandbox.log.count("rmp -f pod") == min(turns, gone)
        assert sandbox.log.count("stop --timeout") == min(turns, gone)

    def test_one_that_stays_is_told(self, sandbox):
        sandbox.command("systemctl", "exit 0")
        sandbox.command("sleep", "exec /bin/sleep 0.02")
        sandbox.command("crictl", CRICTL.format(turns=99, gone=99))
        assert not sandbox.run(RestartStaticPod("kube-scheduler")).ok
        assert "output container is in starting state, can't be removed" in sandbox.markers
