"""backfill: an explicit window of partitions, from the declared sources, in one scan of each asset.

Input: the declared manifests; of their assets, those with lines in the window that are not taken. State: one run per
plan; cursor, watermark and checkpoint stay where they are. Boundary: events of the window only. Work goes in steps of
whole assets, by their first day; a partition is finished when every asset that reaches into it has been read, and its
evidence is written then. A partition that is complete already is skipped with its proof; the first that fails ends the
run, unless it is told to keep going: of an asset that is absent that is known before anything lands, of a check after
the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.ingest import Workplace
from loader.kinds import load_kinds
from loader.printable import counted
from loader.recovery.gaps import partition_states, refuse_no_input
from loader.recovery.past import as_manifests, last_run_of_kind
from loader.recovery.plan import DUE, Plan
from loader.recovery.sources import changed_assets, planned_sources
from loader.recovery.unindexed import declared_places, with_days
from loader.recovery.world import Recorded, World
from loader.runs import Attempt

# What reads and loads is imported when a plan is carried out: planning takes a fraction of a second.
if TYPE_CHECKING:
    from loader.bronze import AssetToRead
    from loader.ingest import DeclaredInput, Verdict

# Decompressed bytes that are landed and proved together: dbt has a fixed cost per step.
STEP_BYTES = 1024**3
_ALWAYS = (date.min, date.max)


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Plan the partitions `[window_start, window_end)` in the manifests `manifest_paths` (none: all declared ones).

    Counts come from the asset index; only assets that no run has read are opened. Raises NoLinesError, naming the
    nearest data, when no line belongs to the window; RefusedError where the contract has changed since they were read.
    """
    window = (date.fromisoformat(request["window_start"]), date.fromisoformat(request["window_end"]))
    declaration = declared(world, request)
    assets = planned_sources(world, declaration.manifests, is_hashed=False)
    assets, unread = with_days(world, assets, declared_places(world, declaration.manifests), earlier)
    known = sorted({asset.asset_id for asset in assets if asset.asset_id is not None})
    world.refuse_older_rules(known)
    partitions = partition_states(world, window, changed_assets(assets), unread, known)
    refuse_no_input(world, window, partitions, unread)
    due = [partition for partition in partitions if partition.is_due]
    return Plan(
        mode="backfill",
        request=dict(request),
        batch_id=declaration.batch_id,
        manifests=as_manifests(declaration.manifests),
        window=window,
        kind=world.ruleset.kind,
        ruleset_sha256=world.ruleset.sha256,
        partitions=tuple(partitions),
        assets=assets,
        proposed_action=f"land {len(due)} of {counted(len(partitions), 'partition')}"
        + ("; the others have no gap and are skipped" if len(due) < len(partitions) else "")
        + ("; goes on after a partition that fails" if request["keep_going"] else "; stops at the first that fails"),
        idempotency_guard="insert-only by event_id; partitions that are taken are not read again; the cursor stays",
        downstream_impact="records of these partitions get their newest version; one that moves leaves its old day",
        last_run=last_run_of_kind(world),
    )


