"""Is the evidence what it was? Reads only, a record at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from loader.audit.holdings import Day, Fault, faults_of_counts, faults_of_loads, faults_of_shown
from loader.audit.record import fault_of_file, faults_beside, faults_of_place
from loader.audit.told import faults_of_told
from loader.config import Settings
from loader.contract import load_schema, schema_faults
from loader.evidence import acts, journal
from loader.partition import Partition
from loader.warehouse import fetch_rows

_BATCH = 500
# What a record says it is: where its schema lies in contracts/, and whether it is of the chain of acts.
_SCHEMAS = {
    "run_evidence_v1": ("run_evidence/run_evidence_v1.schema.json", False),
    "erasure_evidence_v1": ("privacy/erasure_evidence_v1.schema.json", False),
    "migration_evidence_v1": ("migration/migration_evidence_v1.schema.json", False),
    "release_evidence_v1": ("release_evidence/release_evidence_v1.schema.json", True),
    "release_evidence_v2": ("release_evidence/release_evidence_v2.schema.json", True),
}

# With the kind of the run that it tells of, which an older record does not say.
_CHAIN = """
select evidence.event_number, evidence.dataset, evidence.report_path, evidence.content, evidence.content_sha256,
    evidence.predecessor_sha256, run.record_kind
from ops.run_evidence as evidence
left join ops.ingest_run as run on run.run_id = evidence.run_id and run.attempt = evidence.attempt
order by evidence.dataset, evidence.evidence_id
"""

# Every attempt that has ended has a record of its whole; one without had its last record taken away.
_WITHOUT = """
select run.run_id::text, run.attempt
from ops.ingest_run as run
where run.finished_at is not null and not exists (
    select from ops.run_evidence as evidence
    where evidence.run_id = run.run_id and evidence.attempt = run.attempt and evidence.report_path like '%%/_run/%%')
order by run.event_number
"""

# An erasure that has ended has one, too.
_WITHOUT_ERASURE = """
select erasure.erasure_id::text
from ops.erasure as erasure
where erasure.finished_at is not null and not exists (
    select from ops.run_evidence as evidence where evidence.run_id = erasure.erasure_id)
order by erasure.event_number
"""

# The last record of each file (once, several of a run could share one); `is_waiting`: the next command that writes
# makes it.
_FILES = """
select distinct on (report_path) report_path, content_sha256, waiting.evidence_id is not null as is_waiting,
    case when waiting.evidence_id is not null then content end as content
