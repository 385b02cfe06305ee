"""Say what writing files changes: text as diffs, secrets as hashes, and what somebody did to them by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import credentials, diffs
from kubeadm_py.model.actions import FileSpec, Late, LocalFile, WriteFiles
from kubeadm_py.model.changes import Change, Sign
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.inventory import DEFAULT_OWNER
from kubeadm_py.pki import inspect
from kubeadm_py.plan.show.before import MOST_BYTES, Before, is_own

_HEX = 12
"""Digits of a hash that are shown: enough to tell two files apart."""
UNSAID = ("missing or changed", "missing, or other than the config says")
"""Reasons of steps that say no more than the sign does."""


def changes(action: WriteFiles, before: Before | None) -> Iterator[Change]:
    """Yield a change for each file of an action; `before` is None where nothing is known of the host."""
    for spec in action.files:
        reason = action.why.get(spec.path) or action.reason
        yield _change(spec, "" if reason in UNSAID else reason, before)


def _change(spec: FileSpec, reason: str, before: Before | None) -> Change:
    fact = before.facts.files.get(spec.path) if before is not None else None
    by_hand = drift(spec, before) if before is not None else ""
    sign = Sign.CHANGE if before is None or fact is not None else Sign.ADD
    if fact is None:
        size = spec.content.size if isinstance(spec.content, LocalFile) else 0
        size = len(spec.content) if isinstance(spec.content, bytes) else size
        details = [f"{spec.mode:04o}", content_text(spec)]
        diff = (
            _diff(
                spec,
                b"",
            )
            if before is not None
            else ""
        )
    else:
        size, details = 0, [*_permissions(spec, fact), *_content_details(spec, fact)]
        diff = (
            _diff(spec, fact.content if fact.content is not None else before.contents.get(spec.path))
            if before
            else ""
        )
        if not diff and not details and not by_hand:
            details = ["written again"]
    return Change(
        Sign.DRIFT if by_hand else sign,
        "file",
        spec.path,
        by_hand or reason,
        tuple(details),
        diff,
        size,
        own=is_own(spec),
    )


def drift(spec: FileSpec, before: Before) -> str:
    """Say what somebody did by hand to a file that we wrote; empty where nobody did, or it cannot be told."""
    entry = before.recorded.get(spec.path)
    if entry is None or not before.settled or entry.get("removed"):
        return ""
    fact = before.facts.files.get(spec.path)
    if fact is None:
        return "removed by hand (drift)"
    return changed_by_hand(entry, fact)


def changed_by_hand(entry: Mapping[str, Any], fact: FileFact) -> str:
    """Say how a file differs from our record of it; empty where it does not."""
    recorded = entry.get("sha256", "")
    if recorded and fact.sha256 and fact.sha256 != recorded:
        return f"changed by hand since {_when(fact.mtime)} (drift)"
    if entry.get("mode", "") not in ("", f"{fact.mode:04o}"):
        return "its mode was changed by hand (drift)"
    return "its owner was changed by hand (drift)" if fact.owner != entry.get("owner", DEFAULT_OWNER) else ""


def _when(mtime: int) -> str:
    return f"{datetime.fromtimestamp(mtime, UTC):%Y-%m-%d %H:%M} UTC"


def _permissions(spec: FileSpec, fact: FileFact) -> Iterator[str]:
    if fact.mode != spec.mode:
        yield f"mode {fact.mode:04o} -> {spec.mode:04o}"
    if fact.owner != spec.owner:
        yield f"owner {fact.owner} -> {spec.owner}"


def _content_details(spec: FileSpec, fact: FileFact) -> Iterator[str]:
    content = spec.content
    if isinstance(content, Late):
        described = _certificate(content.spec, fact)
        made_late = f"sha256 {fact.sha256[:_HEX]} -> known after apply" if spec.secret else content_text(spec)
        yield from described or [made_late]
    elif isinstance(content, LocalFile):
        old = f"{fact.size} bytes"
        yield f"{old} -> {content_text(spec)}"
    elif spec.secret or not _is_text(content):
        digest = sha256(content)
        if fact.sha256 != digest:
            yield f"sha256 {fact.sha256[:_HEX] or 'unknown'} -> {digest[:_HEX]}"


def _certificate(spec: Mapping[str, Any], fact: FileFact) -> list[str]:
    """Return how a new certificate differs from the one that is there; empty without one to compare."""
    if ("sans" not in spec and "subject" not in spec) or fact.content is None:
        return []
    try:
        old = inspect.describe(fact.content)
    except KubeadmPyError:
        return []
    details = []
    if spec.get("subject") not in (None, old["subject"]):
        details.append(f"subject {old['subject']} -> {spec['subject']}")
    names, known = list(spec.get("sans", ())), list(old["sans"])
    details += [f"new SAN {name}" for name in names if name not in known]
    details += [f"without SAN {name}" for name in known if name not in names]
    details.append(
        f"valid until {old['notAfter'][:10]} -> {spec.get('lifetime', 'its usual time')} from then on"
    )
    return [*details, "new key"]


def _diff(spec: FileSpec, old: bytes | None) -> str:
    if spec.secret or is_own(spec) or old is None or not isinstance(spec.content, bytes):
        return ""
    if not _is_text(spec.content) or not _is_text(old):
        return ""
    before, after = credentials.withheld(old.decode()), credentials.withheld(spec.content.decode())
    return diffs.unified(before, after, spec.path)


def _is_text(content: bytes) -> bool:
    if len(content) > MOST_BYTES or b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def content_text(spec: FileSpec) -> str:
    """Say what a file will hold without saying a secret."""
    content = spec.content
    if isinstance(content, Late):
        return content.said
    if isinstance(content, LocalFile):
        return f"{content.size} bytes, sha256 {content.sha256[:_HEX]}"
    secret = "secret, " if spec.secret else ""
    return f"{secret}{len(content)} bytes, sha256 {sha256(content)[:_HEX]}"
