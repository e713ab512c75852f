"""A second kind beside the ticket in everything that reads or writes releases; its Silver is a table that the test
writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader import status
from loader.audit import faults_of_sight
from loader.erasure import planning as plan_room
from loader.erasure import removal as removal_room
from loader.erasure.planning import make_erasure_plan
from loader.erasure.removal import remove_rows
from loader.errors import CommandUsageError
from loader.partition import Partition
from loader.release import changes, digests, history, releases
from loader.release.by_hand import asked_partitions, hold
from loader.release.digests import unlike_released
from loader.release.publish import publish
from loader.release.ready import readiness
from loader.release.ruling import Request
from loader.release.views import ViewFault
from loader.silver import Proved
from loader.status import read_status
from loader.warehouse import Role, Warehouse
from loader.warehouse.released import released_kinds
from tests.ingests import evidence_faults, rows, settings
from tests.integration.release.test_histories import ACT, NAMES, PUT, SILVER, TICKET, release_what_changed
from tests.second_kind import NOTE, add_note

DAY, NEXT = date(2026, 4, 14), date(2026, 4, 15)
# As dbt makes it of a model like serving_ticket_fact.
VIEW = """
set role omni_transform;
create view serving.{table} with (security_barrier) as
select versions.*, pointers.data_release_id from release.{table} as versions
inner join release.partition_pointer as pointers
    on pointers.record_kind = '{kind}' and pointers.partition_key = versions.partition_key
where versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id);
reset role
"""


@pytest.fixture
def released(database: Warehouse, loader_environment: dict[str, str], tmp_path: Path) -> Iterator[Any]:
    """A cursor. Release 1: a ticket and a note of one key on a day, and a note of the next day; release 2: the note has
    moved to that day."""
    add_note(database, tmp_path)
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        for kind, names in NAMES.items():
            cursor.execute(SILVER.format(**names))
            cursor.execute(PUT.format(**names), {"key": "1", "day": DAY, "status": "open"})
            cursor.execute(VIEW.format(**names, kind=kind))
        cursor.execute(PUT.format(**NAMES[NOTE]), {"key": "2", "day": NEXT, "status": "open"})
        release_what_changed(cursor)
        cursor.execute(PUT.format(**NAMES[NOTE]), {"key": "1", "day": NEXT, "status": "moved"})
        cursor.execute("insert into release.pending_record values (%s, '1'), (%s, '1')", (NOTE, TICKET))
        release_what_changed(cursor)
        yield cursor


def test_a_release_moves_the_partitions_of_the_kind_that_changed(released: Any) -> None:
    """Prevents a ticket that is taken for the note of the same key, and a link between days of two kinds."""
    one, two = Partition(NOTE, DAY), Partition(NOTE, NEXT)
    assert releases.pointers(released) == {one: 2, two: 2, Partition(TICKET, DAY): 1}
    assert history.versions(released) == {one: [1, 2], two: [1, 2], Partition(TICKET, DAY): [1]}
    assert releases.all_links(released) == [(2, one, two)]
    released.execute("select * from release.pending_record")
    assert released.fetchall() == []
    assert [count for count, _ in digests.shown(released, sorted(releases.pointers(released))).values()] == [0, 2, 1]
    assert digests.unlike(released, is_content_read=True) == []


def test_what_readers_see_of_each_kind_is_compared_with_its_release(released: Any, database: Warehouse) -> None:
    """Prevents a forged note that no command finds since it looks at tickets only."""
    loader = database.acting_as(Role.LOADER)
    assert unlike_released(loader) == {}
    rows(database, "set session_replication_role = replica; update release.visit_note set status = 'forged'")
    assert unlike_released(loader, [Partition(TICKET, DAY)]) == {}
    assert unlike_released(loader) == {Partition(NOTE, NEXT): (2, 2)}
    assert [fault.report_path for fault in faults_of_sight(loader, [])] == [f"serving.visit_note {NEXT}"]
    said = {(fault.report_path, fault.fault) for fault in evidence_faults(database) if "digest" in fault.fault}
    words = "the content of {} is not that of the digest"
    assert said == {
        (f"release.visit_note {DAY}", words.format("1 row")),
        (f"release.visit_note {NEXT}", words.format("2 rows")),
    }


def test_a_view_of_one_kind_that_was_bent_makes_no_other_unready(
    released: Any, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents tickets that no scheduler reads since the view of notes is not the project's."""
    of_notes = ViewFault("serving.visit_note", "its query", "make build SELECT=serving", NOTE)
    of_all = ViewFault("serving.kind_partition_status", "its query", "make build SELECT=serving")

    def reasons(*faults: ViewFault, kind: str | None = None) -> dict[str, str]:
        monkeypatch.setattr("loader.release.ready.view_faults", lambda warehouse, root: list(faults))
        return {row["record_kind"]: row["reason"] for row in readiness(settings(), [DAY], record_kind=kind).partitions}

    bent, unknown = "{} is not as the project has it: its query", "no line of it is known"
    assert reasons(of_notes) == {NOTE: bent.format("serving.visit_note"), TICKET: unknown}
    assert reasons(of_notes, kind=TICKET) == {TICKET: unknown}
    assert reasons(of_all) == dict.fromkeys((NOTE, TICKET), bent.format("serving.kind_partition_status"))


