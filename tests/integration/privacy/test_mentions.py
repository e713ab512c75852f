"""An erasure ends, whatever the lines of others say; whose a line is depends on the kind under which it is read."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from loader.bronze.working_folder import claim
from loader.erasure import plan_erasure
from loader.erasure.quotes import search_objects
from loader.erasure.search import search_rows
from loader.errors import CommandUsageError, RefusedError
from loader.kinds import load_kinds
from loader.kinds.generate import generated_files
from loader.raw_zone import RawZone
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.dated_kind import LEASE, contracts_with_lease
from tests.ingests import comment, rows, settings, ticket
from tests.integration.privacy.people import COMMENT, NEIGHBOUR, PERSON, REASON, deliver, erase_person, ingest
from tests.shared_warehouse import execute

pytestmark = pytest.mark.usefixtures("replayed")


@pytest.mark.usefixtures("loader_environment")
def test_a_rejected_line_of_another_that_mentions_the_id_stays_and_is_counted(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an erasure that no command can end: what it calls left is a neighbour's, and is not its to remove."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.9")
    words = f"my neighbour {PERSON} has it too"
    lines = [
        ticket(1, customer_id=PERSON),
        ticket(2, customer_id=NEIGHBOUR, status="lost", description=words),
        # Cut after 64 KiB where Bronze keeps it.
        ticket(3, customer_id=NEIGHBOUR, status="lost", subject=words, description="long " * 20_000),
        # Somebody else by the letter, and for whoever looks at it the same.
        ticket(4, customer_id=f"{PERSON.upper()} "),
    ]
    verdict = ingest(deliver(tmp_path, "first", lines))
    assert verdict.facts.warnings == {"unclear_identity": 1}
    plan = plan_erasure(settings(), PERSON, "request 4711")
    ((alike, keyed, event_count),) = plan.look_alikes
    assert (alike, event_count) == (f"{PERSON.upper()} ", 1)
    assert plan.as_record(settings())["look_alikes"] == [{"customer_hash": keyed.hex(), "event_count": 1}]
    erased = erase_person()
    assert erased.mention_count == 4, "two lines, in the archive and in Bronze"
    assert rows(database, "select line_number from bronze.rejected_record order by 1") == [(2,), (3,)]


@pytest.mark.long
@pytest.mark.usefixtures("loader_environment")
def test_a_number_is_somebodys_id_only_where_texts_stand(database: Warehouse, tmp_path: Path) -> None:
    """Prevents that a customer whose id is digits is found in every count and offset, and never erased."""
    first = ticket(1, customer_id="?")
    # Where the second line begins.
    customer = str(len(orjson.dumps(first)) + 3)
    ingest(deliver(tmp_path, "first", [{**first, "customer_id": customer}, ticket(2)]))
    assert rows(database, "select count(*) from bronze.asset_line where byte_offset = %s", int(customer)) == [(1,)]
    erase_person(person=customer)
    assert rows(database, "select count(*) from ops.erasure where finished_at is not null") == [(1,)]


@pytest.mark.long
@pytest.mark.usefixtures("loader_environment")
def test_of_a_log_only_lines_go_that_quote_the_person(tmp_path: Path) -> None:
    """Prevents that a subject of one letter empties every log that names the person once."""
    ingest(deliver(tmp_path, "first", [ticket(1, customer_id=PERSON, subject="e")]))
    log = settings().report_dir / "service.log"
    log.write_text(f"three lines\nof {PERSON}\nstay there\n")
    erase_person()
    assert log.read_text() == f"three lines\n{' ' * len('of ' + PERSON)}\nstay there\n"


@pytest.mark.usefixtures("loader_environment")
def test_an_id_that_is_no_text_is_a_wrong_argument() -> None:
    """A terminal in another encoding sends bytes that Python keeps as surrogates."""
    with pytest.raises(CommandUsageError, match="expected a person"):
        plan_erasure(settings(), "cust-\udcff", "request 4711")


@pytest.mark.usefixtures("loader_environment")
def test_a_person_known_by_comments_only_goes_and_tickets_that_name_them_stay(
    database: Warehouse, tmp_path: Path
) -> None:
    """Prevents an agent whom nothing can erase: Silver and the planner's statistics know whose tickets they had."""
    agent = "agent-7"
    ingest(
        deliver(tmp_path, "tickets", [ticket(n, assignee_id=agent) for n in range(1, 4)]),
        deliver(
            tmp_path,
            "comments",
            [
                comment(1, author_id=agent, author_role="agent", comment_body="I called and nobody answered."),
                comment(2, author_id=NEIGHBOUR, comment_body=agent),
            ],
            kind=COMMENT,
        ),
    )
    plan = plan_erasure(settings(), agent, REASON)
    assert plan.kinds == {
        COMMENT: {"event_count": 1, "record_count": 1, "reject_count": 0, "released_row_count": 1},
    }
    assert (plan.line_count, plan.mention_count) == (1, 4)
    record = plan.as_record(settings())
    assert (record["plan_schema_version"], record["record_count"]) == ("erasure_plan_v2", 1)
    assert "ticket_count" not in record
    erased = erase_person(person=agent)
    remembered = (
        "select most_common_vals::text from pg_stats where tablename = 'ticket_fact' and attname = 'assignee_id'"
    )
    assert {text for (text,) in rows(database, remembered)} == {f"{{{agent}}}"}
    # Lines, events, and rows of Silver and of releases.
    assert erased.mention_count == 4 + 4 + 3 + 3
    assert rows(database, "select count(*) from serving.ticket_fact where assignee_id = %s", agent) == [(3,)]
    assert rows(database, "select author_id from serving.ticket_comment_fact") == [(NEIGHBOUR,)]


