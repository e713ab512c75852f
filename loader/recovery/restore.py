"""restore: the release pointer of a partition moves back to a state that was released before; deletes nothing.

Input: the versions that were released, of a window of partitions or of all, of one kind or of every: as of a release,
as of a time, or else the one before what is shown. State: pointers, and the partitions are held then: no run moves
them until `make release`. Boundary: no row is written or removed, Bronze and Silver stay as they are. Partitions that
share a record which moved since go back together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from loader.errors import CheckFailedError, RefusedError
from loader.evidence import record_act, write_files
from loader.ingest import Workplace
from loader.partition import Partition
from loader.printable import counted
from loader.recovery.gaps import states_among
from loader.recovery.past import last_run
from loader.recovery.plan import Plan, PlannedPointer
from loader.recovery.world import Restored, World
from loader.release import (
    LinkedError,
    digests,
    history,
    holds,
    refuse_unknown_kind,
    releases,
    restore_targets,
    version_at,
)
from loader.runs import Attempt, acting_operator
from loader.warehouse import released_kinds


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Plan for the partitions `[window_start, window_end)`, or for all. Raises RefusedError where nothing was released
    that could be shown again."""
    window = None
    if request["window_start"] is not None:
        window = (date.fromisoformat(request["window_start"]), date.fromisoformat(request["window_end"]))
    pointers = _planned(world, request, window)
    moved = [Partition(pointer.record_kind, date.fromisoformat(pointer.partition_key)) for pointer in pointers]
    return Plan(
        mode="restore",
        request=dict(request),
        window=window,
        ruleset_sha256=world.ruleset.sha256,
        partitions=states_among(world, moved),
        pointers=pointers,
        target_assets=("release/partition_pointer",),
        proposed_action=f"an earlier state of {_in_words(moved)} is shown, and held",
        idempotency_guard="pointers are set, no row is written or removed",
        downstream_impact="readers see the older rows until `make release`; the digest proves which",
        last_run=last_run(world),
    )


def _in_words(partitions: Sequence[Partition]) -> str:
    """How many, and of several kinds how many of each."""
    counts = Counter(partition.record_kind for partition in partitions)
    told = ", ".join(f"{kind} {count:,}" for kind, count in counts.items())
    return counted(len(partitions), "partition") + (f" ({told})" if len(counts) > 1 else "")


