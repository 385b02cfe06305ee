"""Turn the actions of a stage into one shell script and the bytes it reads."""

from __future__ import annotations

import json
import posixpath
import shlex
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeGuard

from kubeadm_py.artifacts import checked
from kubeadm_py.artifacts.images import ImageArchive
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    Action,
    ApplyObjects,
    EtcdMember,
    FileSpec,
    Guard,
    ImportImages,
    LocalFile,
    MakeDirectories,
    Remove,
    RestartStaticPod,
    RunScript,
    Settle,
    Unit,
    Wait,
    WriteFiles,
)
from kubeadm_py.model.stages import HostPlan

STAGE_LOCK_WAIT_SECONDS = 300
ACTION_SECONDS = 300.0
"""What any other action may take, besides the time for what is sent."""
SLOWEST_BYTES_PER_SECOND = 64 << 10
PUT_BACK_MANAGER = "kubeadm-py-put-back"
"""Who owns what a guard put back: a later apply of ours does not take away what it does not set."""

Resolve = Callable[[Any], bytes]
"""Turn a Late into its content."""
OpenImages = Callable[[ImportImages], ImageArchive]
"""Say what of images is sent."""
RESUMED_FROM = 1 << 20
"""Files of this many bytes and more, and the parts of images, are gone on with where a connection was cut."""


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """Name an action so that its markers can be told as events."""

    kind: str
    title: str
    reason: str
    logs: tuple[str, ...] = ()
    """Components whose logs show more where it fails."""
    look: str = ""
    is_wait: bool = False
    provides: str = ""
    """What is there once this action, its step's last, is done."""


@dataclass(slots=True)
class StageScript:
    """Hold one host's share of a stage."""

    script: str
    payload: list[Callable[[], Iterable[bytes]]] = field(default_factory=list)
    incoming: Mapping[str, int] = field(default_factory=dict)
    """What an earlier run has sent of files: digest -> bytes that are there."""
    fetched: list[str] = field(default_factory=list)
    """Digests of the files that are sent so that a cut connection can be gone on with."""
    size: int = 0
    seconds: float = 0.0
    """How long the script may run at the very most: a script that hangs must not hang the run."""
    actions: list[CompiledAction] = field(default_factory=list)

    def stream(self) -> Iterator[bytes]:
        """Yield the bytes for standard input, in the order in which the script reads them."""
        for part in self.payload:
            yield from part()


@cache
def _shell(name: str) -> str:
    return resources.files("kubeadm_py.engine").joinpath(name).read_text()


