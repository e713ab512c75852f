"""The gate at work: proved rows of Silver become what readers see, or stay back with a reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.evidence import record_act
from loader.obstacles import told
from loader.partition import Partition
from loader.printable import counted
from loader.release import changes, holds, store
from loader.release.board import Board, read_board
from loader.release.gate import Decision
from loader.release.judgement import Judgement, Request, judge


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
    judgement = judge(board, request)
    release, acceptances = _move(cursor, request, judgement)
    ended = holds.free(cursor, sorted(judgement.freed), request.act)
    told_of = {*judgement.obstacles, *board.changing}
    store.note_gate(cursor, {each: judgement.obstacles.get(each, ()) for each in told_of}, judgement.waiting)
    return _told(cursor, board, judgement, release, acceptances, ended)


def _move(cursor: Any, request: Request, judgement: Judgement) -> tuple[int | None, list[int]]:
    """The release, where anything changes for readers, and what is let pass with it."""
    moving, release = judgement.moving, None
    if judgement.is_release:
        release = store.add_release(cursor, request.act)
        changes.release_changes(cursor, release, moving)
    changes.keep_waiting(cursor, moving)
    drifts, rejects = (
        [partition for partition in moving if partition in passing]
        for passing in (request.drift_passes, request.rejects_pass)
    )
    return release, [
        *(store.accept_drift(cursor, drifts, request.act) if request.drift_passes else ()),
        *(store.accept_rejects(cursor, rejects, request.act) if request.rejects_pass else ()),
    ]


def _told(
    cursor: Any, board: Board, judgement: Judgement, release: int | None, acceptances: list[int], ended: list[int]
) -> Published:
    """What the gate did, as the database has it now."""
    pointers, newest = store.pointers(cursor), store.newest_versions(cursor)
    current = {
        partition
        for partition, found in judgement.obstacles.items()
        if not found and partition not in judgement.waiting and newest.get(partition) == pointers.get(partition)
    }
    asked_for = {
        partition
        for partition in {*judgement.obstacles, *board.changing, *pointers}
        if pointers.get(partition, 0) or partition not in judgement.unasked
    }
    held = board.held - judgement.freed
    return Published(
        release,
        judgement.decisions,
        frozenset(current),
        in_need=judgement.damaged | (asked_for - current - held),
        held=held,
        to_review=judgement.to_review,
        hold_changes=tuple(ended),
        acceptances=tuple(acceptances),
        rejecting=judgement.rejecting,
        kinds=store.known_kinds(cursor) | {partition.record_kind for partition in (*asked_for, *judgement.kept_back)},
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
