"""Run `kubeadm-py etcd ...`: etcdctl on a host that can ask it, with the certificates that lie there."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from typing import Any

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import printing
from kubeadm_py.cli.verbs.etcd_host import EtcdHost, etcd_host
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import etcd
from kubeadm_py.model.quorum import Member, quorum

STATUS_COLUMNS = ("NAME", "ID", "VERSION", "SIZE", "IN USE", "LEADER", "VOTE", "TERM", "INDEX", "HEALTH")
MEMBER_COLUMNS = ("ID", "NAME", "STATUS", "PEERS", "CLIENTS", "VOTE")
DEFRAG_SECONDS, HEALTH_SECONDS = 240, 10


def status(config: str, hosts: Sequence[str], *, output: str, allow_unknown_fields: bool = False) -> None:
    """Print what each member says of itself."""
    form = printing.form(output)
    with etcd_host(config, hosts, allow_unknown_fields=allow_unknown_fields) as there:
        found, health, said = _survey(there)
    by_id = {each.member_id: each for each in said}
    rows = [_status(member, by_id.get(member.id), health) for member in found]
    if form.is_text:
        printing.table(STATUS_COLUMNS, [_status_cells(row) for row in rows])
    else:
        form.print([_etcd_document("EtcdStatus", rows)])
    silent = [row["name"] for row in rows if row["health"] != "healthy"]
    if silent:
        voters = [row for row in rows if row["vote"]]
        well = sum(row["health"] == "healthy" for row in voters)
        telling.warn(
            f"{well} of {len(voters)} members answer, {quorum(len(voters))} must agree;"
            f" not well: {', '.join(silent)}"
        )


def members(config: str, hosts: Sequence[str], *, output: str, allow_unknown_fields: bool = False) -> None:
    """Print the members."""
    form = printing.form(output)
    with etcd_host(config, hosts, allow_unknown_fields=allow_unknown_fields) as there:
        found = etcd.members(there.ask("member", "list", "-w", "json", doing="listing the members"))
    rows: list[dict[str, Any]] = [
        {
            "id": member.id,
            "name": member.name,
            "status": "started" if member.name else "unstarted",
            "peerURLs": list(member.peer_urls),
            "clientURLs": list(member.client_urls),
            "vote": not member.learner,
        }
        for member in found
    ]
    if not form.is_text:
        form.print([_etcd_document("EtcdMembers", rows)])
        return
    printing.table(
        MEMBER_COLUMNS,
        [
            (
                row["id"],
                row["name"] or "-",
                row["status"],
                ",".join(row["peerURLs"]),
                ",".join(row["clientURLs"]) or "-",
                "yes" if row["vote"] else "learner",
            )
            for row in rows
        ],
    )


def keys(
    config: str, hosts: Sequence[str], prefix: str, *, output: str, allow_unknown_fields: bool = False
) -> None:
    """Print the keys below a prefix."""
    form = printing.form(output)
    words = ("get", prefix, "--prefix", "--keys-only", "-w", "json")
    with etcd_host(config, hosts, allow_unknown_fields=allow_unknown_fields) as there:
        raw = there.ask(*words, doing="listing keys")
    found = [
        base64.b64decode(item["key"]).decode(errors="replace") for item in etcd.document(raw).get("kvs") or ()
    ]
    if form.is_text:
        sys.stdout.write("".join(f"{key}\n" for key in found))
    else:
        form.print([_etcd_document("EtcdKeys", found)])


def get(
    config: str, hosts: Sequence[str], key: str, *, output: str, allow_unknown_fields: bool = False
) -> None:
    """Print a key's value; raise KubeadmPyError where there is no such key."""
    form = printing.form(output)
    with etcd_host(config, hosts, allow_unknown_fields=allow_unknown_fields) as there:
        raw = there.ask("get", key, "-w", "json", doing=f"reading {key}")
    found = etcd.document(raw).get("kvs") or ()
    if not found:
        raise KubeadmPyError(f"etcd has no key {key}", fix="list them: kubeadm-py etcd keys PREFIX")
    (item,) = found
    if form.is_text:
        sys.stdout.flush()
        sys.stdout.buffer.write(base64.b64decode(item["value"]))
        sys.stdout.buffer.flush()
        return
    document = {
        "key": key,
        "value": item["value"],
        "createRevision": int(item.get("create_revision", 0)),
        "modRevision": int(item.get("mod_revision", 0)),
        "version": int(item.get("version", 0)),
    }
    form.print([_etcd_document("EtcdValue", [document])])


