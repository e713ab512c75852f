"""A server whose clock was set: what it would have written, put into a test's database and its report files."""

from __future__ import annotations

import hashlib
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import orjson

from loader.warehouse import Warehouse
from tests.ingests import rows, settings

# Instants that somebody declared, or that a record says: no clock of ours wrote them.
_DECLARED = ("manifest.window_start", "manifest.window_end", "ingest_state.value_at", "expiry.older_than")
_DECLARED_IN = ("ticket_fact", "ingest_state_change")
_OURS = """
select format('%%I.%%I', table_schema, table_name), column_name
from information_schema.columns inner join information_schema.tables using (table_schema, table_name)
where table_schema in ('ops', 'release') and table_type = 'BASE TABLE' and data_type like 'timestamp%%'
    and table_name || '.' || column_name <> all(%s) and table_name <> all(%s)
"""
_STAGES = """
update ops.ingest_run set stage_ended_at = coalesce((
    select jsonb_object_agg(key, value::timestamptz + %(by)s) from jsonb_each_text(stage_ended_at)), '{}')
"""
_CHECKPOINT = "update ops.ingest_state set value_at = value_at + %(by)s where state_kind = 'checkpoint'"
_SAID = ("started_at", "finished_at", "acted_at")


def shift_what_was_written(database: Warehouse, by: timedelta) -> None:
    """As if the server's clock had been ahead by `by` (behind, if negative) until now, and was then put right."""
    with closing(database.connect(application_name="test")) as session, session, session.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(_OURS, (list(_DECLARED), list(_DECLARED_IN)))
        for table, column in cursor.fetchall():
            cursor.execute(f"update {table} set {column} = {column} + %(by)s", {"by": by})
        cursor.execute(_STAGES, {"by": by})
        cursor.execute(_CHECKPOINT, {"by": by})
        cursor.execute("select evidence_id, dataset, report_path, content from ops.run_evidence order by evidence_id")
        before: dict[str, str] = {}
        for evidence_id, dataset, report_path, content in cursor.fetchall():
            record = _shifted(orjson.loads(bytes(content)), by) | {"predecessor_sha256": before.get(dataset)}
            written = orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            before[dataset] = hashlib.sha256(written).hexdigest()
            cursor.execute(
                "update ops.run_evidence set content = %s, content_sha256 = %s, predecessor_sha256 = %s"
                " where evidence_id = %s",
                (written, before[dataset], record["predecessor_sha256"], evidence_id),
            )
            (settings().project_root / report_path).write_bytes(written)
    for journal in settings().report_dir.glob("chain/*"):
        journal.unlink()


def _shifted(record: dict[str, Any], by: timedelta) -> dict[str, Any]:
    moved = {name: _moved(record[name], by) for name in _SAID if record.get(name)}
    if record.get("proof", {}).get("last_proof_of_all_at"):
        moved["proof"] = record["proof"] | {"last_proof_of_all_at": _moved(record["proof"]["last_proof_of_all_at"], by)}
    return record | moved


def _moved(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).isoformat()


def run_states(database: Warehouse) -> list[tuple[Any, ...]]:
    return rows(database, "select mode, status from ops.ingest_run order by event_number")
