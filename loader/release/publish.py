"""The gate at work: proved rows of Silver become what readers see, or stay back with a reason."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.errors import LoaderError
from loader.evidence import record_act, write_files
from loader.obstacles import told
from loader.partition import Partition
from loader.printable import counted
from loader.release import acceptances, changes, history, holds, released_rows, releases
from loader.release.board import Board, read_board
from loader.release.groups import Decision
from loader.release.releases import Act
from loader.release.ruling import Request, Ruling, judge
from loader.runs import IngestLock, acting_operator, trace_id_of_caller
from loader.silver import (
    BuildResult,
    ProofScope,
    judge_build,
    record_proof,
)


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
    # Its evidence, once it is recorded; None: the gate did nothing.
    report_path: Path | None = None

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


def publish(cursor: Any, request: Request) -> Published:
    """Judge every partition that waits, and let readers see those whose checks passed; all in the caller's transaction.

    After reconcile, under the ingest lock. Raises CheckFailedError as release_changes.
    """
    board = read_board(cursor, request.reject_limit)
    ruling = judge(board, request)
    release, acceptances = _move(cursor, request, ruling)
    ended = holds.free(cursor, sorted(ruling.freed), request.act)
    told_of = {*ruling.obstacles, *board.changing}
    releases.note_gate(cursor, {each: ruling.obstacles.get(each, ()) for each in told_of}, ruling.waiting)
    return _told(cursor, board, ruling, release, acceptances, ended)


def _move(cursor: Any, request: Request, ruling: Ruling) -> tuple[int | None, list[int]]:
    """The release, where anything changes for readers, and what is let pass with it."""
    moving, release = ruling.moving, None
    if ruling.is_release:
        release = releases.add_release(cursor, request.act)
        released_rows.release_changes(cursor, release, moving)
    changes.keep_waiting(cursor, moving)
    drifts, rejects = (
        [partition for partition in moving if partition in passing]
        for passing in (request.drift_passes, request.rejects_pass)
    )
    return release, [
        *(acceptances.accept_drift(cursor, drifts, request.act) if request.drift_passes else ()),
        *(acceptances.accept_rejects(cursor, rejects, request.act) if request.rejects_pass else ()),
    ]


def _told(
    cursor: Any, board: Board, ruling: Ruling, release: int | None, acceptances: list[int], ended: list[int]
) -> Published:
    """What the gate did, as the database has it now."""
    pointers, newest = releases.pointers(cursor), history.newest_versions(cursor)
    current = {
        partition
        for partition, found in ruling.obstacles.items()
        if not found and partition not in ruling.waiting and newest.get(partition) == pointers.get(partition)
    }
    asked_for = {
        partition
        for partition in {*ruling.obstacles, *board.changing, *pointers}
        if pointers.get(partition, 0) or partition not in ruling.unasked
    }
    held = board.held - ruling.freed
    return Published(
        release,
        ruling.decisions,
        frozenset(current),
        in_need=ruling.damaged | (asked_for - current - held),
        held=held,
        to_review=ruling.to_review,
        hold_changes=tuple(ended),
        acceptances=tuple(acceptances),
        rejecting=ruling.rejecting,
        kinds=releases.known_kinds(cursor) | {partition.record_kind for partition in (*asked_for, *ruling.kept_back)},
    )


def publish_recorded(cursor: Any, settings: Settings, request: Request) -> Published:
    """As publish, with the record of what the gate did in the chain; its file is to be written after the commit."""
    published = publish(cursor, request)
    return replace(published, report_path=_record(cursor, settings, request.act.kind, published))


def _record(cursor: Any, settings: Settings, kind: str, published: Published) -> Path | None:
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


def settle(
    settings: Settings,
    lock: IngestLock,
    proof: tuple[BuildResult, ProofScope],
    request: Request,
    unproved: Callable[[], LoaderError] | None = None,
) -> Published:
    """Note what a build proved, let readers see what waits, and add the record to the chain, in one transaction; then
    write its file.

    `request`: as it is asked; what is proved is found here. Where the build did not close, the gate says so of every
    day, or `unproved` is raised, with nothing recorded. Raises InfrastructureError, with the release made, where its
    evidence file cannot be written.
    """
    build, scope = proof
    with lock.transaction() as cursor:
        proved = judge_build(cursor, scope, build)
        if proved is not None:
            record_proof(cursor, scope, proved, build, None)
        elif unproved is not None:
            raise unproved()
        elif request.is_override:
            # Nothing says what differs from what is released.
            changes.await_everything(cursor)
        published = publish_recorded(cursor, settings, replace(request, proved=proved))
    with lock.transaction() as cursor:
        is_recorded = published.report_path is not None
        write_files(cursor, settings, published.sentence if is_recorded else "what an earlier command did")
    return published


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
