"""`loader status`: what the warehouse says about partitions, runs and state, read without the ingest lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.advice import Asked, Diagnosis, diagnose
from loader.config import Settings, load_settings
from loader.kinds import load_ruleset
from loader.obstacles import told
from loader.partition import Partition
from loader.recovery import World
from loader.release import ViewFault, known_kinds, refuse_unknown_kind, view_faults
from loader.status.days import IN_NEED, STATES, DayState, State, states_of_days
from loader.status.snapshot import Blindness, Narrowing, Snapshot, read_snapshot
from loader.warehouse import Warehouse, released_kinds

__all__ = ["IN_NEED", "STATES", "DayState", "State", "Status", "read_status", "states_of_days"]

# As many findings are told of a warehouse; each counts for its day.
_FINDINGS_TOLD = 50


@dataclass(frozen=True, slots=True)
class Status:
    """Rows as name → JSON-ready value; `partitions` and `findings` stand as the last reconcile left them.

    `days`: the state of each. `holds`: who holds days, and why; `files`: of the one partition only, which files its
    lines are in. `proofs`: the last that closed over everything, and over what had changed. `readers`: what readers see
    of the one partition, or of those that they do not see as they are proved. `view_faults`: why what they see is not
    what was released, `blind_kinds`: of which kinds. `open_answers`: of the triage, what is not in order. `kinds`:
    those that the warehouse knows; `record_kind`: the one asked for, if it was.
    """

    days: Sequence[DayState]
    partitions: Sequence[Mapping[str, Any]]
    runs: Sequence[Mapping[str, Any]]
    state: Sequence[Mapping[str, Any]]
    proofs: Sequence[Mapping[str, Any]]
    absent_assets: Sequence[Mapping[str, Any]]
    findings: Sequence[Mapping[str, Any]]
    drift: Sequence[Mapping[str, Any]]
    ties: Sequence[Mapping[str, Any]]
    links: Sequence[Mapping[str, Any]]
    readers: Sequence[Mapping[str, Any]]
    holds: Sequence[Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    view_faults: Sequence[str]
    is_reconciled: bool
    nearest: Sequence[str]
    open_answers: Sequence[str]
    next_command: str
    # Lost records, other warehouses in the report folder, clocks that went back.
    notices: Sequence[str]
    kinds: Sequence[str] = ()
    record_kind: str | None = None
    blind_kinds: Sequence[str] = ()


def read_status(
    warehouse: Warehouse,
    partition: date | None,
    run_limit: int = 10,
    *,
    settings: Settings | None = None,
    record_kind: str | None = None,
) -> Status:
    """Read everything in one snapshot (repeatable read); writes nothing. The next command is that of diagnose.

    Without `settings`, today's are taken and the folder of manifests is not searched for some that no run has read.
    Raises CommandUsageError for a kind that is none.
    """
    today = settings or load_settings()
    only = Narrowing(partition, record_kind, run_limit)
    faults = [fault for fault in view_faults(warehouse, today.project_root) if fault.is_about(record_kind)]
    connection = warehouse.connect(application_name="omnisupport-status")
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with closing(connection), connection, connection.cursor() as cursor:
        if record_kind is not None:
            refuse_unknown_kind([kind.record_kind for kind in released_kinds(cursor)], record_kind)
        ruleset = load_ruleset(today.project_root / "contracts", record_kind)
        seen = read_snapshot(cursor, only, Blindness.of(faults), today.project_root)
        found = diagnose(Asked(World(today, cursor, ruleset), partition, faults, settings is not None, record_kind))
        known = known_kinds(cursor)
    return _judged(seen, only, faults, found, known)


def _judged(
    seen: Snapshot, only: Narrowing, faults: Sequence[ViewFault], found: Diagnosis, known: Collection[str]
) -> Status:
    """Which state each day is in, and what of the rows is told."""
    blind = Blindness.of(faults)
    of_day = [row for row in seen.findings if only.partition is None or row["partition_key"] == str(only.partition)]
    readers = None if blind.is_of_everything else seen.shown
    days = states_of_days(seen.partitions, readers, of_day, seen.holds, blind=blind.kinds)
    kinds = {*known, *(each.record_kind for each in days)}
    for row in (*seen.partitions, *seen.shown):
        row["obstacles"] = told(row["obstacles"], _partition(row), kinds)
    return Status(
        days=days,
        partitions=seen.partitions,
        runs=seen.runs,
        state=seen.state,
        proofs=seen.proofs,
        absent_assets=seen.absent_assets,
        findings=seen.findings[:_FINDINGS_TOLD],
        drift=seen.drift,
        ties=seen.ties,
        links=seen.links,
        readers=[row for row in seen.shown if only.partition or row["is_held"] or not row["is_ready"]],
        holds=seen.holds,
        files=seen.files,
        view_faults=[fault.sentence for fault in faults],
        is_reconciled=seen.is_reconciled,
        nearest=seen.nearest,
        open_answers=[step.answer for step in found.steps if not step.is_in_order],
        next_command=found.next_command,
        notices=found.notices,
        kinds=sorted(kinds),
        record_kind=only.record_kind,
        blind_kinds=sorted(kinds if blind.is_of_everything else blind.kinds),
    )


def _partition(row: Mapping[str, Any]) -> Partition:
    return Partition(row["record_kind"], date.fromisoformat(row["partition_key"]))