def test_status_tells_each_kind_apart(released: Any, database: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a held day of notes that is told of tickets, and tickets that are not told for a view of notes."""
    hold(settings(), [DAY], "under review", record_kind=NOTE)
    loader = database.acting_as(Role.LOADER)
    found = read_status(loader, None)
    assert [(day.record_kind, day.partition_key, day.state) for day in found.days] == [(NOTE, DAY.isoformat(), "held")]
    assert found.kinds == [NOTE, TICKET]
    of_tickets = read_status(loader, None, record_kind=TICKET)
    assert (of_tickets.days, of_tickets.holds, of_tickets.kinds) == ([], [], [NOTE, TICKET])
    of_notes = ViewFault("serving.visit_note", "its query", "make build SELECT=serving", NOTE)
    monkeypatch.setattr(status, "view_faults", lambda warehouse, root: [of_notes])
    assert read_status(loader, None).blind_kinds == [NOTE]
    bent = read_status(loader, None, record_kind=TICKET)
    assert (bent.view_faults, bent.blind_kinds) == ([], [])
    with pytest.raises(
        CommandUsageError,
        match="KIND: got visit, expected one of call_v1, document_v1, image_v1, note_v1, ocr_text_v1",
    ):
        read_status(loader, None, record_kind="visit")


def test_damage_of_every_day_of_one_kind_keeps_no_other_back(released: Any) -> None:
    """Prevents tickets that wait since a file of notes has lost a blank line."""
    released.execute(
        "set role omni_transform;"
        " create table reconcile.reconcile_partition (record_kind text, partition_key date,"
        "  obstacles jsonb default '[]');"
        " create table reconcile.reconcile_asset (asset_id integer, ruleset_id integer, source_id text,"
        "  rejected_count bigint, limited_record_count bigint, limited_rejected_count bigint, is_record boolean);"
        " create table reconcile.reconcile_finding (table_name text, check_name text, record_kind text,"
        "  partition_key date, source_id text, finding_count integer, detail text);"
        " insert into reconcile.reconcile_partition (record_kind, partition_key) values (%s, %s), (%s, %s), (%s, %s);"
        " insert into reconcile.reconcile_finding values ('bronze.asset_line', 'gone', %s, null, null, 1, '');"
        " reset role",
        (NOTE, DAY, NOTE, NEXT, TICKET, DAY, NOTE),
    )
    for kind, key in ((NOTE, "2"), (TICKET, "1")):
        released.execute(f"update silver.{NAMES[kind]['table']} set status = 'new'")
        released.execute("insert into release.pending_record values (%s, %s)", (kind, key))
    released.connection.commit()
    published = publish(released, Request(ACT, 0.05, Proved(frozenset({(NOTE, None)}))))
    assert published.partitions == (Partition(TICKET, DAY),)
    assert [decision.partitions for decision in published.kept_back] == [(Partition(NOTE, NEXT),)]
    released.execute("select record_kind, partition_key, obstacles from release.partition_gate order by 1, 2")
    damage = [
        {
            "code": "reconcile_finding",
            "count": 1,
            "names": ["gone"],
            "table_name": "bronze.asset_line",
            "message": "gone: 1 row of bronze.asset_line",
        }
    ]
    assert released.fetchall() == [(NOTE, DAY, damage), (NOTE, NEXT, damage), (TICKET, DAY, [])]


def test_a_command_without_a_kind_is_about_every_kind_that_knows_the_day(released: Any) -> None:
    """Prevents a hold of a day that some kind slips through, and one of a kind that has nothing of the day."""
    other = date(2026, 5, 1)
    assert asked_partitions(released, [DAY, NEXT], None) == [
        Partition(NOTE, DAY),
        Partition(NOTE, NEXT),
        Partition(TICKET, DAY),
    ]
    assert asked_partitions(released, [other], None) == [Partition(NOTE, other), Partition(TICKET, other)]
    assert asked_partitions(released, [NEXT, NEXT], TICKET) == [Partition(TICKET, NEXT)]
    with pytest.raises(
        CommandUsageError,
        match=r"KIND: got visit, expected one of call_v1, document_v1, image_v1, note_v1, ocr_text_v1",
    ):
        asked_partitions(released, [DAY], "visit")


def test_a_hold_of_one_kind_keeps_no_other_back_and_its_record_says_which(released: Any, database: Warehouse) -> None:
    held = hold(settings(), [DAY], "under review", record_kind=NOTE)
    assert held.partitions == (Partition(NOTE, DAY),)
    assert held.kinds == {NOTE, TICKET}
    assert rows(database, "select record_kind, partition_key, is_held from release.hold_change") == [(NOTE, DAY, True)]
    ((content,),) = rows(database, "select convert_from(content, 'UTF8') from ops.run_evidence")
    assert re.search(r'"record_kind": ?"note_v1", ?"partition_key": ?"2026-04-14"', re.sub(r"\s+", " ", content))


def test_an_erasure_takes_the_person_out_of_every_kind(released: Any, database: Warehouse) -> None:
    """Prevents a person who is erased from tickets and served from notes, and versions that can be shown no more."""
    cursor = released
    cursor.execute("set role omni_loader")
    plan = make_erasure_plan(cursor, settings(), "c", "asked for")
    assert (plan.count("released_row_count"), plan.partitions) == (4, (DAY, NEXT))
    remove_rows(cursor, plan, "c", "a" * 32, {})
    for names in NAMES.values():
        cursor.execute("select count(*) from release.{table}".format(**names))
        assert cursor.fetchone() == (0,)
    cursor.execute("select record_kind, record_key from release.pending_record order by 1, 2")
    assert cursor.fetchall() == [(NOTE, "1"), (NOTE, "2"), (TICKET, "1")]
    assert digests.unlike(cursor) == []
    cursor.execute(
        "select record_kind, partition_key, data_release_id, record_count from ops.erased_version order by 1, 2, 3"
    )
    assert cursor.fetchall() == [(NOTE, DAY, 1, 1), (NOTE, NEXT, 1, 1), (NOTE, NEXT, 2, 2), (TICKET, DAY, 1, 1)]
    cursor.connection.rollback()


def test_a_person_whom_silver_does_not_show_leaves_releases_with_their_events(
    released: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents rows of the person that readers may be shown again, of a kind whose person is personal data."""
    released.execute(
        "create table bronze.raw_visit_note partition of bronze.record_event for values in (%s);"
        "grant all on bronze.raw_visit_note to omni_loader; set session_replication_role = replica;"
        "insert into bronze.raw_visit_note (record_kind, event_id, record_fingerprint, record_source, record_key,"
        " person_id, created_at, partition_key, raw_payload, envelope, warning_codes, asset_id, line_number, run_id,"
        " _dlt_load_id) select distinct on (event_id) %s, event_id, ''::bytea, 's', note_number, 'c', now(),"
        " date '2026-04-14', '', '', '{}'::text[], 1, 1, gen_random_uuid(), 'l' from release.visit_note"
        " where note_number = '1'; set session_replication_role = origin",
        (NOTE, NOTE),
    )
    shown = released_kinds(released)
    of_nobody = tuple(replace(kind, person_column=None) if kind.record_kind == NOTE else kind for kind in shown)
    for room in (plan_room, removal_room):
        monkeypatch.setattr(room, "released_kinds", lambda cursor: of_nobody)
    plan = make_erasure_plan(released, settings(), "c", "asked for")
    assert {kind: counts["released_row_count"] for kind, counts in plan.kinds.items()} == {NOTE: 2, TICKET: 1}
    remove_rows(released, plan, "c", "a" * 32, {})
    released.execute("select note_number from release.visit_note")
    assert released.fetchall() == [("2",)]
    assert digests.unlike(released) == []
    released.connection.rollback()


def test_a_change_of_one_kinds_silver_is_no_change_of_the_other(released: Any) -> None:
    """Prevents tickets that stay back since a note was edited after the proof."""
    changes.find_changes(released)
    for row_key, day in (("1", NEXT), ("*", None)):
        released.execute("savepoint here")
        released.execute(
            "insert into ops.unproved_change (table_name, row_key, partition_key) values ('silver.visit_note', %s, %s)",
            (row_key, day),
        )
        assert changes.changed_since_proof(released) == {(NOTE, day)}
        released.execute("rollback to savepoint here")
    released.connection.rollback()
