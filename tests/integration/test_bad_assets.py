"""Bad files among good ones, in one ingest: each is judged for what it is, and its siblings land."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.bounds import FREE_CONTENT_BYTES, FREE_LINES, MAX_CONTENT_BYTES
from loader.ingest import Forecast, IngestRequest, Verdict
from loader.ingest.dry_run import dry_run
from loader.warehouse import Warehouse
from tests.ingests import DAY, as_line, declare, fates, rows, run, settings, silver, ticket, write_export
from tests.shared_warehouse import own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

LONG_LINE_BYTES = 20 * 1024 * 1024

# source_id -> (judgement, disposition, reason codes). What is admitted must land whole.
EXPECTED = {
    "good-2026-04-17.jsonl": ("accept", "admitted", []),
    "members-2026-04-17.jsonl.gz": ("accept", "admitted", []),
    "long-2026-04-17.jsonl": ("accept", "admitted", []),
    "empty.jsonl": ("warn", "admitted", ["empty_asset"]),
    "empty.jsonl.gz": ("warn", "admitted", ["empty_asset"]),
    "one-newline.jsonl": ("accept", "admitted", []),
    "truncated.jsonl.gz": ("reject", "withheld", ["truncated_gzip"]),
    "header-only.jsonl.gz": ("reject", "withheld", ["truncated_gzip"]),
    "garbage.jsonl.gz": ("reject", "withheld", ["trailing_garbage"]),
    "padded.jsonl.gz": ("reject", "withheld", ["trailing_garbage"]),
    "corrupt.jsonl.gz": ("reject", "withheld", ["corrupt_gzip"]),
    "plain.jsonl.gz": ("reject", "withheld", ["encoding_mismatch"]),
    "edited.jsonl": ("reject", "withheld", ["checksum_mismatch"]),
    "grown.jsonl": ("reject", "withheld", ["checksum_mismatch", "size_mismatch"]),
    "gone.jsonl": ("reject", "missing", ["asset_missing"]),
    "above": ("reject", "withheld", ["path_outside_roots"]),
    "absolute": ("reject", "withheld", ["path_outside_roots"]),
    "link-out": ("reject", "withheld", ["path_outside_roots"]),
    "link-to-nowhere": ("reject", "missing", ["asset_missing"]),
    "link-to-itself": ("reject", "withheld", ["invalid_path"]),
    "folder": ("reject", "withheld", ["not_a_file"]),
    "pipe": ("reject", "withheld", ["not_a_file"]),
    "with-scheme": ("reject", "withheld", ["scheme_not_allowed"]),
    "below-a-file": ("reject", "missing", ["asset_missing"]),
    "in-a-bucket": ("reject", "withheld", ["path_outside_roots"]),
    "to-be-fetched": ("reject", "withheld", ["scheme_not_allowed"]),
    "hidden": ("reject", "withheld", ["path_outside_roots"]),
    "of-the-process": ("reject", "withheld", ["path_outside_roots"]),
    "sparse": ("reject", "withheld", ["asset_too_large"]),
    "newlines": ("reject", "withheld", ["too_many_lines"]),
    "bomb": ("reject", "withheld", ["decompression_limit"]),
    "endless-name": ("reject", "withheld", ["invalid_path"]),
}
ADMITTED = [name for name, (_, disposition, _) in EXPECTED.items() if disposition == "admitted"]


@dataclass(frozen=True, slots=True)
class Story:
    database: Warehouse
    exports: Path
    manifest: Path
    forecast: Forecast
    verdict: Verdict


@pytest.fixture(scope="module")
def story(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("bad_assets")
    exports = folder / "delivered" / "exports"
    with own_warehouse(server, _template, folder) as database:
        manifest = _deliver(exports)
        forecast = dry_run(settings(), IngestRequest(manifest_paths=(manifest,)), lambda line: None)
        yield Story(database, exports, manifest, forecast, run(manifest))


def _deliver(exports: Path) -> Path:
    """Write the files, declare them, and then do to them what a bad night does."""
    lines = [as_line(ticket(number)) + b"\n" for number in range(1, 31)]
    write_export(exports / "good-2026-04-17.jsonl", [ticket(1), ticket(2)])
    members = [gzip.compress(b"".join(lines[2:4])), gzip.compress(b""), gzip.compress(lines[4][:40])]
    members += [gzip.compress(lines[4][40:])]
    (exports / "members-2026-04-17.jsonl.gz").write_bytes(b"".join(members))
    long_line = as_line(ticket(6, description="x" * LONG_LINE_BYTES))
    write_export(exports / "long-2026-04-17.jsonl", [ticket(7), long_line, ticket(8)])
    (exports / "empty.jsonl").touch()
    (exports / "empty.jsonl.gz").write_bytes(gzip.compress(b""))
    (exports / "one-newline.jsonl").write_bytes(b"\n")
    whole = gzip.compress(b"".join(lines[10:30]))
    (exports / "truncated.jsonl.gz").write_bytes(whole[:-30])
    (exports / "header-only.jsonl.gz").write_bytes(whole[:2])
    (exports / "garbage.jsonl.gz").write_bytes(whole + b"-- 20 rows exported\n")
    (exports / "padded.jsonl.gz").write_bytes(whole + bytes(512))
    (exports / "corrupt.jsonl.gz").write_bytes(whole[:-8] + bytes(8))
    (exports / "plain.jsonl.gz").write_bytes(lines[10])
    for name in ("edited.jsonl", "grown.jsonl", "gone.jsonl"):
        write_export(exports / name, [ticket(20)])
    manifest = declare(exports)
    edited = exports / "edited.jsonl"
    edited.write_bytes(edited.read_bytes().replace(b"open", b"shut"))
    (exports / "grown.jsonl").write_bytes(lines[19] * 2)
    (exports / "gone.jsonl").unlink()
    outside = write_export(exports.parents[1] / "outside.jsonl", [ticket(21)])
    (exports / "link-out").symlink_to(outside)
    (exports / "link-to-nowhere").symlink_to(exports / "nowhere")
    (exports / "link-to-itself").symlink_to(exports / "link-to-itself")
    (exports / "folder").mkdir()
    os.mkfifo(exports / "pipe")
    write_export(exports / ".hidden.jsonl", [ticket(21)])
    with (exports / "sparse").open("wb") as file:
        file.truncate(MAX_CONTENT_BYTES + 1)
    (exports / "newlines").write_bytes(gzip.compress(b"\n" * (FREE_LINES + 1)))
    (exports / "bomb").write_bytes(gzip.compress(bytes(2**20)) * (FREE_CONTENT_BYTES // 2**20 + 1))
    body = json.loads(manifest.read_text())
    paths = {
        "above": "exports/../../outside.jsonl",
        "absolute": str(outside),
        "with-scheme": f"file://{outside}",
        "below-a-file": "exports/good-2026-04-17.jsonl/more.jsonl",
        "in-a-bucket": "S3://bucket/tickets.jsonl",
        "to-be-fetched": "http://127.0.0.1:9/tickets.jsonl",
        "hidden": "exports/.hidden.jsonl",
        "of-the-process": "/proc/self/environ",
        "endless-name": f"exports/{'n' * 300}.jsonl",
    }
    below = ("link-out", "link-to-nowhere", "link-to-itself", "folder", "pipe", "sparse", "newlines", "bomb")
    paths |= {name: f"exports/{name}" for name in below}
    declared = dict(body["assets"][0], checksum_sha256=hashlib.sha256(outside.read_bytes()).hexdigest())
    declared |= {"size_bytes": outside.stat().st_size, "record_count": 1}
    body["assets"] += [dict(declared, source_id=name, source_url_or_path=path) for name, path in paths.items()]
    for entry in body["assets"]:
        if entry["source_id"] in ("newlines", "bomb"):
            content = (exports / entry["source_id"]).read_bytes()
            entry |= {"asset_type": "jsonl_gz", "checksum_sha256": hashlib.sha256(content).hexdigest()}
            entry["size_bytes"] = len(content)
    manifest.write_text(json.dumps(body))
    return manifest


def _judged(story: Story) -> dict[str, tuple[Any, ...]]:
    statement = "select source_id, judgement, disposition, reason_codes from ops.manifest_asset"
    return {source_id: tuple(rest) for source_id, *rest in rows(story.database, statement)}


def test_each_file_is_judged_for_what_it_is(story: Story) -> None:
    """A file that cannot be believed is withheld with its reason; one that is merely odd is not."""
    assert _judged(story) == EXPECTED


def test_a_dry_run_said_the_same_of_each_file(story: Story) -> None:
    """The judgement is the gate's, whoever asks."""
    said = {
        asset.source_id: (asset.judgement, asset.disposition, list(asset.reason_codes))
        for asset in story.forecast.assets
    }
    assert said == EXPECTED
    fates_said = {asset.source_id: dict(asset.fates) for asset in story.forecast.assets if asset.fates}
    assert fates_said == {
        "good-2026-04-17.jsonl": {"would_land": 2},
        "members-2026-04-17.jsonl.gz": {"would_land": 3},
        "long-2026-04-17.jsonl": {"would_land": 2, "rejected": 1},
        "one-newline.jsonl": {"blank": 1},
    }


