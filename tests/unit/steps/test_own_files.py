"""The operator's own files: written, put back, and gone once the config names them no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kubeadm_py.model.actions import Action, FileSpec, Remove, RunScript, WriteFiles
from kubeadm_py.model.node import OwnFile
from kubeadm_py.plan.show.files import content_text
from kubeadm_py.steps import own_files
from kubeadm_py.steps.base import StepContext

Carry = Callable[[StepContext, list[Action]], StepContext]
WithFile = Callable[..., StepContext]
CONF = OwnFile("/etc/app.conf", b"blue\n")
KEY = OwnFile("/etc/app.key", b"hunter2", 0o600, secret=True)
POD = OwnFile("/etc/kubernetes/manifests/second.yaml", b"kind: Pod\n", 0o600)


def having(ctx: StepContext, *files: OwnFile, pods: tuple[OwnFile, ...] = ()) -> StepContext:
    return replace(ctx, node=replace(ctx.node, files=files, static_pods=pods))


def written(actions: list[Action]) -> list[FileSpec]:
    (action,) = actions
    assert isinstance(action, WriteFiles)
    return list(action.files)


def as_own(ctx: StepContext, *paths: str, made: bool = True) -> StepContext:
    marked = {path: {**ctx.recorded[path], "own": True, "made": made} for path in paths}
    return replace(ctx, recorded={**ctx.recorded, **marked})


def test_files_are_written_once_and_put_back(control_plane: StepContext, carry: Carry) -> None:
    ctx = having(control_plane, CONF, KEY, pods=(POD,))
    specs = written(own_files.plan_files(ctx))
    assert [(spec.path, spec.mode, spec.own, spec.of_cluster) for spec in specs] == [
        ("/etc/app.conf", 0o644, True, True),
        ("/etc/app.key", 0o600, True, True),
    ]
    assert [spec.path for spec in written(own_files.plan_pods(ctx))] == [POD.path]
    done = carry(ctx, [*own_files.plan_files(ctx), *own_files.plan_pods(ctx)])
    assert own_files.plan_files(done) == []
    assert own_files.plan_pods(done) == []
    other = having(done, replace(CONF, content=b"red\n"), KEY, pods=(POD,))
    assert [spec.path for spec in written(own_files.plan_files(other))] == [CONF.path]
    looser = having(done, replace(CONF, mode=0o640), KEY, pods=(POD,))
    assert [spec.path for spec in written(own_files.plan_files(looser))] == [CONF.path]


def test_a_plan_does_not_show_a_secret(control_plane: StepContext) -> None:
    (spec,) = written(own_files.plan_files(having(control_plane, KEY)))
    assert "hunter2" not in repr(spec)
    assert content_text(spec) == "secret, 7 bytes, sha256 f52fbd32b2b3"


def test_what_the_config_drops_goes(control_plane: StepContext, carry: Carry) -> None:
    ctx = having(control_plane, CONF, KEY, pods=(POD,))
    done = carry(ctx, [*own_files.plan_files(ctx), *own_files.plan_pods(ctx)])
    done = as_own(done, CONF.path, KEY.path, POD.path)
    less = having(done, CONF)
    assert own_files.plan_files(less) == [Remove((KEY.path,), reason="the config does not name it any more")]
    assert own_files.plan_pods(less) == [Remove((POD.path,), reason="the config does not name it any more")]


def test_what_was_there_before_comes_back(
    control_plane: StepContext, carry: Carry, with_file: WithFile
) -> None:
    ctx = having(control_plane, CONF)
    done = as_own(carry(ctx, own_files.plan_files(ctx)), CONF.path, made=False)
    (action,) = own_files.plan_files(having(done))
    assert isinstance(action, RunScript)
    assert action.script == "kpy_restore /etc/app.conf"
    assert own_files.plan_files(having(with_file(done, CONF.path, b"as it was"))) == []


def test_files_of_others_stay(control_plane: StepContext, with_file: WithFile) -> None:
    assert own_files.plan_files(with_file(control_plane, CONF.path, b"theirs")) == []
