"""Acts of people on the gate: hold, release, and the question whether a partition is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.errors import CommandUsageError, RefusedError
from loader.evidence.acts import record_act
from loader.evidence.chain import write_files
from loader.evidence.facts import fetch_rows, json_value
from loader.evidence.files import require_writable
from loader.printable import counted
from loader.progress import Report, Step
from loader.release import holds
from loader.release.changes import await_everything
from loader.release.gate import Decision
from loader.release.publish import Published, publish, record_published
from loader.release.store import Act
from loader.release.views import unlike_released, view_faults
from loader.runs import IngestLock, trace_id_of_caller
from loader.runs.operator import acting_operator
from loader.silver import (
    PROVING_BUILD,
    BuildResult,
    ProofScope,
    choose_scope,
    judge_build,
    project_sha256,
    prove,
    record_proof,
    require_whole,
    run_dbt,
    start_dbt,
)
from loader.warehouse import Warehouse, open_warehouse
from loader.warehouse.built import are_built, built


@dataclass(frozen=True, slots=True)
class Released:
    """What a release came to, and its evidence; `report_path` None: nothing moved."""

    published: Published
    report_path: Path | None


class KeptBackError(RefusedError):
    """Partitions that a release was asked for stay back, `decision` first; `published`: what the gate did."""

    def __init__(self, decision: Decision, published: Published) -> None:
        done = "the others were released" if published.partitions else "nothing was released"
        super().__init__(f"release: {'; '.join(decision.obstacles[:5])}; {done}", next_command="make diagnose")
        self.decision = decision
        self.published = published


def hold(settings: Settings, days: Sequence[date], reason: str) -> Sequence[Mapping[str, Any]]:
    """Keep these partitions as readers see them, whatever runs. Takes no ingest lock: a run at work obeys it, too.

    Returns the hold of each, as it stands: one that was held keeps its first reason and operator; `is_known`: whether
    the gate has ever judged the partition.

    Raises InfrastructureError, with the hold made, where its evidence file cannot be written.
    """
    require_writable(settings.report_dir)
    session = open_warehouse(settings).connect(application_name="omnisupport-hold")
    with closing(session):
        with session, session.cursor() as cursor:
            changes = holds.hold(cursor, days, acting_operator(), reason, trace_id_of_caller())
            if changes:
                record_act(cursor, settings, "hold", {"hold_change": changes})
        with session, session.cursor() as cursor:
            write_files(cursor, settings, f"the hold of {', '.join(map(str, days))}")
        with session, session.cursor() as cursor:
            return holds.read_holds(cursor, days)


def release(
    settings: Settings,
    days: Sequence[date],
    *,
    reason: str | None = None,
    is_override: bool = False,
    accepts_drift: bool = False,
    accepts_rejects: bool = False,
    report: Report,
) -> Released:
    """Prove Silver as it stands, and let readers see these partitions; ends their holds.

    With a reason, `is_override`: also where checks fail; `accepts_drift`, `accepts_rejects`: drift that is known of
    them, or the rejects of their files, is let pass, now and later. The act is recorded with its reason. Raises
    KeptBackError, with nothing of it moved or let pass, where a partition stays back; CheckFailedError, likewise, where
    dbt left out what a proof needs; CommandUsageError where none was given; InfrastructureError, with the release made,
    where its evidence file cannot be written.
    """
    if not days:
        raise CommandUsageError(
            "release: expected --partition; nothing was released", next_command="loader release --partition 2026-04-17"
        )
    require_writable(settings.report_dir)
    start_dbt()
    warehouse = open_warehouse(settings)
    trace_id = trace_id_of_caller()
    with closing(IngestLock.acquire(warehouse, wait_seconds=settings.lock_timeout)) as lock:
        with lock.transaction() as cursor:
            sha256 = project_sha256(settings.project_root)
            scope = choose_scope(cursor, sha256, is_asked_for_all=settings.proof == "all")
        report(f"silver: to be proved: {scope.name}, {scope.reason}")
        build, scope = prove(lock, scope, partial(_prove, settings, warehouse, lock, report), report)
        act = Act(
            "override" if is_override else "publish",
            acting_operator(),
            trace_id,
            reason=reason,
            dbt_invocation_id=build.invocation_id,
        )
        with lock.transaction() as cursor:
            proved = judge_build(cursor, scope, build)
            if proved is not None:
                record_proof(cursor, scope, proved, build, None)
            elif is_override:
                # Nothing says what differs from what is released.
                await_everything(cursor)
            published = publish(
                cursor,
                act,
                reject_limit=settings.reject_limit,
                only=days,
                frees=True,
                accepts_drift=accepts_drift,
                accepts_rejects=accepts_rejects,
                proved=proved,
            )
            closed = [decision for decision in published.decisions if not decision.is_open]
            path = record_published(cursor, settings, act.kind, published)
        with lock.transaction() as cursor:
            write_files(cursor, settings, "what an earlier command did" if path is None else published.sentence)
    if closed:
        raise KeptBackError(closed[0], published)
    return Released(published, path)


def _prove(
    settings: Settings, warehouse: Warehouse, lock: IngestLock, report: Report, scope: ProofScope
) -> BuildResult:
    build = run_dbt(
        warehouse,
        settings.project_root,
        [*PROVING_BUILD, "--vars", scope.variables],
        anchors={"writer_token": lock.token},
        is_quiet=True,
        progress=lambda done, total: report.step(Step("silver", "nodes", done, total)),
        say=report,
    )
    require_whole(build, settings.project_root)
    return build


def publish_build(settings: Settings, lock: IngestLock, build: BuildResult, sha256: str) -> Published | None:
    """Note a build of everything outside a run (require_whole) as a proof, and let readers see what waited. Where
    it did not close, the gate says so of every day. None where a model could not be built: of the tables that it left
    nothing new is known. `sha256`: of the project before dbt started; the lock was held since.

    Raises InfrastructureError, with the release made, where its evidence file cannot be written.
    """
    if build.skipped or any(not node.unique_id.startswith("test.") for node in build.failed):
        return None
    scope = ProofScope("all", "a build of everything", sha256)
    act = Act("publish", acting_operator(), trace_id_of_caller(), dbt_invocation_id=build.invocation_id)
    with lock.transaction() as cursor:
        proved = judge_build(cursor, scope, build)
        if proved is not None:
            record_proof(cursor, scope, proved, build, None)
        published = publish(cursor, act, reject_limit=settings.reject_limit, proved=proved)
        record_published(cursor, settings, act.kind, published)
    with lock.transaction() as cursor:
        write_files(cursor, settings, published.sentence)
    return published


def readiness(settings: Settings, days: Sequence[date]) -> list[Mapping[str, Any]]:
    """Per partition: what readers see, `is_ready`, and the reason where it is not.

    Asks serving.partition_status, if the views are those of the project, and counts what is seen through them.
    """
    warehouse = open_warehouse(settings)
    faults = view_faults(warehouse, settings.project_root)
    if faults:
        return [_unready(day, "; ".join(fault.sentence for fault in faults), faults[0].next_command) for day in days]
    session = warehouse.connect(application_name="omnisupport-ready")
    with closing(session), session, session.cursor() as cursor:
        known: dict[date, dict[str, Any]] = {}
        if are_built(cursor, "serving.partition_status"):
            rows = fetch_rows(
                built(cursor), "select * from serving.partition_status where partition_key = any(%s)", (list(days),)
            )
            known = {row["partition_key"]: row for row in rows}
    found: list[dict[str, Any]] = [
        {name: json_value(value) for name, value in known[day].items()}
        if day in known
        else _unready(day, "no line of it is known")
        for day in days
    ]
    # Where it is not ready anyhow, nothing more is asked.
    ready = [day for day in days if day in known and known[day]["is_ready"]]
    for day, (seen, released) in (unlike_released(warehouse, ready) if ready else {}).items():
        words = f"readers see {counted(seen, 'ticket')}, of its release's {released:,}, or others than it released"
        found[list(days).index(day)] |= {"is_ready": False, "reason": words, "next_command": "loader verify --evidence"}
    return [*found]


def _unready(day: date, reason: str, next_command: str | None = None) -> dict[str, Any]:
    found = {"partition_key": day.isoformat(), "data_release_id": None, "is_ready": False, "is_held": False}
    return {**found, "reason": reason} | ({"next_command": next_command} if next_command else {})
