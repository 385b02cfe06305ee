"""Run `kubeadm-py etcd defrag`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kubeadm_py.cli.verbs import etcd_quota
from kubeadm_py.cli.verbs.etcd_host import EtcdHost, EtcdSurvey, etcd_host, mebibytes
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.kube import etcd
from kubeadm_py.model.quorum import Member

SECONDS, HEALTH_SECONDS = 240, 10
MORE_ROOM = "raise quota-backend-bytes in ClusterConfiguration.etcd.local.extraArgs, or delete what fills it"


def defrag(
    config: str, hosts: Sequence[str], *, dry_run: bool = False, allow_unknown_fields: bool = False
) -> None:
    """Defragment one member after the other, the leader last; stop where one is not well.

    A member does not answer meanwhile, so all of them must be well before the next one's turn, and no other
    run may take one away: their hosts are locked. An etcd that has used up its quota is compacted first, and
    takes writes again in the end: the API server, which compacts, cannot write what it needs for that.
    """
    with etcd_host(config, hosts, lock=not dry_run, allow_unknown_fields=allow_unknown_fields) as there:
        found = there.survey()
        full = etcd_quota.used_up(found)
        _refuse_beside_sick(there, found)
        if full:
            found = _compacted(there, found, dry_run=dry_run)
        leads = {each.member_id for each in found.said if each.leader}
        for member in sorted(found.members, key=lambda each: each.id in leads):
            if dry_run:
                sys.stdout.write(f"{member.name}: would give back {_unused(found, member)}\n")
                continue
            _defragment(there, member, full=full)
            sys.stdout.write(f"{member.name}: {_unused(found, member)} given back\n")
            sys.stdout.flush()
        if full and not dry_run:
            _take_writes_again(there)


def _refuse_beside_sick(there: EtcdHost, found: EtcdSurvey) -> None:
    sick = {member.name or member.id: found.why(member) for member in found.members if not member.healthy}
    sick = {name: why for name, why in sick.items() if not etcd.out_of_quota(why)}
    if sick:
        raise KubeadmPyError(
            f"not all members are well: {', '.join(sick)}",
            host=there.host.name,
            details=[f"{name}: {why}" for name, why in sick.items()],
            fix="mend them first: a member that is defragmented does not answer meanwhile",
        )


def _compacted(there: EtcdHost, found: EtcdSurvey, *, dry_run: bool) -> EtcdSurvey:
    """Forget what was before the newest revision: a full database has little else to give back."""
    revision = str(max((each.revision for each in found.said), default=0))
    if dry_run:
        sys.stdout.write(f"etcd has used up its quota: would be compacted at revision {revision}\n")
        return found
    done = there.try_to("compaction", revision, "--physical", seconds=SECONDS)
    if not done.ok and etcd.COMPACTED not in done.stderr.decode(errors="replace"):
        there.answer(done, f"compacting at revision {revision}")
    sys.stdout.write(f"etcd has used up its quota: compacted at revision {revision}\n")
    return there.survey()


def _defragment(there: EtcdHost, member: Member, *, full: bool) -> None:
    url = member.client_urls[0]
    there.ask_at(url, "defrag", doing=f"defragmenting {member.name}", seconds=SECONDS)
    # With the alarm no member is well; that it answers is what matters to the next one.
    question = "status" if full else "health"
    there.ask_at(
        url, "endpoint", question, doing=f"looking whether {member.name} is well", seconds=HEALTH_SECONDS
    )


def _take_writes_again(there: EtcdHost) -> None:
    there.ask("alarm", "disarm", doing="ending the alarm")
    sys.stdout.write("etcd takes writes again\n")
    etcd_quota.warn(there.survey(), MORE_ROOM)


def _unused(found: EtcdSurvey, member: Member) -> str:
    said = found.of(member)
    return mebibytes(max(0, said.size - said.in_use) if said else None)
