"""The chain of evidence: every record holds the SHA-256 of its predecessor, in the warehouse as in its file.

Each record has a file of its own, which nothing replaces; the journal (journal.py) keeps which there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from loader.config import Settings
from loader.errors import InfrastructureError
from loader.evidence.journal import note_records, note_restoration
from loader.report_files import unused, write_once

_LATEST = "select content_sha256 from ops.run_evidence where dataset = %s order by evidence_id desc limit 1"

_ADD = """
with added as (
    insert into ops.run_evidence
        (dataset, run_id, attempt, report_path, content, content_sha256, predecessor_sha256)
    values (%s, %s, %s, %s, %s, %s, %s)
    returning evidence_id
)
insert into ops.unwritten_evidence (evidence_id) select evidence_id from added
"""

_WAITING = """
select evidence_id, evidence.report_path, evidence.content
from ops.unwritten_evidence as waiting
left join ops.run_evidence as evidence using (evidence_id)
order by evidence_id
for update of waiting
"""


def append(cursor: Any, settings: Settings, record: Mapping[str, Any]) -> Path:
    """Write a record as the next of its dataset: its row, in the caller's transaction. Returns where its file will be.

    What does not commit leaves no file that claims it: once the transaction has committed, write_waiting writes it.
    Where `report_path` is taken (a database that was restored may give a number again), the file gets the next name
    that is free.
    """
    # Nobody else may append until this transaction ends: a record has one successor. A hold has no ingest lock.
    cursor.execute("lock table ops.run_evidence in share row exclusive mode")
    dataset = record["asset_key"]
    cursor.execute(_LATEST, (dataset,))
    latest = cursor.fetchone()
    path = unused(settings.project_root / record["report_path"], lambda each: _has_record(cursor, settings.named(each)))
    linked = {
        **record,
        "report_path": settings.named(path),
        "predecessor_sha256": latest[0] if latest else None,
    }
    content = orjson.dumps(linked, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    cursor.execute(
        _ADD,
        (
            dataset,
            record["run_id"],
            record["attempt"],
            linked["report_path"],
            content,
            hashlib.sha256(content).hexdigest(),
            linked["predecessor_sha256"],
        ),
    )
    return path


def _has_record(cursor: Any, report_path: str) -> bool:
    cursor.execute("select exists (select from ops.run_evidence where report_path = %s)", (report_path,))
    return bool(cursor.fetchone()[0])


def write_waiting(cursor: Any, settings: Settings) -> None:
    """Write every file that waits for it: of records that have just committed, and of those whose command died then.

    May be repeated; of two at once one waits for the other. Raises InfrastructureError for a fault of the disk: the
    records stand, and the next call writes what is missing. What goes on waiting keeps nobody from working: a file of
    another report folder that cannot be written, and one whose name another file has taken since (verify_evidence).
    """
    note_restoration(cursor, settings)
    cursor.execute(_WAITING)
    written = []
    for evidence_id, report_path, content in cursor.fetchall():
        # A record that was taken away has no file to write; verify_evidence says so.
        if report_path is not None:
            path = settings.project_root / report_path
            try:
                if not write_once(path, bytes(content)):
                    continue
            except InfrastructureError:
                if path.is_relative_to(settings.report_dir):
                    raise
                continue
        written.append(evidence_id)
    note_records(cursor, settings, written)
    cursor.execute("delete from ops.unwritten_evidence where evidence_id = any(%s)", (written,))


def write_files(cursor: Any, settings: Settings, what: str) -> None:
    """After the commit of `what`, as an operator calls it: write its files, and those that others left.

    Raises InfrastructureError that says that it stands; its files are then written by the next command that writes.
    """
    try:
        write_waiting(cursor, settings)
    except InfrastructureError as error:
        raise InfrastructureError(
            f"{error.message}. {what} stands, and so does its record in the warehouse: the next command that writes"
            " makes the file",
            next_command=error.next_command,
        ) from error
