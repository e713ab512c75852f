"""Fuzz: exports of every kind through gate, reader, contract and Bronze's rows, against a recount that shares no code.

`make test` runs it for seconds, `make fuzz MINUTES=60 [SEED=]` for hours. A failure prints its seed, and the smallest
export that still fails.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import json
import os
import resource
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, seed
from hypothesis import settings as hypothesis_settings

from loader.bronze.reading import AssetReading, AssetToRead, Terms, read_assets
from loader.bronze.rows import Chunk
from loader.contract.schema import load_reason_codes
from loader.gate import AssetJudgement, inspect_manifest
from loader.kinds import Ruleset, load_ruleset
from loader.manifest import parse_manifest
from tests.contract.contract_fixtures import CONTRACTS
from tests.ingests import ticket
from tests.property.exports import BORDERS, CANARY, Export, exports
from tests.property.oracle import Expected, content_of, lines_of
from tests.unit.test_manifest_parse import assets, declared

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
FIRST_SEED = int(os.environ.get("FUZZ_SEED", "20260417"))
# Per run of hypothesis; by hand there is one run after the other until the time is over.
EXAMPLES = 1_000 if MINUTES else 250
# The last ones of each run are read once more, without Hypothesis.
EXPORTS_AGAIN = 100
SECONDS_PER_EXPORT = 10.0
MEBIBYTES_IN_ALL = 400

REJECT_CODES = load_reason_codes(CONTRACTS).codes("line", "reject")
GZIP_DEFECTS = {"truncated_gzip", "corrupt_gzip", "trailing_garbage"}


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return load_ruleset(CONTRACTS)


def check(ruleset: Ruleset, folder: Path, export: Export) -> None:
    """One export, all that must hold. Only AssertionError may come out of it."""
    started = time.process_time()
    (folder / "export").write_bytes(export.delivered)
    judged = _judged_by_the_gate(folder, export.delivered)
    content = content_of(export.delivered)
    if judged.judgement.disposition != "admitted":
        # Python's gzip overlooks zeros after the last member and a wrong checksum of a header.
        assert export.is_mangled or export.delivered == export.content
        assert export.delivered[:2] == b"\x1f\x8b"
        assert set(judged.judgement.reason_codes) <= GZIP_DEFECTS
    else:
        assert content is not None, "the gate admits a file that gzip cannot read"
        assert export.is_mangled or export.delivered == export.content or content == export.content
        _check_lines(ruleset, judged, content)
    assert time.process_time() - started < SECONDS_PER_EXPORT


def _judged_by_the_gate(folder: Path, delivered: bytes) -> AssetJudgement:
    is_gzip = delivered[:2] == b"\x1f\x8b"
    (asset,) = assets(
        {
            "source_url_or_path": "export",
            "asset_type": "jsonl_gz" if is_gzip else "jsonl",
            "checksum_sha256": hashlib.sha256(delivered).hexdigest(),
            "size_bytes": len(delivered),
        },
        without="record_count",
    )
    content = json.dumps(declared(assets=[asset])).encode()
    manifest = parse_manifest(content, folder / "manifest.json", CONTRACTS)
    (judged,) = inspect_manifest(manifest, folder).assets
    assert judged.inspection is not None
    assert judged.inspection.fingerprint == hashlib.sha256(delivered).hexdigest()
    assert judged.inspection.size_bytes == len(delivered)
    return judged


def _check_lines(ruleset: Ruleset, judged: AssetJudgement, content: bytes) -> None:
    inspection, path = judged.inspection, judged.path
    assert inspection is not None and path is not None
    assert inspection.content_bytes == len(content)
    encoding, size = inspection.content_encoding, inspection.content_bytes
    asset = AssetToRead(7, path, encoding, inspection.fingerprint, size, is_indexed=False, offers_lines=True)
    read = list(read_assets([asset], Terms(3, ruleset.sha256, None), ruleset))
    (reading,) = [each for each in read if isinstance(each, AssetReading)]
    chunks = [each for each in read if isinstance(each, Chunk)]
    rows = {name: _rows(chunks, name) for name in ("asset_line", "rejected_record", "record_event")}
    expected = lines_of(content)

    # Lines tile the content: each is there once, where it lies, and is what the recount says.
    found = [(row["line_number"], row["byte_offset"], row["byte_length"], row["kind"]) for row in rows["asset_line"]]
    assert found == [(line.number, line.offset, line.length, line.kind) for line in expected]
    assert sum(line.length for line in expected) == len(content)
    assert [row["event_id"] for row in rows["asset_line"]] == [line.event_id for line in expected]
    assert reading.line_count == reading.indexed_line_count == len(expected)
    records = [line for line in expected if line.kind == "record"]
    assert reading.records == Counter(line.day for line in records)
    events = [(row["line_number"], row["raw_payload"], row["partition_key"]) for row in rows["record_event"]]
    assert [(number, _bytes(payload), day) for number, payload, day in events] == [
        (line.number, line.canonical, line.day) for line in records
    ]
    days = {row["line_number"]: row["partition_key"] for row in rows["asset_line"]}
    assert {line.number: days[line.number] for line in records} == {line.number: line.day for line in records}
    _check_rejects(rows["rejected_record"], [line for line in expected if line.kind == "rejected"])


def _check_rejects(rows: list[dict[str, Any]], expected: list[Expected]) -> None:
    for row, line in zip(rows, expected, strict=True):
        assert row["line_number"] == line.number
        assert row["raw_line"] == line.body[:65_536]
        assert row["raw_line_sha256"] == hashlib.sha256(line.body).digest()
        codes = row["reason_codes"]
        assert codes == sorted(set(codes))
        assert set(codes) <= REJECT_CODES
        # What is said of a line can be printed anywhere, and repeats nothing of it.
        for words in (row["message"], row["json_path"]):
            assert words.isascii() and words.isprintable() and 0 < len(words) <= 500
            assert CANARY not in words


def _rows(chunks: list[Chunk], table: str) -> list[dict[str, Any]]:
    return [row for chunk in chunks for row in chunk.tables[table].to_pylist()]


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _fuzzer(ruleset: Ruleset, folder: Path, counted: Counter[str], latest: deque[Export]) -> Callable[[], None]:
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(export=exports())
    def fuzz(export: Export) -> None:
        counted["exports"] += 1
        counted["lines"] += export.content.count(b"\n")
        latest.append(export)
        check(ruleset, folder, export)

    for content in CORPUS:
        fuzz = example(export=Export(content, content, is_mangled=False))(fuzz)
    return fuzz


def _check_that_no_cycle_is_left(ruleset: Ruleset, folder: Path, latest: deque[Export]) -> None:
    """Prevents memory that grows with what is read: the loader lets Python's collector of cycles look rarely.

    Hypothesis leaves many of its own, about 0.13 MiB an export: they go first, and are not taken for the loader's.
    """
    gc.collect()
    gc.disable()
    try:
        for export in latest:
            check(ruleset, folder, export)
        assert gc.collect() == 0
    finally:
        gc.enable()


def _seeds(minutes: float) -> Iterator[int]:
    """At least one, and then as many as there is time for."""
    until = time.monotonic() + 60 * minutes
    for number in itertools.count(FIRST_SEED):
        yield number
        if time.monotonic() >= until:
            return


# Exports that chance seldom finds, and that broke a version of the loader made wrong on purpose.
CORPUS: tuple[bytes, ...] = (
    b"",
    b"\n",
    b"\r",
    b"{\r",
    b"\x1f",
    b"\xef\xbb\xbf\n",
    b'{"owner":' + b"9" * 5_000 + b"}",
    b'{"owner":1e' + b"9" * 5_000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 1_100 + b"1" + b"}" * 1_100,
    b"\xff" + b'{"canary bird":"\\ud800"}' * 5_000,
    b"\n".join(json.dumps(ticket(1, created_at=text, updated_at=text)).encode() for text in BORDERS),
    b'{"' + b"canary bird" * 20 + b'":"\\u0000"}',
)


def test_no_export_crashes_the_loader_or_leaves_a_line_unexplained(
    ruleset: Ruleset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prevents the input that nobody thought of: an exception, a line lost or doubled, a record accepted wrongly."""
    counted: Counter[str] = Counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    for number in _seeds(MINUTES):
        latest: deque[Export] = deque(maxlen=EXPORTS_AGAIN)
        try:
            seed(number)(_fuzzer(ruleset, tmp_path, counted, latest))()
            _check_that_no_cycle_is_left(ruleset, tmp_path, latest)
        except BaseException:
            with capfd.disabled():
                print(f"\nmake fuzz MINUTES=0 SEED={number}   # fails again")
            raise
    seconds = time.monotonic() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    with capfd.disabled():
        if MINUTES:
            rate = f"{counted['exports'] / seconds:,.0f} exports/s, {counted['lines'] / seconds:,.0f} lines/s"
            print(f"\nfuzz: {counted['exports']:,} exports, {counted['lines']:,} lines, {rate}, {grown:.0f} MiB grown")
    assert grown < MEBIBYTES_IN_ALL
