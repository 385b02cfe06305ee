"""Write the page of old files and flags."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

from collections.abc import Iterable

from kubeadm_py.cli.old_spellings import OLD_COMMANDS, OLD_FLAGS
from kubeadm_py.config.migrate.rules import Table
from kubeadm_py.config.migrate.translate import CHAIN
from kubeadm_py.config.old_versions import KUBEADM_OF
from kubeadm_py.config.removed_flags import REMOVED_FLAGS, UNUSABLE_FLAGS
from pages import markdown


def old_files() -> str:
    """Describe the translation of old files, and the flags that are gone."""
    versions = [(f"`{version}`", KUBEADM_OF[version], f"`{table.to}`") for version, table in CHAIN.items()]
    flags = [
        (component, f"`{flag}`", gone.release, gone.instead())
        for component, its_flags in REMOVED_FLAGS.items()
        for flag, gone in sorted(its_flags.items())
    ]
    flags += [
        (component, f"`{flag}`", "", why)
        for component, its in UNUSABLE_FLAGS.items()
        for flag, why in its.items()
    ]
    typed = [
        (f"`{once}`", f"`{old.today}`" if old.today else old.note)
        for once, old in (OLD_COMMANDS | OLD_FLAGS).items()
    ]
    return f"""# Old files and old flags

`kubeadm-py config migrate --old-config OLD [--new-config NEW]` carries a file version by version to v1beta4. Real
kubeadm 1.36 reads v1beta3 only, of the older ones. Every other command that is given such a file says which version it
is and the line to type.

- A key is moved, changed, left out with the reason, or asked about; each is told with file and line on standard error,
  and what is left out, changed or to be decided stands at the top of the new file, too.
- Comments stay with what they speak of. Anchors and aliases are written out; lists and mappings in brackets become
  lines. Defaults are not filled in (kubeadm's command does).
- The result is checked as `config validate` does; a mistake is told with its place in the old file. An unknown key is
  refused, or left out with `--allow-unknown-fields`.
- Values that no release of today takes are changed or left out, too: versions, dockershim's socket, registries without
  new images, the taint of old control planes, too old tags of etcd and CoreDNS, feature gates, admission plugins, and
  the flags below.
- NEW is written with mode 0600: it may hold a token.

Recorded files of all versions, with what becomes of them: tests/unit/config/migrate/cases. Each result is accepted by
kubeadm 1.36.3; results from v1beta3 mean the same to it as its own.

{markdown.table(("Version", "Written for", "Carried to"), versions)}
## Keys that move or go

Beside these, where one key becomes several or the other way round: etcd with endpoints (`external`, else `local`),
etcd's `image` (repository and tag), tokens and discovery, `writable` (`readOnly`), `auditPolicy` (flags and volumes),
authorization modes (a flag), embedded component configs (documents of their own), mappings of flags (lists).

{markdown.table(("From", "Kind", "Key", "Becomes, or why it goes"), _key_rows())}
## Flags that are gone

In extraArgs and kubeletExtraArgs they are refused, each with what does their work today. Of flags without a release no
changelog was found that names it; that kubeadm-py's Kubernetes has none of them was tried with its binaries.

{markdown.table(("Component", "Flag", "Gone in", "Instead"), flags)}
## What was typed in older releases

Such a command line is refused with what is typed today.

{markdown.table(("Once", "Today"), typed)}"""


def _key_rows() -> Iterable[tuple[str, str, str, str]]:
    for version, step in CHAIN.items():
        yield from _step_rows(version, step)


def _step_rows(version: str, step: Table) -> Iterable[tuple[str, str, str, str]]:
    for kind, name in step.renamed.items():
        yield f"`{version}`", kind, "", name
    for kind, reason in step.gone.items():
        yield f"`{version}`", kind, "", reason
    for kind, moves in step.moves.items():
        for old, new in moves.items():
            yield f"`{version}`", kind, f"`{old}`", f"`{new}`"
    for kind, drops in step.drops.items():
        for old, reason in drops.items():
            yield f"`{version}`", kind, f"`{old}`", reason
