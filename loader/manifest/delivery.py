"""When a folder of exports was delivered, and where each of its files stands in upstream's order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loader.errors import CommandUsageError
from loader.manifest.dates import Period
from loader.manifest.names import NamedPlace, folder_period
from loader.manifest.order import UnorderedError, first_names, order_by_name_as_text, order_by_names, places_of
from loader.manifest.sequence import BatchId, moment_place, period_place, sequences_in
from loader.printable import pasted
from loader.reader import open_regular, read_document

BY_MTIME, BY_NAME = "mtime", "name"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeliveryTerms:
    """What the operator says. `order`: mtime, name, or the path of a file that lists the names, oldest first; None: the
    names say it. `batch_id` None: of the day that the names say. `has_versions`: two files may hold versions of one
    record, so their order matters."""

    order: str | None = None
    batch_id: str | None = None
    has_versions: bool = True


@dataclass(frozen=True, slots=True)
class FilePlace:
    """`exported_at` is UTC, to the second; `is_named`: a name says it, no time stamp."""

    sequence: int
    exported_at: datetime
    is_named: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """`files` as they were given; `notes`: what had to be taken for want of a date."""

    batch_id: str
    files: tuple[FilePlace, ...]
    notes: tuple[str, ...]


def arrange(folder: Path, source_ids: Sequence[str], modified_ns: Sequence[int], terms: DeliveryTerms) -> Delivery:
    """Place the files of a folder; reads the file that lists an order and the clock, and nothing else.

    A file stands where its name says. Without a date it is a part of the delivery, which stands where the given batch
    or the folder's name says, else at its newest time stamp (by order mtime: each file at its own). Raises
    CommandUsageError when the names leave the order open and none is given, and for an order or batch that means
    nothing.
    """
    batch = None if terms.batch_id is None else _batch(terms.batch_id)
    now = datetime.now(UTC)
    places = places_of(source_ids, now)
    order = _order(folder, source_ids, places, modified_ns, terms)
    named = [place.period for place in places if place.period is not None]
    of_folder = folder_period(Path(os.path.realpath(folder)).parts, now)
    period = max(named) if named else of_folder
    stamps = [_EPOCH + timedelta(microseconds=stamp // 1000) for stamp in modified_ns]
    newest = max(stamps)
    moments, notes = [moment_place(newest)] * len(places), []
    if batch is not None and not named:
        moments = [batch.place] * len(places)
    elif period is not None:
        moments = [period_place(period)] * len(places)
    elif terms.order == BY_MTIME:
        moments = [moment_place(stamp) for stamp in stamps]
    else:
        notes.append(
            f"no name says when this was delivered: it stands at {newest:%Y-%m-%dT%H:%M:%SZ}, the time stamp of its"
            " newest file; to say it: BATCH=batch-YYYYMMDD-NNN"
        )
    sequences = sequences_in(order, places, moments, batch)
    day = period.start if period is not None else newest
    return Delivery(
        batch_id=terms.batch_id or f"batch-{day:%Y%m%d}-001",
        files=tuple(
            FilePlace(sequence, _exported_at(said, stamp), said is not None)
            for sequence, said, stamp in zip(
                sequences, [place.period or of_folder for place in places], stamps, strict=True
            )
        ),
        notes=tuple(notes),
    )


def _batch(batch_id: str) -> BatchId:
    batch = BatchId.read(batch_id)
    if batch is None:
        raise CommandUsageError(
            f"--batch: got {batch_id!r}, expected batch-YYYYMMDD-NNN; no manifest was written",
            next_command="make manifest FROM=<folder of exports> OUT=<manifest.json> BATCH=batch-20260417-001",
        )
    return batch


def _order(
    folder: Path,
    source_ids: Sequence[str],
    places: Sequence[NamedPlace],
    modified_ns: Sequence[int],
    terms: DeliveryTerms,
) -> list[int]:
    if terms.order == BY_MTIME:
        return _order_by_mtime(folder, source_ids, modified_ns)
    if terms.order is not None and terms.order != BY_NAME:
        return _order_by_list(Path(terms.order), source_ids)
    if terms.order == BY_NAME or not terms.has_versions:
        return order_by_name_as_text(source_ids, places)
    try:
        return order_by_names(source_ids, places)
    except UnorderedError as error:
        raise CommandUsageError(
            f"{len(source_ids)} files may hold versions of one record, and their names do not say which are older;"
            f" expected dates, times or numbers, or ORDER=mtime|name|<file of names, oldest first>:{error.told}\n"
            "no manifest was written",
            next_command=_with_list(folder),
        ) from error


def _with_list(folder: Path) -> str:
    return f"make manifest FROM={pasted(folder)} OUT=<manifest.json> ORDER=<a file of names, oldest first>"


def _order_by_mtime(folder: Path, source_ids: Sequence[str], modified_ns: Sequence[int]) -> list[int]:
    count = Counter(modified_ns)
    equal = sorted(name for name, stamp in zip(source_ids, modified_ns, strict=True) if count[stamp] > 1)
    if equal:
        raise CommandUsageError(
            f"--order mtime: {len(equal)} files share a time stamp with another: {first_names(equal)};"
            " no manifest was written",
            next_command=_with_list(folder),
        )
    return sorted(range(len(source_ids)), key=lambda index: modified_ns[index])


def _order_by_list(path: Path, source_ids: Sequence[str]) -> list[int]:
    try:
        listed = [line.removesuffix("\r") for line in read_document(open_regular(path)).decode().split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise CommandUsageError(
            f"--order: cannot read {os.fspath(path)!r} ({why}), expected mtime, name, or a file that lists the names,"
            " oldest first; no manifest was written",
            next_command="make manifest FROM=<the folder> OUT=<manifest.json> ORDER=mtime",
        ) from error
    listed = [name for name in listed if name]
    known = set(listed)
    index_of = {name: index for index, name in enumerate(source_ids)}
    faults = {
        "not listed": [name for name in source_ids if name not in known],
        "listed twice": [name for name, count in Counter(listed).items() if count > 1],
        "listed, but no export of this folder": [name for name in listed if name not in index_of],
    }
    told = "".join(f"\n  {fault}: {first_names(names)}" for fault, names in faults.items() if names)
    if told:
        raise CommandUsageError(
            f"--order {os.fspath(path)!r}: expected every export of the folder once, oldest first:{told}\n"
            "no manifest was written",
            next_command=f"sort {pasted(path)} | uniq -c   # mend the list: the names below the folder, each once",
        )
    return [index_of[name] for name in listed]


def _exported_at(period: Period | None, stamp: datetime) -> datetime:
    """The last second of what the name says (a day's export holds all of it), else the file's time stamp."""
    return stamp.replace(microsecond=0) if period is None else period.last_second
