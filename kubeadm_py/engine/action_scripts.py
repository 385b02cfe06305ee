"""Turn each kind of action into shell."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubeadm_py.engine.sent import import_images, save, write_files
from kubeadm_py.engine.stage_script import OpenImages, Resolve, StageScript
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    Action,
    ApplyObjects,
    EtcdMember,
    Guard,
    ImportImages,
    KeptObjects,
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


def body(
    compiled: StageScript,
    action: Action,
    resolve: Resolve,
    open_images: OpenImages,
    existing: frozenset[str],
) -> str:
    """Return the shell of an action, and add to `compiled` what it reads."""
    match action:
        case WriteFiles():
            return write_files(compiled, action.files, resolve, existing)
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
            return import_images(compiled, action, open_images)
        case Guard():
            return _guard(action)
        case Settle():
            return "kpy_let_go\necho unchanged\n"


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


def _run_script(compiled: StageScript, action: RunScript, resolve: Resolve) -> str:
    if action.stdin is None:
        return action.script.rstrip("\n") + "\n"
    content = action.stdin if isinstance(action.stdin, bytes | LocalFile) else resolve(action.stdin)
    return (
        save(compiled, content) + "INPUT=$kpy_tmp/input\nexport INPUT\n" + action.script.rstrip("\n") + "\n"
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
    # systemctl(1): enable and disable reload the manager themselves, which costs it more than all else here.
    lines = ["systemctl daemon-reload\n"] if action.daemon_reload and action.enabled is None else []
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
    seconds = int(action.patience.total_seconds())
    kubectl = _kubectl(action.kubeconfig, action.server)
    return (
        save(compiled, content)
        + "".join(f"kpy_keep_replicas {seconds} {words} {kubectl}\n" for words in _scaled(items))
        + apply_file(action, "$kpy_tmp/input")
    )


def apply_file(action: ApplyObjects, file: str) -> str:
    """Return what has an API server take the objects of a file, which may be a word of the shell.

    A server-side apply refuses by itself what the server has no field for; kubectl's own look at that makes
    the server write down its whole schema, and reads all of that.
    """
    return (
        f"kpy_apply {int(action.patience.total_seconds())} "
        f"{_kubectl(action.kubeconfig, action.server)} apply --server-side --force-conflicts "
        f'--validate=false --field-manager {shlex.quote(action.field_manager)} -f "{file}"\n'
    )


def put_objects(kept: KeptObjects, field_manager: str, file: str) -> str:
    """Return what makes objects again what a file says, without what they got meanwhile.

    Only a replacement takes that off; objects that are gone are made anew.
    """
    manager, kubectl = shlex.quote(field_manager), _kubectl(kept.kubeconfig, kept.server)
    apply = ApplyObjects("", (), server=kept.server, kubeconfig=kept.kubeconfig, field_manager=field_manager)
    return (
        f'if {kubectl} replace --field-manager {manager} -f "{file}" 2>/dev/null; then return 0; fi\n'
        + apply_file(apply, file)
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
        asked = json.dumps({"apiVersion": "v1", "kind": "List", "items": kept.stubs})
        kubectl = _kubectl(kept.kubeconfig, kept.server)
        lines.append(
            f"kpy_guard_objects {kubectl} get --ignore-not-found -f - <<'KPY_STUBS'\n{asked}\nKPY_STUBS\n"
        )
    return "".join([*lines, "kpy_guard_arm\necho unchanged\n"])
