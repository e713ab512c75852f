"""What a run says of each of its days, from what reconcile said of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from loader.evidence.facts import Finding
from loader.ingest.proving import _has_failed
from tests.unit.test_run_screens import of_day, verdict

DAY, NEXT = date(2026, 4, 17), date(2026, 4, 18)


def test_a_day_fails_for_a_file_with_too_many_rejects_that_has_lines_of_it() -> None:
    """Prevents a day that evidence calls failed, and the gate releases, for rejects of another day's file."""
    days = (of_day(DAY, landed=9, rejected=1), of_day(NEXT, landed=99, rejected=1))
    found = verdict(
        {"partitions": days}, reason_codes=("lines_rejected", "reject_limit_exceeded"), over_limit=frozenset({DAY})
    )
    assert [found.of_partition(day) for day in days] == [
        ("failed", ("reject_limit_exceeded",)),
        ("warning", ("lines_rejected",)),
    ]


@pytest.mark.parametrize(
    ("counts", "codes", "has_failed"),
    [
        ({"landed": 9}, None, False),
        ({"landed": 9, "missing_asset": 1}, ("asset_missing",), False),
        ({"landed": 9, "withheld_asset": 2}, ("asset_withheld",), False),
        ({"landed": 9, "not_read_asset": 2}, (), False),
        ({"landed": 9, "unexplained": 1}, ("unexplained_gap",), True),
        ({"landed": 9, "pending": 1}, (), True),
        ({"landed": 9, "content_differs": 1}, (), True),
        ({"landed": 9, "out_of_partition": 1}, (), True),
        ({"out_of_partition": 1}, (), True),
    ],
)
def test_a_day_is_sound_where_reconcile_names_no_obstacle(
    counts: dict[str, int], codes: tuple[str, ...] | None, has_failed: bool
) -> None:
    """Prevents evidence of success for a day that the gate keeps back; what others owe the day stops no backfill."""
    day = of_day(DAY, **counts)
    expected: tuple[str, Any] = ("success", ()) if codes is None else ("failed", codes)
    assert (verdict({"partitions": (day,)}).of_partition(day), _has_failed(day)) == (expected, has_failed)


def test_a_finding_of_a_day_is_damage_of_it() -> None:
    day = of_day(DAY, landed=9)
    finding = Finding("silver.ticket_fact", "record_missing", DAY, None, 1, "TKT-1")
    found = verdict({"partitions": (day,), "findings": (finding,)})
    assert found.of_partition(day) == ("failed", ("reconcile_finding",))
