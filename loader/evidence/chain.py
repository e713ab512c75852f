"""The chain of evidence: every record holds the SHA-256 of its predecessor, in the warehouse as in its file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from loader.config import Settings
from loader.evidence.files import write_file

_LATEST = "select content_sha256 from ops.run_evidence where dataset = %s order by evidence_id desc limit 1"

_ADD = """
insert into ops.run_evidence
    (dataset, run_id, attempt, report_path, content, content_sha256, predecessor_sha256)
values (%s, %s, %s, %s, %s, %s, %s)
returning evidence_id
"""

_WAITING = """
select evidence_id, evidence.report_path, evidence.content
from ops.unwritten_evidence
left join ops.run_evidence as evidence using (evidence_id)
order by evidence_id
"""


def append(cursor: Any, settings: Settings, record: Mapping[str, Any]) -> Path:
    """Write a record as the next of its dataset: the row in the caller's transaction, then its file at report_path.

    The file is there before the transaction commits: a run may not have ended without its evidence. Where the
    transaction does not commit, forget_unrecorded removes the file.
    """
    _, path, content = _add(cursor, settings, record)
    write_file(path, content)
    return path


def append_unwritten(cursor: Any, settings: Settings, record: Mapping[str, Any]) -> Path:
    """Write a record as the next of its dataset, its row only; once the transaction has committed, write_waiting
    writes its file, at the path that this returns."""
    evidence_id, path, _ = _add(cursor, settings, record)
    cursor.execute("insert into ops.unwritten_evidence (evidence_id) values (%s)", (evidence_id,))
    return path


def write_waiting(cursor: Any, settings: Settings) -> None:
    """Write every file that waits for it: of acts that have just committed, and of those that died before this.

    May be repeated, and run twice at once. Raises InfrastructureError for a fault of the disk: the records stand, and
    the next call writes what is missing.
    """
    cursor.execute(_WAITING)
    for evidence_id, report_path, content in cursor.fetchall():
        # A record that was taken away has no file to write; verify_evidence says so.
        if report_path is not None:
            write_file(settings.project_root / report_path, bytes(content))
        cursor.execute("delete from ops.unwritten_evidence where evidence_id = %s", (evidence_id,))


def _add(cursor: Any, settings: Settings, record: Mapping[str, Any]) -> tuple[int, Path, bytes]:
    # Nobody else may append until this transaction ends: a record has one successor. A hold has no ingest lock.
    cursor.execute("lock table ops.run_evidence in share row exclusive mode")
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
    (evidence_id,) = cursor.fetchone()
    return int(evidence_id), settings.project_root / record["report_path"], content


def forget_unrecorded(cursor: Any, settings: Settings, run_id: str, attempt: int) -> None:
    """Remove files of an attempt whose transaction did not commit: they claim what never was."""
    name = f"{run_id}.{attempt}.json"
    for path in (settings.report_dir / "run_evidence").glob(f"*/{name}"):
        cursor.execute("select exists (select from ops.run_evidence where report_path = %s)", (named(settings, path),))
        if not cursor.fetchone()[0]:
            path.unlink(missing_ok=True)


def named(settings: Settings, path: Path) -> str:
    """A report's path as its record has it: from the project's root where it lies below that."""
    root = settings.project_root
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
