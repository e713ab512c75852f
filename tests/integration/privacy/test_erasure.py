"""A person taken out of everything, of every kind of record, and kept out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from loader.audit import verify_evidence
from loader.contract.schema import load_schema, schema_faults
from loader.erasure import erase, plan_erasure, read_erasure_plan
from loader.errors import CheckFailedError, CommandUsageError, RefusedError
from loader.kinds import load_ruleset
from loader.plans import write_plan
from loader.progress import Silent
from loader.raw_zone import RawZone
from loader.recovery import apply_plan
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import comment, fates, rows, settings, ticket
from tests.integration.privacy.people import (
    COMMENT,
    NEIGHBOUR,
    PERSON,
    REASON,
    SECRETS,
    archived,
    deliver,
    deliver_to_both,
    dumped,
    erase_person,
    ingest,
    lines_of_comments,
    lines_of_second,
    reported,
    traces,
)
from tests.recoveries import left_by_runs, planned, recover
from tests.shared_warehouse import own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

OTHERS = {
    "bronze.raw_ticket_event": "person_id <> %s",
    "silver.ticket_fact": "customer_id <> %s and ticket_id not like '%%-000003'",
    "silver.customer_dim": "customer_id <> %s",
    "release.ticket_fact": "customer_id <> %s",
    "bronze.raw_ticket_comment_event": "person_id <> %s",
    "silver.ticket_comment_fact": "author_id <> %s",
    "release.ticket_comment_fact": "author_id <> %s",
}
VERSIONS = """
select version.record_kind, version.partition_key::text, version.data_release_id,
    version.record_count = count(held.row_digest) and version.record_digest = coalesce(sum(held.row_digest), 0)
from release.partition_version as version
left join (
    select 'ticket_v1' as record_kind, partition_key, first_release_id, end_release_id, row_digest
    from release.ticket_fact
    union all
    select 'ticket_comment_v1', partition_key, first_release_id, end_release_id, row_digest
    from release.ticket_comment_fact
) as held on held.record_kind = version.record_kind and held.partition_key = version.partition_key
    and held.first_release_id <= version.data_release_id
    and (held.end_release_id is null or held.end_release_id > version.data_release_id)
group by version.record_kind, version.partition_key, version.data_release_id order by 1, 2, 3
"""
STATISTICS = "select count(*) from pg_stats where concat(most_common_vals::text, histogram_bounds::text) ~ %s"
FATES = "select fate, count(*) from reconcile.line_fate group by fate order by fate"


@pytest.fixture(scope="module")
def told(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The person is delivered twice in tickets and once in comments, seen as of the first release, and erased; what was
    before."""
    folder = tmp_path_factory.mktemp("erasure")
    with own_warehouse(server, _template, folder, LOADER_REJECT_LIMIT="0.5") as database:
        manifests = deliver_to_both(folder)
        runs = [str(ingest(manifest).facts.run["run_id"]) for manifest in manifests]
        request = {"window_start": "2026-04-17", "window_end": "2026-04-18", "release": 1, "as_of": None, "reason": "t"}
        request["record_kind"] = "ticket_v1"
        apply_plan(settings(), planned("restore", **request))
        # As an analysis between a build and its proof leaves it: the planner remembers whose rows had changed.
        changed = "insert into ops.unproved_change (table_name, row_key) values ('silver.customer_dim', %s)"
        for customer in (PERSON, "cust-a", "cust-z"):
            rows(database, changed, customer)
        rows(database, "analyze ops.unproved_change")
        before = {name: _others(database, name) for name in OTHERS}
        keys = list(RawZone(settings().raw_zone).objects())
        held = traces(dumped(database)), traces(archived())
        served = [
            *rows(database, "select customer_id from serving.ticket_fact where ticket_id like '%-000001'"),
            *rows(database, "select author_id from serving.ticket_comment_fact where comment_id like '%-000001'"),
        ]
        erased = erase_person()
        yield {
            "database": database, "folder": folder, "manifests": manifests, "runs": runs, "others": before,
            "keys": keys, "held": held, "served": served, "erased": erased,
        }  # fmt: skip


def _others(database: Warehouse, table: str) -> list[Any]:
    return rows(database, f"select to_jsonb(t) from {table} as t where {OTHERS[table]} order by t::text", PERSON)


