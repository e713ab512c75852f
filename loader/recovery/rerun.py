"""rerun: the same job again, as a new run that reads the sources anew. For doubt about what a run read.

Input: manifests and window of a past run; every source is opened, hashed and parsed again, whatever is taken already.
State: a new run; it moves state as the job itself may, so never for a backfill or a replay. Boundary: idempotent
(insert-only), every check of an ingest, and the plan says which source has other bytes than those that were registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loader.errors import CommandUsageError
from loader.ingest import Task, Verdict, Workplace
from loader.ingest.execution import executing
from loader.printable import counted
from loader.recovery.gaps import partition_states
from loader.recovery.past import (
    as_manifests,
    as_run,
    input_of_run,
    last_run_of_kind,
    manifests_of_run,
    run_of,
    window_of,
)
from loader.recovery.plan import Plan
from loader.recovery.sources import changed_assets, planned_sources
from loader.recovery.unindexed import declared_places, with_days
from loader.recovery.world import World
from loader.runs import Attempt


def job_mode(run: Mapping[str, Any]) -> str:
    """The mode in which the job of a run was first done: a rerun's plan names it, however often it is done again."""
    mode = run["plan"]["run"]["mode"] if run["mode"] == "rerun" else run["mode"]
    assert isinstance(mode, str)
    return mode


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Plan the job of run `run_id` again, or that of the latest run; reads and hashes every source."""
    run = run_of(world, request["run_id"])
    if run["line_limit"] is not None:
        raise CommandUsageError(
            f"run {run['run_id']} was a look at {run['line_limit']} lines of an ad-hoc file (LIMIT); nothing was"
            " started",
            next_command="make ingest INPUT=<file.jsonl> BATCH=<its batch>",
        )
    manifests = manifests_of_run(world, run)
    window = window_of(run)
    assets = planned_sources(world, manifests, is_hashed=True)
    changed = changed_assets(assets)
    gone = [asset.source_id for asset in assets if asset.reads_from == "raw_zone"]
    assets, unread = with_days(world, assets, declared_places(world, manifests), earlier)
    known = [asset.asset_id for asset in assets if asset.asset_id is not None]
    return Plan(
        mode="rerun",
        request={"run_id": run["run_id"]},
        run={**as_run(run), "mode": job_mode(run)},
        batch_id=run["batch_id"],
        manifests=as_manifests(manifests),
        window=window,
        kind=world.ruleset.kind,
        ruleset_sha256=world.ruleset.sha256,
        partitions=tuple(partition_states(world, window, changed, unread, known)),
        assets=assets,
        proposed_action=f"a new run of the same job: {counted(len(assets), 'source')} gated and parsed again,"
        f" {len(changed)} of them changed"
        + (f"; gone, and read from the raw zone: {', '.join(gone[:5])}" if gone else ""),
        idempotency_guard="insert-only by event_id and by (asset, line, ruleset): what is there is not written again",
        downstream_impact="none where nothing changed; a changed source is withheld and holds its partitions"
        + world.judged_beside(known, window),
        last_run=last_run_of_kind(world),
    )


def carry_out(work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> Verdict:
    with work.lock.transaction() as cursor:
        world = World(work.settings, cursor, work.ruleset)
        run = run_of(world, plan["run"]["run_id"])
        declared = input_of_run(world, run)
    task = Task("rerun", declared, window_of(run), plan=plan)
    with executing(work, attempt, task) as execution:
        execution.land(execution.archive(execution.gate(is_read_again=True), is_read_again=True))
        gone = [asset["source_id"] for asset in plan["assets"] if asset["reads_from"] == "raw_zone"]
        return execution.conclude(
            *execution.build(),
            moves_state=job_mode(run) == "ingest",
            notes=[f"source {source_id} is gone: its archived bytes were read" for source_id in gone],
        )
