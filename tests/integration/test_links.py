"""Records that name records of another kind: what is not there is told, and heals by the proof of the ingest that
brings it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.erasure import erase, plan_erasure, read_erasure_plan
from loader.ingest import Verdict
from loader.plans import write_plan
from loader.progress import Silent
from loader.release.ready import readiness
from loader.silver import run_dbt
from loader.status import read_status
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import DAY, comment, declare, evidence_faults, rows, run, settings, ticket, write_export
from tests.proofs import proved_whole, reconciled
from tests.recoveries import stricter_contract
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

TICKETS, COMMENTS = "ticket_v1", "ticket_comment_v1"
NEXT_DAY = "2026-04-18T08:00:00Z"
MISSING = "select record_key, linked_key, partition_key::text from reconcile.reconcile_link order by record_key"


def key(number: int, kind: str = "TKT") -> str:
    return f"{kind}-20260417-{number:06d}"


@dataclass(frozen=True, slots=True)
class Scene:
    folder: Path
    kept: Kept
    first: Verdict


@pytest.fixture(scope="module")
def scene(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Ticket 1, then comments on tickets 1, 2, 2, and on the next day 3; each proved."""
    root = tmp_path_factory.mktemp("links")
    with own_warehouse(server, _template, root) as database:
        assert deliver(root, TICKETS, "first", ticket(1)).proof.name == "all"
        items = [comment(number, ticket_id=key(named)) for number, named in ((1, 1), (2, 2), (3, 2))]
        first = deliver(root, COMMENTS, "comments", *items, comment(4, ticket_id=key(3), created_at=NEXT_DAY))
        with kept(server, database) as before:
            yield Scene(root, before, first)


@pytest.fixture
def database(scene: Scene) -> Warehouse:
    return scene.kept.fresh()


def deliver(folder: Path, kind: str, name: str, *items: dict[str, Any]) -> Verdict:
    write_export(folder / name / f"{name}-2026-04-19.jsonl", items)
    return run(declare(folder / name, name, kind=kind))


def test_a_record_that_names_one_that_is_not_there_is_told_and_keeps_nothing_back(
    scene: Scene, database: Warehouse
) -> None:
    """Prevents comments on nothing that nobody hears of, and a day of comments that waits for a help desk."""
    verdict = scene.first
    assert rows(database, MISSING) == [
        (key(2, "CMT"), key(2), "2026-04-17"),
        (key(3, "CMT"), key(2), "2026-04-17"),
        (key(4, "CMT"), key(3), "2026-04-18"),
    ]
    assert (verdict.exit_code, verdict.status, verdict.downstream_decision) == (0, "warning", "proceed")
    assert verdict.facts.warnings == {"link_missing": 3}
    of_day, of_next = verdict.facts.partitions
    assert verdict.of_partition(of_day) == verdict.of_partition(of_next) == ("warning", ("link_missing",))
    assert [link.as_record() for link in verdict.links_of(of_day)] == [
        {
            "partition_key": "2026-04-17",
            "fault": "link_missing",
            "field_name": "ticket_id",
            "linked_kind": TICKETS,
            "is_awaited": False,
            "record_count": 2,
            "key_count": 1,
            "keys": [key(2)],
        }
    ]
    counts = (of_day.reconcile["link_missing_count"], of_day.reconcile["link_awaited_count"])
    assert (counts, of_day.reconcile["is_complete"]) == ((2, 0), True)
    found = readiness(settings(), [DAY])
    assert [(row["record_kind"], row["is_ready"], row["link_missing_count"]) for row in found.partitions] == [
        (COMMENTS, True, 2),
        (TICKETS, True, 0),
    ]
    assert [link.line for link in found.links] == [f"2 records name 1 of {TICKETS} that is not there ({key(2)})"]
    assert evidence_faults(database) == []
    told = read_status(database, DAY).links
    assert [link["detail"] for link in told] == [f"2 records name 1 of {TICKETS} that is not there ({key(2)})"]


