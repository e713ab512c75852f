"""The kinds that have released rows, as the warehouse says (infra/postgres/04_release_rows.sql)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_COLUMNS = """
select attname, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped
    and attname not in ('first_release_id', 'end_release_id', 'row_digest')
order by attnum
"""

# Instants and days whose text follows no setting of the session.
_TEXT_OF = {"timestamp with time zone": "ops.instant_text({})", "date": "({} - date '2000-01-01')"}


@dataclass(frozen=True, slots=True)
class ReleasedKind:
    """`key_column`, `person_column`: of its rows; None: they do not show whose they are. `dimensions`: models of Silver
    that follow from its own."""

    record_kind: str
    bronze_table: str
    table_name: str
    key_column: str
    person_column: str | None
    dimensions: tuple[str, ...] = ()

    @property
    def built(self) -> tuple[str, ...]:
        """Every table of Silver that is built from its records."""
        return (self.silver, *(f"silver.{name}" for name in self.dimensions))

    @property
    def rows(self) -> str:
        """The table of its released rows."""
        return f"release.{self.table_name}"

    @property
    def silver(self) -> str:
        return f"silver.{self.table_name}"

    @property
    def served(self) -> str:
        """What its readers look through."""
        return f"serving.{self.table_name}"

    def columns(self, cursor: Any) -> list[tuple[str, str]]:
        """Name and type of the columns that readers see."""
        cursor.execute(_COLUMNS, (self.rows,))
        return [(name, kind) for name, kind in cursor.fetchall()]

    def row_digest(self, cursor: Any, alias: str) -> str:
        """SQL of a row's digest: of its text, without what is null at its end. A column that was declared since is the
        last one, and null in rows from before: their digests stay."""
        row = ", ".join(_TEXT_OF.get(kind, "{}").format(f"{alias}.{name}") for name, kind in self.columns(cursor))
        return f"ops.digest64(rtrim(row({row})::text, ',)') || ')')"


def released_kinds(cursor: Any) -> tuple[ReleasedKind, ...]:
    """Every kind with a model in Silver, by its name."""
    cursor.execute(
        "select record_kind, bronze_table, table_name, key_column, person_column, dimensions"
        " from release.released_kind order by record_kind"
    )
    return tuple(ReleasedKind(*(*row, tuple(dimensions))) for *row, dimensions in cursor.fetchall())
