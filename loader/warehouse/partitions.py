"""Whether each kind's table is the partition of Bronze that it is declared as, and what puts it there where it is not.

Its owner can take it away whole, and no row tells of that: who reads bronze.record_event finds nothing, and what is
loaded lands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.errors import RefusedError
from loader.printable import pasted

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

# Bronze's tables where they are not there, their triggers, made anew and switched on, and who may read them.
MAKES_ANEW = (
    "loader psql --role loader -v ON_ERROR_STOP=1 -1 -f infra/postgres/02_bronze.sql -f infra/postgres/02_kinds.sql"
    " -f infra/postgres/03_proof.sql -f infra/postgres/90_access.sql"
)
_KINDS_FILE = "02_kinds.sql"
_DECLARED = re.compile(r"bronze\.(\w+) partition of bronze\.record_event for values in \('(\w+)'\)")
# What a shell leaves as it is between double quotes.
_PLAIN = re.compile(r"[\w .,;()']+", re.ASCII)

# Tables that hold events, or have a kind's name: as SQL writes them, and of which kind, where they are partitions.
_TABLES = """
select relation.relname::text, quote_ident(relation.relname),
    (regexp_match(pg_get_expr(relation.relpartbound, relation.oid), '^FOR VALUES IN \\(''(.*)''\\)$'))[1]
from pg_class as relation
left join pg_inherits on inhrelid = relation.oid and inhparent = 'bronze.record_event'::regclass
where relation.relnamespace = 'bronze'::regnamespace and relation.relkind = 'r'
    and (inhparent is not null or relation.relname = any(%s)
        or array(select attname || ' ' || atttypid from pg_attribute
            where attrelid = relation.oid and attnum > 0 and not attisdropped order by attname)
        = array(select attname || ' ' || atttypid from pg_attribute
            where attrelid = 'bronze.record_event'::regclass and attnum > 0 and not attisdropped order by attname))
order by relation.oid
"""


class PartitionAwayError(RefusedError):
    """A kind's table is no partition of Bronze, or no kind is declared of one: nothing of that kind can be read, landed
    or proved."""


@dataclass(frozen=True, slots=True)
class _Table:
    """`identifier`: its name as SQL writes it; `kind`: whose partition it is, None where it is none."""

    name: str
    identifier: str
    kind: str | None


def declared_partitions(files: Path) -> Mapping[str, str]:
    """The table of each landed kind in infra/postgres, and the kind."""
    return dict(_DECLARED.findall((files / _KINDS_FILE).read_text(encoding="utf-8")))


def require_partitions(connection: Connection, files: Path) -> None:
    """Raise PartitionAwayError, with nothing changed, where a kind's table is not the partition that it is declared as,
    or is empty while another table holds what it held; and where Bronze holds records of a kind that is not declared:
    no proof would see them."""
    declared = declared_partitions(files)
    with connection, connection.cursor() as cursor:
        cursor.execute(_TABLES, (list(declared),))
        tables = [_Table(*row) for row in cursor.fetchall()]
        beside = [table for table in tables if table.kind is None and table.name not in declared]
        for table in tables:
            if table.kind is not None and table.kind not in declared.values() and _first_kind(cursor, table):
                raise _undeclared(table)
        for name, kind in declared.items():
            own = next((table for table in tables if table.name == name), None)
            held = [table for table in beside if _first_kind(cursor, table) == kind]
            if own is None or own.kind != kind:
                holder = next((table for table in tables if table.kind == kind), None)
                raise _away(name, kind, own, holder, held)
            if held and _first_kind(cursor, own) is None:
                raise _refusal(
                    f"bronze.{name}: it is empty, and bronze.{held[0].identifier} holds events of {kind}",
                    [f"drop table bronze.{name} cascade", *_put_back(held[0], name, kind)],
                )


def _undeclared(table: _Table) -> PartitionAwayError:
    folder = f"contracts/kinds/{table.kind}"
    return PartitionAwayError(
        f"bronze.{table.identifier}: it holds records of {table.kind}, which {folder} does not declare here. As long as"
        " there are records, their kind is needed to prove and to erase them. Nothing was read or changed",
        next_command=f"git log --oneline -- {folder}   # says which commit to take it, and its models, back from",
    )


def _first_kind(cursor: Any, table: _Table) -> str | None:
    """The kind of the table's first event; None where it has none."""
    cursor.execute(f"select (select record_kind from bronze.{table.identifier} limit 1)")
    (kind,) = cursor.fetchone()
    return None if kind is None else str(kind)


def _away(name: str, kind: str, own: _Table | None, holder: _Table | None, held: list[_Table]) -> PartitionAwayError:
    """`own`: the table of that name; `holder`: the kind's partition; `held`: other tables with events of it."""
    old = own or next(iter(held), None)
    expected = f"bronze.{name}: expected the partition of bronze.record_event for {kind}"
    detach = [] if holder is None else [f"alter table bronze.record_event detach partition bronze.{holder.identifier}"]
    if old is not None:
        found = "it is detached" if old is own else f"it is not there, and bronze.{old.identifier} holds what it held"
        return _refusal(f"{expected}; {found}", [*detach, *_put_back(old, name, kind)])
    if holder is not None:
        found = f"that is bronze.{holder.identifier}"
        return _refusal(f"{expected}; {found}", [f"alter table bronze.{holder.identifier} rename to {name}"])
    return PartitionAwayError(
        f"{expected}; it is not there. Nothing was read or changed",
        next_command=f"{MAKES_ANEW}   # makes it anew, empty; then make build, which says what brings its rows back",
    )


def _put_back(table: _Table, name: str, kind: str) -> list[str]:
    rename = [] if table.name == name else [f"alter table bronze.{table.identifier} rename to {name}"]
    return [*rename, f"alter table bronze.record_event attach partition bronze.{name} for values in ('{kind}')"]


def _refusal(found: str, statements: list[str]) -> PartitionAwayError:
    """With the statements as one transaction of psql."""
    text = "; ".join(statements)
    word = f'"{text}"' if _PLAIN.fullmatch(text) else pasted(text)
    return PartitionAwayError(
        f"{found}. Nothing was read or changed",
        next_command=f"loader psql --role loader -c {word}   # puts it back; then make build, which proves it",
    )
