"""Bad lines between good ones, through the whole chain once: each gets its reason, nothing is lost, neighbours land."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from loader.ingest import Forecast, IngestRequest, Verdict
from loader.ingest.dry_run import dry_run
from loader.warehouse import Warehouse
from tests.ingests import as_line, declare, fates, rows, run, settings, silver, summary, ticket, write_export
from tests.integration.bad_lines import LONG_REJECT_BYTES, OddLine, export_lines
from tests.shared_warehouse import own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

LINES = export_lines()
ODD = "tickets-2026-04-17.jsonl"
MARKED = "tickets-2026-04-18.jsonl"
SOUND = "tickets-2026-04-19.jsonl"


@dataclass(frozen=True, slots=True)
class Story:
    """The exports, what a dry run said of them beforehand, and what an ingest then made of them."""

    database: Warehouse
    folder: Path
    manifest: Path
    forecast: Forecast
    verdict: Verdict

    def content(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def of_lines(self, columns: str, table: str, name: str = ODD) -> dict[int, Any]:
        """Line number to one value or several, from a table with asset_id and line_number."""
        statement = (
            f"select line_number, {columns} from {table}"
            " where asset_id = (select asset_id from ops.manifest_asset where source_id = %s) order by line_number"
        )
        found = rows(self.database, statement, name)
        by_line = {number: rest[0] if len(rest) == 1 else rest for number, *rest in found}
        assert len(by_line) == len(found), "a line twice"
        return by_line


@pytest.fixture(scope="module", params=["parquet", pytest.param("csv", marks=pytest.mark.long)])
def story(
    server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Story]:
    """By both routes into Bronze."""
    folder = tmp_path_factory.mktemp("bad_input")
    exports = folder / "exports"
    exports.mkdir()
    (exports / ODD).write_bytes(b"".join(line.body + line.end for line in LINES))
    # As an editor on another system saves it: a mark in front, CRLF throughout.
    marked = [b"\xef\xbb\xbf" + as_line(ticket(1)), as_line(ticket(700_001)), b"", b"{}", as_line(ticket(700_002))]
    write_export(exports / MARKED, marked, end=b"\r\n")
    write_export(exports / SOUND, [ticket(800_000 + number) for number in range(1, 21)])
    with own_warehouse(server, _template, folder, LOADER_LOAD_FORMAT=request.param) as database:
        manifest = declare(exports)
        forecast = dry_run(settings(), IngestRequest(manifest_paths=(manifest,)), lambda line: None)
        yield Story(database, exports, manifest, forecast, run(manifest))


def _numbered(*fates: str) -> dict[int, OddLine]:
    return {number: line for number, line in enumerate(LINES, start=1) if line.fate in fates}


def test_each_line_gets_the_fate_and_the_day_that_it_must(story: Story) -> None:
    """A line that lands although it is wrong, or is refused although it is right, or lies in another day."""
    expected = {number: [line.fate, line.partition] for number, line in enumerate(LINES, start=1)}
    assert story.of_lines("fate, partition_key::text", "reconcile.line_fate") == expected
    marked = ["rejected", "landed", "blank", "rejected", "landed"]
    assert list(story.of_lines("fate", "reconcile.line_fate", MARKED).values()) == marked
    assert set(story.of_lines("fate", "reconcile.line_fate", SOUND).values()) == {"landed"}


def test_each_rejected_line_says_why_and_is_kept_to_the_byte(story: Story) -> None:
    """A reject without its reason cannot be explained upstream, one without its bytes cannot be repaired."""
    rejected = _numbered("rejected")
    expected = {
        number: [list(line.reason_codes), line.body[:65536], hashlib.sha256(line.body).digest()]
        for number, line in rejected.items()
    }
    found = story.of_lines("rejected.reason_codes, raw_line, raw_line_sha256", "bronze.rejected_record as rejected")
    kept = {number: [codes, bytes(raw), bytes(digest)] for number, (codes, raw, digest) in found.items()}
    assert kept == expected
    assert max(len(line.body) for line in rejected.values()) > LONG_REJECT_BYTES > 65536
    marked = story.of_lines("rejected.reason_codes, raw_line", "bronze.rejected_record as rejected", MARKED)
    assert {number: (codes, bytes(raw)) for number, (codes, raw) in marked.items()} == {
        1: (["byte_order_mark"], b"\xef\xbb\xbf" + as_line(ticket(1))),
        4: (["missing_required_field"], b"{}"),
    }


def test_lines_are_as_many_as_a_naive_count_finds_and_tile_the_file(story: Story) -> None:
    """U+2028, carriage returns and NUL end no line; a line lost or split in two would shift everything after it."""
    for name in (ODD, MARKED, SOUND):
        content = story.content(name)
        pieces = content.split(b"\n")
        lengths = [len(piece) + 1 for piece in pieces[:-1]] + ([len(pieces[-1])] if pieces[-1] else [])
        offsets = [0, *accumulate(lengths)][:-1]
        expected = {number: list(place) for number, place in enumerate(zip(offsets, lengths, strict=True), start=1)}
        assert story.of_lines("byte_offset, byte_length", "bronze.asset_line", name) == expected
        assert sum(lengths) == len(content)


def test_fates_sum_to_the_physical_lines_and_nothing_is_unexplained(story: Story) -> None:
    """The promise, against a count that shares nothing with the reader."""
    lines = {name: story.content(name).count(b"\n") + (name == ODD) for name in (ODD, MARKED, SOUND)}
    assert sum(fates(story.verdict).values()) == sum(lines.values()) == story.verdict.facts.total
    assert story.verdict.facts.errors == 0
    assert "gap" not in fates(story.verdict)
    for proof in ("reconcile_asset", "reconcile_manifest", "reconcile_partition", "reconcile_run"):
        assert rows(story.database, f"select sum(unexplained_count) from reconcile.{proof}") == [(0,)], proof
    events = rows(story.database, "select count(*) from bronze.raw_ticket_event")
    assert events == [(fates(story.verdict)["landed"],)]


def test_the_run_fails_for_its_rejects_and_for_the_id_of_two_sources_and_for_nothing_else(story: Story) -> None:
    """A reason too many hides the one that counts."""
    verdict = story.verdict
    assert (verdict.status, verdict.exit_code, verdict.downstream_decision) == ("failed", 1, "hold_downstream")
    assert set(verdict.reason_codes) == {
        "reject_limit_exceeded",
        "reconcile_finding",
        "lines_rejected",
        "resolved_before_created",
        "ticket_day_mismatch",
        "updated_before_created",
        "updated_in_future",
    }
    assert {problem.code for problem in verdict.problems} == {"reject_limit_exceeded", "key_collision"}


def test_an_instant_is_cut_off_at_the_microsecond_once_and_stays_so_in_every_layer(story: Story) -> None:
    """PostgreSQL rounds: 23:59:59.9999999 would move to the next day somewhere between Bronze and Silver."""
    expected = {number: line for number, line in enumerate(LINES, start=1) if line.created_at}
    roles = ("created_at", "updated_at")
    for table, names in (
        ("bronze.raw_ticket_event", roles),
        ("silver.ticket_fact", (*roles, "resolved_at", "sla_due_at")),
    ):
        texts = ", ".join(f"to_char({name} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')" for name in names)
        found = story.of_lines(f"{texts}, partition_key::text", table)
        for number, line in expected.items():
            assert line.created_at is not None
            text = line.created_at.removesuffix("+00:00")
            instant = text if "." in text else f"{text}.000000"
            assert found[number] == [instant] * len(names) + [line.partition], (table, line.name)


def test_silver_holds_every_good_ticket_once(story: Story) -> None:
    """One bad line may not cost its neighbours, nor the file beside it."""
    found = {row["ticket_id"]: row for row in silver(story.database)}
    landed = rows(story.database, "select distinct record_key from bronze.raw_ticket_event")
    assert set(found) == {ticket_id for (ticket_id,) in landed}
    events = fates(story.verdict)["landed"]
    # Two tickets have two events each: one moved to another day, one belongs to two sources.
    assert len(found) == events - 2
    moved, collided, future = (found[f"TKT-20260417-{number:06d}"] for number in (312, 313, 310))
    assert (moved["partition_key"], moved["version_count"]) == ("2026-04-19", 2)
    assert collided["record_source"] == "structured:tickets:test"
    assert future["updated_at"].startswith("2099-01-01T00:00:00")


def test_a_dry_run_said_all_this_before(story: Story) -> None:
    """A forecast that differs from the ingest is worse than none."""
    odd, marked, sound = story.forecast.assets
    by_fate = Counter(line.fate for line in LINES)
    named = {"landed": "would_land", "duplicate": "would_duplicate"}
    assert odd.fates == {named.get(fate, fate): count for fate, count in by_fate.items()}
    assert odd.reject_reasons == Counter(code for line in LINES for code in line.reason_codes)
    assert marked.fates == {"would_land": 2, "rejected": 2, "blank": 1}
    assert sound.fates == {"would_land": 20}
    assert {asset.outcome for asset in story.forecast.assets} == {"success"}


def test_a_second_ingest_of_all_this_changes_nothing_and_can_still_be_read(story: Story) -> None:
    """A poisonous record may not stop the runs after it: not by its size, not by its year, not by its clock."""
    before = silver(story.database)
    again = run(story.manifest)
    first = summary(story.verdict)
    assert summary(again) == {**first, "inserted": 0, "skipped": first["valid"]}
    assert set(again.reason_codes) == set(story.verdict.reason_codes) - {"updated_in_future"}
    assert again.problems == story.verdict.problems
    assert silver(story.database) == before


def test_the_day_of_a_bad_file_can_be_asked_for_alone(story: Story) -> None:
    """Asking for the day of one record at the end of the calendar is no reason to fail."""
    verdict = run(story.manifest, partition=date(1, 1, 1))
    assert [partition.partition_key for partition in verdict.facts.partitions] == [date(1, 1, 1)]
    assert verdict.facts.errors == 0