def defrag(
    config: str, hosts: Sequence[str], *, dry_run: bool = False, allow_unknown_fields: bool = False
) -> None:
    """Defragment one member after the other, the leader last; stop where one is not well.

    A member does not answer meanwhile, so all of them must be well before the next one's turn, and no other
    run may take one away: their hosts are locked.
    """
    with etcd_host(config, hosts, lock=not dry_run, allow_unknown_fields=allow_unknown_fields) as there:
        found, health, said = _survey(there)
        by_id = {each.member_id: each for each in said}
        sick = [member.name or member.id for member in found if not member.healthy]
        if sick:
            raise KubeadmPyError(
                f"not all members are well: {', '.join(sick)}",
                host=there.host.name,
                details=[f"{url}: {why}" for url, why in health.items()],
                fix="mend them first: a member that is defragmented does not answer meanwhile",
            )
        leads = {each.member_id for each in said if each.leader}
        for member in sorted(found, key=lambda each: each.id in leads):
            before = by_id.get(member.id)
            url = member.client_urls[0]
            if dry_run:
                sys.stdout.write(f"{member.name}: would give back {_unused(before)}\n")
                continue
            there.ask_at(url, "defrag", doing=f"defragmenting {member.name}", seconds=DEFRAG_SECONDS)
            doing = f"looking whether {member.name} is well"
            there.ask_at(url, "endpoint", "health", doing=doing, seconds=HEALTH_SECONDS)
            sys.stdout.write(f"{member.name}: {_unused(before)} given back\n")
            sys.stdout.flush()


def _survey(there: EtcdHost) -> tuple[list[Member], dict[str, str], list[etcd.Endpoint]]:
    """Return the members, why endpoints are not well, and what the others say."""
    raw = there.ask("member", "list", "-w", "json", doing="listing the members")
    # Both fail where any member is silent, and tell of the others all the same.
    health = there.try_to("endpoint", "health", "--cluster", "-w", "json")
    said = there.try_to("endpoint", "status", "--cluster", "-w", "json")
    found = etcd.members(raw, etcd.healthy(health.stdout))
    return found, etcd.unhealthy(health.stdout), etcd.endpoints(said.stdout)


def _status(member: Member, said: etcd.Endpoint | None, health: dict[str, str]) -> dict[str, Any]:
    why = next((health[url] for url in member.client_urls if url in health), "")
    if not member.name:
        why = "it has not started yet"
    return {
        "name": member.name or member.id,
        "id": member.id,
        "version": said.version if said else "",
        "size": said.size if said else None,
        "inUse": said.in_use if said else None,
        "leader": bool(said and said.leader),
        "vote": not member.learner,
        "term": said.term if said else None,
        "index": said.index if said else None,
        "health": "healthy" if member.healthy else why or "no answer",
        "errors": said.error if said else "",
    }


def _status_cells(row: dict[str, Any]) -> tuple[str, ...]:
    def number(value: int | None) -> str:
        return "-" if value is None else str(value)

    health = row["health"] if not row["errors"] else f"{row['health']}; {row['errors']}"
    return (
        row["name"],
        row["id"],
        row["version"] or "-",
        _size(row["size"]),
        _size(row["inUse"]),
        "yes" if row["leader"] else "",
        "yes" if row["vote"] else "learner",
        number(row["term"]),
        number(row["index"]),
        health[:80],
    )


def _size(size: int | None) -> str:
    return "-" if size is None else f"{size / (1 << 20):.1f} MiB"


def _unused(said: etcd.Endpoint | None) -> str:
    return _size(max(0, said.size - said.in_use) if said else None)


def _etcd_document(kind: str, items: Sequence[Any]) -> dict[str, Any]:
    return {"apiVersion": "kubeadm-py.io/v1alpha1", "kind": kind, "items": list(items)}
