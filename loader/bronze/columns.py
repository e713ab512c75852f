"""The three Bronze tables as Arrow schemas and dlt column hints, from one list.

The tables themselves are ours (infra/postgres/02_bronze.sql); a test compares the two. dlt's data types say how
values travel in Parquet; what they fill is the tables' own: by binary COPY, Arrow binary of 16 bytes fills `uuid`, and
a list of strings `text[]`. By the plain route, dlt's CSV files and PostgreSQL's own COPY, every value travels as text:
slower, and built on documented behaviour only, for a version of dlt or ADBC under which the fast route fails
(docs/decisions/0002).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

# What all rows of a load share: the load adds it, the reader does not know it.
RUN_ID = "run_id"
RECORD_KIND = "record_kind"
LOAD_ID = "_dlt_load_id"
_INSTANT = pa.timestamp("us", "UTC")
_TEXT_LIST = pa.list_(pa.string())

# PostgreSQL type -> (Arrow type, dlt data type)
_TYPES: dict[str, tuple[pa.DataType, str]] = {
    "uuid": (pa.binary(), "binary"),
    "bytea": (pa.binary(), "binary"),
    "text": (pa.string(), "text"),
    "text[]": (_TEXT_LIST, "json"),
    "timestamptz": (_INSTANT, "timestamp"),
    "date": (pa.date32(), "date"),
    "integer": (pa.int32(), "bigint"),
    "bigint": (pa.int64(), "bigint"),
}


@dataclass(frozen=True, slots=True)
class BronzeTable:
    """`columns`: (name, PostgreSQL type, nullable) in load order; `key`: the primary key."""

    name: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str, bool], ...]

    @property
    def arrow_schema(self) -> pa.Schema:
        return pa.schema([pa.field(name, _TYPES[kind][0], nullable=nullable) for name, kind, nullable in self.columns])

    @property
    def read_schema(self) -> pa.Schema:
        """The columns that a reader fills."""
        return pa.schema([field for field in self.arrow_schema if field.name not in (RECORD_KIND, RUN_ID, LOAD_ID)])

    def dlt_columns(self, *, is_text: bool = False) -> dict[str, dict[str, Any]]:
        """dlt's hints; `is_text`: for rows of csv_route, whose bytes and lists are text."""
        found = {name: {"data_type": _TYPES[kind][1], "nullable": nullable} for name, kind, nullable in self.columns}
        for hint in found.values():
            if is_text and hint["data_type"] in ("binary", "json"):
                hint["data_type"] = "text"
        return found


# The events of every kind; rows are loaded into the kind's own partition.
RECORD_EVENT = BronzeTable(
    "record_event",
    ("event_id",),
    (
        ("record_kind", "text", False),
        ("event_id", "uuid", False),
        ("record_fingerprint", "bytea", False),
        ("record_source", "text", False),
        ("record_key", "text", False),
        ("person_id", "text", True),
        ("created_at", "timestamptz", False),
        ("updated_at", "timestamptz", True),
        ("partition_key", "date", False),
        ("raw_payload", "text", False),
        ("envelope", "text", False),
        ("warning_codes", "text[]", False),
        ("asset_id", "integer", False),
        ("line_number", "integer", False),
        ("run_id", "uuid", False),
        ("_dlt_load_id", "text", False),
    ),
)

ASSET_LINE = BronzeTable(
    "asset_line",
    ("asset_id", "line_number", "ruleset_id"),
    (
        ("byte_offset", "bigint", False),
        ("byte_length", "bigint", False),
        ("event_id", "uuid", True),
        ("asset_id", "integer", False),
        ("line_number", "integer", False),
        ("ruleset_id", "integer", False),
        ("partition_key", "date", True),
        ("kind", "text", False),
        ("_dlt_load_id", "text", False),
    ),
)

REJECTED_RECORD = BronzeTable(
    "rejected_record",
    ("asset_id", "line_number", "ruleset_id"),
    (
        ("asset_id", "integer", False),
        ("line_number", "integer", False),
        ("ruleset_id", "integer", False),
        ("partition_key", "date", True),
        ("reason_codes", "text[]", False),
        ("message", "text", False),
        ("json_path", "text", False),
        ("raw_line", "bytea", False),
        ("raw_line_sha256", "bytea", False),
        ("run_id", "uuid", False),
        ("_dlt_load_id", "text", False),
    ),
)

BRONZE = (RECORD_EVENT, ASSET_LINE, REJECTED_RECORD)


def as_text(rows: pa.Table, table: BronzeTable) -> pa.Table:
    """The same rows with uuid, bytea and text[] as PostgreSQL writes them; other types are text in CSV anyway."""
    kinds = {name: kind for name, kind, _ in table.columns}
    for place, name in enumerate(rows.column_names):
        written = _WRITTEN.get(kinds[name])
        if written is not None:
            values = [None if value is None else written(value) for value in rows.column(name).to_pylist()]
            rows = rows.set_column(place, name, pa.array(values, pa.string()))
    return rows


def _array(values: list[str]) -> str:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


_WRITTEN: dict[str, Callable[..., str]] = {
    "uuid": lambda value: str(uuid.UUID(bytes=value)),
    "bytea": lambda value: "\\x" + value.hex(),
    "text[]": _array,
}
