"""What the gate judges by: everything that the database knows of partitions, read in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.evidence import MISSING_DAY, Finding, read_findings, read_open_drift
from loader.obstacles import Code, Obstacle, obstacles_of
from loader.partition import Partition
from loader.release import acceptances, changes, history, holds, releases
from loader.release.groups import Link
from loader.warehouse import built, fetch_rows

# A reconcile row as far as it decides, in types that whoever made the table does not choose.
_PARTITIONS = """
select record_kind::text, partition_key::date, obstacles::jsonb from reconcile.reconcile_partition
"""


@dataclass(frozen=True, slots=True)
class Board:
    """`changing`: partitions of which Silver has other rows than were released; `links`: between which of them records
    move. `checked`: what reconcile's row of a partition says. `unproved`: kinds and days that changed since they were
    proved, None for any day. `rejects`, `drifts`: those that nobody has let pass. `pointers`: the version that readers
    see, 0 for none; `newest`: the last one that was released.
    """

    held: frozenset[Partition]
    changing: frozenset[Partition]
    links: frozenset[Link]
    checked: Mapping[Partition, Sequence[Obstacle]]
    findings: tuple[Finding, ...]
    unproved: frozenset[tuple[str, date | None]]
    rejects: Mapping[Partition, Obstacle]
    drifts: Mapping[Partition, Obstacle]
    pointers: Mapping[Partition, int]
    newest: Mapping[Partition, int]


def read_board(cursor: Any, reject_limit: float) -> Board:
    """After reconcile, under the ingest lock. Until the caller's transaction ends nobody holds or frees a partition,
    and what changes stays in release_change. `reject_limit`: as in a Request."""
    held = holds.lock_holds(cursor)
    changing, links = changes.find_changes(cursor)
    rows = fetch_rows(built(cursor), _PARTITIONS, None)
    return Board(
        frozenset(held),
        frozenset(changing),
        frozenset(links),
        {Partition(row["record_kind"], row["partition_key"]): obstacles_of(row) for row in rows},
        tuple(read_findings(cursor)),
        frozenset(changes.changed_since_proof(cursor)),
        _rejects(cursor, reject_limit),
        _drifts(cursor),
        releases.pointers(cursor),
        history.newest_versions(cursor),
    )


def _rejects(cursor: Any, reject_limit: float) -> dict[Partition, Obstacle]:
    """The files of each partition with too many rejects that nobody has let pass."""
    found: dict[Partition, dict[str, None]] = {}
    for file in acceptances.files_over_limit(cursor, reject_limit):
        found.setdefault(file.partition, {})[file.source_id] = None
    return {partition: Obstacle(Code.TOO_MANY_REJECTS, names=tuple(files)) for partition, files in found.items()}


def _drifts(cursor: Any) -> dict[Partition, Obstacle]:
    """What drifted in each partition. A day without records is none: the run that finds it missing says so."""
    found: dict[Partition, list[str]] = {}
    for drift in read_open_drift(cursor):
        if drift.partition_key is not None and drift.check_name != MISSING_DAY:
            found.setdefault(Partition(drift.record_kind, drift.partition_key), []).append(drift.short)
    return {partition: Obstacle(Code.DRIFT, names=tuple(drifts)) for partition, drifts in found.items()}
