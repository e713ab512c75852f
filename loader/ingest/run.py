"""The ingest: gate → raw zone → Bronze → Silver → reconcile → evidence, each stage ended by a boundary."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loader.bronze import (
    BronzeLoader,
    Landed,
    Order,
    Progress,
    Terms,
    complete,
    land,
    land_in_processes,
    read_assets,
)
from loader.config import Settings
from loader.contract.ruleset import Ruleset, load_ruleset
from loader.errors import CheckFailedError, LoaderError
from loader.evidence import Evidence, read_facts, require_writable, write_crash_evidence
from loader.gate import GateReport, inspect_manifest, withhold
from loader.ingest.plan import plan_reading
from loader.ingest.request import DeclaredInput, IngestRequest, declared_input, refuse_limit_without_input
from loader.ingest.verdict import Verdict, judge_run, shown
from loader.progress import Meter, Report, Silent, Step
from loader.raw_zone import RawZone, SourceChangedError
from loader.runs import (
    Attempt,
    IngestLock,
    Job,
    Ledger,
    drop_working_state,
    new_run_id,
    repair,
    trace_id_of_caller,
)
from loader.runs.registry import RegisteredAsset, refuse_changed_manifests, register, register_ruleset
from loader.silver import (
    BuildResult,
    ProofScope,
    choose_scope,
    is_closed,
    parse_project,
    project_sha256,
    record_proof,
    run_dbt,
    start_dbt,
)
from loader.warehouse import Warehouse, open_warehouse

# Bytes as archived. A process starts in half a second, in which some 15 MB are read.
_WORTH_A_PROCESS = 16 * 1024 * 1024


def ingest(settings: Settings, request: IngestRequest, report: Report | None = None) -> Verdict:
    """Bring the declared input into the warehouse and prove it; `report` hears how far it is.

    Idempotent: an unchanged asset that is taken already is hashed, not parsed, and its fates are proved again.
    The verdict carries status, exit code, counts, problems and evidence paths; failed checks are in it, not raised.
    Raises RefusedError (locked, changed manifest; nothing written), InfrastructureError (the attempt is recorded as
    failed if the database still answers; its uncompleted loads stay invisible).
    """
    refuse_limit_without_input(request)
    require_writable(settings.report_dir)
    declared = declared_input(settings, request)
    start_dbt()
    ruleset = load_ruleset(settings.project_root / "contracts")
    warehouse = open_warehouse(settings)
    lock = IngestLock.acquire(warehouse)
    try:
        return _Ingest(settings, request, declared, ruleset, warehouse, lock, report or Silent()).execute()
    finally:
        lock.close()


class _Ingest:
    """One attempt of one ingest. Its methods are the stages, in order."""

    def __init__(
        self,
        settings: Settings,
        request: IngestRequest,
        declared: DeclaredInput,
        ruleset: Ruleset,
        warehouse: Warehouse,
        lock: IngestLock,
        report: Report,
    ) -> None:
        self._settings = settings
        self._request = request
        self._declared = declared
        self._ruleset = ruleset
        self._warehouse = warehouse
        self._lock = lock
        self._report = report
        self._working_root = settings.state_folder / "dlt"
        self._raw_zone = RawZone(settings.raw_zone)
        self._attempt = Attempt(new_run_id(), 1, trace_id_of_caller())
        self._ledger = Ledger(lock, self._attempt)

    def execute(self) -> Verdict:
        repaired = repair(self._lock, self._working_root)
        self._raw_zone.sweep()
        if repaired.crashed_attempts or repaired.row_count:
            self._report(
                f"repair: {len(repaired.crashed_attempts)} dead attempt(s), {repaired.row_count} row(s) of loads that"
                f" never completed removed, {len(repaired.staging_schemas)} staging schema(s) dropped"
            )
            write_crash_evidence(self._settings, self._lock, repaired.crashed_attempts)
        with self._lock.transaction() as cursor:
            refuse_changed_manifests(cursor, self._declared.manifests)
            self._ruleset_id = register_ruleset(cursor, self._ruleset)
        self._ledger.start(self._job())
        self._ledger.note("repaired_row_count", repaired.row_count)
        try:
            self._project_sha256 = project_sha256(self._settings.project_root)
            parse_project(self._warehouse, self._settings.project_root)
            return self._stages()
        except BaseException as error:
            self._record_failure(error)
            raise

    def _stages(self) -> Verdict:
        registered = self._archive(self._gate())
        self._land(registered)
        return self._conclude(*self._build())

    def _gate(self) -> list[GateReport]:
        meter = Meter(
            self._report,
            "gate",
            "bytes",
            sum(asset.size_bytes or 0 for manifest in self._declared.manifests for asset in manifest.assets),
        )
        reports = [
            inspect_manifest(
                manifest,
                self._settings.project_root,
                self._settings.allowed_roots,
                on_asset=lambda judged: meter.add(judged.asset.size_bytes or 0),
            )
            for manifest in self._declared.manifests
        ]
        with self._ledger.boundary("gated"):
            pass
        for gate_report in reports:
            admitted = sum(judged.judgement.disposition == "admitted" for judged in gate_report.assets)
            self._report(f"gate: {gate_report.manifest.manifest_id}: {admitted} of {len(gate_report.assets)} admitted")
        return reports

    def _archive(self, reports: Sequence[GateReport]) -> list[RegisteredAsset]:
        """Copy admitted bytes into the raw zone, then register manifests, assets and what will be done with them."""
        keys: dict[str, str] = {}
        meter = Meter(self._report, "archive", "bytes", sum(gate_report.admitted_bytes for gate_report in reports))
        archived = [self._archive_manifest(gate_report, keys, meter) for gate_report in reports]
        with self._ledger.boundary("archived") as cursor:
            registered = register(cursor, self._attempt.run_id, archived, keys)
            self._to_read, actions = plan_reading(
                cursor, registered, self._raw_zone, ruleset_id=self._ruleset_id, window=self._request.window
            )
            self._ledger.record_actions(cursor, actions)
        return registered

    def _archive_manifest(self, gate_report: GateReport, keys: dict[str, str], meter: Meter) -> GateReport:
        for judged in gate_report.assets:
            if judged.judgement.disposition != "admitted":
                continue
            assert judged.inspection is not None and judged.path is not None
            try:
                keys[judged.inspection.fingerprint] = self._raw_zone.put(judged.path, judged.inspection)
            except SourceChangedError as error:
                gate_report = withhold(gate_report, judged.asset.source_id, error.reason_code, error.message)
            meter.add(judged.inspection.size_bytes)
        return gate_report

    def _land(self, registered: Sequence[RegisteredAsset]) -> None:
        unchanged = sum(entry.asset_id is not None for entry in registered) - len(self._to_read)
        self._report(f"bronze: {len(self._to_read)} asset(s) to read, {unchanged} unchanged")
        landed = self._read_and_load() if self._to_read else Landed((), ())
        with self._ledger.boundary("landed") as cursor:
            complete(
                cursor,
                self._attempt,
                landed,
                ruleset_id=self._ruleset_id,
                window=self._request.window,
                is_limited=self._request.line_limit is not None,
            )
        if self._to_read:
            self._report(f"bronze: {len(landed.load_ids)} load(s) completed")
            drop_working_state(self._lock, self._attempt, self._working_root)

    def _read_and_load(self) -> Landed:
        """In processes of their own when that is worth their start. A line limit needs one order of reading."""
        terms = Terms(self._ruleset_id, self._ruleset.sha256, self._request.window)
        meter = Meter(self._report, "bronze", "bytes", sum(asset.content_bytes for asset in self._to_read))

        def progressed(progress: Progress) -> None:
            meter.add(progress.content_bytes, progress.line_count)

        size = sum(asset.path.stat().st_size for asset in self._to_read)
        if self._settings.workers and self._request.line_limit is None and size >= _WORTH_A_PROCESS:
            contracts = self._settings.project_root / "contracts"
            order = Order(
                self._warehouse, self._attempt, self._working_root, terms, contracts, self._settings.load_format
            )
            return land_in_processes(self._to_read, order, process_count=self._settings.workers, progress=progressed)
        read = read_assets(self._to_read, terms, self._ruleset, line_limit=self._request.line_limit)
        loader = BronzeLoader(
            self._warehouse, self._attempt, self._working_root, file_format=self._settings.load_format
        )
        return land(read, loader, progressed)

    def _build(self) -> tuple[BuildResult, ProofScope]:
        """Silver, then reconcile, in one dbt invocation with every data test; unit tests belong to CI.

        Proves what changed where that is enough. Whatever does not close then is proved again with everything, which
        is also what names a damage. A failing test keeps dbt from the models that read what it tested: reconcile is
        then built all the same, and tested after. Raises CheckFailedError when a model itself cannot be built.
        """
        with self._lock.transaction() as cursor:
            scope = choose_scope(cursor, self._project_sha256, is_asked_for_all=self._settings.proof == "all")
        self._report(f"proof: {scope.name}, {scope.reason}")
        build = self._dbt(scope, "build", "--exclude-resource-type", "unit_test")
        with self._lock.transaction() as cursor:
            is_enough = scope.name == "all" or is_closed(cursor, scope, build)
        if not is_enough:
            scope = replace(scope, name="all", reason="the proof of what changed did not close")
            self._report(f"proof: {scope.name}, {scope.reason}")
            build = self._dbt(scope, "build", "--exclude-resource-type", "unit_test")
        if build.skipped:
            build = build.then(self._dbt(scope, "run", "--select", "reconcile"))
            build = build.then(self._dbt(scope, "test", "--select", "reconcile,test_type:data"))
        broken = [node for node in (*build.failed, *build.skipped) if not node.unique_id.startswith("test.")]
        if broken:
            raise CheckFailedError(
                f"dbt could not build {broken[0].name}: {broken[0].reason}. Bronze holds"
                " what this run landed; Silver and reconcile stand as an earlier build left them.",
                next_command="make build" + (f" SELECT={broken[0].name}+" if "model." in broken[0].unique_id else ""),
            )
        self._report(f"dbt: {len(build.nodes)} nodes, {len(build.failed)} failed")
        return build, scope

    def _dbt(self, scope: ProofScope, *command: str) -> BuildResult:
        build = run_dbt(
            self._warehouse,
            self._settings.project_root,
            [*command, "--vars", scope.variables],
            anchors={
                "run_id": str(self._attempt.run_id),
                "trace_id": self._attempt.trace_id,
                "batch_id": self._declared.batch_id,
            },
            progress=lambda done, total: self._report.step(Step("dbt", "nodes", done, total)),
        )
        with self._ledger.boundary("built") as cursor:
            cursor.execute(
                "update ops.ingest_run set dbt_invocation_ids = dbt_invocation_ids || %s::text"
                " where run_id = %s and attempt = %s",
                (build.invocation_id, str(self._attempt.run_id), self._attempt.number),
            )
        return build

    def _conclude(self, build: BuildResult, scope: ProofScope) -> Verdict:
        with self._ledger.boundary("reconciled") as cursor:
            if is_closed(cursor, scope, build):
                record_proof(cursor, scope, build, self._attempt)
            facts = read_facts(cursor, self._attempt, self._request.window)
        verdict = judge_run(facts, build, scope, self._declared.refused, self._settings.reject_limit, self._request)
        evidence = Evidence(self._settings, self._attempt, facts, verdict, build)
        is_clean = verdict.status != "failed" and self._request.line_limit is None
        with self._ledger.finish(
            "failed" if verdict.exit_code else verdict.status,
            exit_code=verdict.exit_code,
            failure=shown("; ", verdict.problems) or None,
            lateness=self._settings.allowed_lateness if is_clean else None,
        ) as cursor:
            paths = evidence.write(cursor)
        return verdict.with_reports(paths)

    def _job(self) -> Job:
        return Job(
            mode="ingest",
            batch_id=self._declared.batch_id,
            manifest_ids=tuple(manifest.manifest_id for manifest in self._declared.manifests),
            window=self._request.window,
            line_limit=self._request.line_limit,
            ruleset_id=self._ruleset_id,
            refused_manifests=tuple(
                {"path": str(error.path), "violations": [violation.message for violation in error.violations]}
                for error in self._declared.refused
            ),
            git_sha=git_sha(self._settings.project_root),
        )

    def _record_failure(self, error: BaseException) -> None:
        """Best effort: the attempt's row and its evidence say how it ended. A dead database leaves that to repair."""
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        exit_code = error.exit_code if isinstance(error, LoaderError) else 3
        failure = str(error) or type(error).__name__
        try:
            with self._ledger.finish(status, exit_code=exit_code, failure=failure, lateness=None):
                pass
            write_crash_evidence(self._settings, self._lock, ((str(self._attempt.run_id), self._attempt.number),))
        except LoaderError as second:
            self._report(f"this end was not recorded: {second.message}")


def git_sha(project_root: Path) -> str | None:
    """The commit of the checkout, or None outside one."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(project_root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    # Before the first commit, git fails and prints the word HEAD.
    return answer.stdout.strip() if answer.returncode == 0 else None
