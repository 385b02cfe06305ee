"""Turn the actions of a stage into one shell script and the bytes it reads."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from kubeadm_py.artifacts.images import ImageArchive
from kubeadm_py.engine.action_scripts import body as body_of
from kubeadm_py.engine.action_scripts import put_objects
from kubeadm_py.engine.sent import write_files
from kubeadm_py.engine.stage_script import CompiledAction, OpenImages, Resolve, StageScript
from kubeadm_py.model import paths
from kubeadm_py.model.actions import (
    Action,
    ApplyObjects,
    EtcdMember,
    FileSpec,
    Guard,
    ImportImages,
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
from kubeadm_py.model.words import plural

STAGE_LOCK_WAIT_SECONDS = 300
_VERBS = {"started": "start", "restarted": "restart", "stopped": "stop"}
"""What brings a unit to a state."""
ACTION_SECONDS = 300.0
"""What any other action may take, besides the time for what is sent."""
SLOWEST_BYTES_PER_SECOND = 64 << 10
PUT_BACK_MANAGER = "kubeadm-py-put-back"
"""Who owns what a guard put back: a later apply of ours does not take away what it does not set."""


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
    run_token: str = "",
    incoming: Mapping[str, int] = {},
) -> StageScript:
    """Compile the actions of one host.

    `inventory` is written before the first action. `existing` are the files that were on the host and that
    we have not changed yet: their content is kept for reset. `epilogue` runs after the last action (the
    probe that tells how the host is now). No action begins once `stop_file` exists on the host. Before the
    action of the number `stay_before` the script stays until its connection or its host ends: see
    engine.boundary. `settled` is noted once all actions are done: the host is as its inventory
    says. `run_token` is that of a run which has the host's lock: without it nothing begins. `incoming` is
    what an earlier run has sent in part: digest -> bytes.
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
        "kpy_run_token": paths.RUN_TOKEN,
        "kpy_token": run_token,
    }
    parts = [*(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()), _shell("runtime.sh")]
    if any(isinstance(action, Guard) for action in plan.actions):
        parts.append(_shell("guard.sh"))
        # As it was: it is extended before anything is kept.
        parts.append(f'cp -a {paths.INVENTORY} "$kpy_tmp/inventory" 2>/dev/null\n')
    if inventory is not None:
        spec = FileSpec(paths.INVENTORY, inventory, 0o600)
        body = f"mkdir -p -m 0700 {paths.STATE_DIR}\n" + write_files(compiled, (spec,), resolve, frozenset())
        parts.append(f'(\nset -eu\n{body}) >"$kpy_tmp/out" 2>&1\n')
        parts.append('[ $? -eq 0 ] || { kpy_mark unnoted; cat "$kpy_tmp/out" >&2; exit 1; }\n')
    before_actions = len(parts)
    for step in plan.steps:
        for action in step.actions:
            index = len(compiled.actions)
            compiled.actions.append(_describe(action))
            compiled.seconds += _longest(action)
            body = body_of(compiled, action, resolve, open_images, existing)
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
            return CompiledAction(kind, action.title, "", action.logs, action.look, action.deadline)
        case RestartStaticPod():
            return _named(action, f"restart {action.component}", action.reason, (action.component,))
        case WriteFiles() | RunScript() | ApplyObjects() | EtcdMember():
            return _named(action, action.title, action.reason)
        case MakeDirectories() | Guard() | Settle():
            return _named(action, action.title)
        case Unit():
            if action.state or action.enabled is not None:
                verb = _VERBS.get(action.state) or ("enable" if action.enabled else "disable")
                return _named(action, f"{verb} {action.name}", action.reason)
            return _named(action, "reload units", action.reason)
        case Remove():
            count = len(action.paths)
            what = action.paths[0] if count == 1 else f"{count} paths"
            return _named(action, f"remove {what}", action.reason)
        case ImportImages():
            return _named(action, f"import {plural(len(action.images), 'image')}", action.reason)


def _named(action: Action, title: str, reason: str = "", logs: tuple[str, ...] = ()) -> CompiledAction:
    return CompiledAction(type(action).__name__, title, reason, logs)


def _before_guard(compiled: StageScript, guard: Guard) -> str:
    """Return what a guard needs outside its own action: where it keeps, how it puts back and recovers."""

    def no_late(late: Any) -> bytes:
        raise TypeError(f"nothing is sent any more where a stage has failed: {late}")

    def no_images(images: ImportImages) -> ImageArchive:
        raise TypeError(f"nothing is sent any more where a stage has failed: {images}")

    size = compiled.size
    bodies = [body_of(compiled, action, no_late, no_images, frozenset()) for action in guard.recover]
    if compiled.size != size:
        raise TypeError(f"a guard's recovery reads nothing: {guard.recover}")
    calls = "".join(f"(\nset -eu\n{body})\n[ $? -eq 0 ] || return 1\n" for body in bodies)
    functions = f"kpy_kept_dir={paths.KEPT_DIR}/{guard.name}\nkpy_recover() {{\n{calls}return 0\n}}\n"
    if (kept := guard.objects) is not None:
        functions += f"kpy_put_objects() {{\n{put_objects(kept, PUT_BACK_MANAGER, '$1')}}}\n"
    return functions
