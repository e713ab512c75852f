"""The committed samples through the whole chain: what readers see is what the generators counted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import fates, rows, run, run_kinds

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")

DATA = ROOT / "data"


@pytest.mark.parametrize(
    ("sample", "kind", "table"),
    [
        ("comments", "ticket_comment_v1", "ticket_comment_fact"),
        pytest.param("tickets", "ticket_v1", "ticket_fact", marks=pytest.mark.long),
    ],
)
def test_a_sample_lands_is_proved_and_released_as_its_generator_counted_it(
    database: Warehouse, sample: str, kind: str, table: str
) -> None:
    """Prevents a chain that is sound for records like the tests' own: winners, numbers and fates of a whole sample
    equal a truth that shares no code with the loader."""
    expected = json.loads((DATA / "canonization" / sample / "expected.json").read_bytes())
    totals = expected["totals"]
    verdict = run(*sorted((DATA / "seed_manifests").glob(f"{sample}-*.json")))
    assert (verdict.exit_code, verdict.problems) == (0, ())
    assert fates(verdict) == {
        "landed": totals["events"],
        "duplicate": totals["duplicates"],
        "rejected": totals["rejected"],
        "blank": totals["blank"],
    }
    assert {each.reconcile["unexplained_count"] for each in verdict.facts.partitions} == {0}
    rejected = rows(
        database,
        "select code, count(*) from bronze.rejected_record cross join unnest(reason_codes) as code group by code",
    )
    assert dict(rejected) == totals["rejected_by_reason"]
    proved = rows(
        database,
        "select partition_key::text, landed_count, duplicate_count, superseded_count, moved_count, silver_row_count"
        " from reconcile.reconcile_partition where record_kind = %s",
        kind,
    )
    names = ("events", "duplicates", "superseded", "moved", "silver_rows")
    assert {day: counts for day, *counts in proved} == {
        day: [row[name] for name in names] for day, row in expected["partitions"].items()
    }
    seen = rows(
        database,
        f"select partition_key::text, count(*), ({documented_digest(sample)})::text from serving.{table}"
        " group by partition_key",
    )
    assert {day: counts for day, *counts in seen} == {
        day: [row["silver_rows"], row["winners_digest64"]]
        for day, row in expected["partitions"].items()
        if row["silver_rows"]
    }


@pytest.mark.long
def test_a_comment_whose_ticket_no_export_has_is_named(database: Warehouse) -> None:
    """Prevents links that are missed, and comments that are told to lack a ticket that came before or after them."""
    expected = json.loads((DATA / "canonization" / "comments" / "expected.json").read_bytes())
    for sample in ("comments", "tickets"):
        assert run(*sorted((DATA / "seed_manifests").glob(f"{sample}-*.json"))).exit_code == 0
    assert dict(rows(database, "select record_key, linked_key from reconcile.reconcile_link")) == expected["unlinked"]


def documented_digest(sample: str) -> str:
    """The sum that the sample's page gives for winners_digest64."""
    page = (DATA / "canonization" / Path(sample) / "README.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"```sql\n(.+?)```", page, re.DOTALL)
    return str(statement)


@pytest.mark.media
def test_what_is_beside_the_samples_recordings_and_pictures_is_of_them(database: Warehouse) -> None:
    """Prevents a sample whose transcripts are of no recording, do not fit it, or are told as if they did not."""
    seeds = DATA / "seed_manifests"
    names = ("calls", "videos", "images", "documents", "texts", "transcripts")
    verdicts = run_kinds(*(path for name in names for path in sorted(seeds.glob(f"{name}-*.json"))))
    assert {kind: (verdict.exit_code, verdict.problems) for kind, verdict in verdicts.items()} == dict.fromkeys(
        verdicts, (0, ())
    )
    for kind in ("ocr_text_v1", "transcript_line_v1"):
        assert verdicts[kind].facts.warnings == {}
    segments = "select linked_source_id, count(*)::int from serving.transcript_line group by 1 order by 1"
    assert rows(database, segments) == [
        ("2026-03-12-gateway-restart.mp4", 2),
        ("2026-03-12-gateway-restart.wav", 3),
        ("2026-04-02-sync-limits.mp3", 2),
    ]
    assert rows(database, "select count(*)::int from serving.ocr_text") == [(2,)]
