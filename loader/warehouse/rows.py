"""Rows of a query by column name, and their values as JSON keeps them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any


def fetch_rows(cursor: Any, query: str, parameters: Any) -> list[dict[str, Any]]:
    """Run a query and return its rows by column name, counts as whole numbers."""
    cursor.execute(query, parameters)
    names = [column.name for column in cursor.description]
    return [{name: _counted(name, value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _counted(name: str, value: Any) -> Any:
    """PostgreSQL sums counts as numeric; a count is a whole number. Digests stay exact decimals."""
    return int(value) if isinstance(value, Decimal) and not name.endswith("_digest") else value


def json_value(value: Any) -> Any:
    """A database value as JSON keeps it: instants in ISO 8601 UTC, digests as text (they exceed 53 bits)."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
