"""What `loader status` shows: the answer, the days that need a look, the rest summed, the next command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from loader.advice import end_of
from loader.cli.problem_output import absent_rows, some_names
from loader.cli.status_words import SIGNS, noun_of, state_words, strips
from loader.screen import Mark, Screen, amount, next_lines, paragraph, shortened, spread, table
from loader.status import IN_NEED, DayState, Status

# As many lines as a terminal has; everything is asked for by name.
_HEIGHT = 24
_EVERYTHING = 1_000_000
# So many of what is loud are shown, and so much of each; the rest is counted.
_LOUD, _LONGEST_LOUD = 2, 160
# How much of a text is told that its own command tells whole; the less, the more there is to tell.
_LONGEST = (320, 160, 80, 40, 20)
# Days that one thing keeps back say so once.
_OF_ONE_REASON = 5


def status_lines(screen: Screen, answer: Status, *, is_whole: bool = False) -> list[str]:
    """The whole warehouse, in at most 24 lines, whatever meets; `is_whole`: in as many as it takes, and nothing cut."""
    above = [*_first(screen, answer), *loud(screen, answer, is_whole=is_whole)]
    below = ["", *spread(screen, state_words(screen, answer)), *next_lines(screen, answer.next_command)]
    room = (_EVERYTHING if is_whole else _HEIGHT) - len(above) - len(below) - 1
    body = _body(screen, answer, room)
    return [*above, *(["", *body] if body else []), *below]


def everything(answer: Status, day: date | None) -> str:
    """The command that cuts nothing."""
    of_kind = f" KIND={answer.record_kind}" if answer.record_kind else ""
    return f"`make status{f' PARTITION={day}' if day else ''}{of_kind} ALL=1`"


def loud(screen: Screen, answer: Status, day: date | None = None, *, is_whole: bool = False) -> list[str]:
    """What is said first; not all of it, nor whole, unless `is_whole`."""
    said = said_first(answer)
    if not is_whole:
        more = [f"and {len(said) - _LOUD} more: {everything(answer, day)}"] if len(said) > _LOUD else []
        said = [*(_cut(words, _LONGEST_LOUD) for words in said[:_LOUD]), *more]
    return [line for text in said for line in paragraph(screen, text, hanging="  ", tone="bad")]


def said_first(answer: Status) -> list[str]:
    """What makes a reader of everything else wary; else, where no day needs a person, what the triage asks about."""
    said = [f"readers do not see what was released: {fault}" for fault in answer.view_faults]
    said += [f"note: {notice}" for notice in answer.notices]
    last = answer.runs[0] if answer.runs else None
    # Where the triage has nothing to ask, everything was proved since.
    if last is not None and last["status"] not in ("success", "warning") and answer.open_answers:
        why = f": {last['failure']}" if last["failure"] else f"; last stage done: {last['stage']}"
        said.append(f"last run {shortened(last['run_id'])} {end_of(last)}{why}")
    if not any(day.state in IN_NEED for day in answer.days) and not said:
        said = [f"needs you: {words}" for words in answer.open_answers]
    return said


def _first(screen: Screen, answer: Status) -> list[str]:
    return paragraph(screen, sentence(screen, answer), tone="strong")


def sentence(screen: Screen, answer: Status) -> str:
    """What readers may rely on, and what needs a person."""
    asked = [day for day in answer.days if day.is_asked_for]
    relied = [day for day in asked if day.is_relied_on]
    needed = len([day for day in asked if day.state in IN_NEED])
    held = len([day for day in asked if day.state == "held"])
    if answer.view_faults:
        what = "" if answer.blind_kinds == answer.kinds else f" of {', '.join(answer.blind_kinds)}"
        may = f"Readers may rely on nothing{what}: a view that they look through is not the project's."
    elif not answer.runs and not answer.days:
        may = "Nothing has been ingested yet."
    elif not asked:
        may = "No day was asked for yet."
    elif len(asked) == 1:
        name = asked[0].partition.named(answer.kinds)
        may = f"Readers may {'' if relied else 'not '}rely on {name}, the one day asked for."
    elif len(relied) == len(asked):
        may = f"Readers may rely on all {screen.words(len(asked))} days asked for{_by_kind(screen, relied, asked)}."
    else:
        may = f"Readers may rely on {screen.words(len(relied))} of {screen.words(len(asked))} days asked for"
        may += f"{_by_kind(screen, relied, asked)}."
    also = [f"{screen.words(needed)} {'needs' if needed == 1 else 'need'} you"] if needed else []
    also += [f"{screen.words(held)} {'is' if held == 1 else 'are'} held"] if held else []
    is_in_order = not answer.open_answers and not answer.view_faults and not _without_a_day(screen, answer)
    if not also and answer.days and is_in_order:
        return f"{may} Nothing needs you."
    return f"{may} {', '.join(also)}." if also else may


def _by_kind(screen: Screen, relied: Sequence[DayState], asked: Sequence[DayState]) -> str:
    """Nothing where all are of one kind."""
    good, known = (Counter(day.record_kind for day in days) for days in (relied, asked))
    told = [
        f"{kind} {screen.words(good[kind])}" + ("" if good == known else f" of {screen.words(count)}")
        for kind, count in sorted(known.items())
    ]
    return f" ({', '.join(told)})" if len(told) > 1 else ""


def _body(screen: Screen, answer: Status, room: int) -> list[str]:
    """As many days one by one as there is room for above the strips; those of one reason that many share are summed in
    any case. The strips, and the rows of what is of no day, give way to the sums."""
    fixed = _without_a_day(screen, answer)
    shared = Counter((day.state, day.reason) for day in answer.days)
    needed = [
        day
        for state in ("damaged", "incomplete", "kept back")
        for day in answer.days
        if day.state == state and shared[day.state, day.reason] <= _OF_ONE_REASON
    ]

    def drawn(listed: int, shown: int, longest: int) -> list[str]:
        left = len(fixed) - shown
        rows = [_listed(screen, day, answer.kinds) for day in needed[:listed]] + fixed[:shown]
        rows += [["also", amount(screen, left, "more row"), "", everything(answer, None)]] if left else []
        rows += _summed(screen, answer, needed[:listed])
        return table(screen, [[*begin, _cut(str(last), longest)] for *begin, last in rows])

    lengths = (_EVERYTHING,) if room > _HEIGHT else _LONGEST
    shown = len(fixed)
    longest = next((each for each in lengths if len(drawn(0, shown, each)) <= room), lengths[-1])
    while shown and len(drawn(0, shown, longest)) > room:
        shown -= 1
    least = len(drawn(0, shown, longest))
    below = next((each for each in strips(screen, answer.days) if least + len(each) + 1 <= room), [])
    room -= len(below) + 1 if below else 0
    for listed in range(min(len(needed), room), 0, -1):
        if len(lines := drawn(listed, shown, longest)) <= room:
            break
    else:
        lines = drawn(0, shown, longest)
    return [*lines, *(["", *below] if below and lines else below)]


def _listed(screen: Screen, day: DayState, kinds: Collection[str]) -> list[object]:
    state = Mark("kept back", "look") if day.state == "kept back" else Mark("needs you", "bad")
    return [state, day.partition.named(kinds), _records(screen, day, kinds), day.reason]


def _summed(screen: Screen, answer: Status, listed: Sequence[DayState]) -> list[list[object]]:
    """A row for each kind and each state that days are in which are not listed one by one."""
    rows: list[list[object]] = []
    for states, words in (
        (("damaged", "incomplete"), "needs you"),
        (("kept back",), "kept back"),
        (("held",), "held"),
        (("released",), "released"),
        (("not asked for",), "not asked for"),
    ):
        for kind in answer.kinds:
            found = [
                day for day in answer.days if day.state in states and day.record_kind == kind and day not in listed
            ]
            if not found:
                continue
            sign = SIGNS[found[0].state]
            also = "more " if any(day.state in states and day.record_kind == kind for day in listed) else ""
            of_kind = f" of {kind}" if len(answer.kinds) > 1 else ""
            count = amount(screen, len(found), f"{also}day") + of_kind
            count = found[0].partition.named(answer.kinds) if len(found) == 1 else count
            rows.append(
                [
                    Mark(words, sign.tone or "quiet"),
                    count,
                    _measure(screen, found, answer.kinds),
                    _told(screen, answer, found),
                ]
            )
    return rows


def _records(screen: Screen, day: DayState, kinds: Collection[str]) -> str:
    """Where the row names the kind, its noun would say it twice."""
    return amount(screen, day.ticket_count, noun_of(day.record_kind) if len(kinds) < 2 else "record")


def _measure(screen: Screen, found: Sequence[DayState], kinds: Collection[str]) -> str:
    if len(found) == 1 and found[0].is_asked_for:
        return _records(screen, found[0], kinds)
    return amount(screen, sum(day.line_count for day in found), "line")


def _told(screen: Screen, answer: Status, found: Sequence[DayState]) -> str:
    """From when to when, where one kind is known, and why; of days without a reason, how many of their lines were
    rejected, and how many of their records name one that is not there."""
    reasons = list(dict.fromkeys(day.reason for day in found if day.reason))
    rejected = sum(day.rejected_count for day in found)
    known = {(day.record_kind, day.partition_key) for day in found}
    links = [row for row in answer.links if (row["record_kind"], row["partition_key"]) in known]
    told = {row["fault"]: 0 for row in links}
    for row in links:
        told[row["fault"]] += row["record_count"]
    # The names of kinds leave no room for it, and the strips show it.
    has_room = len(answer.kinds) < 2
    words = [f"{found[0].partition_key} … {found[-1].partition_key}"] if len(found) > 1 and has_room else []
    counts = [f"{screen.words(rejected)} rejected"] if rejected else []
    counts += [f"{screen.words(count)} {fault}" for fault, count in told.items()]
    words += reasons[:1] or counts
    return ", ".join(words) + (f", and {len(reasons) - 1} more" if len(reasons) > 1 else "")


def _without_a_day(screen: Screen, answer: Status) -> list[list[object]]:
    """What needs a look and is of no day: damage, files, drift, ties."""
    rows: list[list[object]] = []
    for row in [row for row in answer.findings if row["partition_key"] is None]:
        days = f"all days{of_kind(answer, row)}"
        rows.append([Mark("needs you", "bad"), days, row["table_name"], f"{row['check_name']} ({row['detail']})"])
    for disposition, files, reasons, told in absent_rows(screen, answer.absent_assets):
        rows.append([Mark(disposition, "bad"), files, reasons, told])
    for check, names in _grouped(
        (row["check_name"], (row["partition_key"] or "no day") + of_kind(answer, row)) for row in answer.drift
    ):
        rows.append(
            [Mark("drift", "look"), amount(screen, len(set(names)), "day"), check, some_names(sorted(set(names)))]
        )
    if answer.ties:
        names = [row["source_id"] or "a file without a manifest" for row in answer.ties]
        rows.append(
            [Mark("tie_unordered", "look"), amount(screen, len(names), "file"), "which is newer?", some_names(names)]
        )
    return rows


def of_kind(answer: Status, row: Mapping[str, Any]) -> str:
    """Whose a row is, where the warehouse knows more than one kind."""
    return f" of {row['record_kind']}" if len(answer.kinds) > 1 and row["record_kind"] else ""


def _cut(text: str, longest: int) -> str:
    """The beginning of a text that its own command tells whole."""
    return text if len(text) <= longest else (text[:longest].rpartition(" ")[0] or text[:longest]) + " …"


def _grouped(pairs: Iterable[tuple[Any, str]]) -> list[tuple[Any, list[str]]]:
    groups: dict[Any, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return list(groups.items())
