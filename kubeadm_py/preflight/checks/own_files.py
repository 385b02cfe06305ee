"""Check that what the operator gives a host can be put there."""

from __future__ import annotations

from collections.abc import Iterator

from kubeadm_py.model.findings import Gate, Severity
from kubeadm_py.preflight.context import EVERYWHERE, Check, CheckContext, Hit


def own_files(ctx: CheckContext) -> Iterator[Hit]:
    """Look for owners that the host does not know, and for directories in a file's place."""
    for owner in ctx.facts.unknown_owners:
        named = ", ".join(each.path for each in ctx.node.files if each.owner == owner)
        yield Hit(
            f"the host knows no {owner}, the owner of {named}",
            "make user and group there first, or give the file another owner",
        )
    for each in (*ctx.node.files, *ctx.node.static_pods):
        fact = ctx.facts.files.get(each.path)
        if fact is not None and fact.directory:
            yield Hit(
                f"{each.path} is a directory, and a file of the config", "move it away, or name another"
            )


CHECKS = (
    Check(
        "OwnFiles",
        Severity.ERROR,
        Gate.HOST,
        EVERYWHERE,
        "The config's own files have owners that the host knows, and no directory in their place.",
        own_files,
        kubeadm=False,
    ),
)
