"""One record of the chain of evidence: is it as it was written, does it fit its neighbours, is its file the same?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from loader.audit.holdings import Fault
from loader.config import Settings
from loader.evidence import acts
from loader.report_files import is_unfinished
from loader.warehouse import fetch_rows

_RECORD = """
select evidence.report_path, evidence.content, evidence.content_sha256, evidence.predecessor_sha256,
    before.content_sha256 as before_sha256, next.predecessor_sha256 as named_by_next,
    next.evidence_id is not null as has_next, waiting.evidence_id is not null as is_waiting
from ops.run_evidence as evidence
left join lateral (
    select content_sha256 from ops.run_evidence as other
    where other.dataset = evidence.dataset and other.evidence_id < evidence.evidence_id
    order by other.evidence_id desc limit 1
) as before on true
left join lateral (
    select evidence_id, predecessor_sha256 from ops.run_evidence as other
    where other.dataset = evidence.dataset and other.evidence_id > evidence.evidence_id
    order by other.evidence_id limit 1
) as next on true
left join ops.unwritten_evidence as waiting on waiting.evidence_id = evidence.evidence_id
where evidence.evidence_id = %s
"""


def faults_of_record(cursor: Any, settings: Settings, evidence_id: int) -> Iterator[Fault]:
    """What is wrong with a record, the record before it, the one after it, and its file; by index, whatever the length
    of the chain."""
    for row in fetch_rows(cursor, _RECORD, (evidence_id,)):
        path, content = row["report_path"], bytes(row["content"])
        yield from faults_of_place(path, content, row, row["before_sha256"])
        if row["has_next"] and row["named_by_next"] != row["content_sha256"]:
            yield Fault(path, "the record after it names another predecessor")
        waiting = content if row["is_waiting"] else None
        yield from fault_of_file(settings, path, row["content_sha256"], waiting)


def faults_of_place(path: str, content: bytes, row: Mapping[str, Any], before: str | None) -> Iterator[Fault]:
    """What is wrong with a record's own bytes, and with what it says stands before it."""
    if hashlib.sha256(content).hexdigest() != row["content_sha256"]:
        yield Fault(path, "edited: its content is not that of its SHA-256")
    if row["predecessor_sha256"] != before:
        yield Fault(path, "its predecessor was removed, edited or put elsewhere")


def fault_of_file(settings: Settings, report_path: str, content_sha256: str, waiting: bytes | None) -> Iterator[Fault]:
    """`waiting`: the content where the file has still to be written."""
    try:
        held = (settings.project_root / report_path).read_bytes()
    except OSError:
        if waiting is None:
            yield Fault(report_path, "its file is gone")
        return
    if hashlib.sha256(held).hexdigest() == content_sha256:
        return
    if waiting is None:
        yield Fault(report_path, "its file was edited")
    elif not is_unfinished(held, waiting):
        yield Fault(report_path, "it waits to be written, and a file with other bytes has its name")


def faults_of_act_record(cursor: Any, report_path: str, record: Mapping[str, Any]) -> Iterator[Fault]:
    """What the record of an act says beside the rows that the act left, read again."""
    try:
        numbers = acts.numbers_of(record)
        again = acts.compose(acts.read_told(cursor, numbers), record["act"], numbers)
        version = record["evidence_schema_version"]
    except (KeyError, TypeError):
        yield Fault(report_path, "edited: it is no record any more")
        return
    if again is None:
        yield Fault(report_path, "the act that it tells of was removed")
        return
    yield from faults_beside(report_path, record, acts.as_recorded(again, version))


def faults_beside(report_path: str, record: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[Fault]:
    """Fields in which a record of an act is not what its rows say now."""
    for name, value in again.items():
        if record.get(name) != value:
            yield Fault(report_path, f"{name}: it says {_short(record.get(name))}, the warehouse {_short(value)}")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
