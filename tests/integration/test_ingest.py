"""The whole chain on small exports: what lands, what does not, what a second run changes, and what evidence says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from loader.errors import CommandUsageError, RefusedError
from loader.ingest import Verdict
from loader.manifest import ManifestRefusedError
from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import DAY, declare, fates, rows, run, settings, silver, summary, ticket, write_export
from tests.states import State, States

pytestmark = pytest.mark.usefixtures("replayed")

EVIDENCE_SCHEMA = ROOT / "contracts" / "run_evidence" / "run_evidence_v1.schema.json"


@pytest.fixture(autouse=True)
def _environment(request: pytest.FixtureRequest) -> None:
    """An empty warehouse, where a test does not begin from `ingested`."""
    if "ingested" not in request.fixturenames:
        request.getfixturevalue("loader_environment")


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return two_days(tmp_path)


def two_days(root: Path) -> Path:
    """Two days in two files: 6 records of 4 tickets, one repeat, one reject with a day, one without, one blank."""
    folder = root / "exports"
    write_export(
        folder / "tickets-2026-04-17.jsonl",
        [ticket(1), ticket(2), b"", ticket(3, status="unheard_of"), ticket(4), b"{broken"],
    )
    write_export(
        folder / "tickets-2026-04-18.jsonl",
        [
            ticket(1, status="closed", updated_at="2026-04-18T09:00:00Z"),
            ticket(2),
            ticket(5, ticket_id="TKT-20260418-000005", created_at="2026-04-18T10:00:00Z"),
            ticket(4, status="pending", updated_at="2026-04-17T07:00:00Z"),
        ],
    )
    return folder


def all_of_them(root: Path) -> Verdict:
    return run(declare(two_days(root)))


@pytest.fixture
def ingested(states: States) -> Iterator[State[Verdict]]:
    """Both days, ingested from `m.json`."""
    with states.begin(all_of_them, LOADER_REJECT_LIMIT="0.5") as state:
        yield state


def relaxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files have large reject rates; the policy is tested by itself."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")


def test_one_day_is_landed_and_every_line_explained(
    exports: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promise: one fate per line, Silver from the newest version, the other day untouched."""
    relaxed(monkeypatch)
    verdict = run(declare(exports), partition=DAY)
    assert (verdict.status, verdict.exit_code, verdict.problems) == ("warning", 0, ())
    assert summary(verdict) == {"total": 10, "valid": 7, "invalid": 2, "inserted": 5, "skipped": 2, "errors": 0}
    assert fates(verdict) == {"landed": 5, "duplicate": 1, "rejected": 2, "blank": 1, "out_of_partition": 1}
    assert [(row["ticket_id"], row["status"], row["version_count"]) for row in silver(database)] == [
        ("TKT-20260417-000001", "closed", 2),
        ("TKT-20260417-000002", "open", 1),
        ("TKT-20260417-000004", "open", 2),
    ]
    (partition,) = verdict.facts.partitions
    assert partition.reconcile["unexplained_count"] == 0
    assert partition.reconcile["superseded_count"] == 2
    assert partition.reconcile["bronze_digest"] == partition.reconcile["silver_digest"]


def test_a_second_ingest_changes_nothing_and_proves_everything_again(ingested: State[Verdict]) -> None:
    """Idempotency: the operator who types it twice must not be able to tell from the data."""
    database = ingested.database
    before = {
        name: rows(database, f"select md5(string_agg(t::text, '|' order by t::text)), count(*) from {name} as t")
        for name in ("bronze.raw_ticket_event", "bronze.asset_line", "bronze.rejected_record", "silver.ticket_fact")
    }
    again = run(ingested.folder / "m.json")
    assert again.exit_code == 0
    assert summary(again) == {"total": 10, "valid": 7, "invalid": 2, "inserted": 0, "skipped": 7, "errors": 0}
    assert {asset.action for asset in again.facts.assets} == {"unchanged"}
    for name, content in before.items():
        now = rows(database, f"select md5(string_agg(t::text, '|' order by t::text)), count(*) from {name} as t")
        assert now == content, name


