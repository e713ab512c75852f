"""The chain of evidence finds whatever was edited, removed, put elsewhere or invented."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest

from loader.audit import walk
from loader.cli.verify_command import verify
from loader.contract.schema import load_schema, schema_faults
from loader.errors import CheckFailedError, CommandUsageError, InfrastructureError
from loader.evidence import History, read_history
from loader.evidence.chain import append, write_waiting
from loader.ingest.evidence import Evidence
from loader.partition import Partition
from loader.recovery import apply_plan
from loader.release.by_hand import hold
from loader.warehouse import Role, Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, evidence_faults, rows, run, settings, ticket, write_export
from tests.recoveries import planned
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

BEHIND = "set session_replication_role = replica; "
DAY = "2026-04-17"
WAITING = "select report_path from ops.unwritten_evidence inner join ops.run_evidence using (evidence_id)"


@pytest.fixture(scope="module")
def ingested(
    server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kept, dict[Path, bytes]]]:
    """Two runs, a hold and a restore, and the files that they left."""
    root = tmp_path_factory.mktemp("ingested")
    with own_warehouse(server, _template, root) as database:
        for name, number in (("first", 1), ("second", 2)):
            write_export(root / name / f"tickets-{DAY}.jsonl", [ticket(number)])
            assert run(declare(root / name, name)).exit_code == 0
        hold(settings(), [date(2026, 4, 18)], "under review")
        window = {"window_start": DAY, "window_end": "2026-04-18", "release": None, "as_of": None}
        apply_plan(settings(), planned("restore", **window, reason="tests"))
        files = {path: path.read_bytes() for path in reports()}
        with kept(server, database) as whole:
            yield whole, files


@pytest.fixture
def database(ingested: tuple[Kept, dict[Path, bytes]]) -> Warehouse:
    """As it was after the two runs, the files too."""
    whole, files = ingested
    for path in reports():
        path.unlink()
    for path, content in files.items():
        path.write_bytes(content)
    return whole.fresh()


def reports() -> list[Path]:
    return sorted([*settings().report_dir.glob("run_evidence/*/*.json"), *settings().report_dir.glob("release/*.json")])


def test_each_record_holds_the_hash_of_the_one_before(database: Warehouse) -> None:
    assert evidence_faults(database) == []
    for dataset in ("bronze/raw_ticket_event", "release/partition_pointer"):
        chain = rows(
            database,
            "select content, content_sha256, predecessor_sha256 from ops.run_evidence where dataset = %s"
            " order by evidence_id",
            dataset,
        )
        assert len(chain) == 4
        assert [row[2] for row in chain] == [None, *(row[1] for row in chain[:-1])]
        assert [orjson.loads(bytes(row[0]))["predecessor_sha256"] for row in chain] == [row[2] for row in chain]


def test_each_act_has_a_record_with_its_anchors_and_what_it_showed(database: Warehouse) -> None:
    """Prevents a release, a hold or a restore of which nobody can say who made it and what readers saw then."""
    schema = load_schema(ROOT / "contracts" / "release_evidence" / "release_evidence_v2.schema.json")
    records = [orjson.loads(path.read_bytes()) for path in reports() if path.parent.name == "release"]
    assert [fault for record in records for fault in schema_faults(schema, record)] == []
    versions = {
        number: (count, str(digest))
        for number, count, digest in rows(
            database, "select data_release_id, record_count, record_digest from release.partition_version"
        )
    }
    told = [
        (
            record["act"],
            record["data_release_id"],
            [(each["old_release_id"], each["new_release_id"]) for each in record["pointers"]],
            [(each["partition_key"], each["is_held"]) for each in record["holds"]],
        )
        for record in records
    ]
    assert told == [
        ("hold", None, [], [("2026-04-18", True)]),
        ("publish", 1, [(0, 1)], []),
        ("publish", 2, [(1, 2)], []),
        ("restore", 3, [(2, 1)], [(DAY, True)]),
    ]
    for record in records[1:]:
        (pointer,) = record["pointers"]
        assert (pointer["record_count"], pointer["record_digest"]) == versions[pointer["new_release_id"]]
    runs = rows(database, "select run_id::text, attempt, trace_id from ops.ingest_run order by started_at")
    assert [(record["run_id"], record["attempt"], record["trace_id"]) for record in records[1:3]] == runs
    assert (records[3]["run_id"], records[3]["plan_id"]) == (None, rows(database, PLAN)[0][0])


@pytest.mark.parametrize("statement", ["update ops.run_evidence set attempt = 1", "truncate ops.run_evidence"])
def test_the_table_takes_no_change(database: Warehouse, statement: str) -> None:
    with pytest.raises(psycopg2.errors.RaiseException, match="evidence is added, never changed"):
        rows(database, statement)


RUNS = "from ops.run_evidence where dataset = 'bronze/raw_ticket_event'"
SAID = "convert_to(replace(convert_from(content, 'UTF8'), 'success', 'warning'), 'UTF8')"
PLAN = "select plan_id::text from release.data_release where data_release_id = 3"
ACT = "dataset = 'release/partition_pointer'"
DAMAGES = {
    "edited": (
        f"update ops.run_evidence set content = {SAID} where evidence_id = (select min(evidence_id) + 1 {RUNS})",
        "edited: its content is not that of its SHA-256",
    ),
    "edited with its hash": (
        (
            f"update ops.run_evidence set content = {SAID}, content_sha256 = encode(sha256({SAID}), 'hex')"
            f" where evidence_id = (select min(evidence_id) {RUNS})"
        ),
        "its predecessor was removed, edited or put elsewhere",
    ),
    "removed": (
        f"delete from ops.run_evidence where evidence_id = (select min(evidence_id) {RUNS})",
        "its predecessor was removed, edited or put elsewhere",
    ),
    "the last removed": (f"delete {RUNS} and evidence_id >= 3", "the record of the run was removed"),
    "changed places": (
        (
            "alter table ops.run_evidence alter evidence_id drop identity;"
            f" update ops.run_evidence set evidence_id = 100 where evidence_id = (select min(evidence_id) {RUNS})"
        ),
        "its predecessor was removed, edited or put elsewhere",
    ),
    "the warehouse says otherwise": (
        "update silver.ticket_fact set partition_key = '2026-04-16' where ticket_id like '%1'",
        "silver_row_count: it says 2, the warehouse 1",
    ),
    "a row of Silver edited": (
        "update silver.ticket_fact set status = 'closed' where ticket_id like '%1'",
        "silver_digest",
    ),
    "a payload of Bronze edited": (
        "update bronze.raw_ticket_event set raw_payload = replace(raw_payload, 'open', 'shut') where asset_id = 1",
        "1 payload not of the event's fingerprint",
    ),
    "an event of Bronze removed": (
        "delete from bronze.raw_ticket_event where asset_id = 1",
        "it was completed with 1 row, Bronze holds 0",
    ),
    "a payload edited with its fingerprint": (
        """update bronze.raw_ticket_event set raw_payload = replace(raw_payload, 'open', 'shut'),
        record_fingerprint = sha256(convert_to(replace(raw_payload, 'open', 'shut'), 'UTF8')) where asset_id = 1""",
        "rows were edited since it was completed",
    ),
    "the record of an erasure removed": (
        """insert into ops.erasure
            (erasure_id, customer_hash, operator, reason, trace_id, removed, removed_at, finished_at)
        values (gen_random_uuid(), sha256('x'), 'x', 'x', repeat('a', 32), '{}', '2026-01-01', '2026-01-01')""",
        "the record of the erasure was removed",
    ),
    "a line of Bronze removed": ("delete from bronze.asset_line where asset_id = 1", "line_count: it says 2"),
    "a released row edited": (
        "update release.ticket_fact set status = 'closed' where first_release_id = 1",
        "the content of 1 row is not that of the digest",
    ),
    "a released row removed": (
        "delete from release.ticket_fact where first_release_id = 2",
        "rows and digest: released 2",
    ),
    "a released row shown longer": (
        """insert into release.ticket_fact select (jsonb_populate_record(row, '{"ticket_id": "x"}')).*
        from release.ticket_fact as row where first_release_id = 2""",
        "rows and digest: released 2",
    ),
    "a pointer moved": (
        "update release.partition_pointer set data_release_id = 2",
        "2026-04-17: it says version 1, readers see 2",
    ),
    "a version edited": (
        "update release.partition_version set record_digest = 0 where data_release_id = 1",
        "pointers: it says",
    ),
    "a reason edited": (
        "update release.data_release set reason = 'another' where data_release_id = 3",
        "reason: it says tests, the warehouse another",
    ),
    "an act removed": (
        "delete from release.data_release where data_release_id = 2",
        "the act that it tells of was removed",
    ),
    "a hold removed": ("delete from release.hold_change where change_id = 1", "the act that it tells of was removed"),
    "an act invented": (
        "insert into release.data_release (kind, trace_id, operator) values ('publish', repeat('a', 32), 'nobody')",
        "its record was removed, or never written",
    ),
    "a hold invented": (
        """insert into release.hold_change (record_kind, partition_key, is_held, operator, reason)
        values ('ticket_v1', now(), true, 'x', 'x')""",
        "its record was removed, or never written",
    ),
    "the last record of an act removed": (
        f"delete from ops.run_evidence where evidence_id = (select max(evidence_id) from ops.run_evidence where {ACT})",
        "its record was removed, or never written",
    ),
    "a record of an act edited to nonsense": (
        (
            "update ops.run_evidence set content = '{}', content_sha256 = encode(sha256('{}'), 'hex')"
            f" where evidence_id = (select max(evidence_id) from ops.run_evidence where {ACT})"
        ),
        "edited: it is no record any more",
    ),
}


@pytest.mark.parametrize(("damage", "fault"), DAMAGES.values(), ids=DAMAGES)
def test_damage_in_the_warehouse_is_found(database: Warehouse, damage: str, fault: str) -> None:
    rows(database, BEHIND + damage)
    found = evidence_faults(database)
    assert any(each.fault.startswith(fault) for each in found), found


def test_a_day_is_counted_again_whatever_landed_in_others_since(database: Warehouse, tmp_path: Path) -> None:
    """Prevents that the first day's record is compared with nothing as soon as there is a second day."""
    later = ticket(9, ticket_id="TKT-20260418-000009", created_at="2026-04-18T08:00:00Z")
    write_export(tmp_path / "third" / "tickets-2026-04-18.jsonl", [later])
    assert run(declare(tmp_path / "third", "third")).exit_code == 0
    assert evidence_faults(database) == []
    rows(database, BEHIND + f"delete from silver.ticket_fact where partition_key = '{DAY}' and ticket_id like '%1'")
    assert [each.fault for each in evidence_faults(database)][:1] == ["silver_row_count: it says 2, the warehouse 1"]


