"""The gate at work: proved rows of Silver become what readers see, or stay back with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.evidence.acts import record_act
from loader.evidence.drift import MISSING_DAY, read_open_drift
from loader.evidence.facts import fetch_rows, read_findings
from loader.printable import counted
from loader.release import changes, holds, store
from loader.release.gate import Candidate, Decision, decide
from loader.release.lacks import LACKS, lacks_of
from loader.release.store import Act
from loader.silver import FOUND, Proved
from loader.warehouse.built import built

HELD = "held"
DRIFT = "drift to review"
REJECTS = "too many rejects in"
_UNPROVED = "the proof did not close"
_CHANGED = "Silver changed after it was proved"
_UNKNOWN = ("no line of it is known",)

_COUNTS = ", ".join(f"{name}::bigint" for name in (*(lack.column for lack in LACKS), "landed_count"))
# A reconcile row as far as it decides, in types that whoever made the table does not choose.
_PARTITIONS = f"""
select partition_key::date, {_COUNTS},
    bronze_digest::numeric, silver_digest::numeric, is_complete::boolean
from reconcile.reconcile_partition
"""

# Days with lines of an asset of which more is rejected than policy allows (all of it is always too much), but for those
# for which somebody has let it pass.
_OVER_LIMIT = f"""
select part.partition_key, string_agg(distinct asset.source_id, ', ' order by asset.source_id) as source_ids
from {store.REJECTING}
inner join ops.asset_partition as part on part.asset_id = asset.asset_id and part.ruleset_id = asset.ruleset_id
where not exists (
        select from release.acceptance as accepted
        where accepted.partition_key = part.partition_key and accepted.check_name = %(check)s
            and accepted.measure = 'asset ' || asset.asset_id)
    and (asset.record_line_count = 0
        or asset.rejected_count > %(limit)s * (asset.record_line_count + asset.rejected_count))