def test_the_siblings_land_and_every_line_of_theirs_is_explained(story: Story) -> None:
    """One bad delivery may not cost the others, and no line of a withheld file may slip in."""
    assert [int(row["ticket_id"][-2:]) for row in silver(story.database)] == [1, 2, 3, 4, 5, 7, 8]
    contents = []
    for name in ADMITTED:
        content = (story.exports / name).read_bytes()
        contents.append(gzip.decompress(content) if name.endswith(".gz") else content)
    assert sum(content.count(b"\n") for content in contents) == story.verdict.facts.total == 9
    assert fates(story.verdict) == {"landed": 7, "rejected": 1, "blank": 1}
    unexplained = rows(story.database, "select sum(unexplained_count) from reconcile.reconcile_partition")
    assert unexplained == [(0,)]


def test_the_day_is_not_complete_and_every_absent_file_is_named(story: Story) -> None:
    """A day with a withheld file must not look complete, however well the others went."""
    verdict = story.verdict
    assert (verdict.status, verdict.exit_code) == ("failed", 1)
    absent = {name: expected for name, expected in EXPECTED.items() if name not in ADMITTED}
    for name, (_, disposition, codes) in absent.items():
        (told,) = [problem for problem in verdict.problems if problem.name == name]
        assert f" is {disposition} ({', '.join(codes)}): " in told.message
        # The gate's own sentence, and what mends it: a code alone sends people into the source.
        assert told.sentence.strip(".") and told.mend.endswith(".")
    statement = (
        "select withheld_asset_count, missing_asset_count, obstacles, is_complete from reconcile.reconcile_partition"
    )
    ((withheld, missing, obstacles, is_complete),) = rows(story.database, statement + " where partition_key = %s", DAY)
    assert (withheld + missing, is_complete) == (len(absent), False)
    assert obstacles == [{"code": "asset_withheld", "count": withheld}, {"code": "asset_missing", "count": missing}]


