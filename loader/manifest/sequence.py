"""Places in upstream's order as numbers: what a manifest declares, and what is derived where it declares none.

Two scales, which `ops.sequence_place` brings together wherever sequences are compared (docs/decisions/0011):

- days: YYYYMMDD * 1000 + n, n below 1000 among the deliveries of a day;
- moments: YYYYMMDD * 10**8 + m. A whole day's n is m = n * 10**4, so that all of them come first; a time of day is
  m = 10**7 + its milliseconds. What is left between counts files of one delivery.

Both fit a JSON number of 53 bits, until the year 9007.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from loader.manifest.dates import Period
from loader.manifest.names import NamedPlace, natural_tokens
from loader.manifest.order import places_of

ASSETS_PER_DATE = 1000
_DAY = 10**8
_DELIVERY = 10**4
_FIRST_MOMENT = 10**7
# A file delivered again, in a later batch, stands after the first: by days, then by the batch's number.
_DAYS_LATE = 98
_BATCHES_OF_A_DAY = 100


class SequenceError(ValueError):
    """More assets of one date than the number leaves room for: their order must be declared."""


@dataclass(frozen=True, slots=True, order=True)
class BatchId:
    """What a batch_id says: its day, and its number on that day; ordered as they follow."""

    day: date
    number: int

    @classmethod
    def read(cls, batch_id: str) -> BatchId | None:
        """None for what is no batch_id, or one without a real day."""
        match = re.fullmatch(r"batch-([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{3,50})", batch_id)
        if match is None:
            return None
        try:
            return cls(date(int(match[1]), int(match[2]), int(match[3])), int(match[4]))
        except ValueError:
            return None

    @property
    def place(self) -> int:
        """Where its undated files stand, on the finer scale: after the export of its day."""
        return finer(day_place(self.day, self.number))


def sequence_of(source_ids: Sequence[str], batch: BatchId | None = None) -> tuple[int, ...]:
    """The sequence of each asset of a manifest that declares none, in the given order.

    A name with one certain date gets its place on that day (n from 0 in natural order of names) or at that time.
    Another gets its position in the list, from 1: as a part of the batch, or bare where there is none. Raises
    SequenceError when more than 1000 names share a date.
    """
    places = places_of(source_ids)
    rank: dict[int, int] = {}
    by_period: dict[Period, list[int]] = defaultdict(list)
    for index, place in enumerate(places):
        if place.period is not None:
            by_period[place.period].append(index)
    for period, indices in by_period.items():
        if len(indices) > ASSETS_PER_DATE:
            raise SequenceError(
                f"{len(indices)} assets are named after {period}, at most {ASSETS_PER_DATE} can be ordered"
            )
        ordered = sorted(indices, key=lambda index: (natural_tokens(source_ids[index]), source_ids[index]))
        rank |= {index: n for n, index in enumerate(ordered)}
    first = 0 if batch is None else batch.place
    return tuple(
        first + index + 1 if place.period is None else _at(place.period, rank[index])
        for index, place in enumerate(places)
    )


def sequences_in(
    order: Sequence[int], places: Sequence[NamedPlace], moments: Sequence[int], batch: BatchId | None
) -> tuple[int, ...]:
    """The sequence of each file of one delivery, by its index in `places`; rising along `order`, oldest first.

    A file stands where its name says, or, if that says nothing, at its one of `moments` (on the finer scale: of the
    delivery, or of the file). `batch`, where the operator named it, orders deliveries of one name.
    """
    own = [_own_place(places[index], moments[index], batch) for index in order]
    sequences: list[int] = []
    if own == sorted(own, key=finer):
        for _, group in groupby(zip(own, order, strict=True), key=lambda pair: finer(pair[0])):
            declared, indices = zip(*group, strict=True)
            sequences += _spread(max(declared), [places[index] for index in indices])
    else:
        # The order that was given is not that of the dates: who comes later stands just behind.
        for place in map(finer, own):
            sequences.append(max(place, sequences[-1] + 1) if sequences else place)
    of_index = dict(zip(order, sequences, strict=True))
    return tuple(of_index[index] for index in range(len(places)))


def day_place(day: date, number: int = 0) -> int:
    """The place of a whole day, or of a batch on it, in days."""
    return int(f"{day:%Y%m%d}") * ASSETS_PER_DATE + min(number, ASSETS_PER_DATE - 1)


def moment_place(moment: datetime) -> int:
    """The place of an instant in UTC, to the millisecond."""
    since_midnight = moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return int(f"{moment:%Y%m%d}") * _DAY + _FIRST_MOMENT + since_midnight // timedelta(milliseconds=1)


def period_place(period: Period) -> int:
    """Where a delivery stands that is named after it, on the finer scale: at its beginning."""
    return finer(_at(period, 0))


def _at(period: Period, n: int, batch: BatchId | None = None) -> int:
    if not period.is_whole_days:
        return moment_place(period.start) + n + _again(period, batch)
    place = day_place(period.start.date(), n)
    return finer(place) + _again(period, batch) if batch else place


def _own_place(name: NamedPlace, moment: int, batch: BatchId | None) -> int:
    return moment if name.period is None else _at(name.period, 0, batch)


def _again(period: Period, batch: BatchId | None) -> int:
    if batch is None:
        return 0
    days_late = min(max((batch.day - period.start.date()).days, 0), _DAYS_LATE)
    return days_late * _BATCHES_OF_A_DAY + min(batch.number, _BATCHES_OF_A_DAY - 1)


def _spread(place: int, files: Sequence[NamedPlace]) -> list[int]:
    """Sequences of files that share a place: with their own number where each name has one and no more, else from 0."""
    numbers = [file.numbers[0] for file in files if len(file.numbers) == 1]
    if len(numbers) < len(files) or numbers != sorted(set(numbers)) or numbers[-1] >= ASSETS_PER_DATE:
        numbers = list(range(len(files)))
    first = place if numbers[-1] < ASSETS_PER_DATE else finer(place)
    return [first + number for number in numbers]


def finer(place: int) -> int:
    """A place of either scale among moments; ops.sequence_place says the same of what was declared."""
    if place >= _DAY * ASSETS_PER_DATE:
        return place
    day, n = divmod(place, ASSETS_PER_DATE)
    return day * _DAY + n * _DELIVERY