@pytest.mark.parametrize("how", ["both before the erasure", "one after it", "cut off"])
@pytest.mark.usefixtures("loader_environment")
def test_a_file_that_came_under_another_kind_first_is_judged_under_each(
    how: str, database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents landed records of others that go since the same line was unreadable elsewhere, and a line of the person
    that stays, or is blank without a tombstone, in the object of the other kind."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.9")
    lines = [
        comment(1, author_id=PERSON, comment_body="This is what I said."),
        comment(2, author_id=NEIGHBOUR, comment_body=PERSON),
        comment(3, author_id=NEIGHBOUR),
        ticket(9, customer_id=NEIGHBOUR, description=PERSON),
        comment(5, author_id=NEIGHBOUR, customer_id=PERSON),
    ]
    wrong, right = deliver(tmp_path, "wrong", lines), deliver(tmp_path, "right", lines, kind=COMMENT)
    ingest(wrong)
    if how != "one after it":
        ingest(right)
    if how == "cut off":
        # What it made for one kind may be the person's under the other.
        with monkeypatch.context() as cut, pytest.raises(OSError, match="No space left"):
            cut.setattr("loader.erasure.verb.remove_rows", _dies)
            erase_person()
    erase_person()
    read = rows(database, "select raw_zone_key from ops.source_asset")
    assert [RawZone(settings().raw_zone).state(key) for (key,) in read] == ["sound"] * len(read)
    if how == "one after it":
        ingest(right)
    ingest(wrong, right)
    assert rows(database, "select asset_id, line_number from ops.erased_line order by 1, 2") == [
        (1, 1),
        (1, 2),
        (1, 5),
        (2, 1),
        (2, 4),
    ]
    assert rows(database, "select record_key from bronze.record_event order by 1") == [
        ("CMT-20260417-000002",),
        ("CMT-20260417-000003",),
        ("TKT-20260417-000009",),
    ]
    fates = "select asset_id, line_number, fate from reconcile.line_fate where fate <> 'landed' order by 1, 2"
    assert rows(database, fates) == [
        *((1, 1, "erased"), (1, 2, "erased"), (1, 3, "rejected"), (1, 5, "erased")),
        *((2, 1, "erased"), (2, 4, "erased"), (2, 5, "rejected")),
    ]
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]
    keys = [key for (key,) in rows(database, "select raw_zone_key from ops.source_asset order by asset_id")]
    assert len({*keys}) == 2 and sorted(RawZone(settings().raw_zone).objects()) == sorted(keys)


