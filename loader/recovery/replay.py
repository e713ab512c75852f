"""replay: a past run's or batch's assets once more, from the raw zone, under today's ruleset.

Input: the entries that a run or a batch recorded, as archived; no source is looked at, it may be gone. State: a new
run; checkpoint, cursor and watermark stay. Boundary: adds what today's ruleset says, removes nothing: the fates of an
older ruleset stay readable. What changed is reported line by line, normally nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from loader.errors import CommandUsageError, RefusedError
from loader.ingest import DeclaredInput, Problem, Task, Verdict, Workplace
from loader.ingest.execution import executing
from loader.printable import counted
from loader.raw_zone import RawZone, require_objects
from loader.recovery.comparison import archived, compare
from loader.recovery.gaps import partition_states
from loader.recovery.past import (
    as_manifests,
    as_run,
    entries_of_run,
    last_run_of_kind,
    planned_archived,
    registered_manifests,
    run_of,
    window_of,
)
from loader.recovery.plan import Plan
from loader.recovery.unindexed import archived_places, with_days
from loader.recovery.world import Recorded, World
from loader.report_files import unused, write_json
from loader.runs import Attempt, RegisteredAsset
from loader.verify import reread
from loader.warehouse import fetch_rows

# One for each source, also where a row of it is doubled.
_OF_BATCH = """
select distinct on (entry.manifest_id, entry.ordinal)
    entry.manifest_id, entry.source_id,
    case entry.disposition when 'admitted' then 'parsed' else entry.disposition end as action,
    entry.judgement, entry.reason_codes, entry.asset_id, asset.source_fingerprint, asset.raw_zone_key,
    asset.content_encoding, coalesce(asset.declaration, '') as declaration
from ops.manifest_asset as entry
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
left join ops.source_asset as asset on asset.asset_id = entry.asset_id
where manifest.batch_id = %(batch_id)s and manifest.contract_ref = %(kind)s
order by entry.manifest_id, entry.ordinal
"""

# The reading that counted before: the latest ruleset under which each asset is indexed whole, by another run.
_READINGS = """
select indexed.asset_id, max(indexed.ruleset_id) as ruleset_id
from ops.asset_index as indexed
where indexed.asset_id = any(%(assets)s) and indexed.is_complete and indexed.run_id::text <> %(run_id)s
group by indexed.asset_id
"""

_WITH_REJECTS = """
select line.asset_id, array_agg(line.line_number) as line_numbers
from bronze.visible_line as line
inner join unnest(%(assets)s::int[], %(rulesets)s::int[]) as reading (asset_id, ruleset_id)
    on reading.asset_id = line.asset_id and reading.ruleset_id = line.ruleset_id
where line.kind = 'rejected' group by line.asset_id
"""


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Plan for the run `run_id`, or for what the batch `batch_id` has of the kind; `rejected_only`: for their assets
    that hold rejects.

    Raises RefusedError where nothing was archived, or where `rejected_only` would reject a line that is valid now;
    CommandUsageError for a run with a line limit.
    """
    run, entries = _entries(world, request)
    is_limited = _was_only_looked_at(world, entries) if run is None else run["line_limit"] is not None
    if is_limited:
        what = f"batch {request['batch_id']} was" if run is None else f"run {run['run_id']} was"
        raise CommandUsageError(
            f"{what} a look at some lines of an ad-hoc file (LIMIT); a replay would take all of it;"
            " nothing was started",
            next_command="make ingest INPUT=<file.jsonl> BATCH=<its batch>",
        )
    window = None if run is None else window_of(run)
    manifest_ids = sorted({entry.manifest_id for entry in entries})
    manifests = registered_manifests(world, manifest_ids)
    note = counted(sum(entry.asset_id is not None for entry in entries), "archived asset")
    if request["rejected_only"]:
        only, note = _with_rejects(world, entries)
        entries = [entry for entry in entries if entry.asset_id in only]
    require_objects(world.cursor, world.settings, [entry.raw_zone_key for entry in entries if entry.raw_zone_key])
    assets, unread = with_days(world, planned_archived(entries), archived_places(world, entries), earlier)
    known = [asset.asset_id for asset in assets if asset.asset_id is not None]
    return Plan(
        mode="replay",
        request={**request, "run_id": None if run is None else run["run_id"]},
        run=None if run is None else as_run(run),
        batch_id=",".join(sorted({manifest.batch_id for manifest in manifests})),
        manifests=as_manifests(manifests),
        window=window,
        kind=world.ruleset.kind,
        ruleset_sha256=world.ruleset.sha256,
        partitions=tuple(partition_states(world, window, unread=unread, only=known)),
        assets=assets,
        proposed_action=f"a new run over {note}, from the raw zone, under today's ruleset",
        idempotency_guard="insert-only; an asset indexed under today's ruleset is compared, not written",
        downstream_impact="lines that are newly valid land, newly rejected ones leave Silver; otherwise none"
        + world.judged_beside(known, window),
        last_run=last_run_of_kind(world),
    )


