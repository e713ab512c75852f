"""What an erasure would remove: a person's lines, found in the archive itself, and all rows that came of them.

The plan is a file that people pass on, so it names nobody: the customer is a keyed hash, tickets are counts. Layout:
`<reports>/erase/erase_plan_<plan_id>.json`; schema contracts/privacy/erasure_plan_v1.schema.json.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson

from loader.config import Settings
from loader.contract.schema import load_schema, schema_faults
from loader.errors import CommandUsageError
from loader.evidence.facts import fetch_rows
from loader.evidence.files import write_json
from loader.privacy.look_alikes import look_alikes
from loader.privacy.person import customer_hash, is_named_in, may_name, owners
from loader.privacy.redaction import FoundLine, find_lines
from loader.raw_zone import RawZone, require_objects
from loader.reader import MAX_LINE_BYTES, ContentChangedError, ContentEncoding, Line, open_content, open_regular
from loader.runs.operator import acting_operator
from loader.runs.prefix import plan_path
from loader.warehouse.kinds import released_kinds

SCHEMA_VERSION = "erasure_plan_v1"
SCHEMA_FILE = Path("privacy/erasure_plan_v1.schema.json")

_ASSETS = """
select asset.asset_id, asset.raw_zone_key, asset.content_encoding,
    array(select distinct entry.source_url_or_path from ops.manifest_asset as entry
        where entry.asset_id = asset.asset_id order by 1) as source_paths,
    -- Lines of the person that Bronze knows, for an object that is gone.
    array(select distinct line.line_number from bronze.record_event as event
        inner join bronze.asset_line as line on line.event_id = event.event_id
        where event.person_id = %(customer)s and line.asset_id = asset.asset_id order by 1) as known_lines
from ops.source_asset as asset order by asset.asset_id
"""

_COUNTS = """
select
    (select count(*) from bronze.record_event where person_id = %(customer)s) as event_count,
    (select count(distinct record_key) from bronze.record_event where person_id = %(customer)s) as ticket_count,
    (select count(*) from bronze.rejected_record as reject
        inner join unnest(%(assets)s::int[], %(lines)s::int[]) as line (asset_id, line_number)
        using (asset_id, line_number)) as reject_count,
    (select count(*) from ({released}) as held) as released_row_count,
    array(select distinct partition_key from bronze.record_event where person_id = %(customer)s
        union select distinct partition_key from ({released}) as held
        order by 1) as partitions
"""


_KNOWN = """
select person_id, count(*)::int from bronze.record_event
where person_id <> %s group by person_id order by person_id
"""


@dataclass(frozen=True, slots=True)
class AssetLines:
    """An asset that holds lines of the person. `lines` empty: its object is gone, and `numbers` are Bronze's."""

    asset_id: int
    raw_zone_key: str
    content_encoding: ContentEncoding
    source_paths: tuple[str, ...]
    numbers: tuple[int, ...]
    lines: tuple[FoundLine, ...]
    # Bytes of each line beyond what a reader takes for a line; such a line is rejected, blank or not.
    too_long: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """See the schema for every field. Never written: `texts`, what the person's lines say, to search for at the end,
    and the ids in `look_alikes`, each with its keyed hash and its events: other customers who may be the same person.
    """

    customer_hash: bytes
    reason: str
    assets: tuple[AssetLines, ...]
    unregistered_keys: tuple[str, ...]
    counts: Mapping[str, int]
    partitions: tuple[date, ...]
    mention_count: int
    texts: frozenset[str]
    look_alikes: tuple[tuple[str, bytes, int], ...] = ()
    plan_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    operator: str = field(default_factory=acting_operator)

    @property
    def line_count(self) -> int:
        return sum(len(asset.numbers) for asset in self.assets)

    @property
    def is_empty(self) -> bool:
        return not self.assets and not self.unregistered_keys and not any(self.counts.values())

    def report_path(self, settings: Settings) -> Path:
        return settings.report_dir / "erase" / f"erase_plan_{self.plan_id}.json"

    def as_record(self, settings: Settings) -> dict[str, Any]:
        """The plan as JSON-ready values, without the customer id and without anything that the person's lines say."""
        return {
            "plan_schema_version": SCHEMA_VERSION,
            "plan_id": self.plan_id,
            "customer_hash": self.customer_hash.hex(),
            "reason": self.reason,
            "operator": self.operator,
            "timestamp": self.timestamp,
            "line_count": self.line_count,
            **self.counts,
            "mention_count": self.mention_count,
            "look_alikes": [
                {"customer_hash": keyed.hex(), "event_count": count} for _, keyed, count in self.look_alikes
            ],
            "partitions": [day.isoformat() for day in self.partitions],
            "assets": [
                {
                    "asset_id": asset.asset_id,
                    "raw_zone_key": asset.raw_zone_key,
                    "is_archived": bool(asset.lines),
                    "line_count": len(asset.numbers),
                    "source_paths": list(asset.source_paths),
                }
                for asset in self.assets
            ],
            "unregistered_objects": list(self.unregistered_keys),
            "report_path": settings.named(self.report_path(settings)),
        }

    def write(self, settings: Settings) -> Path:
        """Write the plan where report_path says; returns that path. Raises InfrastructureError."""
        path = self.report_path(settings)
        write_json(path, self.as_record(settings))
        return path


