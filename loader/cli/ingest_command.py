"""`loader ingest`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import input_options, json_option, lock_option, partition_option, request_of, settings_of
from loader.cli.output import echo, print_json, print_table, progress
from loader.cli.problem_output import problem_lines
from loader.screen import screen_of

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.ingest import Verdict

_TOTALS = ("total", "valid", "invalid", "inserted", "skipped", "errors")
_RECONCILE = (
    ("partition", "partition_key"),
    ("lines", "line_count"),
    ("rejected", "rejected_count"),
    ("landed", "landed_count"),
    ("duplicate", "duplicate_count"),
    ("out_of_partition", "out_of_partition_count"),
    ("gap", "gap_count"),
    ("events", "event_count"),
    ("superseded", "superseded_count"),
    ("silver", "silver_row_count"),
    ("unexplained", "unexplained_count"),
    ("complete", "is_complete"),
)


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
    if as_json:
        print_json(_record(verdict, settings))
    else:
        _print(verdict, settings)


def _print(verdict: Verdict, settings: Settings) -> None:
    facts = verdict.facts
    run = f"run {facts.run['run_id']} attempt {facts.run['attempt']}: {verdict.status}"
    print_table(f"{run}, lines", _TOTALS, [[getattr(facts, name) for name in _TOTALS]])
    rows = [[partition.reconcile.get(field) for _, field in _RECONCILE] for partition in facts.partitions]
    print_table("reconcile", [title for title, _ in _RECONCILE], rows)
    for code, count in sorted(facts.warnings.items()):
        echo(f"warning: {code}: {count} event(s)")
    for drift in facts.drifts:
        echo(f"drift: {drift.line}")
    for note in _notes(verdict):
        echo(f"note: {note}")
    if verdict.problems:
        for line in problem_lines(screen_of(sys.stderr), verdict.problems, len(facts.assets)):
            click.echo(line, err=True)
    echo(f"evidence: {settings.named(verdict.report_paths[0])}")
    if verdict.release is not None:
        echo(f"readers: {verdict.release.sentence}")
    echo(f"decision: {verdict.downstream_decision}")
    echo(f"next: {verdict.next_command}", err=bool(verdict.exit_code))


def _notes(verdict: Verdict) -> list[str]:
    """What the verb has to say, and which files nothing puts in order."""
    from loader.evidence import files_of

    ties = verdict.facts.ties
    tied = [f"tie_unordered: nothing says which is newer of {files_of(ties)}"] if ties else []
    return [*verdict.notes, *tied]


def _record(verdict: Verdict, settings: Settings) -> dict[str, Any]:
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
        "notes": _notes(verdict),
        "summary": {name: getattr(facts, name) for name in (*_TOTALS, "blank", "late", "not_read")},
        "warnings": dict(facts.warnings),
        "drift": [drift.as_record() for drift in facts.drifts],
        "reconcile": [
            {name: json_value(value) for name, value in partition.reconcile.items()} for partition in facts.partitions
        ],
        "downstream_decision": verdict.downstream_decision,
        "release": None if verdict.release is None else verdict.release.as_record(),
        "report_paths": [settings.named(path) for path in verdict.report_paths],
        "next_command": verdict.next_command,
    }