def test_nothing_of_an_erased_person_is_left(told: dict[str, Any]) -> None:
    """Rows of every table and view, archived objects, reports: all of it held the person before."""
    assert {*SECRETS} - {SECRETS[4]} | {PERSON} <= set(told["held"][0]) and set(SECRETS) <= set(told["held"][1])
    assert told["served"] == [(PERSON,), (PERSON,)]
    database = told["database"]
    assert (traces(dumped(database)), traces(archived()), traces(reported())) == ([], [], [])
    assert told["erased"].removed == {
        "raw_ticket_event": 5,
        "raw_ticket_comment_event": 2,
        "asset_line": 13,
        "rejected_record": 4,
        "released_row": 7,
        "raw_zone_object": 3,
    }
    assert rows(database, STATISTICS, rf"{PERSON}([^0-9]|$)") == [(0,)]
    # The words of others are theirs: in the archive of each kind, in Bronze, and in a line that was rejected.
    mentions = "select record_kind, record_key from bronze.record_event where raw_payload ~ %s order by 1, 2"
    assert rows(database, mentions, rf"{PERSON}[^0-9]") == [
        ("ticket_comment_v1", "CMT-20260417-000002"),
        ("ticket_comment_v1", "CMT-20260417-000003"),
        ("ticket_v1", "TKT-20260417-000002"),
    ]
    assert told["erased"].mention_count == 9
    paths = [settings().project_root / path for path in told["erased"].source_paths]
    assert [path.name for path in paths] == ["comments.jsonl", "first.jsonl", "second.jsonl.gz"] and all(
        path.is_file() for path in paths
    )


def test_every_line_keeps_its_number_and_has_one_fate(told: dict[str, Any]) -> None:
    database = told["database"]
    assert rows(database, FATES) == [("blank", 1), ("duplicate", 1), ("erased", 13), ("landed", 6), ("rejected", 3)]
    assert rows(database, "select asset_id, line_number from ops.erased_line order by 1, 2") == [
        *((1, number) for number in (1, 5, 6, 7, 9)),
        *((2, number) for number in (1, 2, 4, 5)),
        *((3, number) for number in (1, 4, 5, 7)),
    ]
    # The agent's comment stays, on a ticket that went.
    links = "select record_key, linked_key from reconcile.reconcile_link"
    assert rows(database, links) == [("CMT-20260417-000002", "TKT-20260417-000001")]
    unexplained = "select (select sum(unexplained_count) from reconcile.{}), count(*) from reconcile.reconcile_finding"
    for model in ("reconcile_asset", "reconcile_run", "reconcile_manifest", "reconcile_partition"):
        assert rows(database, unexplained.format(model)) == [(0, 0)]


def test_rows_of_others_are_what_they_were(told: dict[str, Any]) -> None:
    database = told["database"]
    for table in (name for name in OTHERS if not name.startswith("release.")):
        now, before = _others(database, table), told["others"][table]
        if table == "silver.customer_dim":
            # The neighbour's newest ticket is another now that the shared one is back: only that row may differ.
            now, before = ([row for row in side if row[0]["customer_id"] != NEIGHBOUR] for side in (now, before))
        assert now == before
    # A ticket that the person took over is again what it was before.
    assert rows(database, "select customer_id, updated_at from silver.ticket_fact where ticket_id like '%-000003'") == [
        (NEIGHBOUR, None)
    ]
    for table in ("release.ticket_fact", "release.ticket_comment_fact"):
        now = [row for (row,) in _others(database, table)]
        assert told["others"][table] and [row for (row,) in told["others"][table] if row not in now] == []


def test_released_versions_add_up_and_can_be_shown(told: dict[str, Any]) -> None:
    """Digests of what was released are those of what is left, and a restore is proved by them."""
    database = told["database"]
    found = rows(database, VERSIONS)
    assert {kind for kind, *_ in found} == {"ticket_v1", COMMENT} and len(found) >= 6
    assert all(adds_up for *_, adds_up in found)
    taken = "select record_kind, sum(record_count)::int from ops.erased_version group by 1 order by 1"
    assert [kind for kind, count in rows(database, taken) if count] == [COMMENT, "ticket_v1"]
    request = {"window_start": "2026-04-17", "window_end": "2026-04-18", "as_of": None, "reason": "tests"}
    request["record_kind"] = "ticket_v1"
    shown = "select ticket_id, customer_id from serving.ticket_fact where partition_key = '2026-04-17' order by 1"
    assert (f"{'TKT-20260417-000003'}", NEIGHBOUR) in rows(database, shown)
    apply_plan(settings(), planned("restore", **request, release=2))
    assert [customer for _, customer in rows(database, shown) if customer == PERSON] == []
    apply_plan(settings(), planned("restore", **request, release=1))
    assert [ticket_id[-1] for ticket_id, _ in rows(database, shown)] == ["2", "3", "7"]


