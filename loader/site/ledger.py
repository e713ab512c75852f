"""What the site tells beside status, read by omni_auditor in one snapshot: runs, evidence, releases, manifests, state.

Everything is read in few queries, whatever the number of days. What is heavy (contents of evidence, files of a day,
samples of rejects) is read of those pages alone that are written anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from loader.warehouse import Role, Warehouse, are_built, built, fetch_rows, json_rows

Row = Mapping[str, Any]

_RUNS = """
select run_id::text, attempt, trace_id, mode, status, last_stage, batch_id, manifest_ids, record_kind, window_start,
    window_end, line_limit, dbt_invocation_ids, loader_version, git_sha, failure, exit_code, started_at, finished_at,
    stage_ended_at, repaired_row_count
from ops.ingest_run order by event_number
"""
# As its path says: the record of a day, of lines without one (unassigned), of the run (_run), of an act.
_EVIDENCE = """
select evidence_id, dataset, run_id::text, attempt, report_path, content_sha256, written_at
from ops.run_evidence order by evidence_id
"""
_LOADS = """
select run_id::text, attempt, load_id, table_name, row_count, completed_at from ops.completed_load order by event_number
"""
_RELEASES = """
select data_release_id, kind, run_id::text, operator, reason, released_at from release.data_release
order by data_release_id
"""
_MOVES = """
select moved_by, record_kind, partition_key, old_data_release_id, new_data_release_id from release.pointer_move
order by moved_by, record_kind, partition_key
"""
_VERSIONS = """
select record_kind, partition_key, data_release_id, record_count, record_digest, expired_by is not null as is_expired
from release.partition_version
"""
_POINTERS = "select record_kind, partition_key, data_release_id from release.partition_pointer"
_HOLDS = """
select record_kind, partition_key, is_held, operator, reason, changed_at from release.hold_change order by change_id
"""
_ACCEPTANCES = """
select record_kind, partition_key, check_name, measure, operator, reason, accepted_at from release.acceptance
order by acceptance_id
"""
_MANIFESTS = """
select manifest_id, manifest_sha256, manifest_path, batch_id, contract_ref, load_mode, registered_at,
    registered_by_run_id::text, declared_asset_count,
    count(*) filter (where disposition = 'admitted') as admitted_count,
    count(*) filter (where disposition = 'withheld') as withheld_count,
    count(*) filter (where disposition = 'missing') as missing_count,
    sum(declared_size_bytes)::bigint as size_bytes
from ops.manifest
left join ops.manifest_asset using (manifest_id)
group by manifest_id order by manifest.event_number
"""
_STATE = """
select dataset, record_source, state_kind, old_value_at, new_value_at, run_id::text, operator, reason, changed_at
from ops.ingest_state_change order by change_id
"""
_REJECTS = """
select record_kind, partition_key, reason_code, line_count, asset_count from reconcile.reconcile_reject
where partition_key is not null order by record_kind, partition_key, line_count desc, reason_code
"""
_DRIFT = """
select record_kind, partition_key, check_name, measure, measured_value, trailing_value, score, threshold, detail
from reconcile.drift_finding where partition_key is not null
order by record_kind, partition_key, check_name, measure, detail
"""

_FILES = """
select record_kind, part.partition_key, entry.source_id, entry.manifest_id, part.record_line_count,
    part.rejected_line_count, part.taken_by_run_id::text, entry.asset_id
from ops.asset_partition as part
inner join ops.asset_reading using (asset_id, ruleset_id)
inner join ops.manifest_asset as entry using (asset_id)
where part.partition_key = any(%(days)s)
order by record_kind, part.partition_key, entry.manifest_id, entry.sequence, entry.source_id
"""
_CONTENTS = """
select evidence_id, content, content_sha256 from ops.run_evidence where evidence_id = any(%(evidence_ids)s)
"""
_ENTRIES = """
select run_id::text, attempt, action, judgement, count(*) as file_count, array_agg(source_id order by source_id)
    filter (where action in ('withheld', 'missing') or judgement <> 'accept') as names
