"""What drift means for a run and for the gate; no database."""

from __future__ import annotations

from datetime import date

import pytest

from loader.evidence import Drift
from loader.partition import Partition
from loader.release import Published

A, B, C, D = (date(2026, 4, day) for day in (14, 15, 16, 30))


@pytest.mark.parametrize(
    ("drift", "is_about"),
    [
        (Drift("ticket_v1", B, None, "drift_value_mix", "status", ""), True),
        (Drift("ticket_v1", A, None, "drift_value_mix", "status", ""), False),
        (Drift("ticket_v1", A, None, "drift_missing_day", "tickets", ""), True),
        (Drift("ticket_v1", C, None, "drift_missing_day", "tickets", ""), False),
        (Drift("ticket_v1", date(2026, 4, 7), None, "drift_missing_day", "tickets", ""), False),
        (Drift("ticket_v1", A, 7, "drift_unknown_value", "status", ""), True),
        (Drift("ticket_v1", A, 8, "drift_unknown_value", "status", ""), False),
        (Drift("ticket_v1", None, None, "drift_unknown_value", "status", ""), False),
    ],
)
def test_a_run_answers_for_its_days_its_files_and_the_days_missing_before_them(drift: Drift, is_about: bool) -> None:
    assert drift.is_about("ticket_v1", {B}, {7}) is is_about


@pytest.mark.parametrize(
    ("days", "has_drift", "decision"),
    [
        ([A], False, "proceed"),
        ([A], True, "manual_review_required"),
        ([A, B], False, "manual_review_required"),
        ([A, B, C], False, "hold_downstream"),
        ([C], True, "hold_downstream"),
        ([], True, "hold_downstream"),
    ],
)
def test_drift_alone_is_a_review_and_anything_else_holds(days: list[date], has_drift: bool, decision: str) -> None:
    """A: readers see it; B: nothing but drift keeps it back; C: something else does."""
    published = Published(1, (), frozenset(_tickets([A])), to_review=frozenset(_tickets([B])))
    assert published.decision(_tickets(days), has_drift=has_drift) == decision


def _tickets(days: list[date]) -> list[Partition]:
    return [Partition("ticket_v1", day) for day in days]