@pytest.mark.long
def test_days_one_by_one_end_where_one_ingest_of_everything_ends(
    exports: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition is a window on the same lines: taking them day by day may not lose or repeat one."""
    relaxed(monkeypatch)
    manifest = declare(exports)
    for day in (date(2026, 4, 18), DAY):
        last = run(manifest, partition=day)
        assert last.exit_code == 0, last.problems
    assert fates(last) == {"landed": 6, "duplicate": 1, "rejected": 2, "blank": 1}
    assert len(silver(database)) == 4


def test_evidence_keeps_its_schema_and_the_run_record_is_the_sum_of_the_others(ingested: State[Verdict]) -> None:
    """A report that a program cannot read, or that does not add up, is no evidence."""
    schema = json.loads(EVIDENCE_SCHEMA.read_text())
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    verdict = ingested.made
    whole, *parts = [json.loads(path.read_text()) for path in verdict.report_paths]
    for record in (whole, *parts):
        checker.validate(record)
    assert [part["partition_key"] for part in parts] == ["2026-04-17", "2026-04-18", None]
    assert whole["input_row_count"] == sum(part["input_row_count"] for part in parts) == 10
    assert whole["fates"] == {fate: sum(part["fates"][fate] for part in parts) for fate in whole["fates"]}
    assert whole["output_row_count"] == 4
    assert whole["downstream_decision"] == "proceed"
    for record, path in zip((whole, *parts), verdict.report_paths, strict=True):
        assert path.is_file() and path.name == f"{record['run_id']}.1.json"


def test_a_withheld_file_lets_its_siblings_land_and_fails_the_run(
    exports: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day with a withheld file is not complete, however well the others went."""
    relaxed(monkeypatch)
    manifest = declare(exports)
    damaged = exports / "tickets-2026-04-18.jsonl"
    damaged.write_bytes(damaged.read_bytes().replace(b"closed", b"opened"))
    verdict = run(manifest)
    assert verdict.exit_code == 1
    assert "asset_withheld" in verdict.reason_codes
    assert [row["ticket_id"][-1] for row in silver(database)] == ["1", "2", "4"]
    assert rows(
        database, "select bool_or(is_complete), max(withheld_asset_count) from reconcile.reconcile_partition"
    ) == [(False, 1)]


def test_a_file_that_arrives_late_completes_the_day(
    exports: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing today, delivered tomorrow: the same manifest then closes."""
    relaxed(monkeypatch)
    manifest = declare(exports)
    late = exports / "tickets-2026-04-18.jsonl"
    content = late.read_bytes()
    late.unlink()
    first = run(manifest)
    assert (first.exit_code, "asset_missing" in first.reason_codes) == (1, True)
    late.write_bytes(content)
    second = run(manifest)
    assert second.exit_code == 0, second.problems
    assert len(silver(database)) == 4


@pytest.mark.long
def test_a_source_cleaned_away_after_its_ingest_is_read_from_the_archive(
    exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upstream may delete what it delivered; the raw zone is what counts."""
    relaxed(monkeypatch)
    manifest = declare(exports)
    run(manifest, partition=date(2026, 4, 18))
    for path in exports.iterdir():
        path.unlink()
    verdict = run(manifest, partition=DAY)
    assert verdict.exit_code == 0, verdict.problems
    assert "source_missing_archived" in verdict.reason_codes
    assert fates(verdict) == {"landed": 6, "duplicate": 1, "rejected": 2, "blank": 1}


def test_a_known_manifest_with_other_bytes_is_refused_and_nothing_is_written(ingested: State[Verdict]) -> None:
    """A shrunk manifest would hide a file."""
    database, manifest = ingested.database, ingested.folder / "m.json"
    body = json.loads(manifest.read_text())
    body["assets"] = body["assets"][:1]
    manifest.write_text(json.dumps(body))
    before = rows(database, "select count(*) from ops.ingest_run")
    with pytest.raises(RefusedError, match="was registered with") as refusal:
        run(manifest)
    assert refusal.value.exit_code == 4
    assert rows(database, "select count(*) from ops.ingest_run") == before


def test_a_broken_manifest_does_not_stop_the_others_and_fails_the_run(
    exports: Path, tmp_path: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what a refused manifest declares, so nothing can be called complete; yet the others land."""
    relaxed(monkeypatch)
    good = declare(exports)
    body = json.loads(good.read_text())
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({**body, "manifest_id": "manifest-broken", "surprise": True}))
    verdict = run(good, broken)
    assert (verdict.exit_code, "manifest_refused" in verdict.reason_codes) == (1, True)
    assert len(silver(database)) == 4
    with pytest.raises(ManifestRefusedError) as alone:
        run(broken)
    assert [violation.reason_code for violation in alone.value.violations] == ["manifest_unknown_field"]


def test_a_limited_look_at_a_file_takes_nothing_and_the_full_ingest_follows(
    tmp_path: Path, database: Warehouse
) -> None:
    """LIMIT is a look: the other lines are not read, and no later run may believe that they were."""
    path = write_export(tmp_path / "adhoc.jsonl", [ticket(number) for number in range(1, 31)])
    look = run(input_path=path, batch_id="batch-20260417-007", line_limit=20)
    assert look.exit_code == 0, look.problems
    assert (look.facts.total, look.facts.not_read, "lines_not_read" in look.reason_codes) == (20, 10, True)
    assert rows(database, "select count(*) from ops.asset_partition where taken_by_run_id is not null") == [(0,)]
    assert rows(database, "select count(*) from ops.ingest_state") == [(0,)]
    whole = run(input_path=path, batch_id="batch-20260417-007")
    assert whole.exit_code == 0, whole.problems
    assert summary(whole) == {"total": 30, "valid": 30, "invalid": 0, "inserted": 10, "skipped": 20, "errors": 0}
    assert len(silver(database)) == 30


def test_a_limit_without_an_ad_hoc_file_is_a_usage_error(exports: Path) -> None:
    """A limited ingest of declared files would leave half-read days behind."""
    with pytest.raises(CommandUsageError, match="LIMIT"):
        run(declare(exports), line_limit=5)


def test_a_day_without_lines_says_where_the_nearest_data_is(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty day must not look like a successful one."""
    relaxed(monkeypatch)
    verdict = run(declare(exports), partition=date(2026, 4, 25))
    assert (verdict.status, verdict.exit_code) == ("not_available", 1)
    assert "nearest data: 2026-04-18" in verdict.problems[0].message


def test_too_many_rejects_fail_the_run_and_the_good_lines_stay(tmp_path: Path, database: Warehouse) -> None:
    """A changed export format shows as rejects; five per cent is the default policy, all is always too many."""
    write_export(tmp_path / "e" / "a.jsonl", [ticket(1), ticket(2), b"{}", b"[]"])
    verdict = run(declare(tmp_path / "e"))
    assert (verdict.exit_code, "reject_limit_exceeded" in verdict.reason_codes) == (1, True)
    assert len(silver(database)) == 2


def test_a_file_of_nothing_but_rejects_fails_whatever_the_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of 100 % must not let an unreadable file through."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "1")
    write_export(tmp_path / "e" / "a.jsonl", [b"{}", b"[]"])
    write_export(tmp_path / "e" / "b.jsonl", ['{"ticket_id": "TKT"}'.encode("utf-16")])
    verdict = run(declare(tmp_path / "e"))
    assert "reject_limit_exceeded" in verdict.reason_codes
    # What the file is, rather than only that nothing of it could be read.
    assert any("the first: line 1: utf16_text: the text is UTF-16" in problem.message for problem in verdict.problems)


@pytest.mark.long
def test_two_manifests_may_declare_the_same_bytes(exports: Path, tmp_path: Path, database: Warehouse) -> None:
    """Each has its own equation, the content is stored and landed once."""
    first, second = declare(exports), declare(exports, "again", manifest_id="manifest-again")
    both = run(first, second)
    assert summary(both)["inserted"] == 6
    assert rows(database, "select count(*) from ops.source_asset") == [(2,)]
    assert rows(database, "select count(*), min(unexplained_count) from reconcile.reconcile_manifest") == [(2, 0)]


def test_cursor_and_watermark_move_with_a_clean_run_and_late_records_are_counted_not_dropped(
    tmp_path: Path, database: Warehouse
) -> None:
    """They classify; a line below the watermark lands like any other."""
    write_export(tmp_path / "a" / "t-2026-04-17.jsonl", [ticket(1, updated_at="2026-04-17T12:00:00Z")])
    write_export(tmp_path / "b" / "t-2026-04-18.jsonl", [ticket(2, updated_at="2026-04-10T00:00:00Z")])
    run(declare(tmp_path / "a", "a"))
    state = rows(database, "select state_kind, value_at::text from ops.ingest_state where state_kind <> 'checkpoint'")
    assert sorted(state) == [("cursor", "2026-04-17 12:00:00+00"), ("watermark", "2026-04-14 12:00:00+00")]
    late = run(declare(tmp_path / "b", "b"))
    assert (late.facts.late, late.facts.inserted) == (1, 1)
    again = rows(database, "select state_kind, value_at::text from ops.ingest_state where state_kind <> 'checkpoint'")
    assert sorted(again) == sorted(state)


@pytest.mark.long
def test_a_record_from_the_future_warns_and_does_not_drag_the_cursor_along(tmp_path: Path, database: Warehouse) -> None:
    """One clock gone wrong would make every later record late."""
    write_export(tmp_path / "a" / "t.jsonl", [ticket(1, updated_at="2099-01-01T00:00:00Z")])
    verdict = run(declare(tmp_path / "a"))
    assert "updated_in_future" in verdict.reason_codes
    assert rows(
        database,
        "select value_at <= now() + interval '5 minutes' from ops.ingest_state where state_kind = 'cursor'",
    ) == [(True,)]


def test_one_ticket_id_under_two_sources_is_a_failed_check_and_the_first_source_keeps_silver(
    tmp_path: Path, database: Warehouse
) -> None:
    """Two systems that number alike would overwrite each other's tickets."""
    write_export(
        tmp_path / "e" / "t.jsonl",
        [ticket(1), ticket(1, source_id="structured:tickets:other", updated_at="2026-04-18T00:00:00Z")],
    )
    verdict = run(declare(tmp_path / "e"))
    assert verdict.exit_code == 1
    assert any(problem.code == "key_collision" for problem in verdict.problems)
    assert [row["record_source"] for row in silver(database)] == ["structured:tickets:test"]


def test_a_ticket_whose_day_changes_moves_and_is_counted(tmp_path: Path, database: Warehouse) -> None:
    """Its old row goes; the old day says where it went."""
    moved = ticket(1, created_at="2026-04-19T08:00:00Z", updated_at="2026-04-20T00:00:00Z")
    write_export(tmp_path / "e" / "t.jsonl", [ticket(1), moved])
    verdict = run(declare(tmp_path / "e"))
    assert verdict.exit_code == 0, verdict.problems
    assert [row["partition_key"] for row in silver(database)] == ["2026-04-19"]
    assert rows(
        database,
        "select partition_key::text, moved_count, silver_row_count, unexplained_count"
        " from reconcile.reconcile_partition order by 1",
    ) == [("2026-04-17", 1, 0, 0), ("2026-04-19", 0, 1, 0)]


def _last(verdict: Verdict) -> Path:
    return verdict.report_paths[0]


def test_every_run_leaves_evidence_under_its_own_name(ingested: State[Verdict]) -> None:
    """Evidence of an earlier run may never be overwritten."""
    first = _last(ingested.made)
    content = first.read_bytes()
    paths = {first, _last(run(ingested.folder / "m.json"))}
    assert len(paths) == 2
    assert first.read_bytes() == content
    assert all(path.is_relative_to(settings().report_dir / "run_evidence" / "_run") for path in paths)


def test_plain_dbt_builds_and_proves_a_warehouse_without_any_run(database: Warehouse) -> None:
    """After `make up` in a fresh checkout, `dbt build --select ticket_fact+` must not fail for want of a table."""
    build = run_dbt(database, ROOT, ["build", "--select", "ticket_fact+"])
    assert [(node.name, node.reason) for node in (*build.failed, *build.skipped)] == []
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]


def test_a_number_of_records_that_was_declared_wrongly_is_put_right_by_a_later_manifest(
    database: Warehouse, tmp_path: Path
) -> None:
    """Prevents that readers see a file of which a part is lost, and a mistake of a manifest that keeps a whole file
    from them for ever: who is told to write a new manifest must not be told so again."""
    folder = tmp_path / "exports"
    write_export(folder / f"tickets-{DAY}.jsonl", [ticket(number) for number in range(1, 4)])
    right = declare(folder)
    body = json.loads(right.read_bytes())
    body["assets"][0]["record_count"] = 5
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**body, "manifest_id": "manifest-of-five"}))
    for _ in range(2):
        told = run(wrong)
        assert told.exit_code == 1 and "record_count_differs_from_declared" in str(told.problems)
        assert silver(database) and not rows(database, "select ticket_id from serving.ticket_fact")
    assert run(right).exit_code == 0
    assert len(rows(database, "select ticket_id from serving.ticket_fact")) == 3
    # The earlier one is not what counts any more; a later one is.
    assert run(wrong, right).exit_code == 0
    again = tmp_path / "again.json"
    again.write_text(json.dumps({**body, "manifest_id": "manifest-of-five-again"}))
    assert run(again).exit_code == 1
