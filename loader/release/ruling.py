"""What the gate decides: pure, from what it is asked and what the database knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from loader.evidence import Finding
from loader.obstacles import Code, Obstacle
from loader.partition import Partition
from loader.release.board import Board
from loader.release.groups import Candidate, Decision, decide
from loader.release.releases import Act
from loader.silver import Proved

# While they are judged: what keeps each partition back.
_Obstacles = dict[Partition, list[Obstacle]]


@dataclass(frozen=True, slots=True)
class Request:
    """What the gate is asked.

    `reject_limit`: the greatest share of an asset's lines that may be rejected; beyond it the days of the asset stay
    back. `proved`: that the build closed, and for which days it did not; None: for none, since nothing says which days
    it is about. `only`: of these partitions, None: of all; `frees`: a hold on them does not keep them back, and ends
    when they move. `accepts_drift`, `accepts_rejects`: drift, or the rejects of files, of those of `only` that nothing
    else keeps back is let pass from now on, for the act's reason; an `act` of kind override does both, and moves `only`
    against the checks, but for days of which nothing is known. `blocked_by`: why nothing that waits may be released,
    whatever its partition says.
    """

    act: Act
    reject_limit: float
    proved: Proved | None = None
    only: frozenset[Partition] | None = None
    frees: bool = False
    accepts_drift: bool = False
    accepts_rejects: bool = False
    blocked_by: tuple[Obstacle, ...] = ()

    @property
    def is_override(self) -> bool:
        return self.act.kind == "override"

    @property
    def drift_passes(self) -> frozenset[Partition]:
        """Partitions whose drift is let pass, where nothing else keeps them back."""
        return (self.only or frozenset()) if self.accepts_drift or self.is_override else frozenset()

    @property
    def rejects_pass(self) -> frozenset[Partition]:
        """Likewise, the rejects of their files."""
        return (self.only or frozenset()) if self.accepts_rejects or self.is_override else frozenset()


@dataclass(frozen=True, slots=True)
class Ruling:
    """`obstacles`: what the gate says of each partition; none: nothing keeps it back. `moving`: partitions that readers
    are to see as they are proved; `is_release`: anything changes for them. `freed`: holds that end; `waiting`:
    partitions that change and stay back. `damaged`: their rows are not what was delivered, as far as reconcile can
    tell; `unasked`: nobody has asked for them; `rejecting`: none of their own checks fails but the share of rejects;
    `to_review`: only drift keeps them back.
    """

    obstacles: Mapping[Partition, Sequence[Obstacle]]
    decisions: tuple[Decision, ...]
    moving: tuple[Partition, ...]
    is_release: bool
    freed: frozenset[Partition]
    waiting: frozenset[Partition]
    damaged: frozenset[Partition]
    unasked: frozenset[Partition]
    rejecting: frozenset[Partition]
    to_review: frozenset[Partition]

    @property
    def kept_back(self) -> frozenset[Partition]:
        return frozenset(
            partition for decision in self.decisions if not decision.is_open for partition in decision.partitions
        )


def judge(board: Board, request: Request) -> Ruling:
    """Every partition that waits, or those that the request names."""
    damages = _damages(board, request.proved)
    obstacles = _of_checks(board, request, damages)
    let_pass: _Obstacles = {}
    rejecting = {partition for partition in board.rejects if not obstacles.setdefault(partition, [])}
    _add(obstacles, let_pass, board.rejects, request.rejects_pass)
    drifts = {partition: obstacle for partition, obstacle in board.drifts.items() if partition in obstacles}
    only_drifting = {partition for partition in drifts if not obstacles[partition]} - request.drift_passes
    _add(obstacles, let_pass, drifts, request.drift_passes)
    # Partitions with nothing to show: a release would say that they are there, and a hold of them only ends.
    nowhere = (request.only or frozenset()) - {*obstacles, *board.changing, *board.pointers}
    only_held = board.held & nowhere if request.frees else frozenset()
    unasked = _unasked(board)
    candidates = [
        _candidate(board, request, partition, obstacles, partition in nowhere, partition in only_drifting)
        for partition in _waiting(board, obstacles, unasked) | (request.only or frozenset()) - only_held
    ]
    decisions = tuple(
        decision
        for decision in decide(candidates, board.links)
        if request.only is None or request.only.intersection(decision.partitions)
    )
    moving = sorted(partition for decision in decisions if decision.is_open for partition in decision.partitions)
    kept_back = {partition for decision in decisions if not decision.is_open for partition in decision.partitions}
    to_review = {partition for decision in decisions if decision.is_to_review for partition in decision.partitions}
    # Nothing is let pass on a day that something else keeps back.
    for partition in let_pass.keys() - set(moving):
        obstacles[partition] += let_pass[partition]
    return Ruling(
        obstacles,
        decisions,
        tuple(moving),
        is_release=any(_would_change(board, partition) for partition in moving),
        freed=board.held & {*moving, *only_held} if request.frees else frozenset(),
        waiting=board.changing - set(moving),
        damaged=frozenset(
            partition
            for partition, found in obstacles.items()
            if damages.get(partition) or any(each.code == Code.UNEXPLAINED for each in found)
        ),
        unasked=unasked,
        rejecting=frozenset(rejecting),
        to_review=frozenset(to_review | (only_drifting - kept_back)),
    )


def _of_checks(board: Board, request: Request, damages: Mapping[Partition, Sequence[Obstacle]]) -> _Obstacles:
    """What checks, findings and the proof say of each partition."""
    of_every_day = _of_every_day(board.findings, request.proved)
    obstacles = {
        partition: [
            *damages.get(partition, ()),
            *of_every_day.get(partition.record_kind, ()),
            *board.checked.get(partition, ()),
            *([] if request.proved else [Obstacle(Code.NOT_PROVED)]),
            *(request.blocked_by if partition in board.changing else ()),
        ]
        for partition in {*board.checked, *damages}
    }
    if request.proved:
        kinds = {kind for kind, day in board.unproved if day is None}
        changed = {Partition(kind, day) for kind, day in board.unproved if day is not None}
        changed |= {partition for partition in {*obstacles, *board.changing} if partition.record_kind in kinds}
        for partition in changed:
            obstacles.setdefault(partition, []).append(Obstacle(Code.CHANGED_SINCE_PROOF))
    return obstacles


def _add(
    obstacles: _Obstacles, let_pass: _Obstacles, found: Mapping[Partition, Obstacle], passing: Collection[Partition]
) -> None:
    for partition, obstacle in found.items():
        (let_pass if partition in passing else obstacles).setdefault(partition, []).append(obstacle)


def _unasked(board: Board) -> frozenset[Partition]:
    return frozenset(
        partition for partition, found in board.checked.items() if any(each.code == Code.UNASKED for each in found)
    )


def _waiting(board: Board, obstacles: Collection[Partition], unasked: Collection[Partition]) -> frozenset[Partition]:
    """Changed, never shown, or behind what was released of them."""
    never_shown = {partition for partition in obstacles if board.pointers.get(partition, 0) == 0}
    behind = {partition for partition, version in board.newest.items() if board.pointers.get(partition, 0) < version}
    return board.changing | never_shown.difference(unasked) | behind


def _candidate(
    board: Board,
    request: Request,
    partition: Partition,
    obstacles: Mapping[Partition, Sequence[Obstacle]],
    is_nowhere: bool,
    is_only_drifting: bool,
) -> Candidate:
    is_overridden = request.is_override and not is_nowhere
    found = [] if is_overridden else obstacles.get(partition, [Obstacle(Code.UNKNOWN)])
    # What keeps it back whatever its checks say.
    of_act: tuple[Obstacle, ...] = ()
    if request.only is not None and partition not in request.only:
        of_act = (Obstacle(Code.NOT_ASKED_FOR),)
    elif partition in board.held and not request.frees:
        of_act = (Obstacle(Code.HELD),)
    return Candidate(partition, (*found, *of_act), is_to_review=is_only_drifting and not of_act)


def _would_change(board: Board, partition: Partition) -> bool:
    """Whether a move of it changes anything for readers; a release without that would only be noise."""
    return (
        partition in board.changing
        or partition not in board.newest
        or board.pointers.get(partition, 0) < board.newest[partition]
    )


def _damages(board: Board, proved: Proved | None) -> _Obstacles:
    """What reconcile found of each partition: the check's name, and how many rows of which table. A day that the build
    left open is damaged also where another build has taken its findings away meanwhile. A finding that may be of any
    kind is of each that has the day."""
    by_day: dict[date | None, list[Partition]] = {}
    for partition in {*board.checked, *board.changing, *board.pointers}:
        by_day.setdefault(partition.day, []).append(partition)
    found: dict[Partition, list[Finding]] = {}
    for kind, day in proved.open_partitions if proved else ():
        found |= {each: [] for each in by_day.get(day, ()) if kind in (None, each.record_kind)}
    for finding in board.findings:
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
