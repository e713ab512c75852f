"""Which records name one that is not there does not depend on how both arrived, and every proof of changes knows it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from loader.warehouse import Warehouse
from tests.ingests import comment, declare, rows, run, ticket, write_export
from tests.proofs import proved_whole, reconciled
from tests.property.test_any_history import HISTORIES, _empty

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")

TICKETS, COMMENTS = "ticket_v1", "ticket_comment_v1"
_DAYS = ("2026-04-17", "2026-04-18")


def _key(number: int) -> str:
    return f"TKT-20260417-{number:06d}"


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[str, list[dict[str, Any]]]]:
    """A first of each kind, and some more: comments are edited onto other tickets and other days, each edit newer."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for place in range(draw(st.integers(3, 5))):
        kind = (TICKETS, COMMENTS)[place] if place < 2 else draw(st.sampled_from([TICKETS, COMMENTS]))
        updated = {"updated_at": f"2026-04-19T{place:02}:00:00Z"}
        records = []
        for number in draw(st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True)):
            day = {"created_at": f"{draw(st.sampled_from(_DAYS))}T08:00:00Z"}
            if kind == TICKETS:
                records.append(ticket(number, **day, **updated))
            else:
                records.append(comment(number, ticket_id=_key(draw(st.integers(1, 6))), **day, **updated))
        found.append((kind, records))
    return found


@HISTORIES
@given(delivered=deliveries())
def test_a_missing_link_does_not_depend_on_history(
    delivered: list[tuple[str, list[dict[str, Any]]]], database: Warehouse, folder: Path
) -> None:
    """After every ingest the proof of what changed names the comments whose ticket plain Python does not know either,
    and at the end says, row by row, what a proof of everything says."""
    note(f"{[(kind, len(records)) for kind, records in delivered]}")
    _empty(database)
    work = Path(tempfile.mkdtemp(dir=folder))
    tickets: set[str] = set()
    comments: dict[str, dict[str, Any]] = {}
    for place, (kind, records) in enumerate(delivered):
        name = f"part-{place}"
        write_export(work / name / f"{name}-2026-04-{20 + place}.jsonl", records)
        verdict = run(declare(work / name, name, kind=kind))
        assert (verdict.exit_code, verdict.proof.name) == (0, "changes" if place else "all"), verdict.proof
        if kind == TICKETS:
            tickets |= {record["ticket_id"] for record in records}
        else:
            comments |= {record["comment_id"]: record for record in records}
        expected = sorted(
            (key, record["ticket_id"], record["created_at"][:10])
            for key, record in comments.items()
            if record["ticket_id"] not in tickets
        )
        assert expected == rows(
            database, "select record_key, linked_key, partition_key::text from reconcile.reconcile_link order by 1"
        )
    assert reconciled(database) == proved_whole(database)
