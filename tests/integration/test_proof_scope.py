"""An ingest proves what changed, sees to it that nothing else did, and believes only a proof that closes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from data.generator import Options, generate
from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.errors import CommandUsageError
from loader.ingest import Verdict, proving
from loader.kinds import Ruleset
from loader.kinds.judge import too_long
from loader.release.ready import readiness
from loader.runs.lock import IngestLock
from loader.silver import BuildResult, run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, evidence_faults, rows, run, settings, ticket, write_export
from tests.proofs import proved_whole, reconciled
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

FIRST = date(2026, 4, 14)
BEHIND_THE_TRIGGERS = "set session_replication_role = replica; "
EDIT = "update silver.ticket_fact set product_version = 'edited' where ticket_id = {ticket}"
THROUGH_THE_DOOR = "set local omni.maintenance = 'repair'; "


@dataclass(frozen=True, slots=True)
class Days:
    """A manifest a day, and a warehouse in which the first two were ingested and proved one after the other."""

    manifests: list[Path]
    kept: Kept


@pytest.fixture(scope="module")
def days(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    """Updates of earlier days, repeats, rejects, late and moved tickets are among the lines."""
    root = tmp_path_factory.mktemp("days")
    options = Options(
        first_day=FIRST,
        last_day=FIRST + timedelta(days=3),
        tickets=25,
        seed=11,
        invalid_rate=0.03,
        duplicate_rate=0.05,
        moved_rate=0.1,
        late_rate=0.1,
        gzip_every=2,
    )
    generate(options, root / "all")
    with own_warehouse(server, _template, root, LOADER_REJECT_LIMIT="0.5") as database:
        manifests = []
        for number, file in enumerate(sorted((root / "all").glob("tickets-*"))):
            folder = root / f"day-{number}"
            folder.mkdir()
            file.rename(folder / file.name)
            manifests.append(declare(folder, f"day-{number}"))
        assert run(manifests[0]).proof.name == "all"
        verdict = run(manifests[1])
        assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), (verdict.problems, verdict.proof)
        with kept(server, database) as two_days:
            yield Days(manifests, two_days)


@pytest.fixture
def manifests(days: Days) -> list[Path]:
    return days.manifests


@pytest.fixture
def database(days: Days) -> Warehouse:
    """The two days as they were proved."""
    return days.kept.fresh()


def test_a_proof_of_changes_says_what_a_proof_of_everything_says(manifests: list[Path], database: Warehouse) -> None:
    """A day before its turn, a repeat, a day that was left out: every table ends as a whole build makes it."""
    for manifest in (manifests[3], manifests[1], manifests[2]):
        verdict = run(manifest)
        assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), (verdict.problems, verdict.proof)
        state = reconciled(database)
        assert state == proved_whole(database)
        assert len(state["event_claim"]) == len(state["reconcile_event"]) > 0


@pytest.mark.long
def test_a_new_ruleset_and_another_order_reach_what_was_proved(
    manifests: list[Path], database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event is new, and still rejects, versions and places may be others: first a rule, then upstream's order."""
    judge = Ruleset.judge

    def stricter(ruleset: Ruleset, line: bytes) -> AcceptedRecord | RejectedRecord:
        judged = judge(ruleset, line)
        if isinstance(judged, AcceptedRecord) and judged.event_id[0] < 64:
            return too_long(70_000, b"x")
        return judged

    with monkeypatch.context() as patch:
        patch.setattr("loader.kinds.ticket.VERSION", "another")
        patch.setattr(Ruleset, "judge", stricter)
        patch.setenv("LOADER_REJECT_LIMIT", "0.9")
        verdict = run(*manifests[:2])
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), (verdict.problems, verdict.proof)
    state = reconciled(database)
    assert {row["event_fate"] for row in state["reconcile_event"]} >= {"silver", "retired"}
    assert state == proved_whole(database)

    # The second day's bytes once more, at a place before all others, under a third ruleset that takes them all again.
    body = json.loads(manifests[1].read_text())
    body |= {"manifest_id": "manifest-earlier", "batch_id": "batch-20260401-001"}
    body["assets"] = [{**asset, "sequence": 1} for asset in body["assets"]]
    earlier = manifests[1].parent / "earlier.json"
    earlier.write_text(json.dumps(body))
    before = rows(database, "select max(sequence) from ops.proved_asset")
    with monkeypatch.context() as patch:
        patch.setattr("loader.kinds.ticket.VERSION", "a third")
        verdict = run(earlier)
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), (verdict.problems, verdict.proof)
    assert rows(database, "select max(sequence) from ops.proved_asset") != before
    assert reconciled(database) == proved_whole(database)


