"""`loader completeness` and `loader smoke`: reports for people, kept as files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option, kind_option, partition_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.ingest import Words
    from loader.reports import Check, Completeness
    from loader.screen import Screen

_DAYS_SHOWN = 20


@click.command()
@partition_option
@kind_option
@json_option
def completeness(partition: str | None, kind: str | None, as_json: bool) -> int:
    """Is a day, or everything known, complete? A report with files, fates, rejects and findings.

    Writes reports/completeness/<partition | all>[_<kind>].md and .json. Exit code 1 when it is not complete.
    """
    from loader.advice import after_question
    from loader.config import load_settings, parse_partition
    from loader.ingest import words_of
    from loader.report_files import write_report
    from loader.reports import read_completeness
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    settings = load_settings()
    warehouse, day = open_warehouse(settings), None if partition is None else parse_partition(partition)
    answer = read_completeness(warehouse, day, record_kind=kind)
    suffix = f" PARTITION={partition}" if partition else ""
    suffix += f" KIND={kind}" if kind else ""
    next_command = f"make ready{suffix}   # may readers go on?" if partition else f"make status{suffix}"
    if not answer.is_complete:
        next_command = after_question(settings, warehouse, day).line
    text, data = write_report(
        settings.report_dir / "completeness" / "_".join(filter(None, (partition or "all", kind))),
        answer.markdown(),
        {**answer.record(), "next_command": next_command},
    )
    if as_json:
        print_json({**answer.record(), "report_paths": [str(text), str(data)], "next_command": next_command})
    else:
        words = words_of(settings.project_root)
        show(completeness_lines(surface(), answer, words, settings.named(text)))
        screen = surface(err=not answer.is_complete)
        show(next_lines(screen, next_command), err=not answer.is_complete)
    return 0 if answer.is_complete else 1


@click.command()
@json_option
def smoke(as_json: bool) -> int:
    """Check all that an ingest needs, in seconds; a report.

    Packages, folders, contract, manifests, warehouse, guards, dbt. Writes
    reports/smoke/<UTC time>.md and .json; ingests nothing. Exit code 3 when something is not sound.
    """
    from loader.config import load_settings
    from loader.report_files import markdown_table, write_report
    from loader.reports import run_smoke_checks
    from loader.screen import next_lines

    settings = load_settings()
    now = datetime.now(UTC)
    checks = run_smoke_checks(settings)
    failed = [check for check in checks if not check.is_ok]
    answer = f"not sound: {', '.join(check.name for check in failed)}" if failed else "sound"
    next_command = failed[0].next_command if failed else "make status   # what is there, and what comes next"
    rows = [asdict(check) for check in checks]
    record = {"answer": answer, "at": now.isoformat(), "checks": rows, "next_command": next_command}
    page = f"# Smoke test\n\n**{answer}**, {now:%Y-%m-%d %H:%M:%S} UTC\n\n{markdown_table(rows)}"
    text, data = write_report(settings.report_dir / "smoke" / f"{now:%Y%m%dT%H%M%SZ}", page, record)
    if as_json:
        print_json({**record, "report_paths": [str(text), str(data)]})
    else:
        show(smoke_lines(surface(), checks, settings.named(text)))
        show(next_lines(surface(err=bool(failed)), next_command or "make smoke"), err=bool(failed))
    return 3 if failed else 0


def smoke_lines(screen: Screen, checks: Sequence[Check], report: str) -> list[str]:
    """What is not sound comes first, then every check as it is."""
    from loader.screen import Column, Mark, listing, paragraph, table

    failed = [check for check in checks if not check.is_ok]
    names = ", ".join(check.name for check in failed)
    answer = f"Not sound: {names}." if failed else f"The set-up is sound: {len(checks)} checks."
    rows = [
        (check.name, Mark("✓ ok", "good") if check.is_ok else Mark("✗ NOT ok", "bad"), check.detail) for check in checks
    ]
    return [
        *paragraph(screen, answer),
        *table(screen, rows, ("", "", Column(is_prose=True)), indent="  "),
        *listing(screen, [("report", report)], indent=""),
    ]


def completeness_lines(screen: Screen, answer: Completeness, words: Words, report: str) -> list[str]:
    """The answer; of one day its equation and its files, of all what is not complete; findings by their check."""
    from loader.ingest import of_asset
    from loader.screen import Failure, amount, failures, listing, paragraph, table

    lines = paragraph(screen, f"{answer.answer[:1].upper()}{answer.answer[1:]}.")
    known = answer.asked
    shown = [row for row in known if answer.partition or not row["is_complete"]]
    for row in shown[:_DAYS_SHOWN]:
        lines += _day(screen, row, answer.kinds)
    if len(shown) > _DAYS_SHOWN:
        lines.append(f"  and {amount(screen, len(shown) - _DAYS_SHOWN, 'more day')}: the report has all")
    if answer.partition is None and (whole := len(known) - len(shown)):
        lines.append(f"  {amount(screen, whole, 'day')} complete")
    lines += failures(
        screen,
        [
            Failure(row["check_name"], f"{row['table_name']}: {row['detail']}", _where(row, answer.kinds))
            for row in answer.findings
        ],
        noun="finding",
    )
    absences = []
    absent = [row for row in answer.files if row["disposition"] in ("withheld", "missing")]
    for row in absent:
        of_gate = of_asset(words, (row["manifest_id"], row["file"]), row["disposition"], row["reasons"].split(", "))
        absences.append(Failure(of_gate.code, of_gate.sentence, of_gate.name, of_gate.mend))
    lines += failures(screen, absences)
    rejects = [
        (row["lines"], row["reason"], row["partition"], *([row["record_kind"]] if len(answer.kinds) > 1 else []))
        for row in answer.rejects
    ]
    if rejects and answer.partition:
        lines += ["  rejected lines, by reason:", *table(screen, rejects, indent="    ")]
    return [*lines, *listing(screen, [("report", report)], indent="")]


def _where(row: Mapping[str, Any], kinds: Collection[str]) -> str:
    of_kind = f"of {row['record_kind']}" if row["record_kind"] and len(kinds) > 1 else None
    return " ".join(filter(None, (row["partition_key"], of_kind, row["file"])))


# Columns of the report, as reconcile calls them.
_RENAMED = {"lines": "line_count", "events": "event_count", "silver": "silver_row_count"}


def _day(screen: Screen, row: Mapping[str, Any], kinds: Collection[str]) -> list[str]:
    """A day's equation, and its files that are not whole."""
    from loader.cli.status_words import equation_lines
    from loader.obstacles import OF_FILES
    from loader.reports import partition_of
    from loader.screen import spread

    counts = {_RENAMED.get(name, f"{name}_count"): value for name, value in row.items()}
    counts["record_kind"] = row["record_kind"]
    files = [obstacle["message"] for obstacle in row["obstacles"] if obstacle["code"] in OF_FILES]
    return [
        f"  {partition_of(row).named(kinds)}",
        *("  " + line for line in equation_lines(screen, counts)),
        *spread(screen, files, indent="    "),
    ]