from ops.run_asset where run_id = any(%(runs)s::uuid[]) group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""
# A message tells what a value is (a text of 8 characters), and never the value.
_SAMPLES = """
select partition_key, record_kind, asset_id, line_number, reason_code, json_path, message
from (
    select reject.partition_key, asset.record_kind, reject.asset_id, reject.line_number, reason_code, reject.json_path,
        reject.message,
        row_number() over (
            partition by reject.partition_key, asset.record_kind, reason_code
            order by reject.asset_id, reject.line_number
        ) as place
    from bronze.visible_reject as reject
    inner join ops.asset_reading as asset using (asset_id, ruleset_id)
    cross join lateral unnest(reject.reason_codes) as reason_code
    where reject.asset_id = any(%(assets)s) and reject.partition_key = any(%(days)s)
) as ranked
where place <= 3 order by partition_key, record_kind, reason_code, asset_id, line_number
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Rows as name → JSON-ready value, the oldest first. `rejects`, `drift`: of days, as reconcile counts them."""

    runs: Sequence[Row]
    evidence: Sequence[Row]
    loads: Sequence[Row]
    releases: Sequence[Row]
    moves: Sequence[Row]
    versions: Sequence[Row]
    pointers: Sequence[Row]
    holds: Sequence[Row]
    acceptances: Sequence[Row]
    manifests: Sequence[Row]
    state: Sequence[Row]
    rejects: Sequence[Row]
    drift: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Details:
    """What the pages that are written anew need besides. `contents`: evidence by its number; the others are rows."""

    contents: Mapping[int, Mapping[str, Any]]
    files: Sequence[Row] = ()
    samples: Sequence[Row] = ()
    entries: Sequence[Row] = ()


@contextmanager
def _looking(warehouse: Warehouse) -> Iterator[Any]:
    with closing(warehouse.connect(application_name="omnisupport-site")) as session:
        session.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with session, session.cursor() as cursor:
            yield cursor


def read_ledger(warehouse: Warehouse) -> Ledger:
    """Read it all as omni_auditor, but for what dbt counts, which its own role reads; writes nothing. Raises
    InfrastructureError where one of them is not let in."""
    with _looking(warehouse.acting_as(Role.AUDITOR)) as cursor:
        told = {
            name: json_rows(cursor, query, None)
            for name, query in {
                "runs": _RUNS,
                "evidence": _EVIDENCE,
                "loads": _LOADS,
                "releases": _RELEASES,
                "moves": _MOVES,
                "versions": _VERSIONS,
                "pointers": _POINTERS,
                "holds": _HOLDS,
                "acceptances": _ACCEPTANCES,
                "manifests": _MANIFESTS,
                "state": _STATE,
            }.items()
        }
    with _looking(warehouse) as cursor:
        is_built = are_built(cursor, "reconcile.reconcile_reject", "reconcile.drift_finding")
        rejects, drift = (json_rows(built(cursor), query, None) if is_built else [] for query in (_REJECTS, _DRIFT))
    return Ledger(**told, rejects=rejects, drift=drift)


def read_details(
    warehouse: Warehouse, days: Collection[date], run_ids: Collection[str], evidence_ids: Collection[int]
) -> Details:
    """What is told of days and runs whose pages are written anew. The auditor reads it, but for the places of rejected
    lines, which omni_loader reads without the lines."""
    asked = {"days": sorted(days), "runs": sorted(run_ids), "evidence_ids": sorted(evidence_ids)}
    with _looking(warehouse.acting_as(Role.AUDITOR)) as cursor:
        files = json_rows(cursor, _FILES, asked) if days else []
        entries = json_rows(cursor, _ENTRIES, asked) if run_ids else []
        contents = {
            row["evidence_id"]: _parsed(bytes(row["content"]), row["content_sha256"])
            for row in (fetch_rows(cursor, _CONTENTS, asked) if evidence_ids else [])
        }
    samples = []
    rejecting = sorted({row["asset_id"] for row in files if row["rejected_line_count"]})
    if rejecting:
        with _looking(warehouse) as cursor:
            samples = json_rows(cursor, _SAMPLES, {**asked, "assets": rejecting})
    return Details(contents, files, samples, entries)


def _parsed(content: bytes, content_sha256: str) -> Mapping[str, Any]:
    """A record that was edited past every guard says nothing here; `make verify EVIDENCE=1` names it."""
    if hashlib.sha256(content).hexdigest() != content_sha256:
        return {}
    record = orjson.loads(content)
    return record if isinstance(record, dict) else {}