def test_an_ingest_with_nothing_new_proves_nothing_again_and_says_when_all_was_proved(
    manifests: list[Path], database: Warehouse
) -> None:
    """Cost follows what changed; a rewritten row has another xmin."""
    versions = "select event_id, xmin::text from reconcile.reconcile_event order by event_id"
    before = rows(database, versions)
    verdict = run(*manifests[:2])
    assert rows(database, versions) == before
    assert verdict.facts.last_proof_of_all_at is not None
    assert rows(database, "select scope from ops.proof order by proof_id") == [("all",), ("changes",), ("changes",)]
    assert rows(database, "select count(*) from ops.unproved_change") == [(0,)]


def _show_twice(database: Warehouse, ticket_id: str) -> date:
    """A ticket of the second release gets a row of the first, too, which no release has ended; returns its day."""
    copied = "jsonb_build_object('first_release_id', 1, 'end_release_id', 1000)"
    rows(
        database,
        f"insert into release.ticket_fact select (jsonb_populate_record(row, {copied})).*"
        " from release.ticket_fact as row where ticket_id = %s and first_release_id = 2",
        ticket_id,
    )
    seen = rows(database, "select partition_key from serving.ticket_fact where ticket_id = %s", ticket_id)
    assert len(seen) == 2
    return seen[0][0]  # type: ignore[no-any-return]


def test_a_ticket_that_readers_see_twice_is_found_when_it_changes_and_when_all_is_proved(
    manifests: list[Path], database: Warehouse, tmp_path: Path
) -> None:
    """Prevents an ingest that reads all that is released for the few rows it touches, and a promise nobody keeps."""
    second = "select ticket_id from release.ticket_fact group by 1 having min(first_release_id) = 2 order by 1"
    export = manifests[2].parent / json.loads(manifests[2].read_text())["assets"][0]["source_url_or_path"]
    content = gzip.decompress(export.read_bytes()) if export.suffix == ".gz" else export.read_bytes()
    untouched, touched = [name for (name,) in rows(database, second) if str(name).encode() not in content][:2]
    # The database itself refuses a second newest row.
    newest = "select (jsonb_populate_record(row, '{\"first_release_id\": 1}')).* from release.ticket_fact as row"
    with pytest.raises(psycopg2.errors.UniqueViolation, match="ticket_fact_newest"):
        rows(database, f"insert into release.ticket_fact {newest} where ticket_id = %s", untouched)

    day = _show_twice(database, untouched)
    (answer,) = readiness(settings(), [day]).partitions
    assert not answer["is_ready"] and "of its release's" in answer["reason"]
    verdict = run(manifests[2])
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), (verdict.problems, verdict.proof)
    assert not run_dbt(database, ROOT, ["test", "--select", "serving_ticket_fact"]).is_ok

    _show_twice(database, touched)
    ((payload,), *_) = rows(database, "select raw_payload from bronze.raw_ticket_event where record_key = %s", touched)
    late = {**json.loads(payload), "updated_at": "2026-06-01T00:00:00Z", "ingest_batch_id": "batch-20260601-001"}
    write_export(tmp_path / "late" / "tickets-late.jsonl", [late])
    verdict = run(declare(tmp_path / "late", "late"))
    assert (verdict.exit_code, verdict.proof.name) == (1, "all"), verdict.problems
    assert "shown_once" in str(verdict.problems)
    assert rows(database, "select count(*) from release.data_release") == [(3,)]