def test_a_line_of_20_mb_is_rejected_whole_and_kept_by_its_head_and_hash(story: Story) -> None:
    """Its bytes stay provable: the head here, the rest by offset from the archive."""
    statement = (
        "select reason_codes, raw_line, raw_line_sha256, line.byte_offset, line.byte_length, raw_zone_key"
        " from bronze.rejected_record as reject inner join bronze.asset_line as line using (asset_id, line_number)"
        " inner join ops.source_asset as asset using (asset_id)"
    )
    ((codes, head, digest, offset, length, key),) = rows(story.database, statement)
    line = as_line(ticket(6, description="x" * LONG_LINE_BYTES))
    assert (codes, bytes(head)) == (["line_too_long"], line[:65536])
    assert bytes(digest) == hashlib.sha256(line).digest()
    with (settings().raw_zone / key).open("rb") as archive:
        archive.seek(offset)
        assert archive.read(length) == line + b"\n"


def test_only_admitted_bytes_are_archived(story: Story) -> None:
    """The archive is what later runs read: nothing unproved may enter it."""
    admitted = {hashlib.sha256((story.exports / name).read_bytes()).hexdigest() for name in ADMITTED}
    archived = {path.name.removesuffix(".gz") for path in settings().raw_zone.rglob("*") if path.is_file()}
    assert archived == admitted
