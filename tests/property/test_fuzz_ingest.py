"""Fuzz through the warehouse, thinner: some hundred odd lines in one ingest, each with the fate that a recount says."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import forked
from tests.ingests import declare, fates, rows, run, summary
from tests.property.exports import lines
from tests.property.oracle import lines_of
from tests.property.test_fuzz_exports import FIRST_SEED

pytestmark = pytest.mark.usefixtures("replayed")

LINE_COUNT = 150
FILES = ("tickets-2026-04-17.jsonl", "tickets-2026-04-18.jsonl.gz")
COMMANDS = (("status",), ("state",), ("diagnose",), ("completeness",), ("verify", "--run", "RUN"))


def _contents() -> list[bytes]:
    """The content of each file, from the seed alone."""
    drawn: list[list[bytes]] = []

    @seed(FIRST_SEED)
    @hypothesis_settings(max_examples=2 * LINE_COUNT, phases=[Phase.generate], database=None, deadline=None,
                         suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.tuples(lines(), st.sampled_from([b"\n", b"\n", b"\r\n"])))
    def draw(line: tuple[bytes, bytes]) -> None:
        drawn.append([*line])

    draw()
    ended = [body + end for body, end in drawn]
    return [b"".join(ended[:LINE_COUNT]), b"".join([*ended[LINE_COUNT:], *ended[:10], b"{\r"])]


@pytest.mark.parametrize("load_format", ["parquet", pytest.param("csv", marks=pytest.mark.long)])
def test_each_odd_line_has_the_fate_of_the_recount_and_none_is_unexplained(
    load_format: str, database: Warehouse, loader_environment: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Prevents a line that the reader judges well and the way into the warehouse changes, loses or doubles; and a
    command that does what a record says, or ends in a traceback over it."""
    monkeypatch.setenv("LOADER_LOAD_FORMAT", load_format)
    contents = _contents()
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / FILES[0]).write_bytes(contents[0])
    (tmp_path / "exports" / FILES[1]).write_bytes(gzip.compress(contents[1]))
    verdict = run(declare(tmp_path / "exports"))

    expected: dict[tuple[str, int], tuple[Any, ...]] = {}
    seen: set[bytes | None] = set()
    for name, content in zip(FILES, contents, strict=True):
        for line in lines_of(content):
            fate = {"blank": "blank", "rejected": "rejected"}.get(line.kind)
            if fate is None:
                fate = "duplicate" if line.event_id in seen else "landed"
                seen.add(line.event_id)
            payload = line.canonical.decode() if line.canonical and fate == "landed" else None
            expected[name, line.number] = (
                line.offset,
                line.length,
                fate,
                line.day if fate != "rejected" else None,
                payload,
            )
    statement = """
        select entry.source_id, line.line_number, line.byte_offset, line.byte_length,
            case
                when line.kind <> 'record' then line.kind
                when event.event_id is null then 'duplicate'
                else 'landed'
            end,
            case when line.kind = 'record' then line.partition_key end, event.raw_payload
        from bronze.asset_line as line
        inner join ops.manifest_asset as entry using (asset_id)
        left join bronze.raw_ticket_event as event
            on event.asset_id = line.asset_id and event.line_number = line.line_number
    """
    found = {(name, number): tuple(rest) for name, number, *rest in rows(database, statement)}
    assert found == expected
    counts = Counter(fate for _, _, fate, _, _ in expected.values())
    assert counts["landed"] > 20 and counts["rejected"] > 50 and counts["duplicate"] > 5
    assert fates(verdict) == dict(counts)
    assert summary(verdict)["errors"] == 0
    assert rows(database, "select sum(unexplained_count)::int from reconcile.reconcile_asset") == [(0,)]
    # Wrong in what these lines say, not in what became of them.
    assert set(verdict.reason_codes) & {"unexplained_gap", "dbt_check_failed", "run_failed"} == set()

    run_id = str(verdict.facts.run["run_id"])
    for command in COMMANDS:
        words = [run_id if word == "RUN" else word for word in command]
        done = forked(words, loader_environment, ROOT)
        text = done.out + done.err
        assert done.code in (0, 1), text
        assert "Traceback" not in text
        assert text.splitlines()[-1].startswith(("next: ", "report: ")), text
        assert text.replace("\n", "").replace("\t", "").isprintable(), (command, text)