@pytest.mark.parametrize(
    ("damage", "table", "reason"),
    [
        (EDIT, "silver.ticket_fact", "close"),
        pytest.param(
            "update silver.customer_dim set org_id = 'edited' where customer_id = {customer}",
            "silver.customer_dim",
            "",
            marks=pytest.mark.long,
        ),
        (
            THROUGH_THE_DOOR + "delete from bronze.raw_ticket_event where event_id = {event}",
            "bronze.record_event",
            "bronze.raw_ticket_event was changed",
        ),
        # Not noted by any trigger: the numbers of rows by load are counted all the same.
        pytest.param(
            BEHIND_THE_TRIGGERS + "delete from bronze.raw_ticket_event where event_id = {event}",
            "bronze.record_event",
            "close",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "alter table silver.ticket_fact disable trigger all; " + EDIT,
            "silver.ticket_fact",
            "changes of silver.ticket_fact are not noted",
            marks=pytest.mark.long,
        ),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                ("delete from silver.ticket_fact where ticket_id = {ticket}", "silver.ticket_fact", "close"),
                ("delete from silver.customer_dim where customer_id = {customer}", "silver.customer_dim", "close"),
                ("truncate silver.ticket_fact", "silver.ticket_fact", "silver.ticket_fact was changed"),
                (
                    THROUGH_THE_DOOR + "update bronze.asset_line set byte_length = 1 where event_id = {event}",
                    "bronze.asset_line",
                    "bronze.asset_line was changed",
                ),
                (
                    BEHIND_THE_TRIGGERS + "delete from bronze.rejected_record where ctid in"
                    " (select ctid from bronze.rejected_record limit 1)",
                    "bronze.rejected_record",
                    "close",
                ),
                ("delete from ops.completed_load where table_name = 'asset_line'", "ops.completed_load", "close"),
                ("update ops.asset_partition set record_line_count = 7", "ops.asset_partition", "close"),
                ("drop table reconcile.event_claim cascade", None, "reconcile.event_claim is not there"),
                ("drop table silver.customer_dim cascade", None, "silver.customer_dim is not there"),
            )
        ),
    ],
)
def test_what_an_ingest_did_not_do_is_found_by_the_next_one(
    manifests: list[Path], database: Warehouse, damage: str, table: str | None, reason: str
) -> None:
    """Hand edits of days that the ingest does not touch. What is found is told by a proof of everything."""
    ((ticket_id, customer, event),) = rows(
        database, "select ticket_id, customer_id, event_id from silver.ticket_fact order by 1 limit 1"
    )
    rows(database, damage.format(ticket=f"'{ticket_id}'", customer=f"'{customer}'", event=f"'{event}'"))
    verdict = run(manifests[2])
    assert verdict.proof.name == "all"
    assert reason in verdict.proof.reason
    named = {finding.table_name for finding in verdict.facts.findings}
    if table is None or damage.startswith("truncate"):
        assert (verdict.exit_code, named) == (0, set()) if table is None else named
    else:
        assert verdict.exit_code == 1
        assert table in named, verdict.facts.findings


def test_a_damaged_day_stays_as_it_is_and_every_other_day_goes_on(manifests: list[Path], database: Warehouse) -> None:
    """Prevents that a row of one day keeps back days that are landed whole, and has every ingest prove everything.

    Damage is named by a proof of everything, and so is its end; proofs of changes between the two only confirm it.
    """
    first, second, third, fourth = (FIRST + timedelta(days=number) for number in range(4))
    shown = rows(database, SHOWN, first)
    state = rows(database, STATE)
    rows(database, LOSE)
    named = run(manifests[2])
    assert (named.exit_code, named.proof.name) == (1, "all"), named.problems
    found = [("record_missing", first)]
    assert [(finding.check_name, finding.partition_key) for finding in named.facts.findings] == found
    assert rows(database, OPEN) == [("all", [{"record_kind": "ticket_v1", "partition_key": first.isoformat()}])]
    # What landed is durable: the state goes on as it does beside a held day.
    assert [row for row in rows(database, STATE) if row in state] == []
    # Updates of the day before came with it, and none of the damaged one.
    assert _decisions(named) == dict.fromkeys((second, third), ("success", "proceed"))
    confirmed = run(manifests[3])
    assert (confirmed.exit_code, confirmed.proof.name) == (1, "changes"), confirmed.problems
    assert [(finding.check_name, finding.partition_key) for finding in confirmed.facts.findings] == found
    assert rows(database, OPEN) == [("changes", [{"record_kind": "ticket_v1", "partition_key": first.isoformat()}])]
    assert _decisions(confirmed) == {
        first: ("failed", "hold_downstream"),
        **dict.fromkeys((second, third, fourth), ("success", "proceed")),
    }
    assert rows(database, SHOWN, first) == shown
    assert _ready(database) == {first: False, second: True, third: True, fourth: True}
    assert _faults(database) == []
    # The checks themselves count what they look at.
    partial, whole = reconciled(database), proved_whole(database)
    assert [table for table in whole if partial[table] != whole[table] and not table.startswith("check_")] == []