def test_what_comes_heals_by_the_proof_of_the_ingest_that_brings_it(scene: Scene, database: Warehouse) -> None:
    """Prevents a comment that is told to name nothing for ever, or until a night proves everything."""
    verdict = deliver(scene.folder, TICKETS, "arrives", ticket(2), ticket(9))
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), verdict.proof
    assert rows(database, MISSING) == [(key(4, "CMT"), key(3), "2026-04-18")]
    assert read_status(database, DAY).links == []
    assert reconciled(database) == proved_whole(database)


def test_who_names_another_or_moves_is_judged_by_what_it_says_now(scene: Scene, database: Warehouse) -> None:
    """Prevents a link of a version that Silver shows no more, and a day that is told of a comment of another one."""
    later = "2026-04-17T12:00:00Z"
    verdict = deliver(
        scene.folder,
        COMMENTS,
        "edited",
        comment(1, ticket_id=key(7), updated_at=later),
        comment(2, ticket_id=key(1), updated_at=later),
        comment(3, ticket_id=key(2), created_at=NEXT_DAY, updated_at=later),
    )
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), verdict.proof
    assert rows(database, MISSING) == [
        (key(1, "CMT"), key(7), "2026-04-17"),
        (key(3, "CMT"), key(2), "2026-04-18"),
        (key(4, "CMT"), key(3), "2026-04-18"),
    ]
    assert reconciled(database) == proved_whole(database)


def test_what_is_erased_is_missed_by_those_who_name_it(scene: Scene, database: Warehouse) -> None:
    """Prevents comments on a ticket that is gone, of which nobody is told."""
    # Its author is another one: the comment stays.
    deliver(scene.folder, COMMENTS, "other", comment(8, ticket_id=key(1), author_id="agent_1"))
    assert key(8, "CMT") not in {record for record, *_ in rows(database, MISSING)}
    plan = plan_erasure(settings(), "customer_1", "request 1")
    erase(settings(), "customer_1", read_erasure_plan(settings(), write_plan(settings(), plan)), Silent())
    assert (key(8, "CMT"), key(1), "2026-04-17") in rows(database, MISSING)
    assert rows(database, "select * from silver.ticket_fact") == []
    # Rows have come to other places than a build of everything would give them.
    assert reconciled(database)["reconcile_link"] == proved_whole(database)["reconcile_link"]


def test_what_goes_by_a_proof_of_changes_is_missed(
    scene: Scene, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a ticket that a new rule refuses, of which only a night's proof of everything tells its comments."""
    assert key(1, "CMT") not in {record for record, *_ in rows(database, MISSING)}
    stricter_contract(monkeypatch, "another", {key(1)}.__contains__)
    verdict = run(scene.folder / "first.json")
    assert (verdict.problem_codes, verdict.proof.name) == ({"reject_limit_exceeded"}, "changes"), verdict.proof
    assert rows(database, "select * from silver.ticket_fact") == []
    assert (key(1, "CMT"), key(1), "2026-04-17") in rows(database, MISSING)
    assert reconciled(database) == proved_whole(database)


def test_a_kind_that_was_never_built_is_named_by_nobody(database: Warehouse) -> None:
    """Prevents a build of comments alone that fails for the lack of tickets, or tells of each that its ticket lacks."""
    rows(database, "drop table silver.ticket_fact cascade")
    build = run_dbt(database, ROOT, ["build", "--select", "reconcile_link"])
    assert (build.failed, build.skipped) == ((), ())
    assert rows(database, MISSING) == []


def test_who_names_a_record_is_found_by_index(database: Warehouse) -> None:
    """Prevents an ingest of one ticket that reads all comments."""
    indexes = "select indexdef from pg_indexes where schemaname = 'silver' and tablename = 'ticket_comment_fact'"
    assert sum("(ticket_id)" in definition for (definition,) in rows(database, indexes)) == 1
    build = run_dbt(database, ROOT, ["build", "--select", "reconcile_link"])
    assert build.failed == ()
    assert sum("(ticket_id)" in definition for (definition,) in rows(database, indexes)) == 1
