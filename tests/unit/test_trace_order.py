"""Which version wins, and what is said of why: pure, without a warehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from loader.kinds import Landing, landed_kind, load_kinds
from loader.trace.lines import fate_of
from loader.trace.model import File, TracedLine, Version
from loader.trace.order import ranked, reason
from tests.checkouts import ROOT

CREATED = datetime(2026, 4, 17, 8, tzinfo=UTC)
LATER = CREATED + timedelta(hours=1)


@pytest.fixture(scope="module")
def landing() -> Landing:
    kind = landed_kind(load_kinds(ROOT / "contracts"), "ticket_v1")
    assert kind.landing is not None
    return kind.landing


def version(
    name: str, updated_at: datetime | None = None, *, asset_id: int = 1, sequence: int = 1, line: int = 1
) -> Version:
    file = File(asset_id, "ticket_v1", f"f{asset_id}", "m", "b", "", "", "identity", 0, "", sequence)
    traced = TracedLine(
        file, line, 0, 1, 1, "", None, "landed", name, date(2026, 4, 17), (asset_id, line), None, (), None
    )
    return Version(
        name, f"{name}0000", "a", date(2026, 4, 17), CREATED, updated_at, "m", "b", "r", 1, "t", "s", None, traced, (),
        "superseded",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("older", "newer", "why"),
    [
        (
            version("1"),
            version("0", LATER),
            "the latest instant of 2 versions, updated_at 2026-04-17 09:00:00 after created_at 2026-04-17 08:00:00",
        ),
        (
            version("1", line=9),
            version("0", asset_id=2, sequence=2),
            "the latest file of 2 versions, f2 (2) after f1 (1); their instants are equal",
        ),
        (
            version("1"),
            version("0", line=2),
            "the last line of 2 versions, f1 line 2 after f1 line 1; their instants and their file are equal",
        ),
        (
            version("1"),
            version("0", asset_id=2, line=2),
            (
                "the last line of 2 versions, f2 line 2 after f1 line 1; their instants and the places of their files"
                " are equal, and nothing that upstream says orders them"
            ),
        ),
        (
            version("0"),
            version("1", asset_id=2),
            (
                "the greatest fingerprint of 2 versions, 10000… after 00000…; all else is equal, and nothing that"
                " upstream says orders them"
            ),
        ),
    ],
)
def test_the_first_place_that_differs_decides_and_is_told(
    landing: Landing, older: Version, newer: Version, why: str
) -> None:
    for given in permutations((older, newer)):
        found = ranked(given)
        assert [(each.event_id, each.fate) for each in found] == [
            (newer.event_id, "current"),
            (older.event_id, "superseded"),
        ]
        assert reason(found, landing) == f"it has {why}"


def test_another_source_does_not_compete_and_what_is_not_built_waits(landing: Landing) -> None:
    """The first source keeps the record, however new another one's version is."""
    stranger = replace(version("2", LATER), record_source="b", created_at=CREATED + timedelta(minutes=1))
    waiting = replace(version("3", LATER + timedelta(hours=1)), fate="waiting")
    found = ranked([waiting, stranger, version("1")])
    assert sorted((each.event_id, each.fate) for each in found) == [
        ("1", "current"),
        ("2", "collided"),
        ("3", "waiting"),
    ]
    assert reason(found, landing) == "it is the only version"
    assert reason(ranked([waiting]), landing) == "no version of it counts yet"


LINE = {
    "kind": "record",
    "byte_length": 100,
    "erasure_id": None,
    "reason_codes": None,
    "asset_id": 1,
    "line_number": 2,
    "landed_asset_id": None,
    "landed_line_number": None,
    "is_taken": True,
}


@pytest.mark.parametrize(
    ("changes", "fate"),
    [
        ({}, "gap"),
        ({"is_taken": False}, "out_of_partition"),
        ({"landed_asset_id": 1, "landed_line_number": 2}, "landed"),
        ({"landed_asset_id": 1, "landed_line_number": 1}, "duplicate"),
        ({"kind": "rejected", "reason_codes": ["x"]}, "rejected"),
        ({"kind": "rejected"}, "gap"),
        ({"kind": "blank"}, "blank"),
        ({"kind": "blank", "erasure_id": "e"}, "erased"),
        # A tombstone explains a line that holds nothing any more, and no other.
        ({"erasure_id": "e"}, "gap"),
        ({"kind": "rejected", "reason_codes": ["x"], "byte_length": 11_000_000, "erasure_id": "e"}, "erased"),
    ],
)
def test_a_line_has_the_first_fate_that_is_so(changes: dict[str, object], fate: str) -> None:
    assert fate_of({**LINE, **changes}) == fate
