"""`loader dry-run`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import input_options, json_option, partition_option, request_of
from loader.cli.output import print_json, progress, show, surface
from loader.cli.problem_output import problem_lines
from loader.printable import pasted

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.ingest import AssetForecast, Forecast
    from loader.screen import Screen

_MANIFESTS_SHOWN = 10
# Fates in words, in the order in which they are read.
_FATES = {
    "would_land": "would land",
    "would_duplicate": "are there already",
    "would_land_or_duplicate": "would land or are there already",
    "out_of_partition": "of other days",
    "rejected": "would be rejected",
    "blank": "blank",
    "not_read": "not looked at",
}


@click.command("dry-run")
@partition_option
@input_options
@json_option
def dry_run(as_json: bool, **asked: Any) -> int:
    """Judge files and lines, write a report, touch nothing else; needs no database."""
    from loader.config import load_settings
    from loader.ingest.dry_run import dry_run as run_dry
    from loader.screen import next_lines

    settings = load_settings()
    request = request_of(**asked)
    with progress() as report:
        forecast = run_dry(settings, request, report)
    exit_code = 1 if forecast.problems else 0
    variables = {
        "partition": "PARTITION",
        "manifest": "MANIFEST",
        "input_file": "INPUT",
        "batch": "BATCH",
        "kind": "KIND",
    }
    given = {variable: asked[name] for name, variable in variables.items() if asked[name]}
    next_command = next_of(forecast, settings, given)
    if as_json:
        report_path = str(forecast.report_path)
        print_json({**forecast.as_record(request), "report_path": report_path, "next_command": next_command})
        return exit_code
    show(forecast_lines(surface(), forecast, settings.named(forecast.report_path)))
    screen = surface(err=bool(exit_code))
    problems = problem_lines(screen, forecast.problems, len(forecast.assets))
    show([*problems, *next_lines(screen, next_command)], err=bool(exit_code))
    return exit_code


def next_of(forecast: Forecast, settings: Settings, given: Mapping[str, str]) -> str:
    """What to type after a forecast, never the same again: it would say the same; `given`: the variables of make that
    it was asked with."""
    from loader.advice import KNOWN_DAYS, NEW_MANIFEST, Advice, AdviceKind

    codes = {problem.reason_code for problem in forecast.problems}
    if codes == {"no_lines_for_partition"}:
        return KNOWN_DAYS.line
    further = forecast.roots_to_allow(settings.allowed_roots)
    if not further and not codes <= {"reject_limit_exceeded"}:
        return NEW_MANIFEST.line
    words = ["make", "dry-run" if further else "ingest", *(f"{name}={pasted(given[name])}" for name in given)]
    # One that was set for this command alone is needed by the next one, too.
    roots = further or os.environ.get("LOADER_ALLOWED_ROOTS")
    if roots:
        words.insert(0, f"LOADER_ALLOWED_ROOTS={pasted(roots)}")
    why = "lands the lines that are good; then a person decides" if codes and not further else ""
    return Advice(AdviceKind.TAKE, " ".join(words), why).line


def forecast_lines(screen: Screen, forecast: Forecast, report: str) -> list[str]:
    """The answer, what would become of the lines, rejects and warnings by reason."""
    from loader.screen import Column, amount, listing, paragraph, table

    files = [asset for asset in forecast.assets if asset.outcome != "skip"]
    admitted = sum(asset.outcome == "success" for asset in files)
    fates = forecast.fates
    answer = "An ingest of this would fail. " if forecast.problems else ""
    answer += f"{screen.words(admitted)} of {amount(screen, len(files), 'file')} would be read"
    answer += f", {amount(screen, fates.total(), 'line')}:" if fates else "."
    lines = paragraph(screen, answer)
    lines += table(screen, [(count, _FATES[fate]) for fate, count in _in_order(fates)], indent="  ")
    if skipped := len(forecast.assets) - len(files):
        lines += paragraph(screen, f"{amount(screen, skipped, 'file')} of a kind that is not landed yet.", indent="  ")
    if len(forecast.outcomes) > 1:
        rows = _manifests(forecast)
        lines += ["", *table(screen, rows[:_MANIFESTS_SHOWN], ("manifest", "files", "lines", "outcome"))]
        if len(rows) > _MANIFESTS_SHOWN:
            lines += paragraph(screen, f"and {len(rows) - _MANIFESTS_SHOWN:,} more manifests (the report has all)")
    for title, counted in (("rejected lines", _rejects), ("warnings", _warnings)):
        by_reason = _by_reason(screen, forecast, counted)
        if by_reason:
            lines += [
                "",
                f"{title}, by reason:",
                *table(screen, by_reason, ("", "", Column("", is_prose=True)), indent="  "),
            ]
    return [*lines, "", *listing(screen, [("report", report)], indent="")]


def _in_order(fates: Counter[str]) -> list[tuple[str, int]]:
    return [(fate, fates[fate]) for fate in _FATES if fates[fate]]


def _manifests(forecast: Forecast) -> list[tuple[str, int | None, int | None, str]]:
    """Those that fail first. A refused one has no files that anybody knows."""
    files = Counter(asset.manifest_id for asset in forecast.assets)
    lines: Counter[str] = Counter()
    for asset in forecast.assets:
        lines[asset.manifest_id] += asset.fates.total()
    rows = [(name, files[name] or None, lines[name] or None, outcome) for name, outcome in forecast.outcomes.items()]
    return sorted(rows, key=lambda row: ("fail", "success", "skip").index(row[3]))


def _rejects(asset: AssetForecast) -> Counter[str]:
    return asset.reject_reasons


def _warnings(asset: AssetForecast) -> Counter[str]:
    return asset.warnings


def _by_reason(
    screen: Screen, forecast: Forecast, counted: Callable[[AssetForecast], Counter[str]]
) -> list[tuple[int, str, str]]:
    """Lines, reason, and the first file that has it with its first line."""
    from loader.screen import amount

    total = sum((counted(asset) for asset in forecast.assets), Counter[str]())
    rows = []
    for reason, count in sorted(total.items(), key=lambda item: (-item[1], item[0])):
        having = [asset for asset in forecast.assets if counted(asset)[reason]]
        many = f"{amount(screen, len(having), 'file')}, " if len(having) > 1 else ""
        rows.append((count, reason, f"{many}e.g. {having[0].source_id} {having[0].examples[reason]}"))
    return rows
