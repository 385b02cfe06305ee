"""Show a plan: what would change on which host, and why; of a secret only what it is for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kubeadm_py.model.actions import (
    Action,
    ApplyObjects,
    Content,
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
from kubeadm_py.model.stages import Plan
from kubeadm_py.plan.build import plan_changes


def as_text(plan: Plan) -> str:
    """Return a plan as lines for people; of one that only waits, that nothing would change."""
    if not plan_changes(plan):
        return "nothing would change\n"
    lines: list[str] = []
    for stage in plan.stages:
        for host in stage.hosts:
            if not host.steps:
                continue
            lines.append(f"{host.host}  {stage.title}")
            for step in host.steps:
                for action in step.actions:
                    lines += [f"  {line}" for line in _lines(action)]
            lines.append("")
    return "\n".join(lines) + "\n"


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values: `{"type": "plan", "verb", "stages": [{"id", "hosts": [...]}]}`."""
    return {
        "type": "plan",
        "verb": plan.verb,
        "stages": [
            {
                "id": stage.id,
                "title": stage.title,
                "hosts": [
                    {
                        "host": host.host,
                        "actions": [
                            {"step": step.step, **_fields(action)}
                            for step in host.steps
                            for action in step.actions
                        ],
                    }
                    for host in stage.hosts
                    if host.steps
                ],
            }
            for stage in plan.stages
        ],
    }


def _lines(action: Action) -> list[str]:
    reason: str = getattr(action, "reason", "")
    because = f"    because {reason}" if reason else ""
    match action:
        case WriteFiles():
            shown = [f"~ {spec.path}  {spec.mode:04o}  {content_text(spec)}" for spec in action.files]
        case MakeDirectories():
            shown = [f"+ {path}/  {mode:04o}" for path, mode in action.directories]
        case RunScript():
            shown = [f"* {action.title}"]
        case EtcdMember():
            manifest = action.manifest
            shown = [
                f"* {action.title}: {action.name}={action.peer_url}",
                f"~ {manifest.path}  {manifest.mode:04o}",
            ]
        case Unit():
            shown = [f"* {action.name}: {action.state or 'left as it is'}" + _enabled(action)]
        case ApplyObjects():
            shown = [f"* {action.title}"] + [f"    {_object_name(item)}" for item in action.objects]
        case Wait():
            shown = [f". {action.title} (at most {int(action.deadline.total_seconds())} s)"]
        case Remove():
            shown = [f"- {path}" for path in action.paths]
        case RestartStaticPod():
            shown = [f"* restart {action.component}"]
        case ImportImages():
            shown = [f"+ image {reference}" for reference, _ in action.images]
    return [*shown, because] if because else shown


def _fields(action: Action) -> dict[str, Any]:
    kind = {"action": type(action).__name__, "reason": getattr(action, "reason", "")}
    match action:
        case WriteFiles():
            return kind | {
                "files": [
                    {"path": spec.path, "mode": f"{spec.mode:04o}", "content": content_text(spec)}
                    for spec in action.files
                ]
            }
        case ApplyObjects():
            return kind | {"objects": [_object_name(item) for item in action.objects]}
        case MakeDirectories():
            return kind | {"directories": [path for path, _ in action.directories]}
        case Remove():
            return kind | {"paths": list(action.paths)}
        case ImportImages():
            return kind | {"images": [reference for reference, _ in action.images]}
        case RestartStaticPod():
            return kind | {"component": action.component}
        case Unit():
            return kind | {"unit": action.name, "state": action.state, "enabled": action.enabled}
        case EtcdMember():
            member = {"name": action.name, "peer_url": action.peer_url}
            return kind | {"title": action.title, "member": member, "path": action.manifest.path}
        case RunScript() | Wait():
            return kind | {"title": action.title}


def content_text(spec: FileSpec) -> str:
    """Say what a file will hold without saying a secret."""
    content: Content = spec.content
    if isinstance(content, Late):
        return (
            ", ".join(f"{key} {_value(value)}" for key, value in content.spec.items()) or "made when applied"
        )
    if isinstance(content, LocalFile):
        return f"{content.size} bytes, sha256 {content.sha256[:12]}"
    if spec.secret:
        return f"secret, {len(content)} bytes"
    return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:12]}"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _enabled(unit: Unit) -> str:
    return "" if unit.enabled is None else (", enabled" if unit.enabled else ", disabled")


def _object_name(item: Mapping[str, Any] | Late) -> str:
    if isinstance(item, Late):
        return ", ".join(f"{key}: {value}" for key, value in item.spec.items())
    metadata = item.get("metadata", {})
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item.get('kind')} {namespace}{metadata.get('name')}"
