"""Which partitions move together, and where a restore must reach; no database."""

from __future__ import annotations

from datetime import date

import pytest

from loader.obstacles import Code, Obstacle
from loader.partition import Partition
from loader.release.groups import Candidate, LinkedError, broken_links, connected, decide, restore_targets, version_at

A, B, C, D = (Partition("ticket_v1", date(2026, 4, day)) for day in (14, 15, 16, 17))
# The same days of another kind.
HELD, FOUND, DRIFT = (Obstacle(code) for code in (Code.HELD, Code.LEFT_OPEN, Code.DRIFT))
OTHER_A, OTHER_B = (Partition("comment_v1", partition.day) for partition in (A, B))


def test_partitions_that_share_a_moved_record_form_one_group() -> None:
    assert connected([D, A, C, B], [(C, A), (D, C)]) == [[A, C, D], [B]]


def test_one_that_fails_keeps_its_group_back_and_no_other() -> None:
    found = decide([Candidate(A, ()), Candidate(B, (HELD,)), Candidate(C, ()), Candidate(D, ())], [(A, B)])
    assert [(decision.partitions, decision.obstacles) for decision in found] == [
        ((A, B), ((B, HELD),)),
        ((C,), ()),
        ((D,), ()),
    ]


def test_a_day_of_one_kind_waits_for_no_day_of_another() -> None:
    """Prevents tickets that stay back because comments of the same day are damaged."""
    found = decide([Candidate(A, ()), Candidate(OTHER_A, (FOUND,)), Candidate(OTHER_B, ())], [(OTHER_A, OTHER_B)])
    assert [(decision.partitions, decision.is_open) for decision in found] == [
        ((OTHER_A, OTHER_B), False),
        ((A,), True),
    ]
    assert broken_links([(2, OTHER_A, OTHER_B)], {A: 2, OTHER_A: 1, OTHER_B: 1}) == []
    versions = {A: [1, 3], B: [1, 3], OTHER_A: [2, 3], OTHER_B: [2, 3]}
    newest = dict.fromkeys(versions, 3)
    assert restore_targets(versions, newest, [(3, OTHER_A, OTHER_B)], {A: 1}) == {A: 1}
    assert restore_targets(versions, newest, [(3, OTHER_A, OTHER_B)], {OTHER_A: 2}) == {OTHER_A: 2, OTHER_B: 2}


def test_a_day_is_named_with_its_kind_where_another_is_known() -> None:
    assert A.named({"ticket_v1"}) == "2026-04-14"
    assert A.named({"comment_v1", "ticket_v1"}) == "2026-04-14 of ticket_v1"


def test_a_link_to_a_partition_that_does_not_move_keeps_its_group_back() -> None:
    """Prevents a ticket that readers see in neither of two days, or in both."""
    (found,) = decide([Candidate(A, ())], [(A, B)])
    assert (found.partitions, found.is_open) == ((A, B), False)


def test_a_group_waits_for_a_person_only_where_nothing_else_keeps_it_back() -> None:
    drifts = Candidate(A, (DRIFT,), is_to_review=True)
    links = [(A, B)]
    assert [decision.is_to_review for decision in decide([drifts, Candidate(B, ())], links)] == [True]
    assert [decision.is_to_review for decision in decide([drifts, Candidate(B, (HELD,))], links)] == [False]
    # B has nothing to release.
    assert [decision.is_to_review for decision in decide([drifts], links)] == [False]
    assert [decision.is_to_review for decision in decide([Candidate(A, ())], [])] == [False]


@pytest.mark.parametrize(
    ("pointers", "broken"),
    [
        ({A: 1, B: 1}, []),
        ({A: 2, B: 3}, []),
        ({A: 1, B: 2}, [(A, B)]),
        ({A: 2}, [(A, B)]),
        ({}, []),
    ],
)
def test_both_sides_of_a_link_show_it_or_neither_does(pointers: dict[Partition, int], broken: list[object]) -> None:
    assert broken_links([(2, A, B)], pointers) == broken


VERSIONS = {A: [1, 3, 5], B: [2, 3], C: [4]}


class TestRestore:
    def test_the_version_at_a_release(self) -> None:
        assert [version_at(VERSIONS, A, release) for release in (0, 1, 2, 4, 9)] == [0, 1, 1, 3, 5]
        assert version_at(VERSIONS, D, 9) == 0

    def test_a_partition_goes_back_alone_where_nothing_moved_since(self) -> None:
        pointers = {A: 5, B: 3, C: 4}
        assert restore_targets(VERSIONS, pointers, [(3, A, B)], {A: 3}) == {A: 3}

    def test_what_shares_a_moved_ticket_goes_back_with_it(self) -> None:
        pointers = {A: 5, B: 3, C: 4}
        assert restore_targets(VERSIONS, pointers, [(3, A, B)], {A: 1}) == {A: 1, B: 2}

    def test_and_what_that_one_shares_too(self) -> None:
        versions = {A: [1, 3], B: [1, 3, 4], C: [2, 4]}
        pointers = {A: 3, B: 4, C: 4}
        assert restore_targets(versions, pointers, [(3, A, B), (4, B, C)], {A: 1}) == {A: 1, B: 1, C: 2}

    def test_two_that_were_asked_for_may_not_contradict_each_other(self) -> None:
        with pytest.raises(LinkedError, match="share records that release 3 moved"):
            restore_targets(VERSIONS, {A: 5, B: 3}, [(3, A, B)], {A: 1, B: 3})
