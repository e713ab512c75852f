"""Exports of the days after the committed sample, on which upstream changed one thing each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from data.generator import Options, generate

Record = dict[str, Any]
# Returns the record as upstream would have written it; None: it never came.
Change = Callable[[Record], Record | None]

# The sample ends the day before. A Friday as usual, a weekend, two weeks.
FIRST, LAST = date(2026, 5, 1), date(2026, 5, 17)
PRIORITY, NULLS, IDS, EQUAL, BEFORE = (date(2026, 5, day) for day in range(4, 9))
CUSTOMER, THIN, MISSING, VALUES, FORMS = (date(2026, 5, day) for day in range(11, 16))


def number(record: Record) -> int:
    return int(record["ticket_id"][-6:])


def without(record: Record, field: str) -> Record:
    return {name: value for name, value in record.items() if name != field}


def _opened(record: Record) -> date:
    return date.fromisoformat(f"{record['ticket_id'][4:8]}-{record['ticket_id'][8:10]}-{record['ticket_id'][10:12]}")


def _updated_at_midnight(record: Record) -> Record:
    return {**record, "updated_at": f"{_opened(record)}T00:00:00Z"}


def _renamed(record: Record) -> Record:
    """Half of the statuses have a new name, some are a person's; a text that looks like a field comes first."""
    if number(record) % 2:
        return {"subject": 'says "status": "hoax"', **without(record, "subject"), "status": "triaged"}
    return {**record, "status": "Anna Smith"} if number(record) % 4 == 0 else record


# Changes of the tickets that were opened on that day.
_CHANGES: dict[date, Change] = {
    PRIORITY: lambda record: {**record, "priority": "p1_critical"},
    NULLS: lambda record: without(record, "org_id"),
    IDS: lambda record: {**record, "ticket_id": f"TKT-20200101-{number(record):06d}"},
    EQUAL: lambda record: {**record, "updated_at": record["created_at"]},
    BEFORE: _updated_at_midnight,
    CUSTOMER: lambda record: {**record, "customer_id": "customer_1"} if number(record) % 3 else record,
    THIN: lambda record: record if number(record) % 20 == 0 else None,
    MISSING: lambda record: None,
}
# Changes of the same tickets in the first export only: rejected there, and landed with a later update.
_RENAMES: dict[date, Change] = {
    VALUES: _renamed,
    FORMS: lambda record: {**record, "ticket_id": f"INC{number(record):07d}"} if number(record) % 2 else record,
}


def _changed(record: Record, file_day: date) -> Record | None:
    day = _opened(record)
    if day == file_day and day in _RENAMES:
        return _RENAMES[day](record)
    return _CHANGES.get(day, lambda same: same)(record)


def write_exports(folder: Path) -> None:
    """An export for each day that has one; made like the sample (data/canonization/tickets/README.md)."""
    options = Options(
        first_day=FIRST,
        last_day=LAST,
        tickets=700,
        seed=5,
        payload_bytes=700,
        invalid_rate=0,
        duplicate_rate=0,
        late_rate=0,
        blank_rate=0,
        moved_rate=0,
        warning_rate=0,
    )
    generate(options, folder)
    for path in sorted(folder.glob("tickets-*")):
        day = date.fromisoformat(path.name[8:18])
        lines = [_changed(json.loads(line), day) for line in path.read_bytes().splitlines()]
        path.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in lines if record is not None))
