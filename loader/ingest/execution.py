"""One attempt at work: the stages that an ingest and the recovery verbs share, each ended by a boundary.

A verb decides which entries are read and from where, in which order stages come, and what its end may move; nothing of
that is decided here. What is read and landed stands here, what is proved and released in proving.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from loader.bronze import (
    AssetToRead,
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
from loader.environment import in_own_environment
from loader.gate import GateReport, inspect_manifest
from loader.ingest.intake import Intake
from loader.ingest.proving import Proving
from loader.ingest.request import Task, Workplace
from loader.ingest.sidecars import JudgedFiles, NamedSidecars, judged_files, withheld_with_their_files
from loader.ingest.to_read import Wanted, facts_of_gate, plan_reading, with_facts
from loader.ingest.translated import told
from loader.kinds import load_kinds
from loader.printable import counted
from loader.privacy import record_arrival
from loader.progress import Meter
from loader.raw_zone import ArchiveDamagedError, require_objects
from loader.reader import ContentChangedError
from loader.runs import (
    SOURCE_MISSING,
    Attempt,
    RegisteredAsset,
    drop_working_state,
    keep_facts,
    known_bounds,
    known_facts,
    register,
)

# Bytes as archived. A process starts in half a second, in which some 15 MB are read.
_WORTH_A_PROCESS = 16 * 1024 * 1024


@contextmanager
def executing(work: Workplace, attempt: Attempt, task: Task) -> Iterator[Execution]:
    """Repair, then start an attempt; whatever ends it early is recorded in the ledger and in evidence.

    Raises RefusedError, with nothing started, when a declared manifest has other bytes than the one registered under
    its id.
    """
    execution = Execution(work, attempt, task)
    execution.start()
    try:
        execution.prepare()
        yield execution
    except BaseException as error:
        execution.record_failure(error)
        raise


class Execution(Proving):
    """The stages of one attempt, in the order in which they may be called: `gate` and `archive`, or `recall`; `land`;
    then those that prove. Entered by `executing`."""

    def __init__(self, work: Workplace, attempt: Attempt, task: Task) -> None:
        super().__init__(work, attempt, task)
        # Files that need no reading, and lines of those that do.
        self._unchanged = self._lines_read = 0
        self._has_landed = False

    def gate(self, *, is_read_again: bool = False) -> list[GateReport]:
        """Judge every declared asset; its source is read and hashed. `is_read_again`: facts at a bound, too."""
        manifests = self._task.declared.manifests
        kinds = load_kinds(self._settings.project_root / "contracts")
        size = sum(asset.size_bytes or 0 for manifest in manifests for asset in manifest.assets)
        meter = Meter(self._report, "gate", "bytes", size)
        with self._lock.transaction() as cursor:
            declared = [(asset.checksum_sha256, asset.declaration) for each in manifests for asset in each.assets]
            facts = known_facts(cursor, self._ruleset.landing.facts, (fingerprint for fingerprint, _ in declared))
            bounds = {} if is_read_again else known_bounds(cursor, self.ruleset_id, declared)
            beside = JudgedFiles(judged_files(cursor, manifests, kinds))
        judged_manifests = (
            inspect_manifest(
                manifest,
                self._settings.project_root,
                self._settings.allowed_roots,
                known_facts={**bounds, **facts},
                on_asset=lambda judged: meter.add(judged.asset.size_bytes or 0),
            )
            for manifest in manifests
        )
        named = NamedSidecars((*manifests, *self._task.declared.others), self._settings, self._lock.transaction)
        withheld = (withheld_with_their_files(gate_report, beside, kinds) for gate_report in judged_manifests)
        reports = [named.told(gate_report, self._report) for gate_report in withheld]
        for line in told(manifests):
            self._report(line)
        with self._ledger.boundary("gated"):
            pass
        found = Counter(judged.judgement.disposition for gate_report in reports for judged in gate_report.assets)
        # Files of a kind that does not land yet.
        not_due = found.pop("not_available", 0)
        also = f"; {not_due:,} of kinds that do not land yet" if not_due else ""
        self._report(f"gate: {found['admitted']:,} of {found.total():,} files admitted{also}")
        return reports

    def archive(self, reports: Sequence[GateReport], *, is_read_again: bool = False) -> list[AssetToRead]:
        """Copy admitted bytes into the raw zone, then register manifests and assets; returns what is to be read.

        `is_read_again`: also what is indexed and taken already.
        """
        meter = Meter(self._report, "archive", "bytes", sum(gate_report.admitted_bytes for gate_report in reports))
        with self._lock.transaction() as cursor:
            intake = Intake(cursor, self._raw_zone, self._ruleset.kind, self._report)
        archived = [intake.take(gate_report, meter) for gate_report in reports]
        self._said = {
            (gate_report.manifest.manifest_id, judged.asset.source_id): judged.judgement.findings
            for gate_report in archived
            for judged in gate_report.assets
        }
        with self._ledger.boundary("archived") as cursor:
            registered = register(cursor, self.attempt.run_id, archived, intake.keys)
            keep_facts(cursor, self.attempt.run_id, self._ruleset.landing.facts, facts_of_gate(archived))
            record_arrival(cursor, intake.arrived, self._ruleset.kind.name)
            return self._choose(cursor, registered, is_read_again)

    def recall(
        self,
        entries: Sequence[RegisteredAsset],
        *,
        is_read_again: bool = False,
        only: frozenset[int] | None = None,
    ) -> list[AssetToRead]:
        """Take entries as an earlier run recorded them; their bytes come from the raw zone, no source is looked at.

        `only`: of these assets; the others count as unchanged.
        """
        with self._ledger.boundary("archived") as cursor:
            return self._choose(cursor, entries, is_read_again, only)

    def _choose(
        self,
        cursor: Any,
        entries: Sequence[RegisteredAsset],
        is_read_again: bool,
        only: frozenset[int] | None = None,
    ) -> list[AssetToRead]:
        to_read, actions = plan_reading(
            cursor,
            entries,
            self._raw_zone,
            Wanted(self.ruleset_id, self._task.window, self._ruleset.landing.facts, is_read_again, only),
        )
        require_objects(cursor, self._settings, self._keys(to_read))
        # A version that no gate has read yet: of a replay, or of a file that was near a bound.
        to_read, read = with_facts(to_read, self._ruleset.landing.facts)
        keep_facts(cursor, self.attempt.run_id, self._ruleset.landing.facts, read)
        self._say_what_is_lost(cursor, entries)
        self._ledger.record_actions(cursor, actions)
        self._unchanged = sum(action.action == "unchanged" for action in actions)
        if not to_read:
            self._report(f"bronze: nothing to read, {counted(self._unchanged, 'file')} unchanged")
        return to_read

    def _say_what_is_lost(self, cursor: Any, entries: Sequence[RegisteredAsset]) -> None:
        """Look for files that are gone and were taken: nothing is read now, and the archive may lack them, too."""
        gone = [entry.raw_zone_key for entry in entries if SOURCE_MISSING in entry.reason_codes and entry.raw_zone_key]
        try:
            require_objects(cursor, self._settings, gone)
        except ArchiveDamagedError as lost:
            self._report(f"archive: {lost.message}")

    def _keys(self, assets: Sequence[AssetToRead]) -> list[str]:
        return [asset.path.relative_to(self._raw_zone.root).as_posix() for asset in assets]

    def land(self, to_read: Sequence[AssetToRead], *, until: date | None = None) -> None:
        """Read the assets, load their rows, make them visible in one transaction. May be called again, with others.

        `until`: of the task's window, only events of days before it land.
        """
        window = self._task.window
        if window is not None and until is not None:
            window = (window[0], min(window[1], until))
        if self._has_landed:
            self._ledger.begin_landing()
        try:
            landed = self._read_and_load(to_read, window) if to_read else Landed((), ())
        except ContentChangedError:
            # Bytes that rotted, or were changed behind the archive's back: which, and what mends it.
            with self._lock.transaction() as cursor:
                require_objects(cursor, self._settings, self._keys(to_read), are_read=True)
            raise
        with self._ledger.boundary("landed") as cursor:
            complete(
                cursor,
                self.attempt,
                landed,
                ruleset_id=self.ruleset_id,
                window=window,
                is_limited=self._task.line_limit is not None,
            )
        self._has_landed = True
        if to_read:
            known = f", {self._unchanged:,} unchanged" if self._unchanged else ""
            self._report(f"bronze: {counted(self._lines_read, 'line')} of {counted(len(to_read), 'file')} read{known}")
            drop_working_state(self._lock, self.attempt, self._working_root)

    def _read_and_load(self, to_read: Sequence[AssetToRead], window: tuple[date, date] | None) -> Landed:
        """In processes of their own when that is worth their start. A line limit needs one order of reading."""
        terms = Terms(self.ruleset_id, self._ruleset.sha256, window)
        meter = Meter(self._report, "bronze", "bytes", sum(asset.content_bytes for asset in to_read))

        def progressed(progress: Progress) -> None:
            meter.add(progress.content_bytes, progress.line_count)
            self._lines_read = meter.line_count

        size = sum(asset.path.stat().st_size for asset in to_read)
        if self._settings.workers and self._task.line_limit is None and size >= _WORTH_A_PROCESS:
            contracts = self._settings.project_root / "contracts"
            order = Order(
                self._warehouse,
                self.attempt,
                self._working_root,
                terms,
                contracts,
                self._ruleset.contract_ref,
                self._settings.load_format,
            )
            return land_in_processes(to_read, order, process_count=self._settings.workers, progress=progressed)
        read = read_assets(to_read, terms, self._ruleset, line_limit=self._task.line_limit)
        how, kind = self._settings.load_format, self._ruleset.kind
        with in_own_environment():
            loader = BronzeLoader(self._warehouse, self.attempt, self._working_root, kind, load_format=how)
            return land(read, loader, progressed)