def test_the_evidence_says_what_was_done_and_to_nobody(told: dict[str, Any]) -> None:
    database, erased = told["database"], told["erased"]
    record = orjson.loads(erased.report_path.read_bytes())
    redactions = [(each["old_raw_zone_key"], each["line_count"]) for each in record["redacted_objects"]]
    assert [key for key, _ in redactions if key.endswith(".gz")] == [key for key in told["keys"] if ".gz" in key]
    assert sorted(key for key, _ in redactions) == sorted(told["keys"])
    assert [count for _, count in redactions] == [5, 4, 4]
    assert {each["record_kind"] for each in record["released_versions"]} == {"ticket_v1", COMMENT}
    schema = load_schema(ROOT / "contracts" / "privacy" / "erasure_evidence_v1.schema.json")
    assert schema_faults(schema, record) == []
    with closing(database.connect()) as session, session, session.cursor() as cursor:
        assert verify_evidence(cursor, settings())[1] == []


def test_the_archive_still_proves_bronze(told: dict[str, Any]) -> None:
    """verify reads the redacted objects, line by line, for runs of before the erasure."""
    for run_id, kind in zip(told["runs"], ("ticket_v1", "ticket_v1", COMMENT), strict=True):
        ruleset = load_ruleset(ROOT / "contracts", kind)
        found = verify_run(told["database"], RawZone(settings().raw_zone), ruleset, run_id)
        assert (dict(found.differences), found.unreadable, found.is_proved) == ({}, {}, True)


def test_a_tombstone_explains_no_line_that_holds_something(told: dict[str, Any]) -> None:
    """Prevents a gap, or a reject, that somebody explains away by a row in a table."""
    with closing(told["database"].connect()) as session, session.cursor() as cursor:
        cursor.execute(
            "insert into ops.erased_line (asset_id, line_number, erasure_id)"
            " select asset_id, line_number, %s from bronze.asset_line where kind <> 'blank'",
            (told["erased"].erasure_id,),
        )
        assert cursor.rowcount == 10
        cursor.execute(FATES)
        assert dict(cursor.fetchall())["erased"] == 13
        session.rollback()


def test_an_erased_person_does_not_come_back(told: dict[str, Any]) -> None:
    """By the same files, by other files with the same events, by a new version, or by a broken line."""
    database = told["database"]
    before = dumped(database).count("\nbronze.record_event:")
    ingest(*told["manifests"])
    again = [
        *lines_of_second(),
        ticket(4, customer_id=PERSON, subject=SECRETS[3], updated_at="2026-05-01T00:00:00Z"),
        f'{{"customer_id": "{PERSON}", "note": "{SECRETS[4]}'.encode(),
        ticket(20, customer_id="cust-20"),
    ]
    verdict = ingest(deliver(told["folder"], "third", again, is_gzip=True))
    assert (verdict.facts.inserted, verdict.facts.blank) == (1, 0)
    assert fates(verdict) == {"erased": 6, "landed": 1, "duplicate": 2}
    assert (traces(dumped(database)), traces(archived()), traces(reported())) == ([], [], [])
    assert dumped(database).count("\nbronze.record_event:") == before + 1
    assert rows(database, "select count(*) from ops.erased_line where asset_id = 4") == [(6,)]
    comments = [
        *lines_of_comments(),
        comment(6, author_id=PERSON, comment_body=SECRETS[6], updated_at="2026-05-01T00:00:00Z"),
        comment(20, author_id="agent-7", author_role="agent"),
    ]
    of_comments = ingest(deliver(told["folder"], "fourth", comments, kind=COMMENT))
    assert (of_comments.facts.inserted, of_comments.facts.blank) == (1, 0)
    assert fates(of_comments) == {"erased": 5, "landed": 1, "duplicate": 2, "rejected": 2}
    assert (traces(dumped(database)), traces(archived()), traces(reported())) == ([], [], [])
    assert rows(database, "select count(*) from ops.erased_line where asset_id = 5") == [(5,)]
    found = verify_run(
        database, RawZone(settings().raw_zone), load_ruleset(ROOT / "contracts"), str(verdict.facts.run["run_id"])
    )
    assert found.is_proved


