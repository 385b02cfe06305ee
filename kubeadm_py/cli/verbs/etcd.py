"""Run `kubeadm-py etcd ...`: etcdctl on a host that can ask it, with the certificates that lie there."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from typing import Any

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import etcd_quota, printing
from kubeadm_py.cli.verbs.etcd_host import etcd_host, mebibytes
from kubeadm_py.errors import ExitCode, KubeadmPyError
from kubeadm_py.kube import etcd
from kubeadm_py.model import typed
from kubeadm_py.model.quorum import Member, quorum

STATUS_COLUMNS = ("NAME", "ID", "VERSION", "SIZE", "IN USE", "LEADER", "VOTE", "TERM", "INDEX", "HEALTH")
MEMBER_COLUMNS = ("ID", "NAME", "STATUS", "PEERS", "CLIENTS", "VOTE")


def status(config: str, hosts: Sequence[str], *, output: str, allow_unknown_fields: bool = False) -> ExitCode:
    """Print what each member says of itself; the exit code tells whether all are well."""
    form = printing.form(output)
    with etcd_host(config, hosts, allow_unknown_fields=allow_unknown_fields) as there:
        found = there.survey()
    rows = [_status(member, found.of(member), found.why(member)) for member in found.members]
    if form.is_text:
        printing.table(STATUS_COLUMNS, [_status_cells(row) for row in rows])
    else:
        form.print([_etcd_document("EtcdStatus", rows)])
    silent = [row["name"] for row in rows if row["health"] != "healthy"]
    if silent:
        voters = [row for row in rows if row["vote"]]
        well = sum(row["health"] == "healthy" for row in voters)
        telling.warn(
            f"{well} of {len(voters)} members are well, {quorum(len(voters))} must agree;"
            f" not well: {', '.join(silent)}"
        )
    etcd_quota.warn(found, typed.command("etcd", "defrag", config=config))
    return ExitCode.FAILED if silent else ExitCode.DONE


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


def _status(member: Member, said: etcd.Endpoint | None, why: str) -> dict[str, Any]:
    if not member.name:
        why = "it has not started yet"
    return {
        "name": member.name or member.id,
        "id": member.id,
        "version": said.version if said else "",
        "size": said.size if said else None,
        "inUse": said.in_use if said else None,
        "quota": said.quota if said else None,
        "leader": bool(said and said.leader),
        "vote": not member.learner,
        "term": said.term if said else None,
        "index": said.index if said else None,
        "health": why or "healthy",
        "errors": said.error if said else "",
    }


def _status_cells(row: dict[str, Any]) -> tuple[str, ...]:
    def number(value: int | None) -> str:
        return "-" if value is None else str(value)

    health = row["errors"] if row["errors"] and row["health"] == "healthy" else row["health"]
    return (
        row["name"],
        row["id"],
        row["version"] or "-",
        mebibytes(row["size"]),
        mebibytes(row["inUse"]),
        "yes" if row["leader"] else "",
        "yes" if row["vote"] else "learner",
        number(row["term"]),
        number(row["index"]),
        health[:80],
    )


def _etcd_document(kind: str, items: Sequence[Any]) -> dict[str, Any]:
    return {"apiVersion": "kubeadm-py.io/v1alpha1", "kind": kind, "items": list(items)}
