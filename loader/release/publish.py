"""The gate at work: proved rows of Silver become what readers see, or stay back with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.evidence import MISSING_DAY, Finding, read_findings, read_open_drift, record_act
from loader.obstacles import Code, Obstacle, obstacles_of, told
from loader.partition import Partition
from loader.printable import counted
from loader.release import changes, holds, store
from loader.release.gate import Candidate, Decision, decide
from loader.release.store import Act
from loader.silver import Proved
from loader.warehouse import built, fetch_rows

# A reconcile row as far as it decides, in types that whoever made the table does not choose.
_PARTITIONS = """
select record_kind::text, partition_key::date, obstacles::jsonb from reconcile.reconcile_partition
"""


@dataclass(frozen=True, slots=True)
class Published:
    """What the gate did: the release, None when no partition moved, and the groups that it looked at."""

    data_release_id: int | None
    decisions: tuple[Decision, ...]
    # Partitions of which readers see the newest proved rows, and whose checks pass.
    current: frozenset[Partition] = frozenset()
    # Partitions that need a person, as status counts them: somebody has asked for them, nobody holds them, and they are
    # damaged, not whole or not shown to readers as they are proved.
    in_need: frozenset[Partition] = frozenset()
    held: frozenset[Partition] = frozenset()
    # Holds that ended (release.hold_change).
    hold_changes: tuple[int, ...] = ()
    # Drift and rejects that were let pass (release.acceptance).
    acceptances: tuple[int, ...] = ()
    # Partitions that nothing but drift keeps back: of their own, or of one with which they share a moved record.
    to_review: frozenset[Partition] = frozenset()
    # Partitions of whose own checks none fails but the share of a file's lines that may be rejected.
    rejecting: frozenset[Partition] = frozenset()
    # Those that the warehouse knows.
    kinds: frozenset[str] = frozenset()

    def decision(self, partitions: Collection[Partition], *, has_drift: bool = False) -> str:
        """The downstream decision on these partitions together. `has_drift`: something beside them waits for a person,
        too."""
        if not partitions or not (self.current | self.to_review).issuperset(partitions):
            return "hold_downstream"
        return "proceed" if self.current.issuperset(partitions) and not has_drift else "manual_review_required"

    @property
    def partitions(self) -> tuple[Partition, ...]:
        return tuple(partition for decision in self.decisions if decision.is_open for partition in decision.partitions)

    @property
    def kept_back(self) -> tuple[Decision, ...]:
        return tuple(decision for decision in self.decisions if not decision.is_open)

    def obstacles_of(self, decision: Decision) -> list[str]:
        """Sentences."""
        return [f"{partition.named(self.kinds)}: {obstacle.message}" for partition, obstacle in decision.obstacles]

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "data_release_id": self.data_release_id,
            "partitions": [partition.as_record() for partition in self.partitions],
            "kept_back": [
                {
                    "partitions": [partition.as_record() for partition in decision.partitions],
                    "obstacles": self.obstacles_of(decision),
                    "reasons": [
                        {**partition.as_record(), **reason}
                        for partition, obstacle in decision.obstacles
                        for reason in told([obstacle.as_record()], partition, self.kinds)
                    ],
                }
                for decision in self.kept_back
            ],
        }

    @property
    def sentence(self) -> str:
        moved = counted(len(self.partitions), "day")
        words = [f"release {self.data_release_id}: {moved}"] if self.data_release_id else []
        if self.kept_back:
            days = sum(len(decision.partitions) for decision in self.kept_back)
            words.append(f"{counted(days, 'day')} kept back: {self.obstacles_of(self.kept_back[0])[0]}")
        if self.hold_changes:
            words.append(f"{counted(len(self.hold_changes), 'hold')} ended")
        if self.acceptances:
            words.append(f"{counted(len(self.acceptances), 'finding')} let pass")
        return "; ".join(words) or "nothing to release"


def publish(
    cursor: Any,
    act: Act,
    *,
    reject_limit: float,
    proved: Proved | None,
    only: Sequence[Partition] | None = None,
    frees: bool = False,
    accepts_drift: bool = False,
    accepts_rejects: bool = False,
    blocked_by: Sequence[Obstacle] = (),
) -> Published:
    """Judge every partition that waits, and let readers see those whose checks passed; all in the caller's transaction.

    After reconcile, under the ingest lock. `reject_limit`: the greatest share of an asset's lines that may be rejected;
    beyond it the days of the asset stay back. `only`: of these partitions; `frees`: a hold on them does not keep them
    back, and ends when they move. `proved`: that the build closed, and for which days it did not; None: for none, since
    nothing says which days it is about. `accepts_drift`, `accepts_rejects`: drift, or the rejects of files, of those of
    `only` that nothing else keeps back is let pass from now on, for the act's reason; an override does both.
    `blocked_by`: why nothing that waits may be released, whatever its partition says.
    An `act` of kind override moves `only` against the checks, but for days of which nothing is known. Raises
    CheckFailedError as release_changes.
    """
    held = holds.lock_holds(cursor)
    changing, links = changes.find_changes(cursor)
    asked = None if only is None else set(only)
    rows = fetch_rows(built(cursor), _PARTITIONS, None)
    checked = {Partition(row["record_kind"], row["partition_key"]): obstacles_of(row) for row in rows}
    pointers = store.pointers(cursor)
    findings = read_findings(cursor)
    damages = _damages(findings, proved, {*checked, *changing, *pointers})
    of_every_day = _of_every_day(findings, proved)
    obstacles = {
        partition: [
            *damages.get(partition, ()),
            *of_every_day.get(partition.record_kind, ()),
            *checked.get(partition, ()),
            *([] if proved else [Obstacle(Code.NOT_PROVED)]),
            *(blocked_by if partition in changing else ()),
        ]
        for partition in {*checked, *damages}
    }
    if proved:
        for partition in changes.changed_since_proof(cursor, {*obstacles, *changing}):
            obstacles.setdefault(partition, []).append(Obstacle(Code.CHANGED_SINCE_PROOF))
    passing = asked or set()
    drift_passes = passing if accepts_drift or act.kind == "override" else set()
    rejects_pass = passing if accepts_rejects or act.kind == "override" else set()
    let_pass: dict[Partition, list[Obstacle]] = {}
    rejecting = set()
    for partition, obstacle in _rejects(cursor, reject_limit).items():
        if not obstacles.setdefault(partition, []):
            rejecting.add(partition)
        (let_pass if partition in rejects_pass else obstacles).setdefault(partition, []).append(obstacle)
    drifting = _drifts(cursor, obstacles)
    only_drifting = {partition for partition in drifting if not obstacles[partition]} - drift_passes
    for partition, obstacle in drifting.items():
        (let_pass if partition in drift_passes else obstacles).setdefault(partition, []).append(obstacle)
    newest = store.newest_versions(cursor)
    # Changed, never shown, or behind what was released of them.
    unasked = {partition for partition, found in checked.items() if any(each.code == Code.UNASKED for each in found)}
    never_shown = {partition for partition in obstacles if pointers.get(partition, 0) == 0}
    waiting = changing | (never_shown - unasked) | _behind(pointers, newest)
    # Partitions with nothing to show: a release would say that they are there, and a hold of them only ends.
    nowhere = (asked or set()) - {*obstacles, *changing, *pointers}
    only_held = held & nowhere if frees else set()
    if asked is not None:
        waiting |= asked - only_held
    candidates = []
    for partition in waiting:
        is_overridden = act.kind == "override" and partition not in nowhere
        found = [] if is_overridden else obstacles.get(partition, [Obstacle(Code.UNKNOWN)])
        of_act = _of_the_act(partition, held, asked, frees)
        is_to_review = partition in only_drifting and not of_act
        candidates.append(Candidate(partition, (*found, *of_act), is_to_review=is_to_review))
    decisions = tuple(
        decision for decision in decide(candidates, links) if asked is None or asked.intersection(decision.partitions)
    )
    moving = sorted(partition for decision in decisions if decision.is_open for partition in decision.partitions)
    release = None
    if moving and _is_moving(moving, changing, pointers, newest):
        release = store.add_release(cursor, act)
        changes.release_changes(cursor, release, moving)
    changes.keep_waiting(cursor, moving)
    # Nothing is let pass on a day that something else keeps back.
    acceptances = [
        *(store.accept_drift(cursor, sorted(drift_passes.intersection(moving)), act) if drift_passes else ()),
        *(store.accept_rejects(cursor, sorted(rejects_pass.intersection(moving)), act) if rejects_pass else ()),
    ]
    for partition in let_pass.keys() - set(moving):
        obstacles[partition] += let_pass[partition]
    freed = held & {*moving, *only_held} if frees else set()
    ended = holds.free(cursor, sorted(freed), act)
    changed_back = changing - set(moving)
    store.note_gate(
        cursor, {partition: obstacles.get(partition, []) for partition in {*obstacles, *changing}}, changed_back
    )
    pointers, newest = store.pointers(cursor), store.newest_versions(cursor)
    current = {
        partition
        for partition, reasons in obstacles.items()
        if not reasons and partition not in changed_back and newest.get(partition) == pointers.get(partition)
    }
    damaged = {
        partition
        for partition in obstacles
        if damages.get(partition) or any(each.code == Code.UNEXPLAINED for each in obstacles[partition])
    }
    asked_for = {
        partition
        for partition in {*obstacles, *changing, *pointers}
        if pointers.get(partition, 0) or partition not in unasked
    }
    in_need = damaged | (asked_for - current - (held - freed))
    to_review = {partition for decision in decisions if decision.is_to_review for partition in decision.partitions}
    kept_back = {partition for decision in decisions if not decision.is_open for partition in decision.partitions}
    return Published(
        release,
        decisions,
        frozenset(current),
        in_need=frozenset(in_need),
        held=frozenset(held - freed),
        to_review=frozenset(to_review | (only_drifting - kept_back)),
        hold_changes=tuple(ended),
        acceptances=tuple(acceptances),
        rejecting=frozenset(rejecting),
        kinds=store.known_kinds(cursor) | {partition.record_kind for partition in (*asked_for, *kept_back)},
    )


def record_published(cursor: Any, settings: Settings, kind: str, published: Published) -> Path | None:
    """Add the record of what the gate did to the chain, in the same transaction; None where it did nothing. The file is
    written after the commit, where this says."""
    numbers = {
        "data_release": [] if published.data_release_id is None else [published.data_release_id],
        "hold_change": published.hold_changes,
        "acceptance": published.acceptances,
    }
    if not any(numbers.values()):
        return None
    if published.data_release_id is None:
        kind = "free" if published.hold_changes else "accept"
    return record_act(cursor, settings, kind, numbers)


def _damages(
    findings: Collection[Finding], proved: Proved | None, partitions: Collection[Partition]
) -> dict[Partition, list[Obstacle]]:
    """What reconcile found of each of `partitions`: the check's name, and how many rows of which table. A day that the
    build left open is damaged also where another build has taken its findings away meanwhile. A finding that may be of
    any kind is of each that has the day."""
    by_day: dict[date | None, list[Partition]] = {}
    for partition in partitions:
        by_day.setdefault(partition.day, []).append(partition)
    found: dict[Partition, list[Finding]] = {}
    for kind, day in proved.open_partitions if proved else ():
        found |= {each: [] for each in by_day.get(day, ()) if kind in (None, each.record_kind)}
    for finding in findings:
        for partition in by_day.get(finding.partition_key, ()):
            if finding.record_kind in (None, partition.record_kind):
                found.setdefault(partition, []).append(finding)
    return {partition: _as_obstacles(of_day) for partition, of_day in found.items()}


def _of_every_day(findings: Collection[Finding], proved: Proved | None) -> dict[str, list[Obstacle]]:
    """Likewise, of each kind of which something was found that names no day."""
    found: dict[str, list[Finding]] = {
        kind: [] for kind, day in (proved.open_partitions if proved else ()) if kind and day is None
    }
    for finding in findings:
        if finding.record_kind and finding.partition_key is None:
            found.setdefault(finding.record_kind, []).append(finding)
    return {kind: _as_obstacles(of_kind) for kind, of_kind in found.items()}


def _as_obstacles(findings: Iterable[Finding]) -> list[Obstacle]:
    counts: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        counts[finding.check_name, finding.table_name] += finding.finding_count
    return [Obstacle(Code.FINDING, rows, (check_name,), table) for (check_name, table), rows in counts.items()] or [
        Obstacle(Code.LEFT_OPEN)
    ]


def _rejects(cursor: Any, reject_limit: float) -> dict[Partition, Obstacle]:
    """The files of each partition with too many rejects that nobody has let pass."""
    found: dict[Partition, dict[str, None]] = {}
    for file in store.files_over_limit(cursor, reject_limit):
        found.setdefault(file.partition, {})[file.source_id] = None
    return {partition: Obstacle(Code.TOO_MANY_REJECTS, names=tuple(files)) for partition, files in found.items()}


def _drifts(cursor: Any, partitions: Collection[Partition]) -> dict[Partition, Obstacle]:
    """What drifted in each of `partitions`. A day without records is none: the run that finds it missing says so."""
    found: dict[Partition, list[str]] = {}
    for drift in read_open_drift(cursor):
        if drift.partition_key is None or drift.check_name == MISSING_DAY:
            continue
        partition = Partition(drift.record_kind, drift.partition_key)
        if partition in partitions:
            found.setdefault(partition, []).append(drift.short)
    return {partition: Obstacle(Code.DRIFT, names=tuple(drifts)) for partition, drifts in found.items()}


def _behind(pointers: Mapping[Partition, int], newest: Mapping[Partition, int]) -> set[Partition]:
    return {partition for partition, version in newest.items() if pointers.get(partition, 0) < version}


def _is_moving(
    moving: Sequence[Partition],
    changing: set[Partition],
    pointers: Mapping[Partition, int],
    newest: Mapping[Partition, int],
) -> bool:
    """Whether anything would change for readers; a release without that would only be noise."""
    return any(
        partition in changing or partition not in newest or pointers.get(partition, 0) < newest[partition]
        for partition in moving
    )


def _of_the_act(
    partition: Partition, held: set[Partition], asked: set[Partition] | None, frees: bool
) -> tuple[Obstacle, ...]:
    """What keeps a partition back whatever its checks say."""
    if asked is not None and partition not in asked:
        return (Obstacle(Code.NOT_ASKED_FOR),)
    return (Obstacle(Code.HELD),) if partition in held and not frees else ()
