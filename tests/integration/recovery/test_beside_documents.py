"""Restore, replay, backfill and erasure where documents stand beside tickets of the same days: what is asked for
happens, and the other kind stays as it is, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loader.ingest import Verdict
from loader.kinds import load_ruleset
from loader.raw_zone import RawZone
from loader.recovery import apply_plan
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.documents import DOCUMENT, HTML, MARKDOWN, PDF, deliver
from tests.ingests import declare, rows, run, settings, ticket, write_export
from tests.integration.privacy.people import erase_person
from tests.proofs import proved_whole, reconciled
from tests.recoveries import backfill_window, planned, recover
from tests.states import State, States

# Nobody of another test: an erasure removes files of the checkout that quote the person, whichever worker wrote them.
PERSON = "cust-77213"
pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

TICKETS = "ticket_v1"
DAYS = ("2026-04-16", "2026-04-17", "2026-04-18")
# Every row that a kind has, with the transaction that wrote it.
_ROWS = {
    "bronze.record_event": "record_kind = '{kind}'",
    "bronze.asset_line": "asset_id in (select asset_id from ops.source_asset where record_kind = '{kind}')",
    "bronze.rejected_record": "asset_id in (select asset_id from ops.source_asset where record_kind = '{kind}')",
    "ops.source_asset": "record_kind = '{kind}'",
    "ops.asset_index": "asset_id in (select asset_id from ops.source_asset where record_kind = '{kind}')",
    "ops.asset_partition": "asset_id in (select asset_id from ops.source_asset where record_kind = '{kind}')",
    "ops.ingest_run": "record_kind = '{kind}'",
    "ops.completed_load": "record_kind = '{kind}'",
    "release.partition_pointer": "record_kind = '{kind}'",
    "release.partition_version": "record_kind = '{kind}'",
    "release.partition_hold": "record_kind = '{kind}'",
}
_TABLES = {TICKETS: "ticket_fact", DOCUMENT: "knowledge_doc"}
_SHOWN = "select source_id, language from serving.knowledge_doc order by 1"


def tickets_and_documents(root: Path) -> dict[str, Any]:
    """A state (tests/states.py): three days of tickets, and of documents the last two, one of them declared anew."""
    for day in DAYS:
        records = [
            ticket(number, ticket_id=f"TKT-{day.replace('-', '')}-{number:06d}", created_at=f"{day}T08:00:00Z")
            for number in (1, 2)
        ]
        records.append(ticket(9, ticket_id=f"TKT-{day.replace('-', '')}-000009", customer_id=PERSON))
        write_export(root / "e" / f"tickets-{day}.jsonl", records)
    _passed(run(declare(root / "e")))
    files = {
        f"queues-{DAYS[0]}.md": MARKDOWN,
        f"guide-{DAYS[1]}.pdf": PDF,
        f"forged-{DAYS[1]}.pdf": HTML,
        f"limits-{DAYS[2]}.html": HTML,
        f"person-{DAYS[2]}.md": f"# {PERSON}\n\nWho wrote to us about {PERSON}.\n".encode(),
    }
    manifest = deliver(root, "documents", files, guide={"language": "en"}, person={"owner": PERSON})
    window = backfill_window(DAYS[1], "2026-04-19", manifest)
    first = _passed(recover("backfill", **window))
    anew = {"language": "de", "captured_at": f"{DAYS[1]}T23:59:59.5Z"}
    _passed(run(deliver(root, "anew", {f"guide-{DAYS[1]}.pdf": PDF}, guide=anew)))
    return {"manifest": manifest, "first": first.facts.run["run_id"]}


def _passed(verdict: Verdict) -> Verdict:
    assert verdict.exit_code == 0, verdict.problems
    return verdict


def _of(database: Warehouse, kind: str) -> dict[str, list[Any]]:
    wanted = {**{table: where.format(kind=kind) for table, where in _ROWS.items()}}
    wanted |= {f"{layer}.{_TABLES[kind]}": "true" for layer in ("silver", "release")}
    if kind == DOCUMENT:
        wanted["ops.asset_facts"] = "true"
    return {
        table: rows(database, f"select xmin::text, to_jsonb(t) from {table} as t where {where} order by 2::text")
        for table, where in wanted.items()
    }


@pytest.fixture
def state(states: States) -> Iterator[State[dict[str, Any]]]:
    with states.begin(tickets_and_documents, LOADER_REJECT_LIMIT="0.5") as begun:
        yield begun


def test_a_backfill_lands_its_days_of_documents_and_no_others(state: State[dict[str, Any]]) -> None:
    """Prevents a window that takes a whole collection, or a day of which nobody can land the files later."""
    database = state.database
    before = _of(database, TICKETS)
    assert [name for name, _ in rows(database, _SHOWN)] == [
        f"guide-{DAYS[1]}.pdf",
        f"limits-{DAYS[2]}.html",
        f"person-{DAYS[2]}.md",
    ]
    plan = planned("backfill", **backfill_window(DAYS[0], DAYS[1], state.made["manifest"]))
    assert [part["partition_key"] for part in plan["partitions"]] == [DAYS[0]]
    verdict = apply_plan(settings(), plan)
    assert isinstance(verdict, Verdict)
    _passed(verdict)
    assert (f"queues-{DAYS[0]}.md", None) in rows(database, _SHOWN)
    assert _of(database, TICKETS) == before
    assert reconciled(database) == proved_whole(database)


def test_a_replay_of_documents_writes_nothing_of_tickets(state: State[dict[str, Any]]) -> None:
    """Prevents a record twice for a file that is read again, and a ticket that is read again with it."""
    database = state.database
    before, events = _of(database, TICKETS), rows(database, "select * from bronze.raw_doc_asset order by event_id")
    shown = rows(database, _SHOWN)
    verdict = recover("replay", run_id=state.made["first"])
    _passed(verdict)
    assert rows(database, "select * from bronze.raw_doc_asset order by event_id") == events
    assert rows(database, _SHOWN) == shown
    assert _of(database, TICKETS) == before
    assert reconciled(database) == proved_whole(database)


def test_a_restore_shows_what_was_declared_before(state: State[dict[str, Any]]) -> None:
    """Prevents a day of tickets that goes back with its documents, and a declaration that nobody can take back."""
    database = state.database
    before = _of(database, TICKETS)
    assert (f"guide-{DAYS[1]}.pdf", "de") in rows(database, _SHOWN)
    window = {"window_start": DAYS[1], "window_end": DAYS[2], "release": None, "as_of": None, "reason": "tests"}
    plan = planned("restore", **window, record_kind=DOCUMENT)
    assert [(each["record_kind"], each["partition_key"]) for each in plan["pointers"]] == [(DOCUMENT, DAYS[1])]
    apply_plan(settings(), plan)
    assert (f"guide-{DAYS[1]}.pdf", "en") in rows(database, _SHOWN)
    assert _of(database, TICKETS) == before
    held = rows(database, "select record_kind, partition_key::text from release.partition_hold")
    assert held == [(DOCUMENT, DAYS[1])]


def test_the_erasure_of_a_person_leaves_documents_alone(state: State[dict[str, Any]]) -> None:
    """Prevents a document that is taken for a person's line since it names one: a kind of files names no person."""
    database = state.database
    before = _of(database, DOCUMENT)
    assert len(rows(database, "select 1 from serving.ticket_fact")) == 9
    erased = erase_person(person=PERSON)
    assert (erased.mention_count > 0, erased.not_searched) == (True, ())
    assert rows(database, "select distinct ticket_id like '%000009' from serving.ticket_fact") == [(False,)]
    assert _of(database, DOCUMENT) == before
    proof = verify_run(
        database, RawZone(settings().raw_zone), load_ruleset(ROOT / "contracts", DOCUMENT), state.made["first"]
    )
    assert proof.is_proved