def compile_stage(
    plan: HostPlan,
    resolve: Resolve,
    open_images: OpenImages,
    *,
    inventory: bytes | None = None,
    existing: frozenset[str] = frozenset(),
    epilogue: str = "",
    stop_file: str = f"{paths.RUN_DIR}/stop",
    stay_before: int | None = None,
    settled: bytes = b"",
    incoming: Mapping[str, int] = {},
) -> StageScript:
    """Compile the actions of one host.

    `inventory` is written before the first action. `existing` are the files that were on the host and that
    we have not changed yet: their content is kept for reset. `epilogue` runs after the last action (the
    probe that tells how the host is now). No action begins once `stop_file` exists on the host. Before the
    action of the number `stay_before` the script stays until its connection or its host ends: see
    engine.boundary. `settled` is noted once all actions are done: the host is as its inventory
    says. `incoming` is what an earlier run has sent in part: digest -> bytes.
    """
    compiled = StageScript("", incoming=incoming)
    settings = {
        "PATH": paths.SEARCH_PATH,
        "kpy_run": paths.RUN_DIR,
        "kpy_state": paths.STATE_DIR,
        "kpy_incoming": paths.INCOMING_DIR,
        "kpy_blobs": paths.INCOMING_BLOBS,
        "kpy_stop": stop_file,
        "kpy_lock_wait": str(STAGE_LOCK_WAIT_SECONDS),
    }
    parts = [*(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()), _shell("runtime.sh")]
    if any(isinstance(action, Guard) for step in plan.steps for action in step.actions):
        parts.append(_shell("guard.sh"))
        # As it was: it is extended before anything is kept.
        parts.append(f'cp -a {paths.INVENTORY} "$kpy_tmp/inventory" 2>/dev/null\n')
    if inventory is not None:
        spec = FileSpec(paths.INVENTORY, inventory, 0o600)
        body = f"mkdir -p -m 0700 {paths.STATE_DIR}\n" + _write_files(compiled, (spec,), resolve, frozenset())
        parts.append(f'(\nset -eu\n{body}) >"$kpy_tmp/out" 2>&1\n')
        parts.append('[ $? -eq 0 ] || { kpy_mark unnoted; cat "$kpy_tmp/out" >&2; exit 1; }\n')
    before_actions = len(parts)
    for step in plan.steps:
        for action in step.actions:
            index = len(compiled.actions)
            compiled.actions.append(_describe(action))
            compiled.seconds += _longest(action)
            body = _body(compiled, action, resolve, open_images, existing)
            if index == stay_before:
                parts.append("while :; do kpy_mark held; sleep 0.2; done\n")
            if isinstance(action, Guard):
                parts.append(_before_guard(compiled, action))
            parts.append(
                f'kpy_begin {index}\n(\nset -eu\n{body}) >"$kpy_tmp/out" 2>&1 8>&-\nkpy_end {index} $?\n'
            )
        if step.provides and step.actions:
            compiled.actions[-1] = replace(compiled.actions[-1], provides=step.provides)
    if compiled.fetched:
        parts.insert(before_actions, f"kpy_expect {' '.join(compiled.fetched)}\n")
    # Also what a run that was killed has left there, once nothing of it is wanted any more.
    parts.append('[ ! -e "$kpy_incoming" ] || rm -rf "$kpy_incoming"\n')
    if settled:
        parts.append(f"kpy_settle {shlex.quote(settled.decode().strip())}\n")
    if epilogue:
        parts.append(f"exec 1>&3\n{epilogue}\n")
    compiled.script = "".join(parts)
    compiled.seconds += STAGE_LOCK_WAIT_SECONDS + compiled.size / SLOWEST_BYTES_PER_SECOND
    return compiled


def _longest(action: Action) -> float:
    match action:
        case Wait():
            # What is asked last may take a while to answer, and so may the diagnosis.
            return action.deadline.total_seconds() + ACTION_SECONDS
        case RunScript() | EtcdMember():
            return action.timeout.total_seconds()
        case Guard():
            return ACTION_SECONDS + sum(map(_longest, action.recover))
        case _:
            return ACTION_SECONDS


def _describe(action: Action) -> CompiledAction:
    match action:
        case Wait():
            kind = type(action).__name__
            return CompiledAction(kind, action.title, "", action.logs, action.look, is_wait=True)
        case RestartStaticPod():
            return _named(action, f"restart {action.component}", action.reason, (action.component,))
        case WriteFiles() | RunScript() | ApplyObjects() | EtcdMember():
            return _named(action, action.title, action.reason)
        case MakeDirectories() | Guard() | Settle():
            return _named(action, action.title)
        case Unit():
            if action.state or action.enabled is not None:
                verb = action.state or ("enabled" if action.enabled else "disabled")
                return _named(action, f"{action.name} {verb}", action.reason)
            return _named(action, "reload units", action.reason)
        case Remove():
            count = len(action.paths)
            what = action.paths[0] if count == 1 else f"{count} paths"
            return _named(action, f"remove {what}", action.reason)
        case ImportImages():
            return _named(action, f"import {len(action.images)} images", action.reason)


def _named(action: Action, title: str, reason: str = "", logs: tuple[str, ...] = ()) -> CompiledAction:
    return CompiledAction(type(action).__name__, title, reason, logs)


