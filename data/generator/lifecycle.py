"""How tickets live: which status follows which, and how long it takes."""

from __future__ import annotations

from typing import NamedTuple

from data.generator.randomness import Draw, pick, spread

DAY_SECONDS = 86_400

# Minutes between two updates: half of them within the same shift, some after weeks.
_GAP_MINUTES = (1, 2, 4, 8, 15, 30, 45, 90, 180, 300, 600, 1_200, 1_500, 2_900, 4_300, 8_600, 20_000)
_MIDDLE = spread({"in_progress": 6, "pending": 3, "escalated": 1})
# Days by which a late delivery misses the export of its own day.
LATE_DAYS = (1, 1, 1, 1, 1, 2, 2, 3, 5, 7, 9, 14, 21)


class Step(NamedTuple):
    """One version of a ticket: seconds since its creation, its status, and when it was resolved."""

    offset_seconds: int
    status: str
    resolved_offset_seconds: int | None


Life = tuple[Step, ...]


def _statuses(draw: Draw, update_count: int) -> list[str]:
    if update_count == 0:
        return []
    middle = [pick(draw, _MIDDLE) for _ in range(update_count)]
    if update_count > 1:
        middle[0] = "in_progress"
    ending = draw()
    if update_count > 3 and ending < 0.12:  # solved, reopened, and solved again or not
        return [*middle[:-3], "resolved", "open", "resolved" if ending < 0.08 else "in_progress"]
    if update_count > 1 and ending < 0.62:
        return [*middle[:-2], "resolved", "closed"]
    if ending < 0.85:
        return [*middle[:-1], "resolved"]
    return middle


def _update_count(draw: Draw, update_rate: float) -> int:
    if update_rate < 0.5:  # rounding would leave none at all
        return int(draw() < update_rate)
    return int(4 * update_rate * draw() * draw() + 0.5)


def _life(draw: Draw, update_rate: float) -> Life:
    steps = [Step(0, "open", None)]
    offset = 0
    resolved: int | None = None
    for status in _statuses(draw, _update_count(draw, update_rate)):
        if status == "closed":
            offset += int((2 + 8 * draw()) * DAY_SECONDS)
        elif draw() < 0.06:
            offset += 5 + int(draw() * 35)  # two clicks in a row: often the same minute
        else:
            offset += int(pick(draw, _GAP_MINUTES) * 60 * (0.5 + draw()))
        if status == "resolved":
            resolved = offset
        elif status != "closed":
            resolved = None
        steps.append(Step(offset, status, resolved))
    return tuple(steps)


def lives(draw: Draw, update_rate: float, count: int = 2_048) -> list[Life]:
    """A pool of lives from which tickets draw; updates per ticket are about `update_rate` on average."""
    return [_life(draw, update_rate) for _ in range(count)]


def lines_by_days_left(pool: list[Life], day_count: int) -> list[float]:
    """Mean versions of a ticket in its first n + 1 days, for each n below `day_count`."""
    by_day = [0] * day_count
    for life in pool:
        for step in life:
            day = (step.offset_seconds + DAY_SECONDS // 2) // DAY_SECONDS
            if day < day_count:
                by_day[day] += 1
    total = 0
    means = []
    for count in by_day:
        total += count
        means.append(total / len(pool))
    return means
