"""`loader ingest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import input_options, json_option, lock_option, partition_option, request_of, settings_of
from loader.cli.output import print_error, print_json, progress, show, surface

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.errors import LoaderError
    from loader.ingest import KindRun, Verdict

_TOTALS = ("total", "valid", "invalid", "inserted", "skipped", "errors")


@click.command()
@partition_option
@input_options
@lock_option
@json_option
def ingest(lock_timeout: float | None, as_json: bool, **asked: Any) -> int:
    """Bring declared files into the warehouse and prove every line.

    Gates, archives, lands, builds, reconciles, releases and writes evidence. Without a partition: every declared file
    that is not fully taken under today's ruleset. Each kind of records is a run of its own; one that fails stops no
    other.
    """
    from loader.errors import LoaderError
    from loader.ingest import ingest_kinds, worst_exit_code

    settings = settings_of(lock_timeout)
    request = request_of(**asked)
    with progress() as report:
        runs = ingest_kinds(settings, request, report)
    if len(runs) == 1:
        (run,) = runs
        if isinstance(run.outcome, LoaderError):
            raise run.outcome
        print_verdict(run.outcome, settings, as_json=as_json)
        return run.exit_code
    exit_code = worst_exit_code(runs)
    if as_json:
        print_json({"runs": [_of_kind(run, settings) for run in runs], "exit_code": exit_code})
    else:
        for number, run in enumerate(runs, 1):
            show([""] * (number > 1))
            _print_of_kind(run, settings, is_last=number == len(runs))
    return exit_code


def _of_kind(run: KindRun, settings: Settings) -> dict[str, Any]:
    from loader.errors import LoaderError

    if isinstance(run.outcome, LoaderError):
        return error_record(run.record_kind, run.outcome)
    return verdict_record(run.outcome, settings)


def error_record(record_kind: str, error: LoaderError) -> dict[str, Any]:
    """What ended the command for one kind of several, JSON-ready."""
    said = {"error": error.message, "exit_code": error.exit_code, "next_command": error.next_command}
    return {"record_kind": record_kind, **said}


def verdict_record(verdict: Verdict, settings: Settings) -> dict[str, Any]:
    """What a run came to, JSON-ready."""
    from loader.advice import after_run

    return {**_record(verdict, settings), "next_command": after_run(settings, verdict).line}


def _print_of_kind(run: KindRun, settings: Settings, *, is_last: bool) -> None:
    """The kind as a heading, and below it what the run says when it is the only one; of those before the last one, only
    a run that failed says what comes next."""
    from loader.advice import after_run
    from loader.errors import LoaderError

    show([f"{run.record_kind}:"])
    if isinstance(run.outcome, LoaderError):
        print_error(run.outcome.message, run.outcome.next_command, run.exit_code, as_json=False)
    else:
        says_next = is_last or run.exit_code
        _print(run.outcome, settings, after_run(settings, run.outcome).line if says_next else None)


def print_verdict(verdict: Verdict, settings: Settings, *, as_json: bool) -> None:
    """What a run came to, for a person or a program."""
    from loader.advice import after_run

    if as_json:
        print_json(verdict_record(verdict, settings))
    else:
        _print(verdict, settings, after_run(settings, verdict).line)


def _print(verdict: Verdict, settings: Settings, next_command: str | None) -> None:
    from loader.cli.ingest_screen import failed_lines, found_lines, record_lines
    from loader.screen import next_lines

    show(found_lines(surface(), verdict))
    show(failed_lines(surface(err=True), verdict), err=True)
    show(record_lines(surface(), verdict, settings.named(verdict.report_paths[0])))
    is_error = bool(verdict.exit_code)
    if next_command is not None:
        show(next_lines(surface(err=is_error), next_command), err=is_error)


def _record(verdict: Verdict, settings: Settings) -> dict[str, Any]:
    from loader.cli.ingest_screen import notes
    from loader.warehouse import json_row

    facts = verdict.facts
    return {
        "run_id": str(facts.run["run_id"]),
        "record_kind": facts.run["record_kind"],
        "attempt": facts.run["attempt"],
        "trace_id": facts.run["trace_id"],
        "status": verdict.status,
        "exit_code": verdict.exit_code,
        "reason_codes": list(verdict.reason_codes),
        "problems": [problem.message for problem in verdict.problems],
        "notes": notes(verdict),
        "summary": {name: getattr(facts, name) for name in (*_TOTALS, "blank", "late", "not_read")},
        "warnings": dict(facts.warnings),
        "drift": [drift.as_record() for drift in facts.drifts],
        "reconcile": [json_row(partition.reconcile) for partition in facts.partitions],
        "downstream_decision": verdict.downstream_decision,
        "release": None if verdict.release is None else verdict.release.as_record(),
        "report_paths": [settings.named(path) for path in verdict.report_paths],
    }
