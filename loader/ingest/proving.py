"""The stages that prove: Silver and reconcile are built, the run is judged by what the database says, readers are let
see what is proved, and evidence is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from loader.contract import load_reason_codes
from loader.errors import CheckFailedError, InfrastructureError
from loader.evidence import read_facts
from loader.gate import AssetFinding
from loader.ingest.attempt import AttemptAtWork
from loader.ingest.evidence import Evidence
from loader.ingest.problems import Problem, Words, in_short
from loader.ingest.request import Task, Workplace
from loader.ingest.verdict import OF_ITS_DAYS, Case, Verdict, has_failed, judge_run
from loader.partition import Partition
from loader.printable import counted
from loader.release import MEND_VIEWS, Act, Request, files_over_limit, publish_recorded, view_faults
from loader.runs import Attempt, acting_operator
from loader.silver import (
    PROVING_BUILD,
    BuildResult,
    ProofScope,
    Proved,
    checks_of_reconcile,
    choose_scope,
    judge_build,
    parse_project,
    project_sha256,
    prove,
    proved_in_words,
    record_proof,
    require_whole,
    run_dbt,
)
from loader.warehouse import built

# Over how many days reconcile went, and how many of its checks found something.
_PROVED = """
select (select count(*) from reconcile.reconcile_partition),
    (select count(distinct check_name) from reconcile.reconcile_finding)
