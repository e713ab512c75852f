"""Commands that only look: verify, state and diagnose, over a warehouse that holds three days."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loader.advice import NOTHING_TO_DO, Advice, AdviceKind, Asked, Diagnosis, diagnose, diagnose_now
from loader.advice.damage import land_again
from loader.cli import main
from loader.config import load_settings
from loader.errors import CheckFailedError, CommandUsageError, RefusedError
from loader.kinds import load_ruleset
from loader.raw_zone import RawZone
from loader.raw_zone.lost_objects import BACK_FIRST
from loader.recovery import make_plan
from loader.recovery.world import looking_at
from loader.release.by_hand import hold
from loader.runs import take_back
from loader.runs.state import StateObject, read_state, reset_state
from loader.status import read_status
from loader.verify import Verification, verify_run
from loader.warehouse import Warehouse
from tests.checkouts import ROOT, make_checkout
from tests.ingests import declare, rows, run, settings, ticket, write_export
from tests.recoveries import failing, latest_run, left_by_runs, recover, three_days
from tests.sabotage.case import double
from tests.states import State, States

pytestmark = pytest.mark.usefixtures("replayed")

BEHIND = "set session_replication_role = replica; "
SOURCE = "structured:tickets:test"


@pytest.fixture
def ingested(states: States) -> Iterator[State[Path]]:
    with states.begin(three_days, LOADER_REJECT_LIMIT="0.5") as state:
        yield state


@pytest.fixture
def database(ingested: State[Path]) -> Warehouse:
    return ingested.database


@pytest.fixture
def exports(ingested: State[Path]) -> Path:
    return ingested.made


def _said(capfd: pytest.CaptureFixture[str], *words: str, whole: bool = False) -> tuple[Any, str]:
    """A command's exit code, and the next command that it tells (or everything that it says), on a screen so wide that
    no sentence is broken."""
    capfd.readouterr()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setenv("COLUMNS", "1000")
        main(words)
    said = "".join(capfd.readouterr())
    return end.value.code, said if whole else said.strip().splitlines()[-1].removeprefix("next: ")


def _verified(database: Warehouse, run_id: str | None = None) -> Verification:
    ruleset = load_ruleset(settings().project_root / "contracts")
    return verify_run(database, RawZone(settings().raw_zone), ruleset, run_id or latest_run(database))


DAMAGES = {
    "line_missing": "delete from bronze.asset_line where asset_id = 2 and line_number = 3",
    "line_invented": "insert into bronze.asset_line select byte_offset + 999, byte_length, event_id, asset_id, 99,"
    " ruleset_id, partition_key, kind, _dlt_load_id from bronze.asset_line where asset_id = 1 and line_number = 1",
    "bytes_differ": "update bronze.asset_line set byte_offset = byte_offset + 1 where asset_id = 3 and line_number = 1",
    "kind_differs": "update bronze.asset_line set kind = 'rejected', event_id = null where asset_id = 1"
    " and line_number = 2",
    "partition_differs": "update bronze.asset_line set partition_key = partition_key + 1 where asset_id = 1"
    " and line_number = 2",
    "event_differs": "update bronze.asset_line set event_id = gen_random_uuid() where asset_id = 1 and line_number = 2",
    "event_missing": "delete from bronze.raw_ticket_event where asset_id = 1 and line_number = 2",
    "payload_differs": "update bronze.raw_ticket_event set raw_payload = replace(raw_payload, 'open', 'done')"
    " where asset_id = 1 and line_number = 2",
    "delivery_differs": "update bronze.raw_ticket_event set envelope = '{}' where asset_id = 1 and line_number = 2",
    "reject_missing": "delete from bronze.rejected_record where asset_id = 2",
    "reject_differs": "update bronze.rejected_record set reason_codes = '{invalid_json,line_too_long}'"
    " where asset_id = 2",
}


class TestVerify:
    def test_every_line_is_compared(self, database: Warehouse) -> None:
        found = _verified(database)
        assert (found.is_proved, found.asset_count, found.line_count) == (True, 3, 18)

    @pytest.mark.parametrize("difference", DAMAGES)
    def test_a_difference_has_a_name_and_a_line(self, difference: str, database: Warehouse) -> None:
        rows(database, BEHIND + DAMAGES[difference])
        found = _verified(database)
        assert dict(found.differences) == {difference: 1}
        assert [each.difference for each in found.shown] == [difference]

    @pytest.mark.parametrize(
        "change",
        [
            "record_source = 'elsewhere'",
            "record_key = record_key || '0'",
            "person_id = 'CUST-9'",
            "person_id = null",
            "created_at = created_at + interval '1 microsecond'",
            "updated_at = created_at",
            "partition_key = partition_key + 1",
        ],
    )
    def test_an_edited_column(self, change: str, database: Warehouse) -> None:
        """The payload is as it was, and what stands beside it is not."""
        rows(database, f"{BEHIND}update bronze.raw_ticket_event set {change} where asset_id = 1 and line_number = 2")
        assert dict(_verified(database).differences) == {"columns_differ": 1}

    def test_an_edited_payload_that_keeps_its_fingerprint(self, database: Warehouse) -> None:
        """Fingerprint and payload agree with each other, and not with the archive."""
        rows(
            database,
            BEHIND + "update bronze.raw_ticket_event set raw_payload = replace(raw_payload, 'open', 'done'),"
            " record_fingerprint = sha256(convert_to(replace(raw_payload, 'open', 'done'), 'UTF8'))"
            " where asset_id = 1 and line_number = 2",
        )
        assert dict(_verified(database).differences) == {"event_differs": 1}

    def test_rows_of_a_load_that_is_not_completed_do_not_count(self, database: Warehouse) -> None:
        rows(database, BEHIND + "delete from ops.completed_load where table_name = 'asset_line'")
        assert dict(_verified(database).differences) == {"line_missing": 18}

    def test_a_run_of_an_older_ruleset(self, database: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its judge is gone; bytes, fingerprints, payloads and the bytes of rejects are compared all the same."""
        monkeypatch.setattr("loader.kinds.ticket.VERSION", "another")
        assert _verified(database).is_proved
        rows(database, BEHIND + DAMAGES["payload_differs"])
        assert dict(_verified(database).differences) == {"payload_differs": 1}

    def test_an_archived_object_that_is_gone(self, database: Warehouse) -> None:
        ((key,),) = rows(database, "select raw_zone_key from ops.source_asset where asset_id = 2")
        path = RawZone(settings().raw_zone).path_of(key)
        aside = path.with_name("aside")
        path.rename(aside)
        try:
            found = _verified(database)
        finally:
            aside.rename(path)
        assert not found.is_proved
        assert list(found.unreadable) == [2]
        assert found.line_count == 11

    def test_objects_that_the_archive_does_not_give_are_named_and_the_command_that_is_told_puts_them_right(
        self, database: Warehouse, exports: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Prevents a bare FileNotFoundError, advice that cannot help, and a flipped byte that stays."""
        found = rows(database, "select raw_zone_key from ops.source_asset order by asset_id")
        first, second, third = (RawZone(settings().raw_zone).path_of(key) for (key,) in found)
        for path in (first, second):
            path.chmod(0o644)
        content = first.read_bytes()
        first.write_bytes(content.replace(b"open", b"shut", 1))
        second.write_bytes(content[:-20])
        third.unlink()
        mends = f"make ingest MANIFEST={exports}"
        run_id = latest_run(database)
        assert _said(capfd, "verify", "--run", run_id) == (1, mends)
        code, told = _said(capfd, "replay", "--run", run_id, whole=True)
        assert code == 4
        assert re.search(
            rf"archived object {found[0][0]}: damaged; it is tickets-2026-04-15.jsonl of manifest \S+ and 2 more\."
            r" Its lines cannot be read again .* The delivered files still have their bytes",
            told,
        ), told
        assert told.splitlines()[-1] == f"next: {mends}"
        code, told = _said(capfd, "ingest", "--manifest", str(exports), whole=True)
        assert code == 0
        assert told.count("; put right from the delivered file") == 3
        assert _said(capfd, "verify", "--run", run_id) == (0, "make status")
        # Bits that rotted behind an object's seal, and a delivered file that is gone.
        sealed = first.stat()
        first.chmod(0o644)
        first.write_bytes(content.replace(b"open", b"shut", 1))
        os.utime(first, ns=(sealed.st_atime_ns, sealed.st_mtime_ns))
        assert _said(capfd, "rerun", "--run", run_id, "--mode", "execute") == (4, mends)
        source = exports.parent / "e" / "tickets-2026-04-15.jsonl"
        aside = source.rename(source.with_name("aside"))
        code, told = _said(capfd, "verify", "--run", run_id)
        assert code == 1 and told.startswith("printf ")
        assert str(source) in told and told.endswith(f" | sha256sum -c && {mends}   # {BACK_FIRST}")
        code, told = _said(capfd, "ingest", "--manifest", str(exports), whole=True)
        assert f"The delivered file {source} does not have its bytes any more" in told
        aside.rename(source)
        _said(capfd, "ingest", "--manifest", str(exports))
        assert first.read_bytes() == content

    def test_a_run_that_read_nothing(self, database: Warehouse) -> None:
        with pytest.raises(CheckFailedError, match="there is nothing to verify"):
            _verified(database, "0196a000-0000-7000-8000-000000000001")


class TestState:
    def test_a_run_s_changes_are_kept(self, database: Warehouse) -> None:
        current, changes = read_state(database, "bronze.raw_ticket_event", 10)
        assert [row["state_kind"] for row in current] == ["checkpoint", "cursor", "watermark"]
        assert {change["run_id"] for change in changes} == {latest_run(database)}
        assert [change["old_value_at"] for change in changes] == [None] * 3

    def test_it_does_not_go_back_without_a_reason(self, database: Warehouse) -> None:
        with pytest.raises(psycopg2.errors.RaiseException, match="would go back without a reason"):
            rows(database, "update ops.ingest_state set value_at = value_at - interval '1 day'")
        with pytest.raises(psycopg2.errors.RaiseException, match="would go back without a reason"):
            rows(database, "delete from ops.ingest_state")

    def test_a_reset_has_a_reason_and_what_was_seen_before_does_not_undo_it(
        self, database: Warehouse, exports: Path
    ) -> None:
        then = datetime(2026, 4, 1, tzinfo=UTC)
        change = reset_state(
            database,
            StateObject("bronze.raw_ticket_event", "cursor", SOURCE),
            then,
            "a clock was wrong",
            wait_seconds=0,
        )
        assert (change["new_value_at"], change["reason"]) == ("2026-04-01T00:00:00.000000Z", "a clock was wrong")
        assert "@" in change["operator"]
        run(exports)
        current, changes = read_state(database, "bronze.raw_ticket_event", 10)
        (cursor,) = [row for row in current if row["state_kind"] == "cursor"]
        assert cursor["value_at"] == "2026-04-01T00:00:00.000000Z"
        assert [change["reason"] for change in changes if change["state_kind"] == "cursor"] == [
            "a clock was wrong",
            None,
        ]
        (checkpoint,) = [row for row in current if row["state_kind"] == "checkpoint"]
        assert checkpoint["run_id"] == latest_run(database)

    def test_an_unknown_source(self, database: Warehouse) -> None:
        with pytest.raises(CommandUsageError, match="no cursor of record source 'nobody'"):
            reset_state(
                database,
                StateObject("bronze.raw_ticket_event", "cursor", "nobody"),
                datetime.now(UTC),
                "why",
                wait_seconds=0,
            )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose default folder of manifests is empty; only looked at."""
    root = tmp_path / "project"
    make_checkout(root)
    (root / "data").unlink()
    (root / "data" / "seed_manifests").mkdir(parents=True)
    return root


def _diagnosed(database: Warehouse, checkout: Path, partition: Any = None) -> Diagnosis:
    """What diagnose says; status ends with the same command."""
    here = load_settings(project_root=checkout)
    with looking_at(here, database) as world:
        found = diagnose(Asked(world, partition))
    assert read_status(database, partition, settings=here).next_command == found.next_command
    return found


def ends(command: str) -> Advice:
    """What ends a run that is dead."""
    return Advice(AdviceKind.RETRY, command, "ends what that run began")


def _wrong(found: Diagnosis) -> list[str]:
    return [step.question for step in found.steps if not step.is_in_order]


def _answer(found: Diagnosis, question: str) -> str:
    (answer,) = [step.answer for step in found.steps if step.question == question]
    return answer


RUN = "which run?"
KIND = "what is wrong?"
READERS = "what do readers see?"


def untake(database: Warehouse, which: str) -> None:
    """As if the lines of these days had been indexed, and their events had not landed yet."""
    rows(database, f"update ops.asset_partition set taken_by_run_id = null, taken_at = null where {which}")
    rows(database, f"update reconcile.reconcile_fate set fate = 'out_of_partition' where {which}")


class TestDiagnose:
    def test_all_is_in_order(self, database: Warehouse, checkout: Path) -> None:
        found = _diagnosed(database, checkout)
        assert [step.question for step in found.steps] == [
            "records lost?",
            "which manifest?",
            RUN,
            "where is the state?",
            "coverage?",
            KIND,
            "which rules?",
            "erasures?",
            READERS,
            "clocks?",
        ]
        assert _wrong(found) == []
        assert found.next_command == "make psql ROLE=reader   # what readers see"

    def test_a_file_of_a_kind_that_does_not_land_yet(self, database: Warehouse, checkout: Path) -> None:
        """Prevents "2 of 3 files admitted" that is called ok: nobody can deliver the third better."""
        rows(
            database,
            "insert into ops.manifest_asset select (jsonb_populate_record(entry, jsonb_build_object('source_id',"
            " 'd.jsonl', 'disposition', 'not_available', 'asset_id', null))).* from ops.manifest_asset as entry"
            " limit 1",
        )
        rows(database, "update ops.manifest set declared_asset_count = declared_asset_count + 1")
        found = _diagnosed(database, checkout)
        assert _wrong(found) == []
        assert _answer(found, "which manifest?") == (
            "1 registered, 3 of 3 files admitted, and 1 of kinds that do not land yet"
        )

    def test_what_readers_do_not_see_as_it_is_proved(self, database: Warehouse, checkout: Path) -> None:
        """Prevents a morning on which all is in order, and readers see the day before last."""
        hold(settings(), [date(2026, 4, 16)], "under review")
        found = _diagnosed(database, checkout)
        assert _wrong(found) == []
        assert _answer(found, READERS) == "3 of 3 days as proved; held: 2026-04-16"
        rows(database, "update release.partition_pointer set data_release_id = 0 where partition_key <= '2026-04-16'")
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [READERS]
        assert "held: 2026-04-16 (" in _answer(found, READERS) and "not yet: 2026-04-15 (" in _answer(found, READERS)
        assert found.next_command.startswith("make release PARTITION=2026-04-15   # ")
        here = load_settings(project_root=checkout)
        shown = [row["partition_key"] for row in read_status(database, None, settings=here).readers]
        assert shown == ["2026-04-15", "2026-04-16"]

    def test_a_dead_run(self, database: Warehouse, exports: Path, checkout: Path) -> None:
        """It recorded its own fault, as on a full disk; status says the same of it."""
        with failing("gate"), pytest.raises(OSError, match="No space"):
            run(exports)
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [RUN]
        assert found.advice == ends(f"make retry RUN={latest_run(database)} MODE=execute")

    def test_a_dead_run_comes_before_what_it_left_undone(
        self, database: Warehouse, exports: Path, checkout: Path
    ) -> None:
        """An asset that is absent and days that are not taken may be that run's doing."""
        with failing("gate"), pytest.raises(OSError, match="No space"):
            run(exports)
        rows(
            database,
            "update ops.manifest_asset set disposition = 'missing', judgement = 'reject', asset_id = null"
            " where asset_id = 3",
        )
        untake(database, "true")
        found = _diagnosed(database, checkout)
        assert {"which manifest?", RUN, "coverage?"} <= set(_wrong(found))
        assert found.advice == ends(f"make retry RUN={latest_run(database)} MODE=execute")

    def test_a_dead_run_under_another_contract(
        self, database: Warehouse, exports: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with failing("dbt"), pytest.raises(OSError, match="No space"):
            run(exports)
        monkeypatch.setattr("loader.kinds.ticket.VERSION", "another")
        found = _diagnosed(database, checkout)
        assert found.advice == ends(f"make replay RUN={latest_run(database)} MODE=execute")
        assert _wrong(found) == [RUN, "which rules?"]

    def test_days_that_are_not_taken(self, database: Warehouse, exports: Path, checkout: Path) -> None:
        """Their manifest lies in no folder that is searched: without its name, the backfill would read others."""
        untake(database, "partition_key < '2026-04-17'")
        found = _diagnosed(database, checkout)
        assert _wrong(found) == ["coverage?"]
        days = "FROM=2026-04-15 TO=2026-04-16"
        assert found.advice.command == f"make backfill {days} MANIFEST={exports} MODE=execute"
        default = checkout / "data" / "seed_manifests" / "m.json"
        shutil.copy(exports, default)
        rows(database, "update ops.manifest set manifest_path = %s", str(default))
        assert _diagnosed(database, checkout).advice.command == f"make backfill {days} MODE=execute"

    @pytest.mark.long
    def test_days_of_a_manifest_that_is_gone_or_other(
        self, database: Warehouse, exports: Path, checkout: Path, tmp_path: Path
    ) -> None:
        """A backfill would read nothing, or be refused; the raw zone has every byte."""
        batch = json.loads(exports.read_bytes())["batch_id"]
        untake(database, "partition_key < '2026-04-17'")
        for path in (tmp_path / "gone.json", tmp_path / "other.json"):
            (tmp_path / "other.json").write_text("{}")
            rows(database, "update ops.manifest set manifest_path = %s", str(path))
            assert _diagnosed(database, checkout).next_command.startswith(f"make replay BATCH={batch} MODE=execute")
        assert recover("replay", batch_id=batch).exit_code == 0
        assert _wrong(_diagnosed(database, checkout)) == []

    def test_days_that_were_read_under_other_rules(
        self, database: Warehouse, exports: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A backfill would be refused."""
        batch = json.loads(exports.read_bytes())["batch_id"]
        untake(database, "partition_key < '2026-04-17'")
        monkeypatch.setattr("loader.kinds.ticket.VERSION", "another")
        found = _diagnosed(database, checkout)
        assert found.next_command.startswith(f"make replay BATCH={batch} MODE=execute")

    @pytest.mark.long
    def test_an_ad_hoc_file(self, database: Warehouse, checkout: Path, tmp_path: Path) -> None:
        """Its manifest was never a file: it is named by INPUT and BATCH, whether it was looked at or read whole."""
        path = write_export(tmp_path / "ad hoc.jsonl", [ticket(number) for number in (901, 902)])
        command = f"make ingest INPUT='{path.resolve()}' BATCH=batch-20260417-007"
        asked = {"input_path": path, "batch_id": "batch-20260417-007"}
        assert run(**asked, line_limit=1).exit_code == 0
        found = _diagnosed(database, checkout)
        assert _wrong(found) == ["coverage?"]
        assert "1 admitted file no run has read whole" in _answer(found, "coverage?")
        assert found.advice.command == command
        assert run(**asked).exit_code == 0
        assert _wrong(_diagnosed(database, checkout)) == []
        untake(database, "asset_id = (select max(asset_id) from ops.source_asset)")
        found = _diagnosed(database, checkout)
        assert (_wrong(found), found.advice.command) == (["coverage?"], command)

    def test_findings_are_of_four_kinds(self, database: Warehouse, checkout: Path) -> None:
        """And the command that mends them is the first of all."""
        for table, check_name, kind, day in (
            ("silver.ticket_fact", "record_doubled", "duplicate", "2026-04-16"),
            ("silver.ticket_fact", "record_missing", "gap", "2026-04-16"),
            ("reconcile.reconcile_partition", "partition_digests_differ", "drift", "2026-04-16"),
            ("reconcile.reconcile_partition", "partition_digests_differ", "drift", "2026-04-17"),
            ("silver.ticket_fact", "record_unfounded", "no_trace", "2026-04-16"),
        ):
            rows(
                database,
                "insert into reconcile.reconcile_finding (table_name, check_name, kind, partition_key, finding_count,"
                " detail) values (%s, %s, %s, %s, 1, 'one')",
                *(table, check_name, kind, day),
            )
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [KIND]
        assert _answer(found, KIND) == (
            "duplicate: silver.ticket_fact: record_doubled (1, 2026-04-16; one);"
            " gap: silver.ticket_fact: record_missing (1, 2026-04-16; one);"
            # One damage that may be of both days, or one in each: no number of rows is right for both.
            " drift: reconcile.reconcile_partition: partition_digests_differ (2026-04-16, 2026-04-17; one);"
            " no trace: silver.ticket_fact: record_unfounded (1, 2026-04-16; one)"
        )
        assert found.advice.command == "make build PARTITION=2026-04-16"
        # Another day's damage is not what keeps this one back.
        assert _wrong(_diagnosed(database, checkout, date(2026, 4, 15))) == []

    def test_an_erasure_waits_for_damage_that_holds_every_day_and_for_no_other(
        self, database: Warehouse, checkout: Path
    ) -> None:
        """Prevents an erasure that is advised, cannot close, and is advised again."""
        rows(
            database,
            "insert into ops.erasure (erasure_id, customer_hash, operator, reason, trace_id, removed)"
            " values (gen_random_uuid(), sha256(''), 'tests', 'asked', repeat('0', 32), '{}')",
        )
        again = "make erase PERSON='<the same person>' REASON=asked MODE=execute"
        assert _diagnosed(database, checkout).advice == Advice(AdviceKind.ERASE, again)
        find = (
            "insert into reconcile.reconcile_finding (table_name, check_name, kind, partition_key, finding_count,"
            " detail) values ('silver.built_load', 'load_not_built', 'gap', %s, 1, 'one')"
        )
        rows(database, find, "2026-04-16")
        assert _diagnosed(database, checkout).advice == Advice(AdviceKind.ERASE, again)
        rows(database, find, None)
        found = _diagnosed(database, checkout)
        assert found.advice.command == "make build FULL_REFRESH=1"
        assert _wrong(found) == [KIND, "erasures?"]

    @pytest.mark.parametrize(
        ("damage", "finding"),
        [
            (
                "update reconcile.reconcile_load set run_id = '{other}'",
                ("ops.completed_load", "run_unknown", "{other}"),
            ),
            (
                "update ops.ingest_run set dlt_load_ids = array[]::text[]",
                ("ops.ingest_run", "load_not_listed", "{own}"),
            ),
        ],
        ids=["the completion", "the list"],
    )
    def test_a_load_that_one_table_says_is_of_another_run_is_landed_again(
        self, damage: str, finding: tuple[str, str, str], database: Warehouse, checkout: Path
    ) -> None:
        """Prevents that a row which two other tables contradict ends with a backup."""
        names = {"own": latest_run(database), "other": str(uuid.uuid4())}
        rows(database, BEHIND + damage.format(**names))
        rows(
            database,
            "insert into reconcile.reconcile_finding (table_name, check_name, kind, run_id, finding_count, detail)"
            " values (%s, %s, 'drift', %s, 1, 'one')",
            *(text.format(**names) for text in finding),
        )
        assert _diagnosed(database, checkout).advice == land_again(names["own"])

    def test_a_run_that_left_no_trace_of_its_manifest(
        self,
        database: Warehouse,
        exports: Path,
        checkout: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It died before it had registered anything, and the next night's run ended well."""
        write_export(tmp_path / "f" / "lost.jsonl", [ticket(900)])
        lost = declare(tmp_path / "f", "lost")
        with failing("gate"), pytest.raises(OSError, match="No space"):
            run(lost)
        dead = latest_run(database)
        assert run(exports).exit_code == 0
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [KIND]
        named = json.loads(lost.read_bytes())["manifest_id"]
        assert _answer(found, KIND) == f"no trace: run {dead} ended before it had registered {named}"
        assert found.advice == ends(f"make retry RUN={dead} MODE=execute")
        with monkeypatch.context() as patch:
            patch.setattr("loader.kinds.ticket.VERSION", "another")
            found = _diagnosed(database, checkout)
            assert found.advice == ends(f"make rerun RUN={dead} MODE=execute")
        aside = lost.rename(tmp_path / "aside.json")
        assert _diagnosed(database, checkout).next_command.startswith(f"make ingest MANIFEST={lost}   # ")
        aside.rename(lost)
        assert recover("retry", run_id=dead).exit_code == 0
        assert _wrong(_diagnosed(database, checkout)) == []

    def test_a_manifest_that_no_run_was_asked_to_read(self, database: Warehouse, checkout: Path) -> None:
        """Nothing in the warehouse can know of it. What is no manifest beside it is named after, and ends nothing."""
        folder = checkout / "data" / "seed_manifests"
        (folder / "broken.json").write_text("{")
        (folder / "folder.json").mkdir()
        (folder / "gone.json").symlink_to("nowhere")
        (folder / ".#gone.json").symlink_to("an.editor@its.machine:1")
        (folder / "._broken.json").write_bytes(b"\0\5\26\7")
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [KIND]
        assert "no trace: data/seed_manifests/broken.json cannot be read as a manifest; " in _answer(found, KIND)
        assert found.next_command.startswith("make dry-run MANIFEST=data/seed_manifests/broken.json   # ")
        write_export(folder / "e" / "never.jsonl", [ticket(900)])
        never = declare(folder / "e", "never")
        found = _diagnosed(database, checkout)
        named = json.loads(never.read_bytes())["manifest_id"]
        assert _answer(found, KIND).startswith(f"no trace: no run was ever asked to read {named}, in ")
        assert found.advice.command == "make ingest MANIFEST=data/seed_manifests/never.json"

    def test_a_newer_reading_of_a_part_does_not_stand_for_the_whole(self, database: Warehouse, checkout: Path) -> None:
        """A look at some lines under tomorrow's rules changes neither what is expected nor what was rejected."""
        expected = [row["expected_count"] for row in read_status(database, None).partitions]
        rows(
            database,
            "insert into ops.ruleset (ruleset_sha256, contract_ref, components)"
            " select repeat('a', 64), contract_ref, components from ops.ruleset;"
            " insert into ops.asset_index (asset_id, ruleset_id, line_count, indexed_line_count, is_complete, run_id,"
            " attempt) select asset_id, ruleset_id + 1, line_count, 1, false, run_id, attempt from ops.asset_index"
            " where asset_id = 2;"
            " insert into ops.asset_partition (asset_id, ruleset_id, partition_key, record_line_count,"
            " rejected_line_count) select asset_id, ruleset_id + 1, partition_key, 1, 0 from ops.asset_partition"
            " where asset_id = 2 limit 1",
        )
        assert [row["expected_count"] for row in read_status(database, None).partitions] == expected
        assert _answer(_diagnosed(database, checkout), "which rules?").startswith(
            "2 rejects were judged by an older ruleset than today's, of batch "
        )

    def test_what_is_damaged_in_bronze_is_landed_again_by_the_command_that_is_told(
        self, database: Warehouse, checkout: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Prevents advice that cannot mend, a backfill of days that nobody asked for, and a mend that is half done when
        it is killed: the archive has every byte, and all that runs leave is as it was."""
        before, run_id = left_by_runs(database), latest_run(database)
        for damage in ("line_missing", "bytes_differ", "event_missing", "payload_differs", "reject_missing"):
            rows(database, BEHIND + DAMAGES[damage])
        # Its key has to go first.
        rows(database, "; ".join(double("ops.asset_partition", "asset_id = 1")))
        mend = land_again(run_id)
        assert _said(capfd, "build", "--select", "reconcile") == (1, mend.line)
        found = _diagnosed(database, checkout)
        assert (found.advice, KIND in _wrong(found)) == (mend, True)
        with failing("load"), pytest.raises(OSError, match="No space"):
            recover("retry", run_id=run_id)
        assert rows(database, "select count(*) from bronze.raw_ticket_event") == [(0,)]
        assert _diagnosed(database, checkout).advice == ends(f"make retry RUN={run_id} MODE=execute")
        code, told = _said(capfd, "retry", run_id, "--mode", "execute", whole=True)
        assert (code, "next: make status\n" in told) == (0, True), told
        # Rows of a new load are a new version for readers, with the same in it.
        assert {**left_by_runs(database), "ticket_row": before["ticket_row"]} == before
        assert _wrong(_diagnosed(database, checkout)) == []
        # What is as it was landed is not landed again.
        assert _said(capfd, "retry", run_id)[0] == 4

    def test_a_doubled_row_of_what_a_run_had_read_does_not_keep_it_from_being_landed_again(
        self, database: Warehouse, checkout: Path
    ) -> None:
        """Prevents a retry that takes rows back, fails over the second row, and is told as what comes next."""
        count = "select count(*) from bronze.raw_ticket_event"
        before, run_id = rows(database, count), latest_run(database)
        ((batch_id,),) = rows(database, "select batch_id from ops.manifest")
        rows(database, BEHIND + DAMAGES["event_missing"])
        rows(database, "; ".join(double("ops.source_asset", "asset_id = 2")))
        replay = {"run_id": None, "batch_id": batch_id, "rejected_only": False}
        assert [asset.asset_id for asset in make_plan(settings(), "replay", replay).assets] == [1, 2, 3]
        verdict = recover("retry", run_id=run_id)
        assert {each.check_name for each in verdict.facts.findings} == {"source_asset_doubled"}
        assert rows(database, count) == before
        assert _diagnosed(database, checkout).advice == Advice(AdviceKind.RESTORE, "make verify EVIDENCE=1")

    def test_what_is_taken_back_is_the_run_s_own(self, database: Warehouse) -> None:
        """Prevents that a mend of one run takes what another had landed, whose traces are damaged as well: its files
        may be in no archive any more."""
        unknown = "01a00000-0000-7000-8000-000000000000"
        copies = {
            "ops.asset_index": {"run_id": unknown},
            "ops.asset_partition": {"taken_by_run_id": unknown},
            "bronze.asset_line": {"_dlt_load_id": "gone"},
        }
        for table, change in copies.items():
            changed = json.dumps({"asset_id": 999, **change})
            copy = f"(jsonb_populate_record(row, '{changed}')).* from {table} as row where asset_id = 1 limit 1"
            rows(database, f"{BEHIND} insert into {table} select {copy}")
        with closing(database.connect()) as session, session, session.cursor() as cursor:
            take_back(cursor, latest_run(database))
        for table in ("ops.asset_index", "bronze.asset_line"):
            assert rows(database, f"select asset_id from {table}") == [(999,)], table
        assert rows(database, "select asset_id, taken_by_run_id::text from ops.asset_partition") == [(999, unknown)]

    def test_a_request_that_was_mistyped_or_refused_is_no_trouble_of_the_warehouse(
        self, database: Warehouse, exports: Path, checkout: Path
    ) -> None:
        """Prevents a dry run as what comes first for everybody until the next run; what a refused request would have
        read is still to be read."""
        assert run(exports, partition=date(2026, 4, 25)).exit_code == 1
        found = _diagnosed(database, checkout)
        assert (_wrong(found), found.advice) == ([], NOTHING_TO_DO)
        assert "no line of the declared assets belongs to partition 2026-04-25" in _answer(found, RUN)
        folder = checkout / "data" / "seed_manifests"
        write_export(folder / "e" / "never.jsonl", [ticket(900)])
        never = declare(folder / "e", "never")
        changed = checkout / "changed.json"
        changed.write_bytes(exports.read_bytes() + b" ")
        with pytest.raises(RefusedError, match="this id was registered with"):
            run(changed, never)
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [KIND]
        assert found.advice.command == "make ingest MANIFEST=data/seed_manifests/never.json"

    def test_a_run_that_failed_its_checks(
        self, database: Warehouse, exports: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its reason is told; what else is wrong says better what to do."""
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0")
        assert run(exports).exit_code == 1
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [READERS]
        assert [step.question for step in found.steps if step.is_noted] == [RUN]
        assert "lines rejected, allowed 0%" in _answer(found, RUN)
        assert "too many rejects in " in _answer(found, READERS)
        release = "make release PARTITION=2026-04-15 ACCEPT_REJECTS=1 REASON='<why>'"
        assert found.advice == Advice(AdviceKind.ACCEPT_REJECTS, release)
        other = date(2026, 4, 25)
        assert run(exports, partition=other).exit_code == 1
        found = _diagnosed(database, checkout)
        assert _wrong(found) == [READERS] and "no line of the declared assets" in _answer(found, RUN)
        assert found.advice == Advice(AdviceKind.ACCEPT_REJECTS, release)
        ad_hoc = write_export(checkout / "ad hoc.jsonl", [ticket(901), b"{broken"])
        assert run(input_path=ad_hoc, batch_id="batch-20260417-009", partition=other).exit_code == 1
        found = _diagnosed(database, checkout)
        assert found.advice.command == f"make ingest INPUT='{ad_hoc}' BATCH=batch-20260417-009"
        untake(database, "partition_key < '2026-04-16'")
        found = _diagnosed(database, checkout)
        days = "FROM=2026-04-15 TO=2026-04-17"
        assert found.advice.command == f"make backfill {days} MANIFEST={exports} MODE=execute"


def test_coverage_is_asked_of_every_kind_and_mended_for_the_one_with_a_gap(
    database: Warehouse, exports: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prevents a kind whose days are incomplete behind another that is whole, and advice that reads the other's."""
    case = json.loads((ROOT / "contracts/kinds/ticket_comment_v1/fixtures/valid/whole.json").read_bytes())
    file = exports.parent / "comments.jsonl"
    file.write_text(json.dumps(case["instance"]) + "\n")
    named = ("--kind", "ticket_comment_v1")
    assert _said(capfd, "ingest", "--input", str(file), *named, "--batch", "batch-20260417-009")[0] == 0
    said = _said(capfd, "diagnose", whole=True)[1]
    assert re.search(r"coverage\? +ok +17 of 17 lines are taken, in 3 days of 2 kinds\n", said)
    with closing(database.connect(application_name="tests")) as session, session, session.cursor() as cursor:
        cursor.execute(
            f"{BEHIND} update ops.asset_partition set taken_by_run_id = null, taken_at = null,"
            " record_line_count = record_line_count + 1 where asset_id in"
            " (select asset_id from ops.source_asset where record_kind = 'ticket_comment_v1')"
        )
    code, said = _said(capfd, "diagnose", whole=True)
    assert code == 1
    assert "with a gap: 2026-04-17 of ticket_comment_v1" in said
    assert "with a gap" not in _said(capfd, "diagnose", "--kind", "ticket_v1", whole=True)[1]
    with pytest.raises(CommandUsageError, match="KIND: got visit"):
        diagnose_now(load_settings(), database, record_kind="visit")
    # An ad-hoc file is read again as it was.
    assert _said(capfd, "diagnose")[1] == (
        f"make ingest INPUT={file} BATCH=batch-20260417-009 KIND=ticket_comment_v1   # reads the file whole"
    )
