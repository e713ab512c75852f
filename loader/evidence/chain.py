"""The chain of evidence: every record holds the SHA-256 of its predecessor, in the warehouse as in its file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from loader.config import Settings
from loader.evidence.facts import fetch_rows
from loader.evidence.files import write_file

_LATEST = "select content_sha256 from ops.run_evidence where dataset = %s order by evidence_id desc limit 1"

_ADD = """
insert into ops.run_evidence
    (dataset, run_id, attempt, report_path, content, content_sha256, predecessor_sha256)
values (%s, %s, %s, %s, %s, %s, %s)
"""

_CHAIN = """
select evidence_id, dataset, run_id::text, attempt, report_path, content, content_sha256, predecessor_sha256
from ops.run_evidence order by dataset, evidence_id
"""

# Every attempt that has ended has a record of its whole; one without had its last record taken away.
_WITHOUT = """
select run.run_id::text, run.attempt
from ops.ingest_run as run
where run.finished_at is not null and not exists (
    select from ops.run_evidence as evidence
    where evidence.run_id = run.run_id and evidence.attempt = run.attempt and evidence.report_path like '%%/_run/%%')
order by run.started_at
"""

# What the last reconcile says of a day, with Silver's rows counted now.
_TODAY = """
select proof.partition_key::text, proof.line_count, proof.bronze_digest::text, proof.silver_digest::text,
    coalesce(fact.row_count, 0) as silver_row_count
from reconcile.reconcile_partition as proof
left join (
    select partition_key, count(*) as row_count from silver.ticket_fact group by partition_key
) as fact using (partition_key)
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that is not what it was, and what is wrong with it."""

    report_path: str
    fault: str


def append(cursor: Any, settings: Settings, record: Mapping[str, Any]) -> Path:
    """Write a record as the next of its dataset: the row in the caller's transaction, then its file at report_path.

    Under the ingest lock: nobody else appends meanwhile.
    """
    dataset = record["asset_key"]
    cursor.execute(_LATEST, (dataset,))
    latest = cursor.fetchone()
    linked = {**record, "predecessor_sha256": latest[0] if latest else None}
    content = orjson.dumps(linked, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    cursor.execute(
        _ADD,
        (
            dataset,
            record["run_id"],
            record["attempt"],
            record["report_path"],
            content,
            hashlib.sha256(content).hexdigest(),
            linked["predecessor_sha256"],
        ),
    )
    path: Path = settings.project_root / record["report_path"]
    write_file(path, content)
    return path


def forget_unrecorded(cursor: Any, settings: Settings, run_id: str, attempt: int) -> None:
    """Remove files of an attempt whose transaction did not commit: they claim what never was."""
    name = f"{run_id}.{attempt}.json"
    for path in (settings.report_dir / "run_evidence").glob(f"*/{name}"):
        cursor.execute("select exists (select from ops.run_evidence where report_path = %s)", (_named(settings, path),))
        if not cursor.fetchone()[0]:
            path.unlink(missing_ok=True)


def verify_evidence(cursor: Any, settings: Settings) -> tuple[int, list[Fault]]:
    """How many records there are, and every fault: of the chain, of the files, and of what the newest record of each
    day says beside what the warehouse holds now. Writes nothing."""
    faults: list[Fault] = []
    newest: dict[str, bytes] = {}
    count = 0
    before: dict[str, str | None] = {}
    for row in fetch_rows(cursor, _CHAIN, None):
        count += 1
        content = bytes(row["content"])
        faults += [Fault(row["report_path"], fault) for fault in _faults_of(row, content, before.get(row["dataset"]))]
        before[row["dataset"]] = row["content_sha256"]
        newest[row["report_path"]] = content
    faults += [
        Fault(f"run {row['run_id']} attempt {row['attempt']}", "the record of the run was removed")
        for row in fetch_rows(cursor, _WITHOUT, None)
    ]
    faults += _faults_of_files(settings, newest)
    faults += _faults_of_counts(cursor, newest)
    return count, faults


def _faults_of(row: Mapping[str, Any], content: bytes, predecessor: str | None) -> Iterator[str]:
    if hashlib.sha256(content).hexdigest() != row["content_sha256"]:
        yield "edited: its content is not that of its SHA-256"
    if row["predecessor_sha256"] != predecessor:
        yield "its predecessor was removed, edited or put elsewhere"
    try:
        named = orjson.loads(content).get("predecessor_sha256")
    except (orjson.JSONDecodeError, AttributeError):
        yield "edited: it is no record any more"
        return
    if named != row["predecessor_sha256"]:
        yield "edited: it names another predecessor than its row"


def _faults_of_files(settings: Settings, newest: Mapping[str, bytes]) -> Iterator[Fault]:
    for report_path, content in newest.items():
        try:
            held = (settings.project_root / report_path).read_bytes()
        except OSError:
            yield Fault(report_path, "its file is gone")
            continue
        if held != content:
            yield Fault(report_path, "its file was edited")
    for path in sorted((settings.report_dir / "run_evidence").glob("*/*.json")):
        if _named(settings, path) not in newest:
            yield Fault(_named(settings, path), "a file that no record knows")


def _faults_of_counts(cursor: Any, newest: Mapping[str, bytes]) -> Iterator[Fault]:
    cursor.execute(
        "select num_nulls(to_regclass('reconcile.reconcile_partition'), to_regclass('silver.ticket_fact')) = 0"
    )
    if not cursor.fetchone()[0]:
        return
    cursor.execute("select max(completed_at) from ops.completed_load")
    (landed_at,) = cursor.fetchone()
    today = {row["partition_key"]: row for row in fetch_rows(cursor, _TODAY, None)}
    for report_path, record in sorted(_newest_of_days(newest).items()):
        # What landed since may have changed days of which its run wrote no record.
        if landed_at is not None and datetime.fromisoformat(record["finished_at"]) < landed_at:
            continue
        said, now = record["reconcile"], today.get(record["partition_key"], {})
        for name in ("line_count", "silver_row_count", "bronze_digest", "silver_digest"):
            if str(said.get(name)) != str(now.get(name)):
                yield Fault(report_path, f"{name}: it says {said.get(name)}, the warehouse {now.get(name)}")


def _newest_of_days(newest: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """The newest record of each day that has a reconcile row, by its path."""
    last: dict[str, tuple[str, dict[str, Any]]] = {}
    for report_path, content in newest.items():
        try:
            record = orjson.loads(content)
        except orjson.JSONDecodeError:
            continue
        day = record.get("partition_key")
        if (
            day
            and record.get("reconcile")
            and (day not in last or record["finished_at"] >= last[day][1]["finished_at"])
        ):
            last[day] = (report_path, record)
    return dict(last.values())


def _named(settings: Settings, path: Path) -> str:
    root = settings.project_root
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