@pytest.mark.long
def test_findings_are_believed_of_the_last_proof_alone_and_a_mend_of_a_proof_of_everything(
    manifests: list[Path], database: Warehouse
) -> None:
    """dbt by hand makes findings anew, of all rows or of some: whoever did, and what it looked at, is not known."""
    rows(database, LOSE)
    assert run(manifests[2]).exit_code == 1
    assert run_dbt(database, ROOT, ["build", "--select", "reconcile"]).failed != ()
    assert run(manifests[2]).proof.reason == "reconcile has findings that the last proof did not leave"
    assert run(manifests[2]).proof.name == "changes"
    assert _built("--select", "ticket_fact", "--partition", FIRST.isoformat()).returncode == 0
    mended = run(manifests[3])
    assert (mended.exit_code, mended.proof.name) == (0, "all"), mended.problems
    assert rows(database, OPEN) == [("all", [])]
    assert set(_ready(database).values()) == {True}
    assert run(manifests[3]).proof.name == "changes"


LOSE = """
delete from silver.ticket_fact where ticket_id = (
    select max(ticket_id) from silver.ticket_fact where partition_key = (
        select min(partition_key) from silver.ticket_fact))
"""
SHOWN = "select to_jsonb(fact) from serving.ticket_fact as fact where partition_key = %s order by ticket_id"
STATE = "select state_kind, value_at from ops.ingest_state order by 1"
OPEN = "select scope, open_partitions from ops.proof order by proof_id desc limit 1"


def _decisions(verdict: Verdict) -> dict[date, tuple[str, str]]:
    """Status and downstream decision of each partition that the run wrote evidence of."""
    records = [json.loads(path.read_bytes()) for path in verdict.report_paths]
    return {
        date.fromisoformat(record["partition_key"]): (record["status"], record["downstream_decision"])
        for record in records
        if record["partition_key"]
    }


def _faults(database: Warehouse) -> list[str]:
    """The faults of the evidence, without the files that other tests of this module left in the folder."""
    faults = [fault.fault for fault in evidence_faults(database)]
    return [fault for fault in faults if fault != "a file that no record knows"]


def _ready(database: Warehouse) -> dict[date, bool]:
    return dict(rows(database, "select partition_key, is_ready from serving.partition_status"))


@pytest.mark.long
def test_tickets_that_another_build_rewrote_are_proved_by_the_next_ingest(
    manifests: list[Path], database: Warehouse
) -> None:
    """`dbt build --select ticket_fact` of a partition writes rows that nothing proved."""
    rows(database, "update silver.ticket_fact set owner = owner")
    assert rows(database, "select count(*) > 0 from ops.unproved_change") == [(True,)]
    verdict = run(manifests[1])
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes")
    assert reconciled(database) == proved_whole(database)