@pytest.mark.parametrize("made", ["record", "release"])
def test_rows_from_before_there_were_numbers_get_them_in_order(database: Warehouse, made: str) -> None:
    """Prevents that a warehouse of an earlier version loses its order, or its identity, when it gets these columns."""
    of = {"record": ("ops.run_evidence", "evidence_id"), "release": ("release.data_release", "data_release_id")}
    table, key = of[made]
    order = (
        "select array_agg(name order by event_number) from ("
        " select run_id::text as name, event_number from ops.ingest_run"
        f" union all select '{made} ' || {key}, event_number from {table}) as numbered"
    )
    before = rows(database, order), rows(database, "select timeline_id from ops.timeline")
    tables = "ops.manifest ops.ingest_run ops.completed_load ops.ingest_state_change ops.run_evidence ops.proof"
    for numbered in f"{tables} ops.erasure release.data_release release.expiry".split():
        rows(database, f"alter table {numbered} drop column event_number cascade")
    rows(
        database, "drop table ops.timeline; drop sequence ops.event_number; alter table ops.ingest_run drop last_stage"
    )
    for file in ("migrations/0002_event_numbers.sql", "06_timeline.sql"):
        rows(database.acting_as(Role.LOADER), (ROOT / "infra" / "postgres" / file).read_text())
    assert (rows(database, order), rows(database, "select timeline_id from ops.timeline")) == before
    hold(settings(), [date(2026, 4, 19)], "under review")
    assert evidence_faults(database) == []