def test_a_plan_is_applied_once_for_its_customer_and_while_it_holds(told: dict[str, Any]) -> None:
    """Prevents an erasure of somebody else, of what was not reviewed, and one that is done twice."""
    database = told["database"]
    customer = "cust-9"
    plan = plan_erasure(settings(), customer, REASON)
    assert [*plan.kinds] == ["ticket_v1"]
    record = read_erasure_plan(settings(), write_plan(settings(), plan))
    assert traces(orjson.dumps(record).decode()) == [] and customer not in orjson.dumps(record).decode()
    with pytest.raises(RefusedError, match=r"is stale, nothing was started; what moved: .*customer_hash"):
        erase(settings(), NEIGHBOUR, record, Silent())
    with pytest.raises(RefusedError, match="event_count: planned 7, now 1"):
        erase(settings(), customer, {**record, "event_count": 7}, Silent())
    with pytest.raises(RefusedError, match="no archived line and no row is of this person"):
        plan_erasure(settings(), PERSON, REASON)
    with pytest.raises(CommandUsageError, match="does not name the person"):
        plan_erasure(settings(), customer, f"{customer} asked")
    edited = told["folder"] / "edited.json"
    edited.write_bytes(orjson.dumps({**record, "line_count": -1}))
    with pytest.raises(CommandUsageError, match="line_count"):
        read_erasure_plan(settings(), edited)
    assert rows(database, "select count(*) from ops.erasure") == [(1,)]
    done = {**record, "plan_id": told["erased"].erasure_id}
    with pytest.raises(RefusedError, match="was applied already; nothing was changed"):
        erase(settings(), customer, done, Silent())


def test_a_retry_of_damaged_rows_does_not_bring_the_person_back(told: dict[str, Any]) -> None:
    """What a run had landed is taken back and landed again from the archive: all of it but the person."""
    database = told["database"]
    before = left_by_runs(database)
    rows(
        database,
        "set session_replication_role = replica; delete from bronze.raw_ticket_event where person_id = %s",
        NEIGHBOUR,
    )
    verdict = recover("retry", run_id=told["runs"][0])
    assert (verdict.exit_code, verdict.facts.run["attempt"]) == (0, 2), verdict.problems
    assert left_by_runs(database) == before
    assert (traces(dumped(database)), traces(archived()), traces(reported())) == ([], [], [])
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]


@pytest.mark.long
def test_every_recovery_verb_reads_what_was_redacted(told: dict[str, Any]) -> None:
    """From the archive or from sources that still hold the person: nothing of the person comes of it."""
    database = told["database"]
    before = {name: rows(database, f"select to_jsonb(t) from {name} as t order by t::text") for name in OTHERS}
    replayed = recover("replay", run_id=told["runs"][0])
    of_comments = recover("replay", run_id=told["runs"][2])
    rerun = recover("rerun", run_id=told["runs"][1])
    window = {
        "window_start": "2026-04-17",
        "window_end": "2026-04-19",
        "manifest_paths": list(map(str, told["manifests"][:2])),
    }
    filled = recover("backfill", **window)
    assert [verdict.exit_code for verdict in (replayed, of_comments, rerun, filled)] == [0, 0, 0, 0]
    assert {name: rows(database, f"select to_jsonb(t) from {name} as t order by t::text") for name in OTHERS} == before
    assert (traces(dumped(database)), traces(archived()), traces(reported())) == ([], [], [])
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]


@pytest.mark.long
def test_no_page_of_bronze_keeps_a_byte_of_the_person(told: dict[str, Any], server: Warehouse) -> None:
    """Deleted rows lie in their pages until these are written over: the files themselves are read."""
    database = told["database"]
    rows(database, "checkpoint")
    tables = ("raw_ticket_event", "raw_ticket_comment_event", "rejected_record")
    for table in tables:
        ((place, folder),) = rows(
            database, "select pg_relation_filepath(%s::regclass), current_setting('data_directory')", f"bronze.{table}"
        )
        content = Path(folder, place).read_bytes().decode("latin-1")
        assert ("Printer is on fire" in content) == (table == "raw_ticket_event")
        assert [secret for secret in SECRETS if secret.encode().decode("latin-1") in content] == []


@pytest.mark.long
def test_what_is_left_fails_the_erasure_and_the_same_command_finishes_it(told: dict[str, Any]) -> None:
    """Prevents an erasure that says done while a table of somebody, or a report, still holds the person."""
    database, customer = told["database"], "cust-9"
    rows(database, "create table public.copy as select * from silver.ticket_fact where customer_id = %s", customer)
    rows(database, "grant select on public.copy to omni_loader; create table public.locked as select 1 as x")
    notes = settings().report_dir / "notes" / "customers.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text(f"call {customer} back")
    stray = RawZone(settings().raw_zone).put_content([b'{"customer_id": "cust-9"'], "gzip")
    with pytest.raises(CheckFailedError, match=r"something of the person is left in public\.copy \(1\)"):
        erase_person(person=customer)
    assert rows(database, "select count(*) from ops.erasure where finished_at is null") == [(1,)]
    assert not notes.exists() and not RawZone(settings().raw_zone).has(stray)
    rows(database, "drop table public.copy")
    erased = erase_person(person=customer)
    assert rows(database, "select count(*) from ops.erasure where finished_at is null") == [(0,)]
    assert erased.removed["raw_ticket_event"] == 1
    assert erased.not_searched == ("public.locked",)
    assert customer not in reported() and customer not in dumped(database) and customer not in archived()
