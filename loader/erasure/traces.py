"""What of a person lies in the archive, and what these lines say.

A line is read under the kind of the asset in which it lies, as it is declared today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson

from loader.config import Settings
from loader.contract import number_json, read_exactly
from loader.errors import RefusedError
from loader.kinds import Landing, load_kinds
from loader.privacy import (
    FoundLine,
    Record,
    find_lines,
    is_named_in,
    may_name,
    owners_of_whatever_kind,
    records_of_file,
)
from loader.raw_zone import NO_BYTES, RawZone
from loader.reader import MAX_LINE_BYTES, ContentEncoding, Line, is_blank, open_content


@dataclass(frozen=True, slots=True)
class AssetLines:
    """An asset that holds lines of the person. `lines` empty: its object is gone, and `numbers` are Bronze's.
    `is_whole`: nothing of it is kept, whosever it is; `is_file`: nor any byte, since it is one record."""

    asset_id: int
    raw_zone_key: str
    content_encoding: ContentEncoding
    source_paths: tuple[str, ...]
    numbers: tuple[int, ...]
    lines: tuple[FoundLine, ...]
    # Bytes of each line beyond what a reader takes for a line; such a line is rejected, blank or not.
    too_long: Mapping[int, int]
    is_whole: bool = False
    is_file: bool = False


class Search:
    """A search for one person's lines; keeps what these lines say, and counts other lines that mention the id."""

    def __init__(self, person_id: str) -> None:
        self._person_id = person_id
        self.mention_count = 0
        self.texts: set[str] = set()

    def lines(self, raw_zone: RawZone, key: str, encoding: ContentEncoding, *kinds: Landing) -> list[FoundLine]:
        """The person's lines of an object, of this kind; of one that no asset needs, of whichever of these kinds."""
        persons = [landing.person for landing in kinds]

        def note(line: Line) -> None:
            self.texts.update(text for landing in kinds for text in texts_of(line.body, landing))

        def whose(body: bytes) -> str | None:
            if not may_name(body, self._person_id):
                return None
            if self._person_id in owners_of_whatever_kind(body, persons):
                return "planned"
            self.mention_count += is_named_in(body.decode(errors="replace"), self._person_id)
            return None

        content = open_content(raw_zone.path_of(key), encoding, fingerprint=raw_zone.fingerprint_of(key))
        return find_lines(content, whose, note)

    def all_lines(self, raw_zone: RawZone, key: str, encoding: ContentEncoding, landing: Landing) -> list[FoundLine]:
        """Every line of an object of this kind that is not blank: the person's, whatever it says."""
        content = open_content(raw_zone.path_of(key), encoding, fingerprint=raw_zone.fingerprint_of(key))
        return find_lines(
            content,
            lambda body: None if is_blank(body) else "planned",
            lambda line: self.texts.update(texts_of(line.body, landing)),
        )


def has_words(landing: Landing) -> bool:
    """Whether a search may find somebody in files of a kind. What is said in sound or seen in pixels is not looked at,
    and such files are large."""
    return landing.facts not in ("audio", "video", "image")


def asset_lines(raw_zone: RawZone, row: Mapping[str, Any], search: Search, landing: Landing) -> AssetLines:
    key, encoding = row["raw_zone_key"], row["content_encoding"]
    lines = search.lines(raw_zone, key, encoding, landing) if raw_zone.has(key) else []
    return _of_lines(row, lines, row["known_lines"])


def _of_lines(row: Mapping[str, Any], lines: Sequence[FoundLine], known: Iterable[int]) -> AssetLines:
    return AssetLines(
        row["asset_id"],
        row["raw_zone_key"],
        row["content_encoding"],
        tuple(row["source_paths"]),
        tuple(sorted({line.number for line in lines} | set(known))),
        tuple(lines),
        {line.number: line.end - line.start for line in lines if line.end - line.start > MAX_LINE_BYTES},
    )