group by part.partition_key
"""


@dataclass(frozen=True, slots=True)
class Published:
    """What the gate did: the release, None when no partition moved, and the groups that it looked at."""

    data_release_id: int | None
    decisions: tuple[Decision, ...]
    # Partitions of which readers see the newest proved rows, and whose checks pass.
    current: frozenset[date] = frozenset()
    # Partitions that need a person, as status counts them: somebody has asked for them, nobody holds them, and they are
    # damaged, not whole or not shown to readers as they are proved.
    in_need: frozenset[date] = frozenset()
    held: frozenset[date] = frozenset()
    # Holds that ended (release.hold_change).
    hold_changes: tuple[int, ...] = ()
    # Drift and rejects that were let pass (release.acceptance).
    acceptances: tuple[int, ...] = ()
    # Partitions that nothing but drift keeps back: of their own, or of one with which they share a moved ticket.
    to_review: frozenset[date] = frozenset()
    # Partitions of whose own checks none fails but the share of a file's lines that may be rejected.
    rejecting: frozenset[date] = frozenset()

    def decision(self, days: Collection[date], *, has_drift: bool = False) -> str:
        """The downstream decision on these partitions together. `has_drift`: something beside them waits for a person,
        too."""
        if not days or not (self.current | self.to_review).issuperset(days):
            return "hold_downstream"
        return "proceed" if self.current.issuperset(days) and not has_drift else "manual_review_required"

    @property
    def partitions(self) -> tuple[date, ...]:
        return tuple(day for decision in self.decisions if decision.is_open for day in decision.partitions)

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "data_release_id": self.data_release_id,
            "partitions": [day.isoformat() for day in self.partitions],
            "kept_back": [
                {"partitions": [day.isoformat() for day in decision.partitions], "obstacles": list(decision.obstacles)}
                for decision in self.decisions
                if not decision.is_open
            ],
        }

    @property
    def sentence(self) -> str:
        kept_back = [decision for decision in self.decisions if not decision.is_open]
        moved = counted(len(self.partitions), "day")
        words = [f"release {self.data_release_id}: {moved}"] if self.data_release_id else []
        if kept_back:
            days = sum(len(decision.partitions) for decision in kept_back)
            words.append(f"{counted(days, 'day')} kept back: {kept_back[0].obstacles[0]}")
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
    only: Sequence[date] | None = None,
    frees: bool = False,
    accepts_drift: bool = False,
    accepts_rejects: bool = False,
    blocked_by: Sequence[str] = (),
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
    days, links = changes.find_changes(cursor)
    asked = None if only is None else set(only)
    checked = {row["partition_key"]: row for row in fetch_rows(built(cursor), _PARTITIONS, None)}
    pointers = store.pointers(cursor)
    damages = _damages_by_day(cursor, proved, {*checked, *days, *pointers})
    obstacles = {
        day: [
            *damages.get(day, ()),
            *(_obstacles(checked[day]) if day in checked else ()),
            *([] if proved else [_UNPROVED]),
            *(blocked_by if day in days else ()),
        ]
        for day in {*checked, *damages}
    }
    if proved:
        changed = changes.changed_since_proof(cursor)
        for day in {*obstacles, *days} if None in changed else {day for day in changed if day}:
            obstacles.setdefault(day, []).append(_CHANGED)
    passing = asked or set()
    drift_passes = passing if accepts_drift or act.kind == "override" else set()
    rejects_pass = passing if accepts_rejects or act.kind == "override" else set()
    let_pass: dict[date, list[str]] = {}
    rejecting = set()
    limits = {"limit": reject_limit, "check": store.TOO_MANY_REJECTS, **store.rejecting_assets(cursor)}
    for row in fetch_rows(cursor, _OVER_LIMIT, limits):
        day = row["partition_key"]
        if not obstacles.setdefault(day, []):
            rejecting.add(day)
        (let_pass if day in rejects_pass else obstacles).setdefault(day, []).append(f"{REJECTS} {row['source_ids']}")
    drifting = _drifts_by_day(cursor, obstacles)
    only_drifting = {day for day in drifting if not obstacles[day]} - drift_passes
    for day, drifts in drifting.items():
        words = f"{DRIFT}: {', '.join(drifts)}"
        (let_pass if day in drift_passes else obstacles).setdefault(day, []).append(words)
    newest = store.newest_versions(cursor)
    # Changed, never shown, or behind what was released of them.
    unasked = {day for day, row in checked.items() if _is_unasked(row)}
    never_shown = {day for day in obstacles if pointers.get(day, 0) == 0}
    waiting = days | (never_shown - unasked) | _behind(pointers, newest)
    # Of which there is nothing to show: a release of it would say that it is there, and a hold of it only ends.
    nowhere = (asked or set()) - {*obstacles, *days, *pointers}
    only_held = held & nowhere if frees else set()
    if asked is not None:
        waiting |= asked - only_held
    candidates = []
    for day in waiting:
        is_overridden = act.kind == "override" and day not in nowhere
        found = [] if is_overridden else obstacles.get(day, list(_UNKNOWN))
        of_day = _of_the_act(day, held, asked, frees)
        candidates.append(Candidate(day, (*found, *of_day), is_to_review=day in only_drifting and not of_day))
    decisions = tuple(
        decision for decision in decide(candidates, links) if asked is None or asked.intersection(decision.partitions)
    )
    moving = sorted(day for decision in decisions if decision.is_open for day in decision.partitions)
    release = None
    if moving and _is_moving(moving, days, pointers, newest):
        release = store.add_release(cursor, act)
        changes.release_changes(cursor, release, moving)
    changes.keep_waiting(cursor, moving)
    # Of a day that something else keeps back nothing is let pass.
    acceptances = [
        *(store.accept_drift(cursor, sorted(drift_passes.intersection(moving)), act) if drift_passes else ()),
        *(store.accept_rejects(cursor, sorted(rejects_pass.intersection(moving)), act) if rejects_pass else ()),
    ]
    for day in let_pass.keys() - set(moving):
        obstacles[day] += let_pass[day]
    freed = held & {*moving, *only_held} if frees else set()
    ended = holds.free(cursor, sorted(freed), act)
    store.note_gate(cursor, {day: obstacles.get(day, []) for day in {*obstacles, *days}}, days - set(moving))
    pointers, newest = store.pointers(cursor), store.newest_versions(cursor)
    current = {
        day
        for day, reasons in obstacles.items()
        if not reasons and day not in days - set(moving) and newest.get(day) == pointers.get(day)
    }
    damaged = {day for day in obstacles if damages.get(day) or (day in checked and checked[day]["unexplained_count"])}
    asked_for = {day for day in {*obstacles, *days, *pointers} if pointers.get(day, 0) or day not in unasked}
    in_need = damaged | (asked_for - current - (held - freed))
    to_review = {day for decision in decisions if decision.is_to_review for day in decision.partitions}
    kept_back = {day for decision in decisions if not decision.is_open for day in decision.partitions}
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


def _damages_by_day(cursor: Any, proved: Proved | None, days: Collection[date]) -> dict[date, list[str]]:
    """What reconcile found of each of `days`: the check's name, and how many rows of which table. A day that the build
    left open is damaged also where another build has taken its findings away meanwhile."""
    found: dict[date, Counter[tuple[str, str]]] = {day: Counter() for day in (proved.open_days if proved else ())}
    for finding in read_findings(cursor):
        if finding.partition_key is not None:
            counts = found.setdefault(finding.partition_key, Counter())
            counts[finding.check_name, finding.table_name] += finding.finding_count
    return {
        day: [f"{check_name}: {counted(rows, 'row')} of {table}" for (check_name, table), rows in counts.items()]
        or [FOUND]
        for day, counts in found.items()
        if day in days
    }


def _drifts_by_day(cursor: Any, days: Collection[date]) -> dict[date, list[str]]:
    """What drifted in each of `days`. A day without tickets is none: the run that finds it missing says so."""
    found: dict[date, list[str]] = {}
    for drift in read_open_drift(cursor):
        if drift.partition_key is not None and drift.partition_key in days and drift.check_name != MISSING_DAY:
            found.setdefault(drift.partition_key, []).append(drift.short)
    return found


def _is_unasked(row: Mapping[str, Any]) -> bool:
    """Whether nobody has asked for the partition yet: its lines are indexed, and none of them is taken."""
    return bool(row["out_of_partition_count"] > 0 and row["landed_count"] == 0)


def _behind(pointers: Mapping[date, int], newest: Mapping[date, int]) -> set[date]:
    return {day for day, version in newest.items() if pointers.get(day, 0) < version}


def _is_moving(
    moving: Sequence[date], days: set[date], pointers: Mapping[date, int], newest: Mapping[date, int]
) -> bool:
    """Whether anything would change for readers; a release without that would only be noise."""
    return any(day in days or day not in newest or pointers.get(day, 0) < newest[day] for day in moving)


def _of_the_act(day: date, held: set[date], asked: set[date] | None, frees: bool) -> tuple[str, ...]:
    """What keeps a partition back whatever its checks say."""
    if asked is not None and day not in asked:
        return ("was not asked for",)
    return (HELD,) if day in held and not frees else ()


def _obstacles(row: Mapping[str, Any]) -> list[str]:
    """Why a reconcile row keeps its partition back."""
    found = lacks_of(row)
    if row["bronze_digest"] != row["silver_digest"]:
        found.append("Silver's content is not Bronze's")
    return found or ([] if row["is_complete"] else ["not complete"])