def test_files_are_compared_too(database: Warehouse) -> None:
    of_acts, of_runs = (
        sorted(settings().report_dir.glob(pattern)) for pattern in ("release/*.json", "run_evidence/*/*.json")
    )
    of_runs[0].write_bytes(of_runs[0].read_bytes().replace(b"success", b"warning"))
    of_runs[1].unlink()
    of_acts[0].unlink()
    invented = [
        of_runs[0].with_name("00000000-0000-7000-8000-000000000000.1.json"),
        of_acts[0].with_name("release_000099.json"),
        # Kinds other than the default one have a folder of their own.
        settings().report_dir / "run_evidence/ticket_comment_v1/2026-04-17/00000000-0000-7000-8000-000000000000.1.json",
    ]
    for path in invented:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert sorted(each.fault for each in evidence_faults(database)) == [
        "a file that no record knows",
        "a file that no record knows",
        "a file that no record knows",
        "its file is gone",
        "its file is gone",
        "its file was edited",
    ]
    for path in invented:
        path.unlink()


def no_space(*arguments: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_that_was_not_written_after_the_commit_is_written_by_the_next_command(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a kill, between the commit of an act and its file: the act and its record stand."""
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("loader.evidence.chain.write_once", no_space)
        hold(settings(), [date(2026, 4, 19)], "under review")
    assert rows(database, "select count(*) from release.hold_change where partition_key = '2026-04-19'") == [(1,)]
    path = settings().project_root / rows(database, WAITING)[0][0]
    assert (path.exists(), evidence_faults(database)) == (False, [])
    hold(settings(), [date(2026, 4, 20)], "under review")
    assert path.name.startswith("hold_000003_")
    assert orjson.loads(path.read_bytes())["holds"][0]["partition_key"] == "2026-04-19"
    assert evidence_faults(database) == []
    assert rows(database, "select count(*) from ops.unwritten_evidence") == [(0,)]


def test_a_name_that_a_restored_database_gives_again_is_left_to_the_file_that_has_it(database: Warehouse) -> None:
    """Prevents that a retry after a restore, whose attempt has a number that was given before, replaces evidence."""
    of_run = next(path for path in reports() if path.parent.name == "_run")
    record = orjson.loads(of_run.read_bytes())
    before = of_run.with_name(f"{record['run_id']}.2.json")
    before.write_bytes(b"{}\n")
    with closing(database.connect(application_name="test")) as session, session, session.cursor() as cursor:
        named = {**record, "report_path": settings().named(before)}
        paths = [append(cursor, settings(), named), append(cursor, settings(), named)]
        write_waiting(cursor, settings())
    assert [path.name for path in paths] == [f"{record['run_id']}.2.{number}.json" for number in (2, 3)]
    assert [orjson.loads(path.read_bytes())["report_path"] for path in paths] == [settings().named(p) for p in paths]
    assert before.read_bytes() == b"{}\n"
    for path in (before, *paths):
        path.unlink()


def test_a_record_whose_name_another_file_took_waits_and_says_so(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents that the other file is replaced, that every later command fails, and that nobody is told."""
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("loader.evidence.chain.write_once", no_space)
        hold(settings(), [date(2026, 4, 19)], "under review")
    path = settings().project_root / rows(database, WAITING)[0][0]
    path.write_bytes(b"{}\n")
    hold(settings(), [date(2026, 4, 20)], "under review")
    fault = "it waits to be written, and a file with other bytes has its name"
    assert [(each.report_path, each.fault) for each in evidence_faults(database)] == [(settings().named(path), fault)]
    path.write_bytes(path.read_bytes()[:1])
    hold(settings(), [date(2026, 4, 21)], "under review")
    assert evidence_faults(database) == []


def test_a_disk_that_is_full_after_the_commit_says_that_the_act_stands(database: Warehouse) -> None:
    """Prevents an operator who holds again what is held, or believes that it is not."""
    folder = settings().report_dir / "release"
    kept = folder.rename(folder.with_name("kept"))
    folder.write_text("not a folder")
    with pytest.raises(InfrastructureError, match=r"the hold of 2026-04-19 stands, and so does its record"):
        hold(settings(), [date(2026, 4, 19)], "under review")
    assert rows(database, "select count(*) from release.partition_hold where partition_key = '2026-04-19'") == [(1,)]
    folder.unlink()
    kept.rename(folder)


def test_a_folder_that_is_gone_keeps_nobody_from_working_in_another(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a warehouse that takes no ingest any more, since somebody's report folder was on a disk of yesterday."""
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "release").write_text("not a folder")
    with monkeypatch.context() as patch, pytest.raises(InfrastructureError, match="the hold of 2026-04-19 stands"):
        patch.setenv("LOADER_REPORT_DIR", str(tmp_path / "gone"))
        hold(settings(), [date(2026, 4, 19)], "under review")
    hold(settings(), [date(2026, 4, 20)], "under review")
    assert len(list((settings().report_dir / "release").glob("hold_000004_*.json"))) == 1
    waiting = [path for (path,) in rows(database, WAITING)]
    assert [path.rsplit("_", 1)[0] for path in waiting] == [str(tmp_path / "gone" / "release" / "hold_000003")]
    (tmp_path / "gone" / "release").unlink()
    hold(settings(), [date(2026, 4, 21)], "under review")
    assert Path(waiting[0]).exists() and rows(database, WAITING) == []


def test_a_command_at_work_is_no_fault(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents an alarm about a file whose record was committed after the walk along the chain had begun."""
    acts_without_record = walk._acts_without_record
    days = iter([date(2026, 4, 19)])

    def held_meanwhile(*arguments: Any) -> Any:
        for day in days:
            hold(settings(), [day], "under review")
        return acts_without_record(*arguments)

    monkeypatch.setattr(walk, "_acts_without_record", held_meanwhile)
    assert verify.main(["--evidence"], standalone_mode=False) == 0, capsys.readouterr()


def read(database: Warehouse, after: int | None, limit: int = 100) -> History:
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        return read_history(cursor, after, limit)


def test_the_history_tells_each_run_and_each_act_once_with_its_days(database: Warehouse) -> None:
    """Prevents a scheduler that never hears of a restore, or hears of one run once for each of its days."""
    day, other = (Partition("ticket_v1", date(2026, 4, number)) for number in (17, 18))
    found = read(database, None)
    assert [(event.verb, event.status, event.data_release_id, event.partitions) for event in found.events] == [
        ("publish", "success", 1, (day,)),
        ("ingest", "success", None, (day,)),
        ("publish", "success", 2, (day,)),
        ("ingest", "success", None, (day,)),
        ("hold", "success", None, (other,)),
        ("restore", "success", 3, (day,)),
    ]
    assert [(event.verb, event.reason) for event in found.events if event.reason] == [
        ("hold", "under review"),
        ("restore", "tests"),
    ]
    assert (found.is_more, found.last, found.newest) == (False, found.events[-1].number, found.events[-1].number)
    assert [event.run_id for event in found.events[:2]] == [found.events[0].run_id] * 2


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
def test_who_reads_the_history_in_pieces_misses_no_event_and_reads_none_twice(database: Warehouse, limit: int) -> None:
    """Prevents a state elsewhere that is wrong for good, because one act was not heard of."""
    after, pieces = 0, []
    while (piece := read(database, after, limit)).events:
        pieces += piece.events
        assert len(piece.events) <= limit and piece.last >= piece.events[-1].number
        after = piece.last
    assert pieces == [*read(database, None).events]
    assert read(database, None, 2).events == read(database, None).events[-2:]


def test_a_number_that_was_never_given_is_refused(database: Warehouse) -> None:
    """Prevents a reader that waits for ever for events of a warehouse that was put back."""
    newest = read(database, None).newest
    assert read(database, newest).events == ()
    with pytest.raises(CommandUsageError, match="put back to an earlier state"):
        read(database, newest + 1)


def test_records_from_before_there_were_several_kinds_are_of_the_one_there_was(database: Warehouse) -> None:
    """Prevents a history that ends at the day of an update."""
    names = "'{record_kind}', '{pointers,0,record_kind}'"
    without = "convert_from(content, 'UTF8')::jsonb" + "".join(f" #- {name}" for name in names.split(", "))
    before = read(database, None, 4)
    rows(database, BEHIND + f"update ops.run_evidence set content = convert_to(({without})::text, 'UTF8')")
    assert read(database, None, 4) == before
    assert [each.partitions for each in before.events[:2]] == [before.events[0].partitions] * 2


def test_an_act_that_does_not_commit_leaves_no_record_and_no_file(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents evidence of a restore that never was."""
    before = reports()
    rows(database, BEHIND + "delete from release.ticket_fact where first_release_id = 2")
    window = {"window_start": DAY, "window_end": "2026-04-18", "as_of": None, "reason": "tests"}
    with pytest.raises(CheckFailedError, match="nothing was moved"):
        apply_plan(settings(), planned("restore", **window, release=2))
    assert reports() == before
    assert rows(database, f"select count(*) from ops.run_evidence where {ACT}") == [(4,)]


def test_a_run_that_fails_at_its_end_leaves_a_record_and_no_other_claim(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents the file of a day that says proceed, of a transaction that did not commit."""
    before = set(reports())
    write_export(tmp_path / "third" / f"tickets-{DAY}.jsonl", [ticket(3)])
    write = Evidence.write

    def dies(*arguments: Any) -> None:
        write(*arguments)
        no_space()

    monkeypatch.setattr(Evidence, "write", dies)
    with pytest.raises(OSError, match="No space"):
        run(declare(tmp_path / "third", "third"))
    assert evidence_faults(database) == []
    ((record,),) = rows(database, "select content from ops.run_evidence order by evidence_id desc limit 1")
    assert orjson.loads(bytes(record))["status"] == "failed"
    assert [path.parent.name for path in set(reports()) - before] == ["_run"]


def test_a_run_whose_files_cannot_be_written_says_that_it_stands(database: Warehouse, tmp_path: Path) -> None:
    """Prevents a second ingest of what is in, and evidence that is lost; the next command writes it."""
    write_export(tmp_path / "third" / f"tickets-{DAY}.jsonl", [ticket(3)])
    manifest = declare(tmp_path / "third", "third")
    folder = settings().report_dir / "run_evidence"
    kept_folder = folder.rename(folder.with_name("kept"))
    folder.write_text("not a folder")
    with pytest.raises(InfrastructureError, match=r"run \S+, which ended with success, stands, and so does its record"):
        run(manifest)
    assert rows(database, "select status, exit_code from ops.ingest_run order by started_at desc limit 1") == [
        ("success", 0)
    ]
    folder.unlink()
    kept_folder.rename(folder)
    waiting = {path for (path,) in rows(database, WAITING)}
    assert len(waiting) == 2 and not any((settings().project_root / path).exists() for path in waiting)
    assert run(manifest).exit_code == 0
    assert all((settings().project_root / path).exists() for path in waiting)
    assert (rows(database, WAITING), evidence_faults(database)) == ([], [])