def _dies(*arguments: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.usefixtures("loader_environment")
def test_what_a_kind_of_no_person_says_is_nobodys(database: Warehouse, tmp_path: Path) -> None:
    """Prevents an erasure that no command can end: a lease that names somebody is not theirs."""
    contracts = contracts_with_lease(tmp_path)
    declaration = contracts / "kinds" / LEASE / "kind.yml"
    declaration.write_text(
        declaration.read_text().replace("silver: lease\n", "silver: lease\ndimensions: [flat_dim]\n", 1)
    )
    kinds = load_kinds(contracts)
    files = generated_files(kinds)
    for name in ("02_kinds", "04_release_rows"):
        execute(database, f"set role omni_loader; {files[Path(f'infra/postgres/{name}.sql')]}")
    execute(database, (ROOT / "infra/postgres/90_access.sql").read_text())
    raw_zone = RawZone(settings().raw_zone)
    line = orjson.dumps({"lease": 7, "signed_on": "2026-06-01", "paper": PERSON})
    keys = {
        name: raw_zone.put_content([line, end], "identity") for name, end in ((LEASE, b"\n"), ("ticket_v1", b"\n\n"))
    }
    asset = (
        "insert into ops.source_asset (source_fingerprint, record_kind, size_bytes, content_encoding, content_bytes,"
        " raw_zone_key, registered_by_run_id) values (%s, %s, 1, 'identity', 1, %s, gen_random_uuid())"
        " returning asset_id"
    )
    ((lease,),) = rows(database, asset, "a" * 64, LEASE, keys[LEASE])
    ((of_tickets,),) = rows(database, asset, "b" * 64, "ticket_v1", keys["ticket_v1"])
    rows(
        database,
        "set session_replication_role = replica;"
        "insert into bronze.raw_lease (record_kind, event_id, record_fingerprint, record_source, record_key,"
        " created_at, partition_key, raw_payload, envelope, warning_codes, asset_id, line_number, run_id, _dlt_load_id)"
        " values (%s, gen_random_uuid(), '', 'lease', '7', now(), '2026-06-01', %s, '{}', '{}', %s, 1,"
        " gen_random_uuid(), '1')",
        LEASE,
        line.decode(),
        lease,
    )
    reject = (
        "set session_replication_role = replica; insert into bronze.rejected_record values"
        " (%s, 2, 1, null, '{x}', '', '$', %s, sha256(%s), gen_random_uuid(), '1')"
    )
    rows(database, reject, lease, line, line)
    for table in ("lease", "flat_dim"):
        made = f"create table silver.{table} as select '{PERSON}'::text as paper; analyze silver.{table}"
        execute(database, f"set role omni_transform; {made}")
    landed = {name: kind.landing for name, kind in kinds.items() if kind.landing is not None}
    under = {keys[LEASE]: [landed[LEASE]], keys["ticket_v1"]: [landed["ticket_v1"]]}
    with closing(database.connect()) as session, session, session.cursor() as cursor:
        cursor.execute("set role omni_loader")
        remains = search_rows(cursor, landed, PERSON, [])
        assert (dict(remains.found), remains.mention_count) == ({}, 4)
    rows(database, reject, of_tickets, line, line)
    with closing(database.connect()) as session, session, session.cursor() as cursor:
        cursor.execute("set role omni_loader")
        remains = search_rows(cursor, landed, PERSON, [])
        assert (dict(remains.found), remains.mention_count) == ({"bronze.rejected_record": 1}, 4)
    in_objects = search_objects(raw_zone, under, [*landed.values()], PERSON)
    assert (dict(in_objects.found), in_objects.mention_count) == ({f"raw zone {keys['ticket_v1']}": 1}, 1)


@pytest.mark.usefixtures("loader_environment")
def test_files_of_a_kind_that_is_not_declared_any_more_are_named(database: Warehouse) -> None:
    """Prevents an erasure that says done, and could not tell whose the lines of these files are."""
    rows(
        database,
        "insert into ops.source_asset (source_fingerprint, record_kind, size_bytes, content_encoding, content_bytes,"
        " raw_zone_key, registered_by_run_id)"
        " values (%s, 'permit_v1', 1, 'identity', 1, 'sha256/k', gen_random_uuid())",
        "a" * 64,
    )
    with pytest.raises(RefusedError, match="files of permit_v1, which contracts/kinds/permit_v1 does not") as refused:
        plan_erasure(settings(), PERSON, REASON)
    assert refused.value.next_command.startswith("git log --oneline -- contracts/kinds/permit_v1")


@pytest.mark.usefixtures("loader_environment")
def test_files_of_a_load_at_work_stay(tmp_path: Path) -> None:
    """Prevents an erasure from breaking a load of another warehouse of the checkout."""
    ingest(deliver(tmp_path, "first", [ticket(1, customer_id=PERSON)]))
    # Folders as an attempt of another warehouse has them: nothing here knows its name.
    attempt = settings().state_folder / "dlt" / f"other_{uuid4().hex}"
    at_work, dead = attempt / "1", attempt / "2"
    try:
        holder = Holder()
        for folder in (at_work, dead):
            claim(folder, holder if folder == at_work else Holder())
            (folder / "rows.csv").write_text(f"a row of {PERSON}\n")
        erase_person()
        assert (at_work / "rows.csv").exists()
        assert not (dead / "rows.csv").exists()
    finally:
        shutil.rmtree(attempt)


class Holder:
    """What holds a folder as long as it lives."""
