"""`loader completeness` and `loader smoke`: reports for people, kept as files."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from loader.cli.options import json_option, partition_option
from loader.cli.output import echo, print_json, print_table


@click.command()
@partition_option
@json_option
def completeness(partition: str | None, as_json: bool) -> int:
    """Is this day, or everything known, complete? Files, fates, rejects and findings as the last reconcile left them.

    Writes reports/completeness/<partition | all>.md and .json. Exit code 1 when it is not complete.
    """
    from loader.config import load_settings, parse_partition
    from loader.reports import read_completeness
    from loader.reports.markdown import write_report
    from loader.warehouse import open_warehouse

    settings = load_settings()
    answer = read_completeness(open_warehouse(settings), None if partition is None else parse_partition(partition))
    suffix = f" PARTITION={partition}" if partition else ""
    next_command = f"make ready{suffix}   # may readers go on?" if partition else "make status"
    if not answer.is_complete:
        next_command = f"make status{suffix}" if answer.partitions else f"make ingest{suffix}"
    text, data = write_report(
        settings.report_dir / "completeness" / (partition or "all"),
        answer.markdown(),
        {**answer.record(), "next_command": next_command},
    )
    if as_json:
        print_json({**answer.record(), "report_paths": [str(text), str(data)], "next_command": next_command})
    else:
        for title, rows in (("partitions", answer.partitions), ("findings", answer.findings)):
            if rows:
                print_table(title, list(rows[0]), [list(row.values()) for row in rows])
        echo(f"{answer.answer}\nreport: {text}")
        echo(f"next: {next_command}", err=not answer.is_complete)
    return 0 if answer.is_complete else 1


@click.command()
@json_option
def smoke(as_json: bool) -> int:
    """Check all that an ingest needs, in seconds: packages, folders, contract, manifests, warehouse, guards, dbt.

    Writes reports/smoke/<UTC time>.md and .json; ingests nothing. Exit code 3 when something is not sound.
    """
    from loader.config import load_settings
    from loader.reports import run_smoke_checks
    from loader.reports.markdown import table, write_report

    settings = load_settings()
    now = datetime.now(UTC)
    checks = run_smoke_checks(settings)
    failed = [check for check in checks if not check.is_ok]
    answer = f"not sound: {', '.join(check.name for check in failed)}" if failed else "sound"
    next_command = failed[0].next_command if failed else "make ingest PARTITION=2026-04-17"
    rows = [asdict(check) for check in checks]
    record = {"answer": answer, "at": now.isoformat(), "checks": rows, "next_command": next_command}
    markdown = f"# Smoke test\n\n**{answer}**, {now:%Y-%m-%d %H:%M:%S} UTC\n\n{table(rows)}"
    text, data = write_report(settings.report_dir / "smoke" / f"{now:%Y%m%dT%H%M%SZ}", markdown, record)
    if as_json:
        print_json({**record, "report_paths": [str(text), str(data)]})
    else:
        print_table("smoke", ("check", "ok", "seconds", "detail"), [_row(row) for row in rows])
        echo(f"{answer}\nreport: {text}")
        echo(f"next: {next_command}", err=bool(failed))
    return 3 if failed else 0


def _row(row: dict[str, object]) -> list[object]:
    return [row["name"], "yes" if row["is_ok"] else "NO", row["seconds"], row["detail"]]
