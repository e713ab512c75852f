"""Silver is a pure function of what landed: any order, split, repetition and recovery gives the same rows."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loader.errors import LoaderError
from loader.warehouse import Warehouse
from tests.ingests import (
    SILVER,
    SILVER_OF_COMMENTS,
    comment,
    declare,
    rows,
    run_kinds,
    silver,
    ticket,
    write_export,
)
from tests.proofs import proved_whole, reconciled
from tests.recoveries import STAGES, failing, recover
from tests.shared_warehouse import EMPTY_LAYERS

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")

DAYS = (date(2026, 4, 16), date(2026, 4, 17), date(2026, 4, 18))
_STAMPS = st.sampled_from([None, *(f"2026-04-{day}T0{hour}:00:00Z" for day in (17, 18, 19) for hour in (1, 2))])


@dataclass(frozen=True)
class Compared:
    """A kind, its rows of Silver, and the columns of them that plain Python recounts: of the record's key, its day and
    other fields."""

    kind: str
    silver: str
    events: str
    key: str
    fields: tuple[str, ...]


TICKETS = Compared("ticket_v1", SILVER, "raw_ticket_event", "ticket_id", ("status", "priority", "customer_id"))
COMMENTS = Compared(
    "ticket_comment_v1", SILVER_OF_COMMENTS, "raw_ticket_comment_event", "comment_id", ("visibility", "author_id")
)
KINDS = (TICKETS, COMMENTS)


@dataclass(frozen=True)
class Files:
    """The lines of a kind's files, in upstream's order."""

    of: Compared
    lines: list[list[bytes]]


@dataclass(frozen=True)
class Step:
    """A command: a verb, which manifests (one per file, or all of both kinds), which day or all; in which stage it
    dies, and whether a retry follows."""

    verb: str
    which: int
    day: date | None
    dies_in: str | None
    is_retried: bool


@st.composite
def versions(draw: st.DrawFn) -> dict[str, Any]:
    """A version of one of four tickets; times collide often, days change sometimes."""
    number = draw(st.integers(1, 4))
    day = draw(st.sampled_from(["2026-04-17"] * 4 + ["2026-04-16", "2026-04-18"]))
    return ticket(
        number,
        status=draw(st.sampled_from(["open", "pending", "closed"])),
        priority=draw(st.sampled_from(["p1_critical", "p4_low"])),
        customer_id=draw(st.sampled_from(["customer_a", "customer_b"])),
        created_at=f"{day}T08:00:00Z",
        updated_at=draw(_STAMPS),
    )


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    """A version of one of three comments, likewise."""
    return comment(
        draw(st.integers(1, 3)),
        visibility=draw(st.sampled_from(["public", "internal"])),
        author_id=draw(st.sampled_from(["customer_a", "customer_b"])),
        word_count=draw(st.sampled_from([..., 0, 2])),
        created_at=f"{draw(st.sampled_from(['2026-04-17'] * 3 + ['2026-04-18']))}T08:00:00Z",
        updated_at=draw(_STAMPS),
    )


def _files(draw: st.DrawFn, of: Compared, records: list[dict[str, Any]]) -> Files:
    """Some records twice, and lines that are none, in any order and in one to three files."""
    lines = [orjson.dumps(one) for one in records]
    lines += draw(st.lists(st.sampled_from(lines), max_size=4))
    lines += draw(st.lists(st.sampled_from([b"", b"{", b"[]"]), max_size=2))
    lines = draw(st.permutations(lines))
    cuts = sorted(draw(st.lists(st.integers(0, len(lines)), max_size=2)))
    return Files(of, [lines[start:end] for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Files], list[Step]]:
    """Files of lines (upstream's order) of both kinds, and what is done with them."""
    files = [
        _files(draw, TICKETS, draw(st.lists(versions(), min_size=3, max_size=14))),
        _files(draw, COMMENTS, draw(st.lists(edits(), min_size=2, max_size=8))),
    ]
    steps = st.builds(
        Step,
        verb=st.sampled_from(["ingest", "ingest", "rerun", "replay", "backfill"]),
        which=st.integers(0, sum(len(each.lines) for each in files)),
        day=st.sampled_from([None, *DAYS]),
        dies_in=st.sampled_from([None, None, *STAGES]),
        is_retried=st.booleans(),
    )
    return files, draw(st.lists(steps, max_size=3))


def _take(step: Step, manifests: list[list[Path]]) -> None:
    """Whatever becomes of it: what is refused must change nothing, what dies must be made up for."""
    asked = manifests[step.which]
    with suppress(OSError, LoaderError), failing(step.dies_in):
        if step.verb == "ingest":
            run_kinds(*asked, partition=step.day)
        elif step.verb == "backfill":
            first, last = step.day or DAYS[0], step.day or DAYS[-1]
            window = {"window_start": first.isoformat(), "window_end": (last + timedelta(days=1)).isoformat()}
            for manifest in asked:
                recover("backfill", manifest_paths=[str(manifest)], **window)
        else:
            recover(step.verb, run_id=None)
    if step.is_retried:
        with suppress(LoaderError):
            recover("retry", run_id=None)


# How many histories a test goes through, the same in each run.
HISTORIES = hypothesis_settings(
    max_examples=int(os.environ.get("HISTORIES", "1")),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=True,
)


@HISTORIES
@given(history=histories())
def test_silver_does_not_depend_on_history(
    history: tuple[list[Files], list[Step]],
    database: Warehouse,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Files of two kinds arrive in some order, whole or by the day, again and again, by any verb, and commands die on
    the way; one ingest of everything is the yardstick.

    After every history the equation closes: no unexplained line, and nothing for reconcile to find.
    """
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "1")
    files, steps = history
    work = Path(tempfile.mkdtemp(dir=folder))
    manifests: list[list[Path]] = []
    whole = []
    for kind in files:
        place = work / kind.of.kind
        for number, lines in enumerate(kind.lines, start=1):
            name = f"e-2026-04-{10 + number}.jsonl"
            write_export(place / f"part-{number}" / name, lines)
            write_export(place / "all" / name, lines)
            manifests.append([declare(place / f"part-{number}", f"part-{number}", kind=kind.of.kind)])
        whole.append(declare(place / "all", "all", kind=kind.of.kind))
    manifests.append(whole)
    note(f"files {[[len(lines) for lines in kind.lines] for kind in files]}, steps {steps}")

    _empty(database)
    for step in steps:
        _take(step, manifests)
    for verdict in run_kinds(*(manifest for asked in reversed(manifests) for manifest in asked)).values():
        assert verdict.facts.errors == 0
        assert verdict.facts.findings == ()
    by_history = [(silver(database, kind.silver), _bronze(database, kind)) for kind in KINDS]
    # Every step but the first proved what it changed, and no more: it must have come to the same.
    by_steps = reconciled(database)
    assert by_steps == proved_whole(database)

    _empty(database)
    run_kinds(*whole)
    assert by_history == [(silver(database, kind.silver), _bronze(database, kind)) for kind in KINDS]
    for kind, (shown, _) in zip(files, by_history, strict=True):
        names = (kind.of.key, *kind.of.fields, "partition_key", "version_count")
        assert [tuple(row[name] for name in names) for row in shown] == _expected(kind)


def _bronze(database: Warehouse, kind: Compared) -> list[tuple[Any, ...]]:
    """Every event, once, with its payload; which delivery was the first depends on the order."""
    return rows(database, f"select event_id, record_fingerprint, raw_payload from bronze.{kind.events} order by 1")


def _expected(files: Files) -> list[tuple[Any, ...]]:
    """What Silver must hold, by plain Python: the greatest version of each record, and how many it had."""
    places: dict[bytes, tuple[int, int]] = {}
    for number, lines in enumerate(files.lines):
        for line_number, line in enumerate(lines, start=1):
            if line.startswith(b'{"'):
                places.setdefault(line, (number, line_number))
    versions_of: dict[str, list[tuple[Any, ...]]] = {}
    for line, place in places.items():
        record = orjson.loads(line)
        fingerprint = hashlib.sha256(
            orjson.dumps(
                {name: value for name, value in record.items() if name != "ingest_batch_id"},
                option=orjson.OPT_SORT_KEYS,
            )
        ).digest()
        key = (record["updated_at"] or record["created_at"], *place, fingerprint)
        versions_of.setdefault(record[files.of.key], []).append((key, record))
    expected = []
    for record_key, found in sorted(versions_of.items()):
        record = max(found, key=lambda version: version[0])[1]
        values = (record[name] for name in files.of.fields)
        expected.append((record_key, *values, record["created_at"][:10], len(found)))
    return expected


def _empty(database: Warehouse) -> None:
    """A warehouse without rows: everything that an ingest or dbt wrote is dropped and made anew."""
    rows(
        database,
        "set session_replication_role = replica; truncate bronze.record_event, bronze.asset_line,"
        " bronze.rejected_record; truncate ops.manifest, ops.manifest_asset, ops.source_asset, ops.ingest_run,"
        " ops.run_asset, ops.asset_index, ops.asset_partition, ops.completed_load, ops.ingest_state,"
        " ops.ingest_state_change, ops.ruleset,"
        " ops.proof, ops.proved_load, ops.proved_asset, ops.unproved_change"
        f" restart identity cascade; {EMPTY_LAYERS}",
    )
