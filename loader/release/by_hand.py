"""What people have the gate do: hold days, release them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from loader.config import Settings
from loader.errors import CommandUsageError, RefusedError
from loader.evidence import record_act, write_files
from loader.partition import Partition
from loader.progress import Report
from loader.release import holds, releases
from loader.release.groups import Decision
from loader.release.publish import Published, settle
from loader.release.releases import Act, known_kinds
from loader.release.ruling import Request
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
from loader.warehouse import Warehouse, open_warehouse, released_kinds

# Kinds with lines of these days, or of which such a day was released or is held.
_KNOWN = """
select distinct asset.record_kind, part.partition_key
from ops.asset_partition as part
inner join ops.source_asset as asset on asset.asset_id = part.asset_id
where part.partition_key = any(%(days)s)
union
select record_kind, partition_key from release.partition_pointer where partition_key = any(%(days)s)
union
select record_kind, partition_key from release.partition_hold where partition_key = any(%(days)s)
"""


def asked_partitions(cursor: Any, days: Iterable[date], record_kind: str | None) -> list[Partition]:
    """The days of one kind, or else of every kind that knows them; a day that none knows, of every kind that has been
    judged, or where none was, of every kind there is. Sorted.

    Raises CommandUsageError for a kind that has nothing to release.
    """
    kinds = [kind.record_kind for kind in released_kinds(cursor)]
    if record_kind is not None:
        refuse_unknown_kind(kinds, record_kind)
        return sorted(Partition(record_kind, day) for day in set(days))
    wanted = sorted(set(days))
    cursor.execute(_KNOWN, {"days": wanted})
    known = {Partition(*row) for row in cursor.fetchall() if row[0] in kinds}
    nowhere = set(wanted) - {partition.day for partition in known}
    judged = known_kinds(cursor).intersection(kinds)
    return sorted(known | {Partition(kind, day) for day in nowhere for kind in judged or kinds})


def refuse_unknown_kind(kinds: Iterable[str], record_kind: str) -> None:
    """Raise CommandUsageError for a name that is none of these."""
    if record_kind not in kinds:
        raise CommandUsageError(
            f"KIND: got {record_kind}, expected one of {', '.join(kinds)}; nothing was done",
            next_command="loader kind list",
        )


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
            return Held(tuple(partitions), tuple(found), releases.known_kinds(cursor))


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What a person asks the gate for: days of a kind, or of every kind that knows them. With a reason, `is_override`:
    also where checks fail; `accepts_drift`, `accepts_rejects`: drift that is known of them, or the rejects of their
    files, is let pass, now and later."""

    days: Sequence[date]
    record_kind: str | None = None
    reason: str | None = None
    is_override: bool = False
    accepts_drift: bool = False
    accepts_rejects: bool = False


class KeptBackError(RefusedError):
    """Partitions that a release was asked for stay back, `decision` first; `published`: what the gate did."""

    def __init__(self, decision: Decision, published: Published) -> None:
        done = "the others were released" if published.partitions else "nothing was released"
        obstacles = "; ".join(published.obstacles_of(decision)[:5])
        super().__init__(f"release: {obstacles}; {done}", next_command="make diagnose")
        self.decision = decision
        self.published = published


def release(settings: Settings, asked: ReleaseRequest, report: Report) -> Published:
    """Prove Silver as it stands, and let readers see what was asked for; ends its holds. The act is recorded with its
    reason.

    Raises KeptBackError, with nothing of it moved or let pass, where a partition stays back; CheckFailedError,
    likewise, where dbt left out what a proof needs; CommandUsageError where no day was given, or a kind that is none;
    InfrastructureError, with the release made, where its evidence file cannot be written.
    """
    if not asked.days:
        raise CommandUsageError(
            "release: expected --partition; nothing was released", next_command="make release PARTITION=2026-04-17"
        )
    require_writable(settings.report_dir)
    start_dbt()
    warehouse = open_warehouse(settings)
    with closing(IngestLock.acquire(warehouse, wait_seconds=settings.lock_timeout)) as lock:
        with lock.transaction() as cursor:
            partitions = asked_partitions(cursor, asked.days, asked.record_kind)
            sha256 = project_sha256(settings.project_root)
            scope = choose_scope(cursor, sha256, is_asked_for_all=settings.proof == "all")
        report(f"silver: to be proved: {scope.name}, {scope.reason}")
        build, scope = prove(lock, scope, partial(_prove, settings, warehouse, lock, report), report)
        act = Act(
            "override" if asked.is_override else "publish",
            acting_operator(),
            trace_id_of_caller(),
            reason=asked.reason,
            dbt_invocation_id=build.invocation_id,
        )
        request = Request(
            act,
            settings.reject_limit,
            only=frozenset(partitions),
            frees=True,
            accepts_drift=asked.accepts_drift,
            accepts_rejects=asked.accepts_rejects,
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
