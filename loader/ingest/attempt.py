"""An attempt at work: how it begins, and how it ends when something ends it early."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from loader.environment import own_environment
from loader.errors import LoaderError
from loader.evidence import note_restoration, record_crashes, write_files
from loader.ingest.request import Task, Workplace
from loader.printable import counted
from loader.privacy import finish_redactions
from loader.raw_zone import RawZone
from loader.runs import (
    Attempt,
    Job,
    Ledger,
    refuse_changed_manifests,
    register_ruleset,
    repair,
    take_back,
)


class AttemptAtWork:
    """An attempt in the ledger. Its stages are what is built on it."""

    def __init__(self, work: Workplace, attempt: Attempt, task: Task) -> None:
        self.attempt = attempt
        self._task = task
        self._ruleset = work.ruleset
        self._settings = work.settings
        self._warehouse = work.warehouse
        self._lock = work.lock
        self._report = work.report
        self._working_root = work.settings.state_folder / "dlt"
        self._raw_zone = RawZone(work.settings.raw_zone)
        self._ledger = Ledger(work.lock, attempt, work.ruleset.dataset)
        self._has_ended = False

    def start(self) -> None:
        """Remove what dead attempts left, and write this attempt's row."""
        repaired = repair(
            self._lock,
            self._working_root,
            lambda cursor, attempts: record_crashes(cursor, self._settings, attempts),
        )
        with self._lock.transaction() as cursor:
            restored = note_restoration(cursor, self._settings)
        if restored is not None:
            self._report(restored)
        self._write_files("what an earlier command did")
        self._raw_zone.sweep()
        with self._lock.transaction() as cursor:
            finish_redactions(cursor, self._raw_zone)
        if repaired.crashed_attempts or repaired.row_count:
            self._report(
                f"repair: {counted(len(repaired.crashed_attempts), 'dead attempt')},"
                f" {counted(repaired.row_count, 'row')} of loads that never completed removed,"
                f" {counted(len(repaired.staging_schemas), 'staging schema')} dropped"
            )
        with self._lock.transaction() as cursor:
            refuse_changed_manifests(cursor, self._task.declared.manifests)
            self.ruleset_id = register_ruleset(cursor, self._ruleset)
        self._ledger.start(self._job(), self._take_back if self._task.takes_back else lambda cursor: None)
        self._ledger.note("repaired_row_count", repaired.row_count)

    def _take_back(self, cursor: Any) -> None:
        removed = take_back(cursor, str(self.attempt.run_id))
        self._report(
            f"repair: {counted(removed, 'row')} that the run had landed taken back, to be read again from the archive"
        )

    def _job(self) -> Job:
        return Job(
            mode=self._task.mode,
            batch_id=self._task.declared.batch_id,
            manifests=self._task.declared.manifests,
            window=self._task.window,
            line_limit=self._task.line_limit,
            ruleset_id=self.ruleset_id,
            refused_manifests=tuple(
                {"path": str(error.path), "violations": [violation.message for violation in error.violations]}
                for error in self._task.declared.refused
            ),
            git_sha=git_sha(self._settings.project_root),
            plan=self._task.plan,
        )

    def record_failure(self, error: BaseException) -> None:
        """Best effort: the attempt's row and its evidence say how it ended, unless they do. A dead database leaves that
        to repair."""
        if self._has_ended:
            return
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        exit_code = error.exit_code if isinstance(error, LoaderError) else 3
        failure = str(error) or type(error).__name__
        try:
            with self._ledger.finish(status, exit_code=exit_code, failure=failure, lateness=None) as cursor:
                record_crashes(cursor, self._settings, ((str(self.attempt.run_id), self.attempt.number),))
            self._write_files("this end")
        except LoaderError as second:
            self._report(f"the end of the run: {second.message}")

    def _write_files(self, what: str) -> None:
        with self._lock.transaction() as cursor:
            write_files(cursor, self._settings, what)


def git_sha(project_root: Path) -> str | None:
    """The commit of the checkout, or None outside one."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(project_root), "rev-parse", "HEAD"],
            env=own_environment(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    # Before the first commit, git fails and prints the word HEAD.
    return answer.stdout.strip() if answer.returncode == 0 else None