def _body(
    compiled: StageScript,
    action: Action,
    resolve: Resolve,
    open_images: OpenImages,
    existing: frozenset[str],
) -> str:
    match action:
        case WriteFiles():
            return _write_files(compiled, action.files, resolve, existing)
        case MakeDirectories():
            return _make_directories(action)
        case RunScript():
            return _run_script(compiled, action, resolve)
        case EtcdMember():
            return _etcd_member(compiled, action, resolve, existing)
        case Unit():
            return _unit(action)
        case ApplyObjects():
            return _apply_objects(compiled, action, resolve)
        case Wait():
            return _wait(action)
        case Remove():
            return "".join(f"kpy_remove {shlex.quote(_removable(path))}\n" for path in action.paths)
        case RestartStaticPod():
            return f"kpy_restart_pod {shlex.quote(action.component)} {action.grace}\n"
        case ImportImages():
            return _import_images(compiled, action, open_images)
        case Guard():
            return _guard(action)
        case Settle():
            return "kpy_settle\necho unchanged\n"


def _removable(path: str) -> str:
    """Return `path`; raise KubeadmPyError for one that no plan of ours can mean, whoever put it there."""
    if (
        not path.startswith("/")
        or path.startswith("//")
        or posixpath.normpath(path) != path
        or path in paths.NEVER_REMOVED
    ):
        raise KubeadmPyError(
            f"refused to remove {path!r}: that is not ours",
            fix=f"look who wrote it into {paths.INVENTORY}",
        )
    return path


def _make_directories(action: MakeDirectories) -> str:
    lines = ["made=\n"]
    for path, mode in action.directories:
        quoted = shlex.quote(path)
        # Parents that are missing become 0755; only the named directory gets the mode.
        lines.append(
            f"if [ ! -d {quoted} ]; then\n  kpy_mkdir {quoted}\n  chmod {mode:04o} {quoted}\n  made=1\nfi\n"
        )
    lines.append('if [ -z "$made" ]; then echo unchanged; fi\n')
    return "".join(lines)


def _write_files(
    compiled: StageScript, files: tuple[FileSpec, ...], resolve: Resolve, existing: frozenset[str]
) -> str:
    all_members = [(spec, _content(spec, resolve)) for spec in files]
    large = [(spec, content) for spec, content in all_members if _is_large(content)]
    members = [(spec, content) for spec, content in all_members if not _is_large(content)]
    header_sizes = [(spec, content, _tar_header(spec, content)) for spec, content in members]
    total = sum(len(header) + _padded(_size(content)) for _, content, header in header_sizes) + 1024

    def stream() -> Iterator[bytes]:
        for _, content, header in header_sizes:
            yield header
            yield from _read(content)
            padding = _padded(_size(content)) - _size(content)
            if padding:
                yield bytes(padding)
        yield bytes(1024)

    if members:
        compiled.payload.append(stream)
        compiled.size += total
    directories = sorted({posixpath.dirname(spec.path) for spec in files})
    lines = [f"kpy_mkdir {shlex.join(directories)}\n"]
    kept = (spec.path for spec in files if spec.path in existing and not spec.in_place)
    lines += [f"kpy_keep {shlex.quote(path)}\n" for path in kept]
    if files:
        temporary = [_temporary(spec.path) for spec in files]
        # Half of what was to be written, a key among it perhaps, is not left lying there.
        lines.append(f"kpy_drop() {{\n  rm -f -- {shlex.join(temporary)}\n}}\ntrap kpy_drop EXIT\nkpy_drop\n")
    if members:
        lines.append(f"kpy_receive {total} {shlex.quote(_temporary(members[-1][0].path))}\n")
    for spec, content in large:
        lines.append(_fetch(compiled, content))
        where = f"{spec.mode:04o} {shlex.quote(spec.owner)} {shlex.quote(_temporary(spec.path))}"
        lines.append(f"kpy_place {content.sha256} {where}\n")
    if any(spec.secret for spec in files):
        # Renames may reach the disk before contents do: a power cut must not leave an empty key in place.
        lines.append(f"sync -- {shlex.join(temporary)}\n")
    lines += [f"mv -fT -- {shlex.quote(_temporary(spec.path))} {shlex.quote(spec.path)}\n" for spec in files]
    lines.append(f"kpy_relabel {shlex.join([spec.path for spec in files])}\n")
    return "".join(lines)


def _is_large(content: bytes | LocalFile) -> TypeGuard[LocalFile]:
    return isinstance(content, LocalFile) and content.size >= RESUMED_FROM


