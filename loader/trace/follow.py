"""A record, a line or an event followed from its byte to its readers and back; every link recomputed. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from loader.config import Settings
from loader.kinds import Ruleset, load_kinds, load_ruleset
from loader.raw_zone import RawZone
from loader.trace import archive, find, order, readers, records
from loader.trace.model import Trace, TracedLine, Version
from loader.trace.versions import read_versions
from loader.warehouse import Warehouse, released_kinds


@dataclass(frozen=True, slots=True)
class Asked:
    """One of key, line (FILE:N) and event. `is_quick`: leaves out what reads an archived object or a whole day;
    `with_content`: the bytes of the line, too."""

    key: str | None = None
    line: str | None = None
    event: str | None = None
    record_kind: str | None = None
    is_quick: bool = False
    with_content: bool = False


def trace(settings: Settings, warehouse: Warehouse, asked: Asked) -> Trace:
    """Over one snapshot, and the archive and the reports as they are now. Every question is answered by an index.

    Raises CommandUsageError where nothing is meant by what was asked, or several things are.
    """
    with _snapshot(warehouse) as cursor:
        found = _find(settings, cursor, asked)
        ruleset = load_ruleset(settings.project_root / "contracts", found.record_kind)
        if found.record_key is None:
            return _trace_of_line(settings, cursor, ruleset, asked, found)
        return _trace_of_record(settings, cursor, ruleset, asked, found)


@contextmanager
def _snapshot(warehouse: Warehouse) -> Iterator[Any]:
    """A table of the session holds a line to compare: nothing else is written."""
    with closing(warehouse.connect(application_name="omnisupport-trace")) as session:
        session.set_session(isolation_level="REPEATABLE READ")
        with session, session.cursor() as cursor:
            # Bytes and rows of a few records: no query is worth compiling, and none is worth a look at everything.
            cursor.execute("set local jit = off; set local random_page_cost = 1.1")
            yield cursor


def _find(settings: Settings, cursor: Any, asked: Asked) -> find.Found:
    if asked.key is not None:
        kinds = [kind.name for kind in load_kinds(settings.project_root / "contracts").values() if kind.is_landed]
        return find.find_key(cursor, asked.key, asked.record_kind, kinds)
    if asked.line is not None:
        return find.find_line(cursor, asked.line, asked.record_kind)
    assert asked.event is not None
    return find.find_event(cursor, asked.event, asked.record_kind)


def _trace_of_line(settings: Settings, cursor: Any, ruleset: Ruleset, asked: Asked, found: find.Found) -> Trace:
    """A line that no record came from, or whose event nobody has asked for."""
    assert found.line is not None
    again = _reread(settings, cursor, ruleset, [found.line], asked)
    content = again.bodies.get((found.line.file.asset_id, found.line.number))
    return Trace(
        found.record_kind,
        None,
        (),
        "",
        tuple(again.links),
        found.line,
        found.event_id,
        content=content if asked.with_content else None,
    )


def _trace_of_record(settings: Settings, cursor: Any, ruleset: Ruleset, asked: Asked, found: find.Found) -> Trace:
    assert found.record_key is not None
    versions, evidence, links = read_versions(
        cursor, found.record_kind, found.record_key, is_whole=ruleset.landing.whole is not None
    )
    versions = order.ranked(versions)
    lines = [line for each in versions for line in _lines_of(each)]
    again = _reread(settings, cursor, ruleset, lines, asked)
    (kind,) = (each for each in released_kinds(cursor) if each.record_kind == found.record_kind)
    sight = readers.read_sight(cursor, kind, ruleset.landing, found.record_key, versions, is_quick=asked.is_quick)
    of_evidence = records.evidence_links(cursor, settings, evidence)
    of_acts = records.act_links(cursor, settings, sight.acts)
    shown = tuple(replace(each, shown=sight.shown.get(each.event_id, ())) for each in versions)
    meant = found.line or next((each.line for each in versions if each.event_id == found.event_id), None)
    meant = meant or next((each.line for each in versions), None)
    content = None if meant is None else again.bodies.get((meant.file.asset_id, meant.number))
    return Trace(
        found.record_kind,
        found.record_key,
        shown,
        order.reason(versions, ruleset.landing) if versions else "",
        (*again.links, *links, *sight.links, *of_acts, *of_evidence),
        found.line,
        found.event_id,
        find.erased(cursor, found.record_kind, found.record_key),
        sight.held_days,
        content if asked.with_content else None,
    )


def _lines_of(version: Version) -> list[TracedLine]:
    return [line for line in (version.line, *version.again) if line is not None]


def _reread(settings: Settings, cursor: Any, ruleset: Ruleset, lines: list[TracedLine], asked: Asked) -> archive.Reread:
    return archive.reread(cursor, RawZone(settings.raw_zone), ruleset, lines, is_quick=asked.is_quick)
