"""restore: the release pointer of a partition moves back to a state that was released before; deletes nothing.

Input: the versions that were released, of a window of partitions or of all: as of a release, as of a time, or else the
one before what is shown. State: pointers, and the partitions are held then: no run moves them until `loader release`.
Boundary: no row is written or removed, Bronze and Silver stay as they are. Partitions that share a ticket which moved
since go back together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from loader.errors import CheckFailedError, RefusedError
from loader.evidence.acts import record_act
from loader.evidence.chain import write_files
from loader.printable import counted
from loader.recovery.plan import Plan, PlannedPointer
from loader.recovery.verbs import Restored, Workplace
from loader.recovery.world import World
from loader.release import holds, store
from loader.release.targets import LinkedError, restore_targets, version_at
from loader.runs import Attempt, new_run_id, trace_id_of_caller
from loader.runs.operator import acting_operator


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Of the partitions `[window_start, window_end)`, or of all. Raises RefusedError where nothing was released that
    could be shown again."""
    window = None
    if request["window_start"] is not None:
        window = (date.fromisoformat(request["window_start"]), date.fromisoformat(request["window_end"]))
    pointers = _planned(world, request, window)
    days = [date.fromisoformat(pointer.partition_key) for pointer in pointers]
    return Plan(
        mode="restore",
        request=dict(request),
        run=None,
        batch_id="",
        manifests=(),
        window=window,
        ruleset_sha256=world.ruleset.sha256,
        partitions=tuple(world.partitions((days[0], date.fromordinal(days[-1].toordinal() + 1)))),
        assets=(),
        pointers=pointers,
        target_assets=("release/partition_pointer",),
        proposed_action=f"an earlier state of {counted(len(pointers), 'partition')} is shown, and held",
        idempotency_guard="pointers are set, no row is written or removed",
        downstream_impact="readers see the older rows until `loader release`; the digest proves which",
        last_run=world.last_run(),
    )


def attempt(plan: Mapping[str, Any]) -> Attempt:
    return Attempt(new_run_id(), 1, trace_id_of_caller())


def carry_out(work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> Restored:
    """Move the pointers, hold the partitions, and prove that readers see the rows that were released then: one
    transaction, rolled back where they do not.

    By the digest of what the rows hold: of every row of days that were named, and, since a restore of everything would
    read all there is, of those alone that it brings back. Raises CheckFailedError where they do not;
    InfrastructureError, with the restore made, where its evidence file cannot be written.
    """
    targets = {date.fromisoformat(each["partition_key"]): each["target_release_id"] for each in plan["pointers"]}
    act = store.Act(
        "restore",
        acting_operator(),
        attempt.trace_id,
        reason=plan["request"]["reason"],
        plan_id=plan["plan_id"],
    )
    with work.lock.transaction() as cursor:
        holds.lock_holds(cursor)
        before = store.pointers(cursor)
        release = store.add_release(cursor, act)
        store.move_pointers(cursor, release, targets)
        held = holds.hold(cursor, targets, act.operator, f"restored by release {release}: {act.reason}", act.trace_id)
        known = before if plan["request"]["window_start"] is None else {}
        seen, recorded = store.shown(cursor, list(targets), known), store.recorded(cursor, targets)
        for day in sorted(targets):
            if seen[day] != recorded[day]:
                raise CheckFailedError(
                    f"restore: the rows of {day} are not those that were released then ({seen[day]}, recorded"
                    f" {recorded[day]}); nothing was moved",
                    next_command=_instead(cursor, day, {targets[day], before.get(day, 0)}),
                )
        path = record_act(cursor, work.settings, act.kind, {"data_release": [release], "hold_change": held})
    with work.lock.transaction() as cursor:
        write_files(cursor, work.settings, f"release {release}, a restore,")
    return Restored(release, targets, path)


def _planned(world: World, request: Mapping[str, Any], window: tuple[date, date] | None) -> tuple[PlannedPointer, ...]:
    cursor = world.cursor
    versions, shown = store.versions(cursor), store.pointers(cursor)
    wanted = {}
    then = _shown_then(cursor, request)
    for day in shown if window is None else [day for day in versions if window[0] <= day < window[1]]:
        before = version_at(versions, day, shown.get(day, 0) - 1)
        wanted[day] = before if then is None else then.get(day, 0)
    missing = [] if window is None else sorted(day for day, target in wanted.items() if target == 0)
    if missing or not wanted:
        what = f"{missing[0]} was not released then" if missing else "nothing was released of it"
        raise RefusedError(
            f"restore: {what}, so there is no state to go back to; nothing was changed", next_command="make status"
        )
    try:
        targets = restore_targets(versions, shown, store.all_links(cursor), wanted)
    except LinkedError as error:
        raise RefusedError(
            f"restore: {error}: they go back together; nothing was changed",
            next_command="loader plan restore --help",
        ) from error
    refuse_expired(cursor, versions, shown, targets)
    moved = {day: target for day, target in sorted(targets.items()) if target != shown.get(day, 0)}
    if not moved:
        raise RefusedError("restore: readers see that state already; nothing was changed", next_command="make status")
    counts = store.recorded(cursor, moved)
    return tuple(
        PlannedPointer(
            day.isoformat(), shown.get(day, 0), target, counts[day][0], str(counts[day][1]), day not in wanted
        )
        for day, target in moved.items()
    )


def refuse_expired(
    cursor: Any, versions: Mapping[date, Sequence[int]], shown: Mapping[date, int], targets: Mapping[date, int]
) -> None:
    """Raise RefusedError, with what can still be shown, where a target's rows are gone."""
    expired = store.expired(cursor)
    for day, target in sorted(targets.items()):
        if (day, target) not in expired:
            continue
        left = [version for version in versions[day] if (day, version) not in expired and version != shown.get(day, 0)]
        still = (
            f"what can still be shown of it: release {', '.join(map(str, left))}" if left else "nothing else is left"
        )
        raise RefusedError(
            f"restore: {day} as of release {target} has expired (expiry {expired[day, target]}); {still}; nothing was"
            " changed",
            next_command=_restore(day, left[-1]) if left else "make status",
        )


def _instead(cursor: Any, day: date, others: Collection[int]) -> str:
    """The newest version of a partition, but for `others`, whose rows are as they were released."""
    gone = store.expired(cursor).keys() | {
        (day, version) for _, version, *_ in store.unlike(cursor, [day], is_content_read=True)
    }
    whole = [version for version in store.versions(cursor)[day] if (day, version) not in gone and version not in others]
    return _restore(day, whole[-1]) if whole else "loader verify --evidence"


def _restore(day: date, version: int) -> str:
    return f"loader restore --partition {day} --release {version} --reason 'why'"


def _shown_then(cursor: Any, request: Mapping[str, Any]) -> dict[date, int] | None:
    """What readers saw of each partition at the release or time that is asked for; None where neither is."""
    if request["release"] is not None:
        return store.shown_after(cursor, request["release"])
    if request["as_of"] is not None:
        return store.shown_after(cursor, store.release_at(cursor, datetime.fromisoformat(request["as_of"])))
    return None
