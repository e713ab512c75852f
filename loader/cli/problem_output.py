"""Problems of a run, or of a dry run, as lines: why once, how many, the first names, what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loader.screen import Failure, Screen, amount, failures

if TYPE_CHECKING:
    from loader.ingest import Problem

_NAMES_SHOWN = 2
# What a reason of a run is about, and what is so of one, of several.
_HEADS = {
    "manifest_refused": ("manifest", "is refused, nothing of it was read", "are refused, nothing of them was read"),
    "reject_limit_exceeded": ("file", "has more rejected lines than allowed", "have more rejected lines than allowed"),
    "reconcile_finding": ("finding", "of reconcile: rows do not fit what was landed", ""),
    "dbt_check_failed": ("dbt check", "failed", ""),
}


def problem_lines(screen: Screen, problems: Sequence[Problem], file_count: int) -> list[str]:
    """The files that were not admitted, of `file_count`, come first: what follows may come of that."""
    lines = []
    of_gate = [problem for problem in problems if problem.is_of_gate]
    if of_gate:
        reasons = len({(problem.code, problem.sentence) for problem in of_gate})
        why = "one reason" if reasons == 1 else f"{reasons} reasons"
        was = "was" if len(of_gate) == 1 else "were"
        of_all = amount(screen, file_count, "file")
        lines.append(f"{screen.words(len(of_gate))} of {of_all} {was} not admitted, for {why}:")
        lines += failures(screen, [_failure(problem) for problem in of_gate])
    for code in dict.fromkeys(problem.reason_code for problem in problems if not problem.is_of_gate):
        group = [problem for problem in problems if problem.reason_code == code]
        noun, one, several = _HEADS.get(code, ("", "", ""))
        if noun:
            lines.append(f"{amount(screen, len(group), noun)} {several if several and len(group) > 1 else one}:")
        indent = "  " if noun else ""
        lines += failures(screen, [_failure(each, has_code=bool(noun)) for each in group], noun=noun, indent=indent)
    return lines


def _failure(problem: Problem, *, has_code: bool = True) -> Failure:
    # Under a head of its own, the code would say the same again.
    code = problem.code if has_code and problem.code != problem.reason_code else ""
    return Failure(code, problem.sentence, problem.name, problem.mend)


def absent_rows(screen: Screen, assets: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Declared files that are not there to be read, by what became of them and why: that word, how many, the codes, and
    what these mean, what mends it, and the first names."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in assets:
        why = f"{row['sentence']} {row['mend']}".strip()
        groups.setdefault((row["disposition"], row["reasons"], why), []).append(row["source_id"])
    return [
        (disposition, amount(screen, len(names), "file"), reasons, f"{why} {some_names(names)}")
        for (disposition, reasons, why), names in groups.items()
    ]


def some_names(names: Sequence[str]) -> str:
    """The first different ones, and whether there are more."""
    different = list(dict.fromkeys(names))
    return ", ".join(different[:_NAMES_SHOWN]) + (", …" if len(different) > _NAMES_SHOWN else "")