def carry_out(work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> Restored:
    """Move the pointers, hold the partitions, and prove that readers see the rows that were released then: one
    transaction, rolled back where they do not.

    By the digest of what the rows hold: of every row of days that were named, and, since a restore of everything would
    read all there is, of those alone that it brings back. Raises CheckFailedError where they do not;
    InfrastructureError, with the restore made, where its evidence file cannot be written.
    """
    targets = {
        Partition(each["record_kind"], date.fromisoformat(each["partition_key"])): each["target_release_id"]
        for each in plan["pointers"]
    }
    act = releases.Act(
        "restore",
        acting_operator(),
        attempt.trace_id,
        reason=plan["request"]["reason"],
        plan_id=plan["plan_id"],
    )
    with work.lock.transaction() as cursor:
        holds.lock_holds(cursor)
        before = releases.pointers(cursor)
        release = releases.add_release(cursor, act)
        releases.move_pointers(cursor, release, targets)
        held = holds.hold(cursor, targets, act.operator, f"restored by release {release}: {act.reason}", act.trace_id)
        known = before if plan["request"]["window_start"] is None else {}
        kinds = releases.known_kinds(cursor)
        seen, recorded = digests.shown(cursor, list(targets), known), history.recorded(cursor, targets)
        for partition, target in sorted(targets.items()):
            if seen[partition] != recorded[partition]:
                raise CheckFailedError(
                    f"restore: the rows of {partition.named(kinds)} are not those that were released then"
                    f" ({seen[partition]}, recorded {recorded[partition]}); nothing was moved",
                    next_command=_instead(cursor, partition, {target, before.get(partition, 0)}, kinds),
                )
        path = record_act(cursor, work.settings, act.kind, {"data_release": [release], "hold_change": held})
    with work.lock.transaction() as cursor:
        write_files(cursor, work.settings, f"release {release}, a restore,")
    return Restored(release, targets, path, kinds)


def _planned(world: World, request: Mapping[str, Any], window: tuple[date, date] | None) -> tuple[PlannedPointer, ...]:
    cursor = world.cursor
    record_kind = request.get("record_kind")
    if record_kind is not None:
        refuse_unknown_kind([kind.record_kind for kind in released_kinds(cursor)], record_kind)
    versions, shown, kinds = history.versions(cursor), releases.pointers(cursor), releases.known_kinds(cursor)
    wanted = {}
    then = _shown_then(cursor, request)
    for partition in shown if window is None else [each for each in versions if window[0] <= each.day < window[1]]:
        if record_kind in (None, partition.record_kind):
            before = version_at(versions, partition, shown.get(partition, 0) - 1)
            wanted[partition] = before if then is None else then.get(partition, 0)
    missing = [] if window is None else sorted(partition for partition, target in wanted.items() if target == 0)
    if missing or not wanted:
        what = f"{missing[0].named(kinds)} was not released then" if missing else "nothing was released of it"
        alone = _of_another_kind(missing, wanted)
        raise RefusedError(
            f"restore: {what}, so there is no state to go back to; nothing was changed",
            next_command="make status"
            if alone is None
            else f"{_restore(alone, wanted[alone], kinds)}   # {alone.record_kind} alone",
        )
    try:
        targets = restore_targets(versions, shown, releases.all_links(cursor), wanted)
    except LinkedError as error:
        one, other = (side.named(kinds) for side in error.sides)
        raise RefusedError(
            f"restore: {one} and {other} share records that release {error.release} moved: they go back together;"
            " nothing was changed",
            next_command="loader plan restore --help",
        ) from error
    refuse_expired(cursor, versions, shown, targets, kinds)
    moved = {each: target for each, target in sorted(targets.items()) if target != shown.get(each, 0)}
    if not moved:
        raise RefusedError("restore: readers see that state already; nothing was changed", next_command="make status")
    counts = history.recorded(cursor, moved)
    return tuple(
        PlannedPointer(
            partition.record_kind,
            partition.day.isoformat(),
            shown.get(partition, 0),
            target,
            counts[partition][0],
            str(counts[partition][1]),
            partition not in wanted,
        )
        for partition, target in moved.items()
    )


def _of_another_kind(missing: Sequence[Partition], wanted: Mapping[Partition, int]) -> Partition | None:
    """The first that could go back if its kind were asked for alone."""
    blocked = {partition.record_kind for partition in missing}
    return min((partition for partition in wanted if partition.record_kind not in blocked), default=None)


def refuse_expired(
    cursor: Any,
    versions: Mapping[Partition, Sequence[int]],
    shown: Mapping[Partition, int],
    targets: Mapping[Partition, int],
    kinds: Collection[str],
) -> None:
    """Raise RefusedError, with what can still be shown, where a target's rows are gone."""
    expired = history.expired(cursor)
    for partition, target in sorted(targets.items()):
        if (partition, target) not in expired:
            continue
        left = [
            version
            for version in versions[partition]
            if (partition, version) not in expired and version != shown.get(partition, 0)
        ]
        still = (
            f"what can still be shown of it: release {', '.join(map(str, left))}" if left else "nothing else is left"
        )
        raise RefusedError(
            f"restore: {partition.named(kinds)} as of release {target} has expired (expiry"
            f" {expired[partition, target]}); {still}; nothing was changed",
            next_command=_restore(partition, left[-1], kinds) if left else "make status",
        )


def _instead(cursor: Any, partition: Partition, others: Collection[int], kinds: Collection[str]) -> str:
    """The newest version of a partition, but for `others`, whose rows are as they were released."""
    gone = history.expired(cursor).keys() | {
        (partition, version) for _, version, *_ in digests.unlike(cursor, [partition], is_content_read=True)
    }
    whole = [
        version
        for version in history.versions(cursor)[partition]
        if (partition, version) not in gone and version not in others
    ]
    return _restore(partition, whole[-1], kinds) if whole else "make verify EVIDENCE=1"


def _restore(partition: Partition, version: int, kinds: Collection[str]) -> str:
    of_kind = f" KIND={partition.record_kind}" if len(kinds) > 1 else ""
    return f"make restore PARTITION={partition.day}{of_kind} RELEASE={version} REASON='why'"


def _shown_then(cursor: Any, request: Mapping[str, Any]) -> dict[Partition, int] | None:
    """What readers saw of each partition at the release or time that is asked for; None where neither is."""
    if request["release"] is not None:
        return history.shown_after(cursor, request["release"])
    if request["as_of"] is not None:
        return history.shown_after(cursor, history.release_at(cursor, datetime.fromisoformat(request["as_of"])))
    return None
