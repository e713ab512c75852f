"""How many tickets each day opens."""

from __future__ import annotations

from data.generator.instants import day_number, day_of
from data.generator.options import TICKETS_PER_DAY_MAX, OptionError, Options

# Monday to Sunday.
_WEEKDAY_WEIGHTS = (1.15, 1.1, 1.05, 1.0, 1.0, 0.45, 0.35)


class Volume:
    """Spreads `tickets` over the days, or steers towards `lines`.

    Towards `lines`: each day opens its share of what is still missing after the versions already due, so that
    the last day's correction stays small; the last day then ends at exactly the wanted line.
    """

    def __init__(self, options: Options, lines_by_days_left: list[float]) -> None:
        first, last = day_number(options.first_day), day_number(options.last_day)
        self._weights = {day: _WEEKDAY_WEIGHTS[day_of(day).weekday()] for day in range(first, last + 1)}
        self._weight = sum(self._weights.values())
        self._weight_passed = 0.0
        self._tickets = options.tickets
        self._opened = 0
        self._lines = options.lines or 0
        # Damaged lines replace a version; duplicates and blank lines come on top.
        self._lines_per_version = 1 + options.duplicate_rate + options.blank_rate
        self._yields = {
            day: weight * lines_by_days_left[last - day] * self._lines_per_version
            for day, weight in self._weights.items()
        }
        self._yield_left = sum(self._yields.values())
        self._fraction = 0.0

    def open_count(self, day: int, lines_written: int, versions_due: int) -> int:
        """Tickets to open on `day`; days come in order. `versions_due`: known versions up to the last day."""
        weight = self._weights[day]
        self._weight_passed += weight
        if self._tickets is not None:
            count = int(self._tickets * self._weight_passed / self._weight + 0.5) - self._opened
        else:
            missing = self._lines - lines_written - versions_due * self._lines_per_version
            exact = max(0.0, missing) * weight / self._yield_left + self._fraction
            count = int(exact)
            self._fraction = exact - count
            self._yield_left -= self._yields[day]
        self._opened += count
        check_day(day, count)
        return count


def check_day(day: int, count: int) -> None:
    """Raises OptionError when the day's tickets do not fit into a ticket_id; earlier days' files stay."""
    if count > TICKETS_PER_DAY_MAX:
        raise OptionError(
            f"{day_of(day)}: {count} tickets in one day, a ticket_id has room for {TICKETS_PER_DAY_MAX}; "
            "spread them over more days (--from, --to)"
        )
