"""The plain route into Bronze: every value as text, by dlt's CSV files and PostgreSQL's own COPY.

Slower than binary COPY, and built on documented behaviour only: PostgreSQL reads each value by its type's input
function. For a version of dlt or ADBC under which the fast route fails (docs/decisions/0002).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pyarrow as pa

from loader.bronze.columns import BronzeTable


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