def carry_out(
    work: Workplace,
    plan: Mapping[str, Any],
    attempt: Attempt,
    *,
    recorded: Recorded | None = None,
) -> Verdict:
    """Land, build and prove step by step; the verdict is that of the last step, with the partitions not begun.

    `recorded`: of a retry; no source is looked at then.
    """
    from loader.ingest import Problem, Task
    from loader.ingest.execution import executing

    if recorded is None:
        with work.lock.transaction() as cursor:
            declaration = declared(World(work.settings, cursor, work.ruleset), plan["request"])
    else:
        declaration = recorded.declared
    window = (date.fromisoformat(plan["window_start"]), date.fromisoformat(plan["window_end"]))
    mode, takes_back = ("retry", recorded.takes_back) if recorded else ("backfill", False)
    task = Task(mode, declaration, window, plan=plan, takes_back=takes_back)
    with executing(work, attempt, task) as execution:
        entries = recorded.entries if recorded else ()
        to_read = execution.recall(entries) if entries else execution.archive(execution.gate())
        with work.lock.transaction() as cursor:
            reach = _reach(cursor, plan)
            stop = None if plan["request"]["keep_going"] else _first_absent(cursor, plan, attempt, reach)
        problems = []
        until = None
        if stop is not None:
            until = stop + timedelta(days=1)
            work.report(f"backfill: {stop} cannot be complete, an asset of it is absent: later days are not begun")
            problems = [Problem("backfill_stopped", f"stopped at partition {stop}: later days were not begun")]
            to_read = [asset for asset in to_read if reach.get(asset.asset_id, (stop, stop))[0] <= stop]
        steps = list(_steps(sorted(to_read, key=lambda asset: reach.get(asset.asset_id, _ALWAYS)[0])))
        for number, step in enumerate(steps, start=1):
            execution.land(step, until=until)
            build = execution.build()
            if number == len(steps):
                return execution.conclude(*build, moves_state=False, problems=problems)
            pending = {
                asset.asset_id: reach.get(asset.asset_id, _ALWAYS) for later in steps[number:] for asset in later
            }
            failed = execution.review(*build, pending=pending)
            if failed and not plan["request"]["keep_going"]:
                left = sum(len(later) for later in steps[number:])
                message = f"stopped at partition {failed[0]}: {counted(left, 'asset was', 'assets were')} not begun"
                return execution.conclude(*build, moves_state=False, problems=[Problem("backfill_stopped", message)])
        raise AssertionError("there is always a last step")


def _reach(cursor: Any, plan: Mapping[str, Any]) -> dict[int, tuple[date, date]]:
    """First and last day of each asset, as planned; an asset that the plan could not read has none."""
    days = {
        (asset["manifest_id"], asset["source_id"]): (
            date.fromisoformat(asset["first_partition"]),
            date.fromisoformat(asset["last_partition"]),
        )
        for asset in plan["assets"]
        if asset["first_partition"]
    }
    cursor.execute("select manifest_id, source_id, asset_id from ops.manifest_asset where asset_id is not null")
    return {asset_id: days[key] for *entry, asset_id in cursor.fetchall() if (key := tuple(entry)) in days}


def _first_absent(
    cursor: Any, plan: Mapping[str, Any], attempt: Attempt, reach: Mapping[int, tuple[date, date]]
) -> date | None:
    """The first due day of the plan to which an asset may belong that this attempt could not admit: the days that it
    was read to have; else every day of its manifest's window over created_at, or without one any."""
    cursor.execute(
        "select entry.asset_id, case when manifest.window_field = 'created_at'"
        " then (manifest.window_start at time zone 'UTC')::date end, case when manifest.window_field = 'created_at'"
        " then ((manifest.window_end - interval '1 microsecond') at time zone 'UTC')::date end"
        " from ops.run_asset as entry inner join ops.manifest as manifest using (manifest_id)"
        " where entry.run_id = %s and entry.attempt = %s and entry.action in ('withheld', 'missing')",
        (str(attempt.run_id), attempt.number),
    )
    absent = [reach.get(asset_id, days) for asset_id, *days in cursor.fetchall()]
    due = [date.fromisoformat(day["partition_key"]) for day in plan["partitions"] if day["gap_reason"] in DUE]
    return min(
        (day for day in due for first, last in absent if (first or day) <= day <= (last or day)),
        default=None,
    )


def _steps(to_read: Sequence[AssetToRead]) -> Iterator[list[AssetToRead]]:
    """Assets in their order, as many at a time as make a step; one empty step where nothing is due."""
    step: list[AssetToRead] = []
    size = 0
    for asset in to_read:
        step.append(asset)
        size += asset.content_bytes
        if size >= STEP_BYTES:
            yield step
            step, size = [], 0
    if step or not to_read:
        yield step


def declared(world: World, request: Mapping[str, Any]) -> DeclaredInput:
    """The manifests of a request that are of the kind, read from their files."""
    from loader.ingest import IngestRequest, by_kind, declared_input

    paths = tuple(Path(path) for path in request["manifest_paths"])
    kind = world.ruleset.contract_ref
    whole = declared_input(world.settings, IngestRequest(manifest_paths=paths, record_kind=request.get("record_kind")))
    parts = by_kind(whole, load_kinds(world.settings.project_root / "contracts"))
    return next(part for of, part in parts if of.name == kind)