@pytest.mark.long
def test_a_proof_that_did_not_close_covers_nothing(
    manifests: list[Path], database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command dies between dbt and the record: the next ingest proves that change again, and closes."""

    def dies(*arguments: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("loader.ingest.proving.record_proof", dies)
        with pytest.raises(RuntimeError):
            run(manifests[2])
    assert rows(database, "select count(*) > 0 from ops.unproved_change") == [(True,)]
    verdict = run(manifests[3])
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes")
    assert reconciled(database) == proved_whole(database)


@pytest.mark.long
def test_other_sql_proves_everything_again(
    manifests: list[Path], database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a former version of the checks let pass is no proof under these."""
    monkeypatch.setattr("loader.ingest.proving.project_sha256", lambda root: "f" * 64)
    verdict = run(manifests[1])
    assert (verdict.proof.name, verdict.proof.reason[:11]) == ("all", "dbt_project")


@pytest.mark.long
def test_the_operator_may_ask_for_a_proof_of_everything(
    manifests: list[Path], database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOADER_PROOF=all, and nothing else than the two words."""
    monkeypatch.setenv("LOADER_PROOF", "all")
    assert run(manifests[1]).proof.name == "all"
    monkeypatch.setenv("LOADER_PROOF", "some")
    with pytest.raises(CommandUsageError, match="LOADER_PROOF: got 'some', expected changes or all"):
        settings()


def test_a_collision_that_a_later_day_brings_is_found_among_proved_days(tmp_path: Path, database: Warehouse) -> None:
    """The new line makes an old ticket wrong: the proof of changes reaches what the change reaches."""
    ((ticket_id, created_at),) = rows(
        database, "select ticket_id, to_jsonb(created_at) #>> '{}' from silver.ticket_fact order by 1 limit 1"
    )
    other = ticket(1, ticket_id=ticket_id, source_id="structured:tickets:other", created_at=created_at)
    write_export(tmp_path / "other" / "tickets-2026-04-20.jsonl", [other])
    verdict = run(declare(tmp_path / "other", "other"))
    assert verdict.exit_code == 1
    assert {finding.check_name for finding in verdict.facts.findings} == {"key_collision"}


@pytest.mark.long
def test_a_build_of_everything_is_a_proof_and_waits_for_the_lock(manifests: list[Path], database: Warehouse) -> None:
    """`make build` at night: status tells when all was proved, and nobody counts half of an ingest. What it proves is
    released with it: prevents a day that "the proof did not close" is said of until somebody releases it by hand."""
    rows(database, LOSE)
    # The last day updates a ticket of the damaged one, which waits.
    assert [run(manifest).exit_code for manifest in manifests[2:]] == [1, 1]
    assert set(_ready(database).values()) == {True, False}
    with closing(IngestLock.acquire(database)) as holder:
        refused = _built("--select", "ticket_fact")
    assert refused.returncode == 4, refused
    assert f"process {holder.process_id} on {holder.host}" in " ".join(refused.stderr.split())
    built = _built("--partition", FIRST.isoformat())
    assert built.returncode == 0, built
    moved = "select data_release_id, run_id, array_agg(partition_key) from release.data_release"
    moved += " inner join release.pointer_move on moved_by = data_release_id group by 1, 2 order by 1 desc limit 1"
    assert rows(database, moved) == [(5, None, [FIRST])]
    assert set(_ready(database).values()) == {True}
    assert rows(database, "select scope, open_partitions from ops.proof where run_id is null") == [("all", [])]
    assert rows(database, "select count(*) from ops.unproved_change") == [(0,)]
    assert _faults(database) == []


def _built(*options: str) -> subprocess.CompletedProcess[str]:
    loader = Path(sys.executable).parent / "loader"
    return subprocess.run([loader, "build", *options], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_a_change_that_was_not_committed_when_a_proof_began_is_not_covered_by_it(
    manifests: list[Path], database: Warehouse
) -> None:
    """Another session began to write before the proof, and ends after it: its rows are proved by the next one."""
    edit = "update silver.ticket_fact set owner = 'edited' where ticket_id in (select min(ticket_id) from {table})"
    other = database.connect(application_name="tests")
    with closing(other), other.cursor() as cursor:
        cursor.execute(edit.format(table="silver.ticket_fact"))
        assert run(manifests[1]).exit_code == 0
        other.commit()
    verdict = run(manifests[1])
    assert (verdict.exit_code, verdict.proof.name) == (1, "all")
    assert {finding.check_name for finding in verdict.facts.findings} == {"record_differs_from_bronze"}


@pytest.mark.long
def test_a_proof_whose_scope_another_build_made_anew_is_not_recorded(
    manifests: list[Path], database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain dbt beside the ingest writes other keys into the same tables: nobody knows then what was proved."""
    meddle = "comment on table reconcile.scope_record is 'another build'"
    build = proving.run_dbt

    def beside(*arguments: Any, **options: Any) -> BuildResult:
        result = build(*arguments, **options)
        rows(database, meddle)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(proving, "run_dbt", beside)
        verdict = run(manifests[2])
    assert (verdict.exit_code, verdict.proof.name) == (0, "all")
    assert rows(database, "select count(*) from ops.proof") == [(2,)]
    assert rows(database, "select count(*) > 0 from ops.unproved_change") == [(True,)]
    assert (run(manifests[2]).proof.name, rows(database, "select count(*) from ops.proof")) == ("changes", [(3,)])
