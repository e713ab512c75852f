"""Acts of people on the gate: hold, release, and the question whether a partition is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from loader.config import Settings
from loader.errors import CommandUsageError, RefusedError
from loader.evidence import MissingLink, read_missing_links, record_act, write_files
from loader.obstacles import Code, Obstacle, told
from loader.partition import Partition
from loader.printable import counted
from loader.progress import Report
from loader.release import holds, store
from loader.release.asked import asked_partitions
from loader.release.gate import Decision
from loader.release.judgement import Request
from loader.release.publish import Published
from loader.release.settle import settle
from loader.release.store import Act
from loader.release.views import unlike_released, view_faults
from loader.report_files import require_writable
from loader.runs import IngestLock, acting_operator, trace_id_of_caller
from loader.silver import (
    PROVING_BUILD,
    BuildResult,
    ProofScope,
    choose_scope,
    project_sha256,
    prove,
    require_whole,
    run_dbt,
    start_dbt,
)
from loader.warehouse import Warehouse, are_built, built, fetch_rows, json_value, open_warehouse


class KeptBackError(RefusedError):
    """Partitions that a release was asked for stay back, `decision` first; `published`: what the gate did."""

    def __init__(self, decision: Decision, published: Published) -> None:
        done = "the others were released" if published.partitions else "nothing was released"
        obstacles = "; ".join(published.obstacles_of(decision)[:5])
        super().__init__(f"release: {obstacles}; {done}", next_command="make diagnose")
        self.decision = decision
        self.published = published


@dataclass(frozen=True, slots=True)
class Held:
    """The hold of each partition, as it stands: one that was held keeps its first reason and operator; `is_known`:
    whether the gate has ever judged it. `kinds`: those that the warehouse knows."""

    partitions: tuple[Partition, ...]
    holds: tuple[Mapping[str, Any], ...]
    kinds: frozenset[str]


def hold(settings: Settings, days: Sequence[date], reason: str, *, record_kind: str | None = None) -> Held:
    """Keep these days of a kind, or of every kind that knows them, as readers see them, whatever runs. Takes no ingest
    lock: a run at work obeys it, too.

    Raises CommandUsageError for a kind that is none, and InfrastructureError, with the hold made, where its evidence
    file cannot be written.
    """
    require_writable(settings.report_dir)
    session = open_warehouse(settings).connect(application_name="omnisupport-hold")
    with closing(session):
        with session, session.cursor() as cursor:
            partitions = asked_partitions(cursor, days, record_kind)
            changes = holds.hold(cursor, partitions, acting_operator(), reason, trace_id_of_caller())
            if changes:
                record_act(cursor, settings, "hold", {"hold_change": changes})
        with session, session.cursor() as cursor:
            write_files(cursor, settings, f"the hold of {', '.join(map(str, days))}")
        with session, session.cursor() as cursor:
            found = holds.read_holds(cursor, partitions)
            return Held(tuple(partitions), tuple(found), store.known_kinds(cursor))


def release(
    settings: Settings,
    days: Sequence[date],
    *,
    record_kind: str | None = None,
    reason: str | None = None,
    is_override: bool = False,
    accepts_drift: bool = False,
    accepts_rejects: bool = False,
    report: Report,
) -> Published:
    """Prove Silver as it stands, and let readers see these days of a kind, or of every kind that knows them; ends their
    holds.

    With a reason, `is_override`: also where checks fail; `accepts_drift`, `accepts_rejects`: drift that is known of
    them, or the rejects of their files, is let pass, now and later. The act is recorded with its reason. Raises
    KeptBackError, with nothing of it moved or let pass, where a partition stays back; CheckFailedError, likewise, where
    dbt left out what a proof needs; CommandUsageError where no day was given, or a kind that is none;
    InfrastructureError, with the release made, where its evidence file cannot be written.
    """
    if not days:
        raise CommandUsageError(
            "release: expected --partition; nothing was released", next_command="make release PARTITION=2026-04-17"
        )
    require_writable(settings.report_dir)
    start_dbt()
    warehouse = open_warehouse(settings)
    with closing(IngestLock.acquire(warehouse, wait_seconds=settings.lock_timeout)) as lock:
        with lock.transaction() as cursor:
            partitions = asked_partitions(cursor, days, record_kind)
            sha256 = project_sha256(settings.project_root)
            scope = choose_scope(cursor, sha256, is_asked_for_all=settings.proof == "all")
        report(f"silver: to be proved: {scope.name}, {scope.reason}")
        build, scope = prove(lock, scope, partial(_prove, settings, warehouse, lock, report), report)
        act = Act(
            "override" if is_override else "publish",
            acting_operator(),
            trace_id_of_caller(),
            reason=reason,
            dbt_invocation_id=build.invocation_id,
        )
        request = Request(
            act,
            settings.reject_limit,
            only=frozenset(partitions),
            frees=True,
            accepts_drift=accepts_drift,
            accepts_rejects=accepts_rejects,
        )
        published = settle(settings, lock, (build, scope), request)
    if published.kept_back:
        raise KeptBackError(published.kept_back[0], published)
    return published


def _prove(
    settings: Settings, warehouse: Warehouse, lock: IngestLock, report: Report, scope: ProofScope
) -> BuildResult:
    build = run_dbt(
        warehouse,
        settings.project_root,
        [*PROVING_BUILD, "--vars", scope.variables],
        anchors={"writer_token": lock.token},
        report=report,
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
    return settle(settings, lock, (build, scope), Request(act, settings.reject_limit))


@dataclass(frozen=True, slots=True)
class Readiness:
    """Per partition, JSON-ready: what readers see, `is_ready`, the reason and its obstacles where it is not, and
    `link_missing_count`, records that name what is not there. `links`: of these, what keeps nothing back. `kinds`:
    those that the warehouse knows."""

    partitions: list[Mapping[str, Any]]
    links: tuple[MissingLink, ...]
    kinds: frozenset[str]


def readiness(settings: Settings, days: Sequence[date], *, record_kind: str | None = None) -> Readiness:
    """The partitions of these days, of a kind or of every kind that knows them.

    Asks serving.kind_partition_status, where the views of the kind and those of every kind are the project's, and
    counts what is seen through them. Raises CommandUsageError for a kind that is none.
    """
    warehouse = open_warehouse(settings)
    faults = view_faults(warehouse, settings.project_root)
    session = warehouse.connect(application_name="omnisupport-ready")
    with closing(session), session, session.cursor() as cursor:
        partitions = asked_partitions(cursor, days, record_kind)
        kinds = store.known_kinds(cursor)
        known: dict[Partition, dict[str, Any]] = {}
        # A view that differs answers nothing.
        bent = {
            each: of_kind for each in partitions if (of_kind := [it for it in faults if it.is_about(each.record_kind)])
        }
        if len(bent) < len(partitions) and are_built(cursor, "serving.kind_partition_status"):
            rows = fetch_rows(
                built(cursor),
                "select * from serving.kind_partition_status where partition_key = any(%s)",
                ([partition.day for partition in partitions],),
            )
            known = {Partition(row["record_kind"], row["partition_key"]): row for row in rows}
        links = read_missing_links(cursor, record_kind, [partition.day for partition in partitions])
    found = {
        partition: {name: json_value(value) for name, value in known[partition].items()}
        if partition in known
        else _unready(partition, Obstacle(Code.UNKNOWN))
        for partition in partitions
    }
    for partition, of_kind in bent.items():
        sentence = "; ".join(fault.sentence for fault in of_kind)
        found[partition] = _unready(partition, Obstacle(Code.VIEW_DIFFERS, names=(sentence,)))
        found[partition]["next_command"] = of_kind[0].next_command
    # Where it is not ready anyhow, nothing more is asked.
    ready = [partition for partition in partitions if found[partition]["is_ready"]]
    for partition, (seen, released) in (unlike_released(warehouse, ready) if ready else {}).items():
        words = f"readers see {counted(seen, 'record')}, of its release's {released:,}, or others than it released"
        unlike = Obstacle(Code.RELEASE_DIFFERS, names=(words,))
        found[partition] |= _kept_back_by(unlike) | {"next_command": unlike.next_command([partition], kinds)}
    for partition, row in found.items():
        row["obstacles"] = told(row["obstacles"], partition, kinds)
        row["link_missing_count"] = sum(link.record_count for link in links if link.partition == partition)
    return Readiness([*found.values()], tuple(link for link in links if not link.is_awaited), kinds)


def _unready(partition: Partition, obstacle: Obstacle) -> dict[str, Any]:
    return {**partition.as_record(), "data_release_id": None, "is_held": False, **_kept_back_by(obstacle)}


def _kept_back_by(obstacle: Obstacle) -> dict[str, Any]:
    return {"is_ready": False, "reason": obstacle.message, "obstacles": [obstacle.as_record()]}