def make_erasure_plan(cursor: Any, settings: Settings, customer_id: str, reason: str) -> ErasurePlan:
    """What an erasure of this customer would remove now: reads every archived object and asks the warehouse; writes
    nothing.

    Raises CommandUsageError for an id or a reason that cannot be used, RefusedError where an archived object is
    damaged: what cannot be read cannot be searched.
    """
    _refuse_unusable(customer_id, reason)
    raw_zone = RawZone(settings.raw_zone)
    cursor.execute("select hash_key from ops.erasure_key")
    key = bytes(cursor.fetchone()[0])
    search = _Search(customer_id)
    assets = []
    registered = set()
    for row in fetch_rows(cursor, _ASSETS, {"customer": customer_id}):
        registered.add(row["raw_zone_key"])
        try:
            found = _asset_lines(raw_zone, row, search)
        except ContentChangedError:
            # What cannot be read cannot be searched.
            require_objects(cursor, settings, [row["raw_zone_key"]], are_read=True)
            raise
        if found.numbers:
            assets.append(found)
    unregistered = tuple(
        archived
        for archived in raw_zone.objects()
        if archived not in registered and search.lines(raw_zone, archived, _encoding(archived))
    )
    pairs = [(asset.asset_id, number) for asset in assets for number in asset.numbers]
    parameters = {
        "customer": customer_id,
        "assets": [asset_id for asset_id, _ in pairs],
        "lines": [number for _, number in pairs],
    }
    (counts,) = fetch_rows(cursor, _COUNTS.format(released=_released_rows(cursor)), parameters)
    partitions = tuple(counts.pop("partitions"))
    cursor.execute(_KNOWN, (customer_id,))
    known = dict(cursor.fetchall())
    return ErasurePlan(
        customer_hash(key, customer_id),
        reason.strip(),
        tuple(assets),
        unregistered,
        counts,
        partitions,
        search.mention_count,
        frozenset(search.texts),
        tuple((each, customer_hash(key, each), known[each]) for each in look_alikes(customer_id, known)),
    )


def _released_rows(cursor: Any) -> str:
    """SQL of the days of the person's released rows, of every kind whose records have one."""
    return " union all ".join(
        f"select partition_key from {kind.rows} where {kind.person_column} = %(customer)s"
        for kind in released_kinds(cursor)
        if kind.person_column is not None
    )


def read_erasure_plan(settings: Settings, path: Path) -> dict[str, Any]:
    """The record of a plan file, or of the plan whose id begins with `path`. Raises CommandUsageError when it cannot be
    read or breaks its schema."""
    path = plan_path(settings.report_dir, path, ["erase"])
    try:
        with open_regular(path) as file:
            record = orjson.loads(file.read())
    except (OSError, orjson.JSONDecodeError) as error:
        raise CommandUsageError(
            f"plan {path} cannot be read: {error}; nothing was started", next_command="loader erase --help"
        ) from error
    faults = schema_faults(load_schema(settings.project_root / "contracts" / SCHEMA_FILE), record)
    if faults:
        raise CommandUsageError(
            f"plan {path}: {faults[0].json_path}: {faults[0].message}; nothing was started",
            next_command="loader erase --help",
        )
    assert isinstance(record, dict)
    return record


class _Search:
    """A search for one person's lines; keeps what these lines say, and counts other lines that mention the id."""

    def __init__(self, customer_id: str) -> None:
        self._customer_id = customer_id
        self.mention_count = 0
        self.texts: set[str] = set()

    def lines(self, raw_zone: RawZone, key: str, encoding: ContentEncoding) -> list[FoundLine]:
        content = open_content(raw_zone.path_of(key), encoding, fingerprint=raw_zone.fingerprint_of(key))
        return find_lines(content, self._erasure_of, self._note)

    def _erasure_of(self, body: bytes) -> str | None:
        if not may_name(body, self._customer_id):
            return None
        if self._customer_id in owners(body):
            return "planned"
        self.mention_count += is_named_in(body.decode(errors="replace"), self._customer_id)
        return None

    def _note(self, line: Line) -> None:
        self.texts.update(texts_of(line.body))


def texts_of(body: bytes) -> Iterator[str]:
    """What a line says that could be found elsewhere and is nobody else's: its free text, and itself."""
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError:
        record = None
    if isinstance(record, dict):
        yield from (text for name in ("subject", "description") if isinstance(text := record.get(name), str))
        record.pop("ingest_batch_id", None)
        yield orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()
    yield body.decode(errors="replace")


def _asset_lines(raw_zone: RawZone, row: Mapping[str, Any], search: _Search) -> AssetLines:
    key, encoding = row["raw_zone_key"], row["content_encoding"]
    lines: Sequence[FoundLine] = search.lines(raw_zone, key, encoding) if raw_zone.has(key) else ()
    numbers = sorted({line.number for line in lines} | set(row["known_lines"]))
    return AssetLines(
        row["asset_id"],
        key,
        encoding,
        tuple(row["source_paths"]),
        tuple(numbers),
        tuple(lines),
        {line.number: line.end - line.start for line in lines if line.end - line.start > MAX_LINE_BYTES},
    )


def _encoding(key: str) -> ContentEncoding:
    return "gzip" if key.endswith(".gz") else "identity"


def _refuse_unusable(customer_id: str, reason: str) -> None:
    said = "nothing was planned"
    is_text = customer_id.encode(errors="replace").decode() == customer_id
    if not customer_id.strip() or not is_text or "\0" in customer_id or "\n" in customer_id:
        raise CommandUsageError(
            f"--customer: got {customer_id!r}, expected a customer id; {said}", next_command="loader erase --help"
        )
    if not reason.strip() or is_named_in(reason, customer_id):
        raise CommandUsageError(
            "--reason: expected that it says something, and that it does not name the customer: it is kept for good;"
            f" {said}",
            next_command="loader erase --customer <id> --reason 'request 4711 of 2026-11-20'",
        )
