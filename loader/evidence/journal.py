"""The journal: what a report folder knows of each warehouse that writes into it, one small file a warehouse.

Layout: `<reports>/chain/<warehouse_id>.jsonl`, one line for each record of a run, an act or an erasure (of partitions
only while their run goes on: its own says that they are there), added when its file is written; and one where the
warehouse was found restored to an earlier state and began a new timeline. A database that is put back forgets records;
the journal does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from loader.config import Settings
from loader.errors import InfrastructureError
from loader.printable import counted
from loader.report_files import append_line
from loader.warehouse import fetch_rows

# A line says which record, by its number and SHA-256, and of a run what it was asked to read.
_LINES = """
select evidence.evidence_id, evidence.content_sha256, evidence.report_path,
    case when run.run_id is not null then jsonb_build_object(
        'run_id', run.run_id, 'attempt', run.attempt, 'mode', run.mode, 'status', run.status,
        'batch_id', run.batch_id, 'window_start', run.window_start, 'window_end', run.window_end,
        'line_limit', run.line_limit, 'declared_manifests', run.declared_manifests) end as run
from ops.run_evidence as evidence
left join ops.ingest_run as run
    on run.run_id = evidence.run_id and run.attempt = evidence.attempt and evidence.report_path like '%%/\\_run/%%'
where (%(numbers)s::bigint[] is null or evidence.evidence_id = any(%(numbers)s))
    and (run.run_id is not null or evidence.run_id is null or evidence.dataset = 'release/partition_pointer'
        or evidence.report_path like '%%/erase/%%' or evidence.report_path like '%%/\\_interim/%%')
order by evidence.evidence_id
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a journal: a record, or the beginning of a timeline (`parent`: the one that it left)."""

    timeline_id: str
    evidence_id: int = 0
    content_sha256: str = ""
    report_path: str = ""
    run: Mapping[str, Any] | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a folder knows that a warehouse does not, in the order in which it was written.

    `lost`: records of this warehouse, from before it was restored. `is_noted`: it has begun a timeline since. `copies`:
    records of another copy of it, which also goes on. `strangers`: other warehouses, and how many records of each.
    """

    lost: tuple[Entry, ...] = ()
    is_noted: bool = True
    copies: tuple[Entry, ...] = ()
    strangers: Mapping[str, int] = field(default_factory=dict)
    # Records of this warehouse that the folder has.
    own_count: int = 0


def sort_out(entries: Iterable[Entry], timelines: Sequence[str], known: Mapping[int, str]) -> Told:
    """Which entries a warehouse does not know, and why. `timelines`: its own, the oldest first; `known`: evidence_id to
    SHA-256, of the records that it holds.

    A record of a timeline that it went along is lost; but what that timeline got after it was left is of a copy. A
    timeline that another copy began is of its history only where it is missing what that copy was missing: then it was
    restored to a state from before.
    """
    own, left = set(timelines), set[str]()
    lost: list[Entry] = []
    copies: list[Entry] = []
    count = 0
    is_noted = True
    for entry in entries:
        if entry.parent is not None:
            if entry.timeline_id in timelines:
                left |= own - set(timelines[timelines.index(entry.timeline_id) :])
                is_noted = True
            elif entry.parent in own and any(each.timeline_id == entry.parent for each in lost):
                own.add(entry.timeline_id)
        elif known.get(entry.evidence_id) == entry.content_sha256:
            count += 1
        elif entry.timeline_id in own and entry.timeline_id not in left:
            lost.append(entry)
            is_noted = False
        else:
            copies.append(entry)
    return Told(tuple(lost), is_noted, tuple(copies), own_count=count)


def read_told(cursor: Any, settings: Settings) -> Told:
    """What the report folder knows beside this warehouse; reads the journals, and no record."""
    timelines = read_timelines(cursor)
    mine = _path(settings, timelines[0])
    entries = {entry.content_sha256 or entry.timeline_id: entry for entry in _entries(mine)}.values()
    told = sort_out(entries, timelines, _known(cursor, entries))
    strangers = {
        path.stem: sum(1 for entry in _entries(path) if entry.parent is None)
        for path in sorted(mine.parent.glob("*.jsonl"))
        if path != mine
    }
    return Told(told.lost, told.is_noted, told.copies, strangers, told.own_count)