"""


class Proving(AttemptAtWork):
    """What proves an attempt, in the order in which it may be called: `prepare`, `build`, then `review` or
    `conclude`."""

    def __init__(self, work: Workplace, attempt: Attempt, task: Task) -> None:
        super().__init__(work, attempt, task)
        # What the gate found, by manifest and source.
        self._said: dict[tuple[str, str], Sequence[AssetFinding]] = {}

    def prepare(self) -> None:
        """Have dbt's project parsed as it stands now, and remember its SQL."""
        self._project_sha256 = project_sha256(self._settings.project_root)
        parse_project(self._warehouse, self._settings.project_root)

    def build(self) -> tuple[BuildResult, ProofScope]:
        """Silver, then reconcile, in one dbt invocation with every data test; unit tests belong to CI.

        Proves what changed where that is enough. Raises CheckFailedError when a model itself cannot be built, or when
        dbt left out anything that a proof needs, and InfrastructureError when a session keeps open what must be made
        anew.
        """
        with self._lock.transaction() as cursor:
            scope = choose_scope(cursor, self._project_sha256, is_asked_for_all=self._settings.proof == "all")
        for fault in view_faults(self._warehouse, self._settings.project_root):
            mended = "this build makes it anew" if fault.next_command == MEND_VIEWS else fault.next_command
            self._report(f"serving: {fault.sentence}; {mended}")
        build, scope = prove(self._lock, scope, self._prove, self._report)
        broken = [node for node in (*build.failed, *build.skipped) if not node.unique_id.startswith("test.")]
        if broken:
            raise CheckFailedError(
                f"dbt could not build {broken[0].name}: {broken[0].reason}. Bronze holds"
                " what this run landed; Silver and reconcile stand as an earlier build left them.",
                next_command="make build" + (f" SELECT={broken[0].name}+" if "model." in broken[0].unique_id else ""),
            )
        self._report(f"silver: {self._in_words(build, scope)}")
        return build, scope

    def _in_words(self, build: BuildResult, scope: ProofScope) -> str:
        with self._lock.transaction() as cursor, built(cursor) as there:
            there.execute(_PROVED)
            days, found = there.fetchone()
        told = proved_in_words(build, len(checks_of_reconcile(self._settings.project_root)), found, days)
        of_what = "everything" if scope.name == "all" else "what changed"
        return f"built, {told} (proof of {of_what}: {scope.reason})"

    def _prove(self, scope: ProofScope) -> BuildResult:
        build = self._dbt(scope, *PROVING_BUILD)
        require_whole(build, self._settings.project_root)
        return build

    def _dbt(self, scope: ProofScope, *command: str) -> BuildResult:
        build = run_dbt(
            self._warehouse,
            self._settings.project_root,
            [*command, "--vars", scope.variables],
            anchors={
                "run_id": str(self.attempt.run_id),
                "trace_id": self.attempt.trace_id,
                "batch_id": self._task.declared.batch_id,
                "writer_token": self._lock.token,
            },
            report=self._report,
        )
        with self._ledger.boundary("built") as cursor:
            cursor.execute(
                "update ops.ingest_run set dbt_invocation_ids = dbt_invocation_ids || %s::text"
                " where run_id = %s and attempt = %s",
                (build.invocation_id, str(self.attempt.run_id), self.attempt.number),
            )
        # A second build would wait as long, and for the same.
        kept_open = [node for node in build.failed if node.is_kept_open]
        if kept_open:
            raise InfrastructureError(
                f"dbt could not build {kept_open[0].name}: {kept_open[0].reason}. Bronze holds what this run landed;"
                " Silver and reconcile stand as an earlier build left them. End that session or its transaction, then:",
                next_command=f"make retry RUN={self.attempt.run_id} MODE=execute",
            )
        return build

    def review(self, build: BuildResult, scope: ProofScope, *, pending: Mapping[int, tuple[date, date]]) -> list[date]:
        """Write the evidence of the partitions that no pending asset reaches (first and last day of each); returns
        those that failed, in their order. The attempt goes on."""
        verdict, evidence, proved = self._judge(build, scope)
        finished = [
            part
            for part in verdict.facts.partitions
            if not any(first <= part.partition_key <= last for first, last in pending.values())
        ]
        with self._ledger.boundary("reconciled") as cursor:
            evidence.write_partitions(cursor, [part.partition_key for part in finished])
        self._write_files("the evidence of finished partitions")
        kind = verdict.facts.run["record_kind"]
        failed = [
            day
            for part in finished
            if (day := part.partition_key) in verdict.over_limit
            or (proved and proved.leaves_open(Partition(kind, day)))
            or has_failed(part)
        ]
        self._report(f"evidence: {counted(len(finished), 'day')} finished, {len(failed)} failed")
        return failed

    def conclude(
        self,
        build: BuildResult,
        scope: ProofScope,
        *,
        moves_state: bool,
        problems: Sequence[Problem] = (),
        notes: Sequence[str] = (),
    ) -> Verdict:
        """Judge the run by what the database says of it, write evidence, end the attempt.

        `moves_state`: whether checkpoint, cursor and watermark may advance; they do where nothing is wrong but damage
        that keeps back the days it names. `problems` and `notes`: what its verb has to say. Raises InfrastructureError,
        with the attempt ended, where its evidence files cannot be written.
        """
        verdict, evidence, proved = self._judge(build, scope, problems)
        is_held_by_day = (
            proved is not None
            and not proved.leaves_all_open(verdict.facts.run["record_kind"])
            and verdict.problem_codes <= OF_ITS_DAYS
        )
        is_clean = (verdict.exit_code == 0 or is_held_by_day) and self._task.line_limit is None
        with self._ledger.finish(
            "failed" if verdict.exit_code else verdict.status,
            exit_code=verdict.exit_code,
            failure=in_short(verdict.problems) or None,
            lateness=self._settings.allowed_lateness if moves_state and is_clean else None,
        ) as cursor:
            asked = Request(self._act(build), self._settings.reject_limit, proved, blocked_by=verdict.blocked_by)
            published = publish_recorded(cursor, self._settings, asked)
            verdict = replace(verdict, notes=tuple(notes), release=published)
            paths = evidence.write(cursor, published)
        self._has_ended = True
        self._write_files(f"run {self.attempt.run_id}, which ended with {verdict.status},")
        return replace(verdict, report_paths=paths)

    def _act(self, build: BuildResult) -> Act:
        return Act(
            "publish",
            acting_operator(),
            self.attempt.trace_id,
            run_id=str(self.attempt.run_id),
            attempt=self.attempt.number,
            dbt_invocation_id=build.invocation_id,
        )

    def _judge(
        self, build: BuildResult, scope: ProofScope, problems: Sequence[Problem] = ()
    ) -> tuple[Verdict, Evidence, Proved | None]:
        """The verdict, its evidence, and for which days the proof closed."""
        with self._ledger.boundary("reconciled") as cursor:
            proved = judge_build(cursor, scope, build)
            if proved is not None:
                record_proof(cursor, scope, proved, build, self.attempt)
            facts = read_facts(cursor, self.attempt, self._task.window, self._ruleset.dataset)
            over_limit = files_over_limit(cursor, self._settings.reject_limit)
        case = Case(
            facts,
            build,
            scope,
            words=Words(load_reason_codes(self._settings.project_root / "contracts"), self._said),
            reject_limit=self._settings.reject_limit,
            refused=self._task.declared.refused,
            partition=self._task.partition,
            of_verb=problems,
        )
        verdict = judge_run(case)
        its_own = {asset.asset_id for asset in facts.assets}
        over_its_limit = frozenset(file.partition.day for file in over_limit if file.asset_id in its_own)
        verdict = replace(verdict, over_limit=over_its_limit)
        return verdict, Evidence(self._settings, self.attempt, facts, verdict, build), proved