from ops.run_evidence as evidence
left join ops.unwritten_evidence as waiting using (evidence_id)
order by report_path, evidence_id desc
"""


@dataclass(slots=True)
class _Walk:
    """What a walk along the chain keeps: counts, numbers, and of each day the newest record alone."""

    record_count: int = 0
    # With each day: its record's path, the record, and the record's number among the events.
    days: dict[Day, tuple[str, dict[str, Any], int]] = field(default_factory=dict)
    shown: dict[Partition, tuple[str, int]] = field(default_factory=dict)
    told: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in acts.ACTS})


def verify_evidence(cursor: Any, settings: Settings) -> tuple[int, list[Fault], int]:
    """How many records there are, and every fault: of the chain, of the files, of acts and their records, and of what
    the newest record of each day says beside what the warehouse holds now. Then how many files of the folder are no
    fault and not of this warehouse's records: the journals say that another warehouse wrote them, or this one before it
    was restored. Writes nothing.

    One snapshot, if the caller's transaction has one (repeatable read): otherwise a command at work looks like a fault.
    """
    walk = _Walk()
    contracts = settings.project_root / "contracts"
    faults = list(_faults_of_chain(cursor, contracts, walk))
    faults += [
        Fault(f"run {row['run_id']} attempt {row['attempt']}", "the record of the run was removed")
        for row in fetch_rows(cursor, _WITHOUT, None)
    ]
    faults += [
        Fault(f"erasure {row['erasure_id']}", "the record of the erasure was removed")
        for row in fetch_rows(cursor, _WITHOUT_ERASURE, None)
    ]
    faults += _acts_without_record(cursor, walk.told)
    faults += _faults_of_files(cursor, settings)
    strangers, strange_count = _strangers(cursor, settings)
    faults += strangers
    faults += faults_of_loads(cursor)
    faults += faults_of_counts(cursor, walk.days)
    faults += faults_of_shown(cursor, walk.shown)
    faults += faults_of_told(cursor)
    return walk.record_count, faults, strange_count


def _faults_of_chain(cursor: Any, contracts: Path, walk: _Walk) -> Iterator[Fault]:
    schemas = {name: (load_schema(contracts / path), is_act) for name, (path, is_act) in _SCHEMAS.items()}
    before: dict[str, str | None] = {}
    with _streamed(cursor, _CHAIN) as rows:
        while batch := list(islice(rows, _BATCH)):
            of_acts = []
            for number, dataset, report_path, held, content_sha256, predecessor, kind in batch:
                walk.record_count += 1
                content = bytes(held)
                place = {"content_sha256": content_sha256, "predecessor_sha256": predecessor}
                yield from faults_of_place(report_path, content, place, before.get(dataset))
                before[dataset] = content_sha256
                record = _parsed(content)
                schema, is_act = schemas.get(str((record or {}).get("evidence_schema_version")), (None, False))
                is_sound = (
                    schema is not None and is_act == (dataset == acts.ASSET_KEY) and not schema_faults(schema, record)
                )
                if record is None or not is_sound:
                    yield Fault(report_path, "edited: it is no record any more")
                    continue
                if record.get("predecessor_sha256") != predecessor:
                    yield Fault(report_path, "edited: it names another predecessor than its row")
                if dataset == acts.ASSET_KEY:
                    of_acts.append((report_path, record))
                elif record.get("partition_key") and record.get("reconcile"):
                    # In the order of the chain, whatever the clock said: the last of a day is its newest.
                    walk.days[kind, record["partition_key"]] = (report_path, record, number)
            yield from _faults_of_acts(cursor, of_acts, walk)


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _faults_of_acts(cursor: Any, of_acts: list[tuple[str, dict[str, Any]]], walk: _Walk) -> Iterator[Fault]:
    """Each record of an act beside the rows that the act left, read again."""
    if not of_acts:
        return
    of_all = [acts.numbers_of(record) for _, record in of_acts]
    told = acts.read_told(cursor, {name: set().union(*(numbers[name] for numbers in of_all)) for name in acts.ACTS})
    for (report_path, record), numbers in zip(of_acts, of_all, strict=True):
        for name in acts.ACTS:
            if numbers[name] & walk.told[name]:
                yield Fault(report_path, f"{name} {min(numbers[name] & walk.told[name])} has another record already")
            walk.told[name] |= numbers[name]
        again = acts.compose(told, record["act"], numbers)
        if again is None:
            yield Fault(report_path, "the act that it tells of was removed")
            continue
        yield from faults_beside(report_path, record, acts.as_recorded(again, record["evidence_schema_version"]))
        # An older record says no kind: the rows of its act do.
        kinds = {pointer["partition_key"]: pointer["record_kind"] for pointer in again["pointers"]}
        for pointer in record.get("pointers", ()):
            day = pointer["partition_key"]
            kind = pointer.get("record_kind", kinds.get(day))
            if kind is not None:
                walk.shown[Partition(kind, date.fromisoformat(day))] = (report_path, pointer["new_release_id"])


def _acts_without_record(cursor: Any, told: Mapping[str, set[int]]) -> Iterator[Fault]:
    for name, (table, key) in acts.ACTS.items():
        cursor.execute(f"select {key} from {table} where not {key} = any(%s) order by {key}", (list(told[name]),))
        for (number,) in cursor.fetchall():
            yield Fault(f"{table} {number}", "its record was removed, or never written")


def _faults_of_files(cursor: Any, settings: Settings) -> Iterator[Fault]:
    with _streamed(cursor, _FILES) as rows:
        for report_path, content_sha256, is_waiting, content in rows:
            waiting = bytes(content) if is_waiting else None
            yield from fault_of_file(settings, report_path, content_sha256, waiting)


def _strangers(cursor: Any, settings: Settings) -> tuple[list[Fault], int]:
    """Files that no record of this warehouse knows: those that no journal knows either, and how many others."""
    names = journal.strange_names(cursor, settings)
    faults, strange_count = [], 0
    files = _files(settings)
    while batch := {settings.named(path) for path in islice(files, _BATCH)}:
        cursor.execute("select report_path from ops.run_evidence where report_path = any(%s)", (list(batch),))
        for stranger in sorted(batch - {report_path for (report_path,) in cursor.fetchall()}):
            # A run's partitions have no line of their own: `<run_id>.<attempt>`, and what tells its files apart.
            if stranger in names or ".".join(Path(stranger).name.split(".")[:2]) in names:
                strange_count += 1
            else:
                faults.append(Fault(stranger, "a file that no record knows"))
    return faults, strange_count


def _files(settings: Settings) -> Iterator[Path]:
    yield from (settings.report_dir / "run_evidence").rglob("*.json")
    yield from (settings.report_dir / "release").glob("*.json")
    # Plans lie beside the records, which are named by their number alone.
    yield from (settings.report_dir / "erase").glob("????????-????-????-????-????????????*.json")


@contextmanager
def _streamed(cursor: Any, query: str) -> Iterator[Iterator[Any]]:
    """The rows of a query, a batch of them in memory at a time: a cursor on the server, in the same transaction."""
    with closing(cursor.connection.cursor(name="omnisupport_evidence")) as server:
        server.itersize = _BATCH
        server.execute(query)
        yield iter(server)
