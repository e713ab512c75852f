"""The ingest: gate → raw zone → Bronze → Silver → reconcile → evidence, of everything that is declared and due."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from loader.config import Settings
from loader.errors import LoaderError
from loader.ingest.request import (
    DeclaredInput,
    IngestRequest,
    Task,
    Workplace,
    by_kind,
    declared_input,
    refuse_limit_without_input,
)
from loader.ingest.verdict import Verdict
from loader.kinds import Kind, load_kinds, load_ruleset
from loader.progress import Report, Silent
from loader.report_files import require_writable
from loader.runs import Attempt, IngestLock, new_run_id, trace_id_of_caller
from loader.silver import start_dbt
from loader.warehouse import open_warehouse


@dataclass(frozen=True, slots=True)
class KindRun:
    """What came of the run of one kind: its verdict, or the error that ended it."""

    record_kind: str
    outcome: Verdict | LoaderError

    @property
    def exit_code(self) -> int:
        return self.outcome.exit_code

    @property
    def has_no_lines(self) -> bool:
        """Nothing is wrong but that none of its lines are of the day that was asked for."""
        return isinstance(self.outcome, Verdict) and self.outcome.problem_codes == {"no_lines_for_partition"}


def ingest(settings: Settings, request: IngestRequest, report: Report | None = None) -> Verdict:
    """As ingest_kinds, of a request that means one kind."""
    (run,) = ingest_kinds(settings, request, report)
    if isinstance(run.outcome, LoaderError):
        raise run.outcome
    return run.outcome


def ingest_kinds(settings: Settings, request: IngestRequest, report: Report | None = None) -> tuple[KindRun, ...]:
    """Bring the declared input into the warehouse and prove it, each kind by a run of its own; `report` hears how far
    they are.

    Idempotent: an unchanged asset that is taken already is hashed, not parsed, and its fates are proved again. A
    verdict carries status, exit code, counts, problems and evidence paths; failed checks are in it, not raised. An
    error that ends the run of one kind ends no other: RefusedError (locked, changed manifest; nothing of it written),
    InfrastructureError (the attempt is recorded as failed if the database still answers; its uncompleted loads stay
    invisible). A kind of files of which none is declared to be of the partition has no run. Raises CommandUsageError,
    with nothing started, for a request that means nothing.
    """
    refuse_limit_without_input(request)
    require_writable(settings.report_dir)
    declared = declared_input(settings, request)
    parts = by_kind(declared, load_kinds(settings.project_root / "contracts"))
    if request.partition is not None:
        day = request.partition
        parts = [(kind, part) for kind, part in parts if part.may_be_of(day)] or parts
    start_dbt()
    runs = []
    for kind, part in parts:
        of_kind = report or Silent()
        if len(parts) > 1:
            of_kind(f"{kind.name}:")
        try:
            runs.append(KindRun(kind.name, _ingest(settings, request, kind, part, of_kind)))
        except LoaderError as error:
            runs.append(KindRun(kind.name, error))
    return tuple(runs)


def worst_exit_code(runs: tuple[KindRun, ...]) -> int:
    """Kinds without a line of a day that was asked for count only where no kind has one. What the last proof found
    counts, of whatever kind: the run of that kind may have ended before."""
    counting = [run for run in runs if not run.has_no_lines] or runs
    proved = [run.outcome for run in runs if isinstance(run.outcome, Verdict)]
    is_damaged = bool(proved and proved[-1].facts.findings)
    return max(int(is_damaged), *(run.exit_code for run in counting))


def _ingest(settings: Settings, request: IngestRequest, kind: Kind, declared: DeclaredInput, report: Report) -> Verdict:
    # Not for those who only want this package's requests and verdicts: it takes Arrow with it.
    from loader.ingest.execution import executing

    task = Task("ingest", declared, request.window, request.line_limit)
    ruleset = load_ruleset(settings.project_root / "contracts", kind.name)
    warehouse = open_warehouse(settings)
    attempt = Attempt(new_run_id(), 1, trace_id_of_caller())
    with (
        closing(IngestLock.acquire(warehouse, wait_seconds=settings.lock_timeout)) as lock,
        executing(Workplace(settings, warehouse, lock, ruleset, report), attempt, task) as execution,
    ):
        execution.land(execution.archive(execution.gate()))
        return execution.conclude(*execution.build(), moves_state=True)