def _fetch(compiled: StageScript, file: LocalFile) -> str:
    """Return what takes a file, from where an earlier run was cut off."""
    have = min(compiled.incoming.get(file.sha256, 0), file.size)
    if file.sha256 in compiled.fetched:
        have = 0
    compiled.payload.append(lambda: checked.chunks(Path(file.path), file.size, file.sha256, have))
    compiled.size += file.size - have
    compiled.fetched.append(file.sha256)
    return f"kpy_fetch {file.sha256} {file.size} {have}\n"


def _content(spec: FileSpec, resolve: Resolve) -> bytes | LocalFile:
    if isinstance(spec.content, bytes | LocalFile):
        return spec.content
    return resolve(spec.content)


def _size(content: bytes | LocalFile) -> int:
    return content.size if isinstance(content, LocalFile) else len(content)


def _padded(size: int) -> int:
    return (size + 511) // 512 * 512


def _read(content: bytes | LocalFile) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    yield from checked.chunks(Path(content.path), content.size, content.sha256)


def _tar_header(spec: FileSpec, content: bytes | LocalFile) -> bytes:
    info = tarfile.TarInfo(_temporary(spec.path).lstrip("/"))
    info.size = _size(content)
    info.mode = spec.mode
    info.uname, _, info.gname = spec.owner.partition(":")
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def _temporary(path: str) -> str:
    """Return where a file lies until it is whole: hidden, and with an ending that nothing reads."""
    directory, name = posixpath.split(path)
    return f"{directory}/.{name}.kubeadm-py-new"


def _run_script(compiled: StageScript, action: RunScript, resolve: Resolve) -> str:
    if action.stdin is None:
        return action.script.rstrip("\n") + "\n"
    content = action.stdin if isinstance(action.stdin, bytes | LocalFile) else resolve(action.stdin)
    compiled.payload.append(lambda: _read(content))
    compiled.size += _size(content)
    return (
        f"kpy_save {_size(content)}\nINPUT=$kpy_tmp/input\nexport INPUT\n" + action.script.rstrip("\n") + "\n"
    )


def _etcd_member(
    compiled: StageScript, action: EtcdMember, resolve: Resolve, existing: frozenset[str]
) -> str:
    path = action.manifest.path
    kept = f"kpy_keep {shlex.quote(path)}\n" if path in existing else ""
    directory = f"kpy_mkdir {shlex.quote(posixpath.dirname(path))}\n"
    script = RunScript(action.title, action.script, stdin=action.manifest.content)
    return kept + directory + _run_script(compiled, script, resolve)


def _unit(action: Unit) -> str:
    name = shlex.quote(action.name)
    lines = ["systemctl daemon-reload\n"] if action.daemon_reload else []
    if action.enabled is not None:
        lines.append(f"systemctl {'enable' if action.enabled else 'disable'} --quiet {name}\n")
    if action.state in ("started", "restarted"):
        # Restarts that systemd counted before are not this start's: waits look at their number.
        lines.append(f"systemctl reset-failed {name} 2>/dev/null || :\n")
    if action.state == "started":
        lines.append(f"systemctl start {name}\n")
    elif action.state == "restarted":
        lines.append(f"systemctl restart {name}\n")
    elif action.state == "stopped":
        lines.append(f"systemctl stop {name}\n")
    return "".join(lines)


def _apply_objects(compiled: StageScript, action: ApplyObjects, resolve: Resolve) -> str:
    # JSON is YAML to kubectl, and the standard library writes it fastest and without any folding.
    items: list[Any] = []
    for obj in action.objects:
        item = obj if isinstance(obj, Mapping) else json.loads(resolve(obj))
        items += item["items"] if item["kind"] == "List" else [item]
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    compiled.payload.append(lambda: (content,))
    compiled.size += len(content)
    seconds = int(action.patience.total_seconds())
    kubectl = _kubectl(action.kubeconfig, action.server)
    return (
        f"kpy_save {len(content)}\n"
        + "".join(f"kpy_keep_replicas {seconds} {words} {kubectl}\n" for words in _scaled(items))
        + _apply_file(action, "$kpy_tmp/input")
    )


