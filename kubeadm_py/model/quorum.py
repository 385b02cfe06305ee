"""Work out what changes of membership do to etcd's quorum, before any of them is begun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Member:
    """Describe an etcd member as the others see it now."""

    name: str
    """The name that it gave itself; empty for one that was announced and has never started."""
    id: str = ""
    """In hexadecimal digits, as etcdctl takes it."""
    peer_urls: tuple[str, ...] = ()
    client_urls: tuple[str, ...] = ()
    healthy: bool = True
    learner: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Describe one change: a member that joins or leaves."""

    name: str
    leaves: bool = True

    def __str__(self) -> str:
        return f"{'remove' if self.leaves else 'add'} {self.name}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say what of a set of changes may be done.

    `order` is the safe one; it is empty where `refused` says why none is. `fix` is then what can be done
    instead.
    """

    order: tuple[Change, ...] = ()
    refused: str = ""
    fix: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Votes:
    """Count votes."""

    voters: int
    healthy: int

    @property
    def needed(self) -> int:
        return quorum(self.voters)

    @property
    def agree(self) -> bool:
        return self.voters > 0 and self.healthy >= self.needed

    def __str__(self) -> str:
        return f"{self.healthy} of {_plural(self.voters, 'member')} answer, {self.needed} must agree"


def find(members: Iterable[Member], peer_urls: Iterable[str], name: str) -> Member | None:
    """Return the member at one of these peer URLs, else the one of this name; None where there is neither."""
    known, urls = tuple(members), set(peer_urls)
    by_url = next((member for member in known if urls & set(member.peer_urls)), None)
    return by_url or next((member for member in known if name and member.name == name), None)


def quorum(voters: int) -> int:
    """Return how many of so many voting members must agree."""
    return voters // 2 + 1


def judge(members: Iterable[Member], leaving: Sequence[str], joining: Sequence[str] = ()) -> Verdict:
    """Put changes into the order in which each leaves a quorum, or refuse them all.

    `leaving` are names of members, or ids of those without a name. Who is dead leaves first: that costs no
    vote that anybody has. Then others join, then the living leave. Learners have no vote.
    """
    known = tuple(members)
    voters = [member for member in known if not member.learner]
    votes = _Votes(len(voters), sum(member.healthy for member in voters))
    by_name = {member.name or member.id: member for member in known}
    gone = [by_name[name] for name in dict.fromkeys(leaving) if name in by_name]
    if not gone and not joining:
        return Verdict()
    if not votes.agree:
        return Verdict(refused=f"etcd has lost its quorum: {votes}", fix=_bring_back(voters))
    steps = [
        *(Change(_name(member)) for member in gone if not member.healthy or member.learner),
        *(Change(name, leaves=False) for name in dict.fromkeys(joining) if name not in by_name),
        *(Change(_name(member)) for member in gone if member.healthy and not member.learner),
    ]
    now = votes
    for step in steps:
        after = _after(now, step, by_name)
        if not after.voters:
            return Verdict(
                refused=f"{step.name} is the last etcd member: the cluster's data would be gone",
                fix="add another control plane first; to give the cluster up: kubeadm-py reset",
            )
        if not after.agree:
            dead = [member for member in voters if not member.healthy and member not in gone]
            return Verdict(
                refused=f"to {step} would cost etcd its quorum: then {after}",
                fix=_instead(step, dead),
            )
        now = after
    return Verdict(tuple(steps), warnings=tuple(_warnings(votes, now)))


def _after(votes: _Votes, step: Change, known: dict[str, Member]) -> _Votes:
    if not step.leaves:
        # It gets its vote only once it has caught up, and is healthy then.
        return replace(votes, voters=votes.voters + 1, healthy=votes.healthy + 1)
    member = known[step.name]
    if member.learner:
        return votes
    return replace(votes, voters=votes.voters - 1, healthy=votes.healthy - member.healthy)


def _name(member: Member) -> str:
    return member.name or member.id


def _bring_back(voters: Sequence[Member]) -> str:
    silent = ", ".join(_name(member) for member in voters if not member.healthy)
    return (
        f"bring back {silent or 'a member'}: until most members answer, nothing of the cluster can be changed"
    )


def _instead(step: Change, dead: Sequence[Member]) -> str:
    if dead:
        names = ", ".join(_name(member) for member in dead)
        return f"first mend or remove what does not answer ({names}), then {step}"
    return f"first add another control plane, then {step}"


def _warnings(before: _Votes, after: _Votes) -> Iterable[str]:
    spare = after.healthy - after.needed
    if after.voters != before.voters and after.voters > 1 and spare < 1:
        yield f"afterwards {after}: etcd survives no further loss"
    if after.voters == 1 and before.voters > 1:
        yield "afterwards one etcd member holds all data: a loss of its disk is the loss of the cluster"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
