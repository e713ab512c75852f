"""retry: the same run once more, as its next attempt, from what it recorded. For a fault that passes, and for rows of
Bronze that are not what the run had landed any more.

Input: the entries that the run recorded, their bytes from the raw zone (a run that ended before it had recorded any
gates its sources again). State: same run_id, same trace, same window, same ruleset; attempt + 1. Boundary: nothing of
the dead attempt is resumed: its loads, working folders and staging schemas are removed first. A run that succeeded is
refused unless what it landed is damaged: then that is taken back first, when the archive holds every byte of it. So is
one that is alive, or whose contract changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loader.errors import RefusedError
from loader.ingest import Task, Verdict, Workplace
from loader.ingest.execution import executing
from loader.raw_zone import require_objects
from loader.recovery import backfill, replay, rerun
from loader.recovery.damaged import ENDED_WELL, is_damaged
from loader.recovery.gaps import partition_states
from loader.recovery.past import (
    as_manifests,
    as_run,
    entries_of_run,
    input_of_run,
    last_run_of_kind,
    manifests_of_run,
    planned_archived,
    run_of,
    window_of,
)
from loader.recovery.plan import Plan
from loader.recovery.sources import planned_sources
from loader.recovery.unindexed import archived_places, declared_places, with_days
from loader.recovery.world import Recorded, World
from loader.runs import Attempt


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Plan for the run `run_id`, or for the latest one. Raises RefusedError for a run that is alive, and for one that
    succeeded and whose rows are what it landed."""
    run = run_of(world, request["run_id"])
    # Looked at once: of a run that ended well, the archive is read.
    is_taken_back = is_damaged(world, run)
    _refuse(world, run, is_taken_back)
    entries = entries_of_run(world, run["run_id"])
    manifests = manifests_of_run(world, run)
    window = window_of(run)
    if entries:
        assets, unread = with_days(world, planned_archived(entries), archived_places(world, entries), earlier)
    else:
        found = planned_sources(world, manifests, is_hashed=True)
        assets, unread = with_days(world, found, declared_places(world, manifests), earlier)
    known = [asset.asset_id for asset in assets if asset.asset_id is not None]
    inputs = f"{len(entries)} recorded entries, from the raw zone" if entries else "its manifests, gated again"
    if is_taken_back:
        inputs += "; what it has in Bronze is not what it landed, and is taken back first"
    return Plan(
        mode="retry",
        request={"run_id": run["run_id"]},
        run=as_run(run),
        batch_id=run["batch_id"],
        manifests=as_manifests(manifests),
        window=window,
        kind=world.ruleset.kind,
        ruleset_sha256=world.ruleset.sha256,
        partitions=tuple(partition_states(world, window, unread=unread, only=known)),
        assets=assets,
        proposed_action=f"attempt {run['attempt'] + 1} of run {run['run_id']} ({run['mode']}): {inputs}",
        idempotency_guard="rows of loads that never completed are removed first; completed ones stay, insert-only",
        downstream_impact="the partitions of the window become complete; others keep their rows",
        last_run=last_run_of_kind(world),
    )


def carry_out(work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> Verdict:
    """The run's own mode decides what its attempt does: a backfill goes on as a backfill, a replay as a replay."""
    with work.lock.transaction() as cursor:
        world = World(work.settings, cursor, work.ruleset)
        run = run_of(world, plan["run"]["run_id"])
        entries = entries_of_run(world, run["run_id"])
        declared = input_of_run(world, run)
        takes_back = is_damaged(world, run)
        if takes_back:
            keys = [entry.raw_zone_key for entry in entries if entry.raw_zone_key]
            require_objects(cursor, work.settings, keys, are_read=True)
    recorded = Recorded(declared, entries, takes_back)
    if run["mode"] == "backfill":
        return backfill.carry_out(work, run["plan"], attempt, recorded=recorded)
    if run["mode"] == "replay":
        return replay.carry_out(work, run["plan"], attempt, recorded=recorded)
    task = Task("retry", declared, window_of(run), run["line_limit"], plan, takes_back)
    with executing(work, attempt, task) as execution:
        is_rerun = run["mode"] == "rerun"
        if entries:
            to_read = execution.recall(entries, is_read_again=is_rerun)
        else:
            to_read = execution.archive(execution.gate(is_read_again=is_rerun), is_read_again=is_rerun)
        execution.land(to_read)
        return execution.conclude(*execution.build(), moves_state=rerun.job_mode(run) == "ingest")


def _refuse(world: World, run: Mapping[str, Any], is_taken_back: bool) -> None:
    name = f"run {run['run_id']} attempt {run['attempt']}"
    if run["status"] in ENDED_WELL and not is_taken_back:
        raise RefusedError(
            f"{name} ended with {run['status']}; there is nothing to retry, nothing was started",
            next_command="make ingest INPUT=<the whole file> BATCH=<its batch>"
            if run["line_limit"] is not None
            else f"make rerun RUN={run['run_id']}   # reads the sources again, as a new run",
        )
    if run["is_alive"]:
        raise RefusedError(
            f"{name} is alive: process {run['process_id']} on {run['host']} holds the ingest lock, in stage"
            f" {run['stage']}; nothing was started",
            next_command="make status   # again when it has ended",
        )
    if run["ruleset_sha256"] != world.ruleset.sha256:
        then, now = (run["ruleset_sha256"] or "unknown")[:12], world.ruleset.sha256[:12]
        raise RefusedError(
            f"{name} judged under ruleset {then}…, today's is {now}…: a retry changes nothing else; nothing was"
            " started",
            next_command=f"make replay RUN={run['run_id']}   # validates under today's ruleset",
        )
