"""What a warehouse does not know of its report folder: lost by a restore, of a copy that goes on, or of a stranger."""

from __future__ import annotations

from loader.evidence.journal import Entry, Told, sort_out


def record(number: int, timeline: str = "w", sha256: str = "") -> Entry:
    return Entry(timeline, number, sha256 or f"{timeline}{number}", f"release/{timeline}{number}.json")


def begins(timeline: str, parent: str) -> Entry:
    return Entry(timeline, parent=parent)


def known(*entries: Entry) -> dict[int, str]:
    return {entry.evidence_id: entry.content_sha256 for entry in entries}


def of(told: Told) -> tuple[list[str], list[str], bool]:
    return (
        [entry.content_sha256 for entry in told.lost],
        [entry.content_sha256 for entry in told.copies],
        told.is_noted,
    )


ONE, TWO, THREE = record(1), record(2), record(3)


def test_a_warehouse_that_knows_all_has_lost_nothing() -> None:
    assert of(sort_out([ONE, TWO], ["w"], known(ONE, TWO))) == ([], [], True)


def test_what_a_restored_warehouse_does_not_know_is_lost() -> None:
    assert of(sort_out([ONE, TWO, THREE], ["w"], known(ONE))) == (["w2", "w3"], [], False)


def test_a_number_that_was_given_again_is_another_record() -> None:
    """Prevents that a restored database hides what it lost by giving its numbers to something else."""
    again = record(2, sha256="other")
    assert of(sort_out([ONE, TWO], ["w"], known(ONE, again))) == (["w2"], [], False)


def test_what_was_lost_stays_lost_when_the_warehouse_goes_on() -> None:
    entries = [ONE, TWO, begins("x", "w"), record(2, "x")]
    assert of(sort_out(entries, ["w", "x"], known(ONE, record(2, "x")))) == (["w2"], [], True)


def test_a_warehouse_that_is_restored_again_begins_again() -> None:
    entries = [ONE, TWO, begins("x", "w"), record(2, "x"), record(3, "x")]
    assert of(sort_out(entries, ["w", "x"], known(ONE, record(2, "x")))) == (["w2", "x3"], [], False)


def test_a_warehouse_that_is_restored_to_before_it_was_restored_has_lost_both() -> None:
    entries = [ONE, TWO, begins("x", "w"), record(2, "x")]
    assert of(sort_out(entries, ["w"], known(ONE))) == (["w2", "x2"], [], False)


def test_a_copy_that_goes_on_is_told_from_what_is_lost() -> None:
    """Prevents that of a warehouse and its restored copy, both at work, each calls the other's records lost."""
    entries = [ONE, TWO, begins("x", "w"), record(2, "x"), THREE, record(3, "x")]
    the_one_that_went_on = known(ONE, TWO, THREE)
    the_copy = known(ONE, record(2, "x"), record(3, "x"))
    assert of(sort_out(entries, ["w"], the_one_that_went_on)) == ([], ["x2", "x3"], True)
    assert of(sort_out(entries, ["w", "x"], the_copy)) == (["w2"], ["w3"], True)


def test_of_two_restores_the_first_timeline_is_a_copys_when_it_goes_on() -> None:
    entries = [ONE, TWO, begins("x", "w"), record(2, "x"), begins("y", "w"), record(3, "x"), record(2, "y")]
    assert of(sort_out(entries, ["w", "y"], known(ONE, record(2, "y")))) == (["w2", "x2"], ["x3"], True)
