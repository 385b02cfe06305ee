"""The quorum guard, and the guard against a cluster that is played through vote by vote."""

from __future__ import annotations

from itertools import product

import pytest

from kubeadm_py.model.quorum import Change, Member, find, judge, quorum


def members(*healthy: str, dead: tuple[str, ...] = (), learners: tuple[str, ...] = ()) -> list[Member]:
    return [
        *(Member(name, f"{name}-id") for name in healthy),
        *(Member(name, f"{name}-id", healthy=False) for name in dead),
        *(Member(name, f"{name}-id", learner=True) for name in learners),
    ]


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_what_a_majority_is(voters, needed):
    assert quorum(voters) == needed


def test_a_living_member_of_three_may_leave_and_it_is_said_what_is_left():
    verdict = judge(members("a", "b", "c"), ["c"])
    assert verdict.order == (Change("c"),)
    assert verdict.warnings == (
        "afterwards 2 of 2 members answer, 2 must agree: etcd survives no further loss",
    )


def test_a_dead_member_leaves_before_a_living_one():
    assert judge(members("a", "b", "c", dead=("d",)), ["c", "d"]).order == (Change("d"), Change("c"))


def test_who_joins_does_so_between_the_dead_and_the_living():
    verdict = judge(members("a", "b", dead=("c",)), ["b", "c"], ["d"])
    assert verdict.order == (Change("c"), Change("d", leaves=False), Change("b"))
    assert [str(change) for change in verdict.order] == ["remove c", "add d", "remove b"]


def test_a_living_member_beside_a_dead_one_is_refused_with_the_safe_order():
    verdict = judge(members("a", "b", dead=("c",)), ["b"])
    assert verdict.order == ()
    assert (
        verdict.refused == "to remove b would cost etcd its quorum: then 1 of 2 members answer, 2 must agree"
    )
    assert verdict.fix == "first mend or remove what does not answer (c), then remove b"


def test_nothing_can_be_changed_without_a_quorum():
    verdict = judge(members("a", dead=("b", "c")), ["b"])
    assert verdict.refused == "etcd has lost its quorum: 1 of 3 members answer, 2 must agree"
    assert verdict.fix.startswith("bring back b, c:")


def test_the_last_member_stays():
    verdict = judge(members("a"), ["a"])
    assert "the last etcd member" in verdict.refused
    assert "the last etcd member" in judge(members("a", "b"), ["a", "b"]).refused


def test_a_learner_has_no_vote():
    assert judge(members("a", dead=(), learners=("b",)), ["b"]).order == (Change("b"),)
    assert judge(members("a", learners=("b",)), ["a"]).refused


def test_one_that_has_never_started_goes_by_its_id():
    unstarted = Member("", "beef", healthy=False)
    assert judge([*members("a", "b"), unstarted], ["beef"]).order == (Change("beef"),)


def test_who_is_no_member_changes_nothing():
    assert judge(members("a"), ["worker"]).order == ()
    assert judge([], ["a"]).refused == ""


def test_adding_to_a_cluster_with_a_dead_member_can_be_refused():
    verdict = judge(members("a", "b", "c", dead=("d", "e")), [], ["f"])
    assert verdict.order == (Change("f", leaves=False),)
    assert judge(members("a", "b", dead=("c", "d")), [], ["e"]).refused


def test_one_member_left_is_warned_about():
    assert "the loss of the cluster" in judge(members("a", "b", "c"), ["b", "c"]).warnings[-1]


NO_LOSS = "etcd survives no further loss"
ALL_DATA = "afterwards one etcd member holds all data: a loss of its disk is the loss of the cluster"


@pytest.mark.parametrize(
    ("well", "dead", "leaving", "joining", "warned"),
    [
        ("abc", "", "c", "", [f"afterwards 2 of 2 members answer, 2 must agree: {NO_LOSS}"]),
        ("abcd", "", "d", "", []),
        ("ab", "", "b", "", [ALL_DATA]),
        ("a", "", "", "b", [f"afterwards 2 of 2 members answer, 2 must agree: {NO_LOSS}"]),
        ("ab", "", "", "c", []),
        ("a", "", "", "bc", []),
        ("ab", "c", "", "d", [f"afterwards 3 of 4 members answer, 3 must agree: {NO_LOSS}"]),
        ("ab", "c", "c", "d", []),
        ("ab", "", "b", "c", []),
        ("a", "", "a", "b", []),
    ],
)
def test_what_is_said_of_what_is_left(well, dead, leaving, joining, warned):
    verdict = judge(members(*well, dead=tuple(dead)), list(leaving), list(joining))
    assert verdict.refused == ""
    assert list(verdict.warnings) == warned


@pytest.mark.parametrize("healthy", list(product([True, False], repeat=4)))
@pytest.mark.parametrize("leaving", list(product([True, False], repeat=4)))
def test_no_order_ever_loses_the_quorum_and_none_is_refused_that_would_do(healthy, leaving):
    """Play every removal from a cluster of four through, in every order."""
    known = [Member(name, name, healthy=well) for name, well in zip("abcd", healthy, strict=True)]
    gone = [member.name for member, leaves in zip(known, leaving, strict=True) if leaves]
    verdict = judge(known, gone)
    assert bool(verdict.refused) != possible(known, gone)
    if gone and not verdict.refused:
        assert {change.name for change in verdict.order} == set(gone)
        assert survives(known, [change.name for change in verdict.order])


def survives(known: list[Member], order: list[str]) -> bool:
    """Say whether most voters answer before and after each removal."""
    voters = list(known)
    for name in [None, *order]:
        voters = [member for member in voters if member.name != name]
        if not voters or sum(member.healthy for member in voters) < quorum(len(voters)):
            return False
    return True


def possible(known: list[Member], gone: list[str]) -> bool:
    if not gone:
        return True

    def tried(left: list[str], done: list[str]) -> bool:
        if not left:
            return survives(known, done)
        return any(tried([other for other in left if other != name], [*done, name]) for name in left)

    return tried(gone, [])


def test_a_member_is_found_by_its_address_before_its_name():
    first = Member("cp1", "1", ("https://10.0.0.11:2380",))
    second = Member("cp2", "2", ("https://10.0.0.12:2380",))
    unstarted = Member("", "3", ("https://10.0.0.13:2380",))
    known = (first, second, unstarted)
    assert find(known, ["https://10.0.0.12:2380"], "cp1") is second
    assert find(known, ["https://10.0.0.99:2380"], "cp1") is first
    assert find(known, ["https://10.0.0.13:2380"], "cp3") is unstarted
    assert find(known, [], "") is None, "one that never started has no name to go by"