def carry_out(
    work: Workplace,
    plan: Mapping[str, Any],
    attempt: Attempt,
    *,
    recorded: Recorded | None = None,
) -> Verdict:
    """Land what today's ruleset has not read, compare the rest with what Bronze holds, and prove the whole.

    `recorded`: of a retry.
    """
    with work.lock.transaction() as cursor:
        world = World(work.settings, cursor, work.ruleset)
        run, entries = _entries(world, plan["request"])
        entries = list(recorded.entries) if recorded and recorded.entries else entries
        only = _with_rejects(world, entries, str(attempt.run_id))[0] if plan["request"]["rejected_only"] else None
        manifests = registered_manifests(world, sorted({entry.manifest_id for entry in entries}))
        before = _readings(cursor, entries, str(attempt.run_id))
    window = None if run is None else window_of(run)
    mode, takes_back = ("retry", recorded.takes_back) if recorded else ("replay", False)
    task = Task(mode, DeclaredInput(manifests, ()), window, plan=plan, takes_back=takes_back)
    with executing(work, attempt, task) as execution:
        execution.land(execution.recall(entries, only=only))
        compared = [entry for entry in entries if only is None or entry.asset_id in only]
        changes = compare(work, compared, before, execution.ruleset_id, window)
        work.report(f"replay: {changes.sentence}")
        path = unused(work.settings.report_dir / "replay" / f"replay_{attempt.run_id}.{attempt.number}.json")
        write_json(path, {"run_id": str(attempt.run_id), "attempt": attempt.number, **changes.as_record()})
        message = f"Bronze is not what the archive says: {dict(changes.differing)}"
        verdict = execution.conclude(
            *execution.build(),
            moves_state=False,
            problems=[Problem("replay_differs", message)] if changes.differing else [],
            notes=[changes.sentence],
        )
    return replace(verdict, report_paths=(*verdict.report_paths, path))


def _entries(world: World, request: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[RegisteredAsset]]:
    run = None
    if request["batch_id"] is None:
        run = run_of(world, request["run_id"])
        entries = entries_of_run(world, run["run_id"])
    else:
        of_kind = {"batch_id": request["batch_id"], "kind": world.ruleset.contract_ref}
        rows = fetch_rows(world.cursor, _OF_BATCH, of_kind)
        entries = [RegisteredAsset(**{**row, "reason_codes": tuple(row["reason_codes"])}) for row in rows]
    if not any(entry.asset_id is not None for entry in entries):
        what = (
            f"batch {request['batch_id']}" if run is None else f"run {run['run_id']} (last stage done: {run['stage']})"
        )
        raise RefusedError(
            f"{what} has archived nothing that could be replayed; nothing was started",
            next_command="make status" if run is None else f"make retry RUN={run['run_id']}",
        )
    return run, entries


def _was_only_looked_at(world: World, entries: Sequence[RegisteredAsset]) -> bool:
    """Whether only runs with a line limit have read these entries."""
    world.cursor.execute(
        "select coalesce(bool_and(run.line_limit is not null), false) from ops.run_asset as entry"
        " inner join ops.ingest_run as run using (run_id, attempt)"
        " where entry.action in ('parsed', 'unchanged') and entry.asset_id = any(%s)",
        ([entry.asset_id for entry in entries if entry.asset_id is not None],),
    )
    return bool(world.cursor.fetchone()[0])


def _readings(cursor: Any, entries: Sequence[RegisteredAsset], run_id: str) -> dict[int, int]:
    parameters = {
        "assets": sorted({entry.asset_id for entry in entries if entry.asset_id is not None}),
        "run_id": run_id,
    }
    return {row["asset_id"]: row["ruleset_id"] for row in fetch_rows(cursor, _READINGS, parameters)}


def _with_rejects(world: World, entries: Sequence[RegisteredAsset], run_id: str = "") -> tuple[frozenset[int], str]:
    """The assets that hold rejects, and what becomes of these; every line of them is judged.

    Raises RefusedError when a line that is valid would be rejected: that is more than rejects replayed alone.
    """
    readings = _readings(world.cursor, entries, run_id)
    parameters = {"assets": list(readings), "rulesets": list(readings.values())}
    rejected = {
        row["asset_id"]: set(row["line_numbers"]) for row in fetch_rows(world.cursor, _WITH_REJECTS, parameters)
    }
    raw_zone = RawZone(world.settings.raw_zone)
    newly_valid = still_rejected = newly_rejected = 0
    for asset_id, entry in {entry.asset_id: entry for entry in entries if entry.asset_id in rejected}.items():
        assert asset_id is not None
        for line in reread(archived(raw_zone, entry), world.ruleset):
            was_rejected = line.number in rejected[asset_id]
            newly_valid += was_rejected and line.kind == "record"
            still_rejected += was_rejected and line.kind == "rejected"
            newly_rejected += not was_rejected and line.kind == "rejected"
    if newly_rejected:
        raise RefusedError(
            f"today's ruleset rejects {counted(newly_rejected, 'line that is', 'lines that are')} valid now:"
            " rejects cannot be replayed alone, nothing was started",
            next_command="make build   # Silver stays as it is; mend the contract, then replay again",
        )
    return frozenset(rejected), (
        f"{counted(len(rejected), 'asset')} with rejects: {newly_valid} newly valid, {still_rejected} still rejected,"
        " no other line changes"
    )
