"""`loader ingest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import input_options, json_option, lock_option, partition_option, request_of, settings_of
from loader.cli.output import print_json, progress, show, surface

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.ingest import Verdict

_TOTALS = ("total", "valid", "invalid", "inserted", "skipped", "errors")


@click.command()
@partition_option
@input_options
@lock_option
@json_option
def ingest(
    partition: str | None,
    manifest: str | None,
    input_file: str | None,
    batch: str | None,
    limit: int | None,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """Gate, archive, land, build, reconcile, and write evidence.

    Without a partition: every declared asset that is not fully taken under today's ruleset.
    """
    from loader.ingest import ingest as run_ingest

    settings = settings_of(lock_timeout)
    request = request_of(partition, manifest, input_file, batch, limit)
    with progress() as report:
        verdict = run_ingest(settings, request, report)
    print_verdict(verdict, settings, as_json=as_json)
    return verdict.exit_code


def print_verdict(verdict: Verdict, settings: Settings, *, as_json: bool) -> None:
    """What a run came to, for a person or a program."""
    from loader.advice import after_run

    next_command = after_run(settings, verdict).line
    if as_json:
        print_json({**_record(verdict, settings), "next_command": next_command})
    else:
        _print(verdict, settings, next_command)


def _print(verdict: Verdict, settings: Settings, next_command: str) -> None:
    from loader.cli.ingest_screen import failed_lines, found_lines, record_lines
    from loader.screen import next_lines

    show(found_lines(surface(), verdict))
    show(failed_lines(surface(err=True), verdict), err=True)
    show(record_lines(surface(), verdict, settings.named(verdict.report_paths[0])))
    is_error = bool(verdict.exit_code)
    show(next_lines(surface(err=is_error), next_command), err=is_error)


def _record(verdict: Verdict, settings: Settings) -> dict[str, Any]:
    from loader.cli.ingest_screen import notes
    from loader.evidence.facts import json_value

    facts = verdict.facts
    return {
        "run_id": str(facts.run["run_id"]),
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
        "reconcile": [
            {name: json_value(value) for name, value in partition.reconcile.items()} for partition in facts.partitions
        ],
        "downstream_decision": verdict.downstream_decision,
        "release": None if verdict.release is None else verdict.release.as_record(),
        "report_paths": [settings.named(path) for path in verdict.report_paths],
    }
