"""What a run came to, for a person: the day that was asked for first, then the rest of its files, then its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loader.cli.problem_output import problem_lines
from loader.cli.release_screen import gate_words
from loader.cli.status_words import equation_lines, fates_in_words, lines_by_fate, sentence_of
from loader.printable import counted
from loader.screen import Mark, Screen, Tone, amount, paragraph, shortened, spread, table
from loader.status import IN_NEED, STATES, DayState, states_of_days

if TYPE_CHECKING:
    from loader.evidence import RunFacts
    from loader.ingest import Verdict
    from loader.partition import Partition
    from loader.release import Published

_DAYS_SHOWN = 6


def found_lines(screen: Screen, verdict: Verdict) -> list[str]:
    """What became of the days, and what deserves a look; what failed stands in `failed_lines`."""
    facts = verdict.facts
    days = days_of(verdict)
    lines = _of_days(screen, facts, days)
    if facts.assets and not facts.total:
        lines.append("Nothing was loaded.")
    # Nothing else is asked about files that hold nothing of the day.
    for code, count in sorted(facts.warnings.items()) if days else ():
        example = facts.warning_examples.get(code)
        told = f"{amount(screen, count, 'warning')}: {code}" + (f" ({example})" if example else "")
        lines += paragraph(screen, told, indent="  ", hanging="      ", tone="look")
    for text in [*(f"drift: {drift.line}" for drift in facts.drifts), *(f"note: {note}" for note in notes(verdict))]:
        lines += paragraph(screen, text, indent="  ", hanging="      ", tone="look")
    lines += _of_other_days(screen, facts)
    return lines


def failed_lines(screen: Screen, verdict: Verdict) -> list[str]:
    return problem_lines(screen, verdict.problems, len(verdict.facts.assets))


def record_lines(screen: Screen, verdict: Verdict, evidence: str) -> list[str]:
    """The run itself: its counts, its evidence, what the gate did."""
    facts = verdict.facts
    names = ("inserted", "skipped", "invalid", "errors")
    counts = [f"{screen.words(getattr(facts, name))} {name}" for name in names]
    attempt = "" if facts.run["attempt"] == 1 else f" attempt {facts.run['attempt']}"
    gate = [f"decision: {verdict.downstream_decision}"]
    if verdict.release is not None:
        gate.insert(0, gate_words(screen, verdict.release))
    run = f"run {shortened(str(facts.run['run_id']))}{attempt}: {amount(screen, facts.total, 'line')}"
    return [
        "",
        *spread(screen, [f"{run},", *(f"{each}," for each in counts[:-1]), counts[-1]], hanging="  ", between=" "),
        *paragraph(screen, f"evidence: {evidence}", hanging="  "),
        *spread(screen, gate),
    ]


def notes(verdict: Verdict) -> list[str]:
    """What the verb has to say, which files nothing puts in order, what the records of a day name in vain, and of which
    other kinds something is damaged."""
    from loader.evidence import files_of, in_short

    ties = verdict.facts.ties
    tied = [f"tie_unordered: nothing says which is newer of {files_of(ties)}"] if ties else []
    return [*verdict.notes, *tied, *in_short(verdict.facts.links), *_of_other_kinds(verdict.facts)]


def _of_other_kinds(facts: RunFacts) -> list[str]:
    kind = facts.run["record_kind"]
    counts = Counter(str(each.record_kind) for each in facts.findings if not each.is_of_kind(kind))
    return [
        f"damage of {other}: {counted(count, 'finding')}; what it is about stays as readers see it"
        for other, count in sorted(counts.items())
    ]


def days_of(verdict: Verdict) -> list[DayState]:
    """The state of each day of the run, as it left them."""
    facts, release = verdict.facts, verdict.release
    kind = facts.run["record_kind"]
    proved = [
        {**each.reconcile, "record_kind": kind, "partition_key": each.partition_key.isoformat()}
        for each in facts.partitions
    ]
    known = {row["partition_key"] for row in proved}
    shown = [] if release is None else [_shown(release, partition) for partition in sorted(facts.of_days())]
    findings = [
        {
            "table_name": each.table_name,
            "check_name": each.check_name,
            "detail": each.detail,
            "record_kind": each.record_kind,
            "partition_key": str(each.partition_key),
        }
        for each in facts.findings
        if str(each.partition_key) in known and each.is_of_kind(kind)
    ]
    return states_of_days(proved, shown, findings, [])


def _shown(release: Published, partition: Partition) -> Mapping[str, Any]:
    found = [
        (obstacle, f"{of.named(release.kinds)}: {obstacle.message}" if of != partition else obstacle.message)
        for decision in release.decisions
        if partition in decision.partitions
        for of, obstacle in decision.obstacles
    ]
    return {
        **partition.as_record(),
        "is_ready": partition in release.current,
        "is_held": partition in release.held,
        "reason": "; ".join(words for _, words in found),
        "obstacles": [obstacle.as_record() for obstacle, _ in found],
    }


def _of_days(screen: Screen, facts: RunFacts, days: Sequence[DayState]) -> list[str]:
    """One day with its equation; of several, what all lines came to, the days that need a look, the rest summed."""
    if len(days) == 1:
        tone: Tone = "strong" if days[0].state == "released" else "bad"
        row = facts.partitions[0].reconcile
        return [*paragraph(screen, sentence_of(days[0]), tone=tone), *equation_lines(screen, row)]
    if not days:
        return []
    needed = [day for day in days if day.state in IN_NEED][:_DAYS_SHOWN]
    rows: list[list[object]] = [[Mark(day.state, "bad"), day.partition_key, day.reason] for day in needed]
    for state in STATES:
        rest = [day for day in days if day.state == state and day not in needed]
        if rest:
            more = "more " if needed and state in IN_NEED else ""
            period = f"{rest[0].partition_key} … {rest[-1].partition_key}" if len(rest) > 1 else rest[0].partition_key
            sign: Tone = "good" if state == "released" else "look"
            rows.append([Mark(state, sign), amount(screen, len(rest), f"{more}day"), period])
    return [*lines_by_fate(screen, _all_fates(facts)), *table(screen, rows)]


def _all_fates(facts: RunFacts) -> dict[str, int]:
    """The fates of every line of the run's files."""
    fates: dict[str, int] = {}
    for found in (*(partition.fates for partition in facts.partitions), facts.unassigned, facts.outside_window):
        for fate, count in found.items():
            fates[fate] = fates.get(fate, 0) + count
    return fates


def _of_other_days(screen: Screen, facts: RunFacts) -> list[str]:
    lines = []
    outside = sum(facts.outside_window.values())
    if outside:
        told = ", ".join(fates_in_words(screen, facts.outside_window))
        lines += paragraph(screen, f"Other days of these files: {amount(screen, outside, 'line')} ({told}).")
    unassigned = facts.unassigned.get("rejected", 0)
    if unassigned and facts.partitions:
        lines.append(f"Without a day that can be read: {amount(screen, unassigned, 'rejected line')}.")
    return lines
