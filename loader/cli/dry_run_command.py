"""`loader dry-run`."""

from __future__ import annotations

import sys

import click

from loader.cli.options import input_options, json_option, partition_option, request_of
from loader.cli.output import echo, print_json, print_table, progress
from loader.cli.problem_output import problem_lines
from loader.printable import pasted
from loader.screen import screen_of


@click.command("dry-run")
@partition_option
@input_options
@json_option
def dry_run(
    partition: str | None,
    manifest: str | None,
    input_file: str | None,
    batch: str | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """Gate, contract and fates of what an ingest would read; writes its report only, needs no database."""
    from loader.config import load_settings
    from loader.ingest.dry_run import as_record
    from loader.ingest.dry_run import dry_run as run_dry

    settings = load_settings()
    request = request_of(partition, manifest, input_file, batch, limit)
    with progress() as report:
        forecast = run_dry(settings, request, report)
    exit_code = 1 if forecast.problems else 0
    given = {"PARTITION": partition, "MANIFEST": manifest, "INPUT": input_file, "BATCH": batch}
    words = [f"{name}={pasted(value)}" for name, value in given.items() if value]
    next_command = " ".join(["make", "dry-run" if exit_code else "ingest", *words])
    if exit_code:
        next_command += "   # once what failed is settled"
    if as_json:
        report_path = str(forecast.report_path)
        print_json({**as_record(forecast, request), "report_path": report_path, "next_command": next_command})
        return exit_code
    print_table("manifests", ("manifest", "outcome"), list(forecast.outcomes.items()))
    rows = [
        (asset.source_id, asset.outcome, asset.judgement, ",".join(asset.reason_codes), _counts(asset.fates))
        for asset in forecast.assets
    ]
    print_table("assets", ("asset", "outcome", "judgement", "reasons", "fates"), rows)
    reasons = sum((asset.reject_reasons for asset in forecast.assets), type(forecast.fates)())
    print_table("rejects by reason", ("reason", "lines"), sorted(reasons.items()))
    warnings = sum((asset.warnings for asset in forecast.assets), type(forecast.fates)())
    print_table("warnings", ("warning", "lines"), sorted(warnings.items()))
    echo(f"fates: {_counts(forecast.fates)}")
    for line in problem_lines(screen_of(sys.stderr), forecast.problems, len(forecast.assets)):
        click.echo(line, err=True)
    echo(f"report: {forecast.report_path}\ndecision: dry_run_only")
    echo(f"next: {next_command}", err=bool(exit_code))
    return exit_code


def _counts(fates: dict[str, int]) -> str:
    return " ".join(f"{fate}={count}" for fate, count in sorted(fates.items()) if count)