def strange_names(cursor: Any, settings: Settings) -> frozenset[str]:
    """The names of runs and of records, as report files have them, that journals of the folder know and this warehouse
    does not: what verify_evidence need not call invented."""
    told = read_told(cursor, settings)
    timelines = read_timelines(cursor)
    entries = [*told.lost, *told.copies]
    for path in _path(settings, timelines[0]).parent.glob("*.jsonl"):
        if path.stem != timelines[0]:
            entries += _entries(path)
    return frozenset(_names(entries))


def _names(entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        yield entry.report_path
        if entry.run is not None:
            yield f"{entry.run['run_id']}.{entry.run['attempt']}"


def read_timelines(cursor: Any) -> tuple[str, ...]:
    """This warehouse's timelines, the oldest first: its id."""
    cursor.execute("select timeline_id::text from ops.timeline order by timeline_number")
    return tuple(timeline_id for (timeline_id,) in cursor.fetchall())


def note_restoration(cursor: Any, settings: Settings) -> str | None:
    """Begin a timeline where the folder knows records that this warehouse has lost, in the caller's transaction; a
    sentence about it, None where nothing is lost that was not noted before."""
    timelines = read_timelines(cursor)
    path = _path(settings, timelines[0])
    last = _last(path)
    if last is None or (last.timeline_id == timelines[-1] and (last.parent or _is_known(cursor, last))):
        return None
    # When two commands come at once, one of them notes it.
    cursor.execute("lock table ops.timeline in share row exclusive mode")
    told = read_told(cursor, settings)
    if told.is_noted:
        return None
    cursor.execute("insert into ops.timeline (timeline_id) values (gen_random_uuid()) returning timeline_id::text")
    (timeline_id,) = cursor.fetchone()
    append_line(path, orjson.dumps({"timeline_id": timeline_id, "parent": read_timelines(cursor)[-2]}))
    return (
        f"the reports know {counted(len(told.lost), 'record')} that this warehouse does not: it was restored to an"
        " earlier state. None of them is replaced; what is lost: make diagnose"
    )


def note_records(cursor: Any, settings: Settings, numbers: Sequence[int]) -> None:
    """Add these records (evidence_id) to the journal; where there is none yet, all that the warehouse holds.

    May be repeated: a line that is there twice counts once. Raises InfrastructureError as append_line.
    """
    timelines = read_timelines(cursor)
    path = _path(settings, timelines[0])
    is_new = not path.exists()
    if not numbers and not is_new:
        return
    rows = fetch_rows(cursor, _LINES, {"numbers": None if is_new else list(numbers)})
    lines = [orjson.dumps({"timeline_id": timelines[-1], **row}) for row in rows]
    if lines:
        append_line(path, b"\n".join(lines))


def _path(settings: Settings, warehouse_id: str) -> Path:
    return settings.report_dir / "chain" / f"{warehouse_id}.jsonl"


def _entries(path: Path) -> list[Entry]:
    """The lines that are whole; none where the journal is not there. Raises InfrastructureError."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InfrastructureError(
            f"cannot read {str(path)!r}: {error.strerror}; nothing was changed", next_command=f"ls -l {path}"
        ) from error
    return [entry for entry in map(_parsed, lines) if entry is not None]


def _parsed(line: bytes) -> Entry | None:
    """None for what is no line: torn by a power cut, or written by hand."""
    try:
        return Entry(**orjson.loads(line))
    except (orjson.JSONDecodeError, TypeError):
        return None


def _last(path: Path) -> Entry | None:
    """The last whole line, by reading the end of the file alone where that is enough."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            for line in reversed(file.read().split(b"\n")):
                entry = _parsed(line)
                if entry is not None:
                    return entry
    except FileNotFoundError:
        return None
    return next(reversed(_entries(path)), None)


def _is_known(cursor: Any, entry: Entry) -> bool:
    return _known(cursor, [entry]).get(entry.evidence_id) == entry.content_sha256


def _known(cursor: Any, entries: Iterable[Entry]) -> dict[int, str]:
    """Which of these records have a number that the warehouse has given: evidence_id to SHA-256."""
    numbers = [entry.evidence_id for entry in entries if entry.parent is None]
    cursor.execute(
        "select evidence_id, content_sha256 from ops.run_evidence where evidence_id = any(%s::bigint[])", (numbers,)
    )
    return dict(cursor.fetchall())
