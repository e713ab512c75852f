"""Which segments are current does not depend on how transcripts arrived, and every proof of changes knows it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from loader.warehouse import Warehouse
from tests.ingests import rows, run
from tests.proofs import proved_whole, reconciled
from tests.property.test_any_history import HISTORIES, _empty
from tests.transcripts import content_of, deliver, segment

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed", "loader_environment")]

_DAYS = ("2026-04-17", "2026-04-18")
_CURRENT = "select segment_id, end_seconds::int, partition_key::text from silver.transcript_line order by 1"
_SUPERSEDED = """
select count(*) from reconcile.reconcile_event where record_kind = 'transcript_line_v1' and event_fate = 'superseded'
"""


@dataclass(frozen=True)
class Delivered:
    """A transcript of a recording: how its segments end, its place in upstream's order, and the recording's day."""

    of: str
    ends: tuple[int, ...]
    sequence: int
    day: str

    @property
    def segments(self) -> list[dict[str, Any]]:
        return [segment(number, end_seconds=2 * number + end) for number, end in enumerate(self.ends, start=1)]

    @property
    def shown(self) -> list[tuple[str, int, str]]:
        return [(f"{self.of}:{number}", 2 * number + end, self.day) for number, end in enumerate(self.ends, start=1)]


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivered]:
    """Longer and shorter ones, some of them once more, on other days, and in any order. No two have one place."""
    count = draw(st.integers(3, 6))
    places = draw(st.permutations(range(1, count + 1)))
    return [
        Delivered(
            draw(st.sampled_from(["a", "b"])),
            tuple(draw(st.lists(st.integers(0, 1), min_size=1, max_size=3))),
            place,
            draw(st.sampled_from(_DAYS)),
        )
        for place in places
    ]


def current(delivered: list[Delivered]) -> list[tuple[str, int, str]]:
    """By plain Python: of each recording the newest transcript, whole; the same one has the place of its first."""
    places: dict[tuple[str, tuple[int, ...], str], int] = {}
    for each in delivered:
        same = (each.of, each.ends, each.day)
        places[same] = min(places.get(same, each.sequence), each.sequence)
    newest: dict[str, tuple[str, int, tuple[int, ...]]] = {}
    for (of, ends, day), place in places.items():
        newest[of] = max(newest.get(of, ("", 0, ())), (day, place, ends))
    return sorted(line for of, (day, place, ends) in newest.items() for line in Delivered(of, ends, place, day).shown)


@HISTORIES
@given(delivered=deliveries())
def test_the_newest_transcript_counts_whole_in_any_history(
    delivered: list[Delivered], database: Warehouse, folder: Path
) -> None:
    """After every ingest Silver holds the segments of the newest transcript of each recording and no others, the proof
    of what changed closes on that, and at the end says, row by row, what a proof of everything says."""
    note(f"{delivered}")
    _empty(database)
    work = Path(tempfile.mkdtemp(dir=folder))
    for place, each in enumerate(delivered):
        entry = {"sequence": each.sequence, "source_id": f"{each.of}-{place}.jsonl"}
        said = {"recorded_at": f"{each.day}T08:00:00Z", "entry": entry}
        manifest = deliver(
            work, f"part-{place}", {f"{each.of}-{place}-2026-04-20.jsonl": each.segments}, **{each.of: said}
        )
        verdict = run(manifest)
        assert (verdict.exit_code, verdict.proof.name) == (0, "changes" if place else "all"), verdict
        assert rows(database, _CURRENT) == current(delivered[: place + 1])
    landed = {(each.of, content_of(each.segments), each.day, line) for each in delivered for line in each.shown}
    assert rows(database, _SUPERSEDED) == [(len(landed) - len(current(delivered)),)]
    assert rows(database, "select segment_id from serving.transcript_line order by 1") == [
        (key,) for key, _, _ in current(delivered)
    ]
    assert reconciled(database) == proved_whole(database)
