"""What a generated data set is: every value that decides its bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.generator.comments.options import CommentOptions

TICKETS_PER_DAY_MAX = 999_999
PAYLOAD_BYTES_MAX = 65_536


class OptionError(ValueError):
    """An option is out of range; nothing was written."""


def check_range(options: object, name: str, low: float, high: float) -> None:
    """Raises OptionError when the option's value is not one of `low` to `high`."""
    value = getattr(options, name)
    if not low <= value <= high:
        raise OptionError(f"--{name.replace('_', '-')}: got {value}, expected {low} to {high}")


def check_files(options: Options | CommentOptions) -> None:
    """Raises OptionError for a number of files or lines that is out of range, and for a source that cannot be pasted
    into a line."""
    for name in ("gzip_every", "gzip_member_lines", "crlf_every", "unterminated_every"):
        check_range(options, name, 0, 1_000_000_000)
    source = options.source
    if not source or any(mark in source for mark in '"\\') or not source.isprintable():
        raise OptionError(f"--source: got {source!r}, expected printable text without quotes")


@dataclass(frozen=True, slots=True)
class Options:
    """Same options, same bytes, on any machine (gzip files: same content; the bytes follow the zlib).

    `first_day` and `last_day` are both included. Exactly one of `tickets` and `lines` is set: so many tickets
    are created, or so many physical lines are written. Rates are shares of the tickets' updates: a damaged
    update replaces its line, duplicates and blank lines are extra lines. `*_every` options take every n-th
    file, 0 is never.
    """

    first_day: date
    last_day: date
    seed: int = 1
    tickets: int | None = None
    lines: int | None = None
    payload_bytes: int = 850
    update_rate: float = 2.5
    invalid_rate: float = 0.01
    duplicate_rate: float = 0.01
    late_rate: float = 0.02
    blank_rate: float = 0.005
    out_of_order: float = 0.01
    moved_rate: float = 0.001
    warning_rate: float = 0.001
    gzip_every: int = 0
    gzip_member_lines: int = 0
    crlf_every: int = 0
    unterminated_every: int = 0
    source: str = "structured:tickets:synthetic"

    def __post_init__(self) -> None:
        if (self.tickets is None) == (self.lines is None):
            raise OptionError("give exactly one of --tickets and --lines")
        amount = self.tickets if self.lines is None else self.lines
        if amount is None or amount < 1:
            raise OptionError(f"--tickets or --lines: got {amount}, expected at least 1")
        if self.first_day > self.last_day:
            raise OptionError(f"--from {self.first_day} is after --to {self.last_day}")
        if self.first_day.year < 1971 or self.last_day.year > 9990:
            raise OptionError("--from and --to must lie in the years 1971 to 9990")
        rates = ("invalid_rate", "duplicate_rate", "late_rate", "blank_rate")
        for name in (*rates, "out_of_order", "moved_rate", "warning_rate"):
            check_range(self, name, 0.0, 0.5)
        check_range(self, "update_rate", 0.0, 20.0)
        check_range(self, "payload_bytes", 0, PAYLOAD_BYTES_MAX)
        check_files(self)

    def as_json(self) -> dict[str, object]:
        """The options as they stand in `expected.json`; no folder, no time."""
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(self).items()}