def whole_files(
    rows: Sequence[Mapping[str, Any]], records: Set[Record], kinds: Mapping[str, Landing], raw_zone: RawZone
) -> tuple[list[Mapping[str, Any]], frozenset[Record]]:
    """The assets that are whole and are erased with one of these records, or with one that is, and so on, whatever lies
    in them. And all these records. A file that an erasure took before is not taken again."""
    # Its own record first: another version of it may name none of the others, and goes with it.
    named = {
        row["asset_id"]: tuple(records_of_file(row["declaration"], row["record_kind"], landing))
        for row in rows
        if (landing := landing_of(kinds, row["record_kind"])).is_composed
        and raw_zone.fingerprint_of(row["raw_zone_key"]) != NO_BYTES
    }
    are_records = {row["asset_id"] for row in rows if landing_of(kinds, row["record_kind"]).facts is not None}
    gone = set(records)
    taken: set[int] = set()
    while more := {asset_id for asset_id, its in named.items() if not gone.isdisjoint(its)} - taken:
        taken |= more
        gone |= {named[asset_id][0] for asset_id in more if asset_id in are_records}
    return [row for row in rows if row["asset_id"] in taken], frozenset(gone)


def whole_asset(cursor: Any, raw_zone: RawZone, row: Mapping[str, Any], search: Search, landing: Landing) -> AssetLines:
    """All of an asset that goes whole. Where the object of a file of lines is gone, Bronze says which they were."""
    if landing.facts is not None:
        return _whole_file(raw_zone, row)
    key = row["raw_zone_key"]
    if raw_zone.has(key):
        return replace(
            _of_lines(row, search.all_lines(raw_zone, key, row["content_encoding"], landing), ()), is_whole=True
        )
    cursor.execute(
        "select distinct line_number from bronze.asset_line where asset_id = %s and kind <> 'blank'", (row["asset_id"],)
    )
    return replace(_of_lines(row, (), [number for (number,) in cursor.fetchall()]), is_whole=True)


def _whole_file(raw_zone: RawZone, row: Mapping[str, Any]) -> AssetLines:
    is_archived = raw_zone.has(row["raw_zone_key"])
    return AssetLines(
        row["asset_id"],
        row["raw_zone_key"],
        row["content_encoding"],
        tuple(row["source_paths"]),
        (1,),
        (FoundLine(1, 0, row["content_bytes"], "planned"),) if is_archived else (),
        {},
        is_whole=True,
        is_file=True,
    )


def texts_of(body: bytes, landing: Landing) -> Iterator[str]:
    """What a line of a kind says that could be found elsewhere and is nobody else's: its free text, and itself."""
    with suppress(orjson.JSONDecodeError):
        record = orjson.loads(body)
        if isinstance(record, dict):
            said = (record.get(field.name) for field in landing.fields if field.says_of_persons)
            yield from (text for value in said for text in _texts(value))
    with suppress(ValueError):
        # As Bronze keeps it, numbers as they were delivered.
        record = read_exactly(body.decode())
        if isinstance(record, dict):
            kept = {name: value for name, value in record.items() if name not in landing.envelope}
            yield orjson.dumps(kept, default=number_json, option=orjson.OPT_SORT_KEYS).decode()
    yield body.decode(errors="replace")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def encoding_of(key: str) -> ContentEncoding:
    return "gzip" if key.endswith(".gz") else "identity"


def landed_kinds(settings: Settings) -> Mapping[str, Landing]:
    """What each kind that lands declares, by its name."""
    kinds = load_kinds(settings.project_root / "contracts")
    return {name: kind.landing for name, kind in kinds.items() if kind.landing is not None}


def kinds_of_objects(cursor: Any, kinds: Mapping[str, Landing]) -> dict[str, list[Landing]]:
    """Under which kinds the assets of each registered object are read, by its key. Raises as landing_of does."""
    cursor.execute("select raw_zone_key, array_agg(distinct record_kind) from ops.source_asset group by raw_zone_key")
    return {key: [landing_of(kinds, name) for name in names] for key, names in cursor.fetchall()}


def landing_of(kinds: Mapping[str, Landing], record_kind: str) -> Landing:
    """What the kind of an asset declares. Raises RefusedError where it is not declared here any more: whose its lines
    are cannot be told, so nobody can be erased from them."""
    if record_kind not in kinds:
        folder = f"contracts/kinds/{record_kind}"
        raise RefusedError(
            f"the archive has files of {record_kind}, which {folder} does not declare here: whose their lines are"
            " cannot be told. Nothing was changed",
            next_command=f"git log --oneline -- {folder}   # says which commit to take it back from",
        )
    return kinds[record_kind]