def _apply_file(action: ApplyObjects, file: str) -> str:
    return (
        f"kpy_apply {int(action.patience.total_seconds())} "
        f"{_kubectl(action.kubeconfig, action.server)} apply --server-side --force-conflicts "
        f'--field-manager {shlex.quote(action.field_manager)} -f "{file}"\n'
    )


def _kubectl(kubeconfig: str, server: str) -> str:
    where = f" --server {shlex.quote(server)}" if server else ""
    return f"kubectl --cache-dir {paths.KUBECTL_CACHE} --kubeconfig {shlex.quote(kubeconfig)}{where}"


def _scaled(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield PLACEHOLDER OTHERWISE NAMESPACE NAME of each Deployment that keeps its replicas."""
    for item in items:
        replicas = item.get("spec", {}).get("replicas") if item.get("kind") == "Deployment" else None
        if isinstance(replicas, str):
            otherwise = "".join(character for character in replicas if character.isdecimal())
            metadata = item["metadata"]
            yield shlex.join([replicas, otherwise, metadata["namespace"], metadata["name"]])


def _wait(action: Wait) -> str:
    def function(name: str, body: str) -> str:
        return f"{name}() {{\n{body.strip() or 'return 1'}\n}}\n"

    return (
        # errexit stays off: a condition that is not met yet is no failure.
        "set +e\n"
        + function("kpy_until", action.until)
        + function("kpy_hopeless", action.hopeless)
        + function("kpy_diagnose", action.diagnose or ":")
        + (f"sleep {action.delay:g}\n" if action.delay else "")
        + f"kpy_wait {max(1, int(action.deadline.total_seconds()))} {action.interval:g}\n"
    )


def _guard(action: Guard) -> str:
    lines = []
    if action.files:
        lines.append(f"kpy_guard_keep {shlex.join([*action.files, paths.INVENTORY])}\n")
    if action.pods:
        lines.append(f"kpy_guard_pods {shlex.join(action.pods)}\n")
    if (kept := action.objects) is not None:
        words = shlex.join(["-n", kept.namespace, "get", "--ignore-not-found", *kept.names])
        lines.append(f"kpy_guard_objects {_kubectl(kept.kubeconfig, kept.server)} {words}\n")
    return "".join([*lines, "kpy_guard_arm\necho unchanged\n"])


def _before_guard(compiled: StageScript, guard: Guard) -> str:
    """Return what a guard needs outside its own action: where it keeps, how it puts back and recovers."""

    def no_late(late: Any) -> bytes:
        raise TypeError(f"nothing is sent any more where a stage has failed: {late}")

    def no_images(images: ImportImages) -> ImageArchive:
        raise TypeError(f"nothing is sent any more where a stage has failed: {images}")

    size = compiled.size
    bodies = [_body(compiled, action, no_late, no_images, frozenset()) for action in guard.recover]
    if compiled.size != size:
        raise TypeError(f"a guard's recovery reads nothing: {guard.recover}")
    calls = "".join(f"(\nset -eu\n{body})\n[ $? -eq 0 ] || return 1\n" for body in bodies)
    functions = f"kpy_kept_dir={paths.KEPT_DIR}/{guard.name}\nkpy_recover() {{\n{calls}return 0\n}}\n"
    if (kept := guard.objects) is not None:
        put = ApplyObjects(
            "", (), server=kept.server, kubeconfig=kept.kubeconfig, field_manager=PUT_BACK_MANAGER
        )
        functions += f"kpy_put_objects() {{\n{_apply_file(put, '$1')}}}\n"
    return functions


def _import_images(compiled: StageScript, action: ImportImages, open_images: OpenImages) -> str:
    archive = open_images(action)
    files = archive.files
    lines = [_fetch(compiled, file) for file in files]
    compiled.payload.append(lambda: (archive.index,))
    compiled.size += len(archive.index)
    references = shlex.join([reference for reference, _ in action.images])
    return (
        "".join(lines) + f"kpy_save {len(archive.index)}\n"
        f"kpy_import {' '.join(file.sha256 for file in files)}\n"
        f"for image in {references}; do\n"
        '  ctr -n k8s.io images label "$image" io.cri-containerd.pinned=pinned >/dev/null\n'
        "done\n"
    )
