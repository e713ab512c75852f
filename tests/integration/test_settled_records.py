"""Where all is proved, a record of one event that one line delivers is not ranked; it has to come out as if it were."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.generator import Options, generate
from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, rows, run, ticket, write_export
from tests.proofs import proved_whole, reconciled
from tests.sabotage.case import double, unlock

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")

FIRST = date(2026, 4, 14)
# Events of records that have no other, each delivered by one line; as many records as there are damages.
SETTLED = """
select min(event.event_id::text)::uuid as event_id, row_number() over (order by event.record_key) as place
from bronze.raw_ticket_event as event
inner join bronze.asset_line as line using (event_id)
group by event.record_key having count(*) = 1
"""


def _settled(place: int) -> str:
    return f"(select event_id from ({SETTLED}) as settled where place = {place})"


PAYLOAD = "(raw_payload::jsonb - 'source_id')::text"
WITHOUT_SOURCE = f"raw_payload = {PAYLOAD}, record_fingerprint = sha256(convert_to({PAYLOAD}, 'UTF8'))"
DAMAGES = (
    # Two rows of one event: neither is alone.
    *double("bronze.record_event", f"event_id = {_settled(1)}"),
    # A line twice: the event has two deliveries, and one row here.
    *double("bronze.asset_line", f"event_id = {_settled(2)}"),
    # Delivered by a line that is not its first, and by none.
    f"update bronze.raw_ticket_event set line_number = line_number + 1000 where event_id = {_settled(3)}",
    f"update bronze.asset_line set event_id = gen_random_uuid() where event_id = {_settled(4)}",
    # Read under a ruleset that counts no more, as if by another version.
    f"update bronze.asset_line set ruleset_id = 0 where event_id = {_settled(5)}",
    # A payload that is what its fingerprint says, and names no source.
    f"update bronze.raw_ticket_event set {WITHOUT_SOURCE} where event_id = {_settled(6)}",
    # One that cannot be parsed: whatever reads it has to ask first (drift_profile, too).
    f"update bronze.raw_ticket_event set raw_payload = 'no JSON at all' where event_id = {_settled(11)}",
    # Silver: none, two, another event's, another digest.
    unlock("silver.ticket_fact"),
    f"delete from silver.ticket_fact where event_id = {_settled(7)}",
    *double("silver.ticket_fact", f"event_id = {_settled(8)}"),
    f"update silver.ticket_fact set event_id = gen_random_uuid() where event_id = {_settled(9)}",
    f"update silver.ticket_fact set product_version = 'edited' where event_id = {_settled(10)}",
)
EXPECTED = {
    ("silver", "equal"),
    ("silver", "different"),
    ("silver", "unprovable"),
    ("silver", None),
    ("superseded", None),
    ("gap", "missing"),
    ("gap", "other_version"),
    ("collided", None),
    ("retired", None),
    ("none", "doubled"),
    ("none", "unfounded"),
}


def test_a_proof_of_everything_finds_of_each_event_what_ranking_all_finds(
    tmp_path: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a quick way for most records on which damage looks right, or looks like other damage."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
    _ingest(tmp_path)
    for damage in DAMAGES:
        rows(database, "set session_replication_role = replica; " + damage)

    found = _events(proved_whole(database))
    # Every load is taken for new: a proof of changes, in which every record is ranked.
    rows(database, "delete from ops.proved_load")
    run_dbt(database, ROOT, ["build", "--select", "reconcile", "--vars", "{proof: changes}"])
    ranked = _events(reconciled(database))

    assert [event for event in found if event not in ranked] == []
    assert [event for event in ranked if event not in found] == []
    assert len(found) == len(ranked)
    assert {(event["event_fate"], event["silver_state"]) for event in found} == EXPECTED


def _ingest(folder: Path) -> None:
    """Days with updates, repeats and late lines, and a record under two sources."""
    days = folder / "days"
    generate(Options(FIRST, FIRST + timedelta(days=1), tickets=80, seed=11, duplicate_rate=0.05, late_rate=0.1), days)
    (days / "expected.json").unlink()
    write_export(days / "two-sources.jsonl", [ticket(1), ticket(1, source_id="another source")])
    verdict = run(declare(days))
    assert [problem.reason_code for problem in verdict.problems] == ["reconcile_finding"]


def _events(state: dict[str, list[Any]]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = state["reconcile_event"]
    return events
