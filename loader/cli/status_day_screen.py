"""What `loader status` shows of one day, and of everything at length."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from loader.cli.problem_output import absent_rows
from loader.cli.status_screen import everything, loud, of_kind, status_lines
from loader.cli.status_words import equation_lines, run_words, sentence_of, state_words
from loader.screen import Column, Mark, Screen, amount, next_lines, paragraph, shortened, spread, table
from loader.status import DayState, Status

_RUNS_OF_A_DAY = 3
_FILES_OF_A_DAY = 12
_FINDINGS_OF_A_DAY = 5


def day_lines(screen: Screen, answer: Status, day: date, *, is_whole: bool = False) -> list[str]:
    """One day: may readers rely on it, its equation, its files, its runs, and what was found."""
    states = [each for each in answer.days if each.partition_key == day.isoformat()]
    sentences = [_sentence(state, answer) for state in states] or [_unknown(day, answer)]
    blocks = (
        table(screen, [*_of_readers(answer), *_of_findings(screen, answer, day, is_whole), *_of_runs(answer)]),
        _lets_pass(screen, answer),
        _files(screen, answer, day, None if is_whole else _FILES_OF_A_DAY),
        spread(screen, state_words(screen, answer)[:2]),
    )
    return [
        *(
            line
            for sentence, is_good in sentences
            for line in paragraph(screen, sentence, tone="strong" if is_good else "bad")
        ),
        *loud(screen, answer, day, is_whole=is_whole),
        *(line for row in answer.partitions for line in (*_heading(answer, row), *equation_lines(screen, row))),
        *(line for block in blocks if block for line in ("", *block)),
        *next_lines(screen, answer.next_command),
    ]


def _heading(answer: Status, row: Mapping[str, Any]) -> list[str]:
    """Whose equation it is, where the screen has several."""
    return [f"{row['record_kind']}:"] if len(answer.partitions) > 1 else []


def _unknown(day: date, answer: Status) -> tuple[str, bool]:
    nearest = " and ".join(answer.nearest) or "none"
    of_one = f" of {answer.record_kind}" if answer.record_kind and len(answer.kinds) > 1 else ""
    return f"No line of {day}{of_one} is known; nearest data: {nearest}.", False


def _sentence(state: DayState, answer: Status) -> tuple[str, bool]:
    name = state.partition.named(answer.kinds)
    if state.record_kind in answer.blind_kinds:
        return f"Readers may not rely on {name}: a view that they look through is not the project's.", False
    # Findings have a line each.
    with_reason = state.state != "damaged" or not answer.findings
    return sentence_of(state, answer.kinds, with_reason=with_reason), state.is_relied_on


def _of_readers(answer: Status) -> list[list[object]]:
    rows: list[list[object]] = []
    for row in answer.readers:
        number = row["data_release_id"]
        seen = f"release {number} of {row['released_at'][:16].replace('T', ' ')}" if number else "nothing of it"
        reason = f"; {row['reason']}" if row["reason"] else ""
        rows.append([f"readers see{of_kind(answer, row)}", seen + reason])
    rows += [
        [Mark(f"held{of_kind(answer, row)}", "look"), f"by {row['operator']}: {row['reason']}"] for row in answer.holds
    ]
    return rows


def _files(screen: Screen, answer: Status, day: date, shown: int | None) -> list[str]:
    """The files that its lines are in; of many, the first."""
    rows: list[list[object]] = [
        [
            "file",
            row["source_id"] + of_kind(answer, row),
            row["record_line_count"] + row["rejected_line_count"],
            _lines_word(row),
        ]
        for row in answer.files[:shown]
    ]
    if len(answer.files) > len(rows):
        left = len(answer.files) - len(rows)
        rows.append(["", f"and {amount(screen, left, 'more file')}: {everything(answer, day)}"])
    return table(screen, rows)


def _lines_word(row: Mapping[str, Any]) -> str:
    word = "line" if row["record_line_count"] + row["rejected_line_count"] == 1 else "lines"
    return word if row["taken_by_run_id"] or not row["record_line_count"] else f"{word}, not taken"


def _of_findings(screen: Screen, answer: Status, day: date, is_whole: bool) -> list[list[object]]:
    """Those of the day, and those that name no day and may be of any."""
    found = [row for row in answer.findings if row["partition_key"] in (None, day.isoformat())]
    shown = found if is_whole else found[:_FINDINGS_OF_A_DAY]
    rows: list[list[object]] = []
    for row in shown:
        count = amount(screen, row["finding_count"], "row")
        mark = Mark(f"finding{of_kind(answer, row)}", "bad")
        rows.append([mark, f"{row['check_name']} in {row['table_name']} ({count}; {row['detail']})"])
    if len(found) > len(shown):
        rows.append(["", f"and {amount(screen, len(found) - len(shown), 'more finding')}: {everything(answer, day)}"])
    rows += [
        [Mark(f"drift{of_kind(answer, row)}", "look"), f"{row['check_name']}: {row['detail']}"] for row in answer.drift
    ]
    rows += [
        [Mark(disposition, "bad"), f"{files}, {reasons}: {told}"]
        for disposition, files, reasons, told in absent_rows(screen, answer.absent_assets)
    ]
    rows += [
        [Mark("tie_unordered", "look"), f"{row['source_id']} of {row['manifest_id']} ({row['version_count']} versions)"]
        for row in answer.ties
    ]
    rows += [
        [Mark(f"{row['fault']}{of_kind(answer, row)}", "bad" if row["is_awaited"] else "look"), row["detail"]]
        for row in answer.links
    ]
    return rows


def _lets_pass(screen: Screen, answer: Status) -> list[str]:
    """What lets drift pass, for a person to decide."""
    if not answer.drift:
        return []
    day = answer.drift[0]["partition_key"] or "<day>"
    one = f" KIND={answer.drift[0]['record_kind']}" if len(answer.kinds) > 1 else ""
    command = f"`make release PARTITION={day}{one} ACCEPT_DRIFT=1 REASON='<why>'`"
    return paragraph(screen, f"To let the drift pass: {command} (docs/drift.md).")


def _of_runs(answer: Status) -> list[list[object]]:
    return [["run", run_words(run, answer.runs)] for run in answer.runs[:_RUNS_OF_A_DAY]]


def whole_lines(screen: Screen, answer: Status, day: date | None) -> list[str]:
    """Everything that status reads: the short answer, and every row behind it."""
    shown = (
        status_lines(screen, answer, is_whole=True) if day is None else day_lines(screen, answer, day, is_whole=True)
    )
    last = next_lines(screen, answer.next_command)
    # Counts and reasons say the same; of a warehouse that knows one kind, the day says it all.
    hidden = {"obstacles", *(["record_kind"] if len(answer.kinds) < 2 else [])}
    sections = (
        ("partitions, as of the last reconcile", answer.partitions),
        ("latest runs", answer.runs),
        ("state", answer.state),
        ("last proofs", answer.proofs),
        ("withheld or missing files", answer.absent_assets),
        ("findings", answer.findings),
        ("tie_unordered: files whose versions nothing puts in order", answer.ties),
        ("records that name what is not there, or do not fit into it", [_told_of(row) for row in answer.links]),
        ("held, or not shown to readers as proved", answer.readers),
        ("holds", answer.holds),
        ("drift that nobody has accepted", answer.drift),
    )
    return [
        *shown[: -len(last)],
        *(line for title, rows in sections for line in _section(screen, title, rows, hidden)),
        "",
        *last,
    ]


def _told_of(link: Mapping[str, Any]) -> dict[str, Any]:
    """As much of a missing link as a table has room for: its line says the rest."""
    return {name: link[name] for name in ("record_kind", "partition_key", "field_name", "detail")}


# Titles of columns that are shorter than their names; `expected` says less than `lines`.
_TITLES = {
    "record_kind": "kind",
    "partition_key": "day",
    "expected_count": "records",
    "line_count": "lines",
    "out_of_partition_count": "not taken",
    "silver_row_count": "in Silver",
    "superseded_count": "older",
    "withheld_asset_count": "withheld",
    "missing_asset_count": "missing",
    "not_read_asset_count": "not read",
    "last_run_id": "last run",
    "run_id": "run",
    "is_complete": "complete",
    "last_verb": "verb",
}
_PROSE = ("failure", "detail", "reason", "reasons")


def _section(screen: Screen, title: str, rows: Sequence[Mapping[str, Any]], hidden: Collection[str]) -> list[str]:
    """A table of what is not empty, or 0, in every row."""
    names = [name for name in (rows[0] if rows else ()) if name not in hidden and any(row[name] for row in rows)]
    # What is prose stands last.
    names.sort(key=_PROSE.__contains__)
    columns = [
        Column(_TITLES.get(name, name.removesuffix("_count").replace("_", " ")), is_prose=name in _PROSE)
        for name in names
    ]
    ids = {str(row[name]) for row in rows for name in names if name.endswith("run_id")}
    values = [[_value(name, row[name], ids) for name in names] for row in rows]
    return ["", screen.painted(title, "strong"), *table(screen, values, columns)] if rows else []


def _value(name: str, value: object, ids: Collection[str]) -> object:
    """No 0, which is most of them; an id as commands take it."""
    if value == 0 and value is not False:
        return None
    if isinstance(value, str) and name.endswith("_at"):
        return datetime.fromisoformat(value)
    if isinstance(value, str) and name.endswith("run_id"):
        return shortened(value, ids)
    return value
