"""What is left of a person after an erasure: every row of every table, and what the planner remembers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql

from loader.bounds import KEPT_LINE_BYTES
from loader.erasure.traces import landing_of
from loader.erasure.whose import KIND_OF, owners_of_rows
from loader.kinds import Field, Landing
from loader.privacy import is_named_in, owners
from loader.warehouse import built

# Shorter texts say nothing of one person ("Hello", "n/a") and stand everywhere.
_SHORTEST_TEXT = 12
_REJECTS = ("bronze", "rejected_record")
# The loader reads its own tables, and what a superuser has let it read; all others are read as omni_transform, whatever
# their owner hung on them.
_IS_OWN = """(
    class.relowner = 'omni_loader'::regrole
    or (
        exists (select from pg_roles where pg_roles.oid = class.relowner and rolsuper)
        and has_schema_privilege('omni_loader', namespace.oid, 'usage')
        and has_table_privilege('omni_loader', class.oid, 'select')
        -- Types that are somebody's own bring their casts along.
        and not exists (
            select from pg_attribute as typed
            where typed.attrelid = class.oid and typed.attnum > 0 and typed.atttypid >= 16384)
    )
)"""
_TABLES = f"""
select namespace.nspname, class.relname,
    -- A count or an instant is nobody's name, and any number is somewhere a place of a byte.
    array_agg(attribute.attname::text order by attribute.attnum)
        filter (where type.typname not in ('bytea', 'uuid') and type.typcategory not in ('B', 'D', 'N', 'T')) as plain,
    array_agg(attribute.attname::text order by attribute.attnum) filter (where type.typname = 'bytea') as binary,
    -- A table of this project that cannot be read fails the search; others may have tables of their own beside it.
    namespace.nspname = any('{{bronze,ops,release,staging,silver,reconcile,serving}}')
        or has_schema_privilege(namespace.oid, 'usage') and has_table_privilege(class.oid, 'select') as is_searched
from pg_class as class
inner join pg_namespace as namespace on namespace.oid = class.relnamespace
inner join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum > 0
    and not attribute.attisdropped
inner join pg_type as type on type.oid = attribute.atttypid
where class.relkind in ('r', 'm') and namespace.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    and {_IS_OWN} = %s
    and not pg_is_other_temp_schema(namespace.oid) and namespace.oid <> pg_my_temp_schema()
group by namespace.oid, namespace.nspname, class.oid, class.relname order by namespace.nspname, class.relname
"""

# Columns of which the planner remembers the text. A case keeps the order: values of a type that is somebody's own are
# not even written as text where they are another's.
_STATISTICS = f"""
select schemaname, tablename, attname, concat_ws(chr(10), most_common_vals::text, histogram_bounds::text)
from pg_stats
where case
    when schemaname in ('pg_catalog', 'information_schema') or exists (
        select from pg_class as class
        inner join pg_namespace as namespace on namespace.oid = class.relnamespace
        inner join pg_attribute as attribute on attribute.attrelid = class.oid
        inner join pg_type as type on type.oid = attribute.atttypid
        where namespace.nspname = schemaname and class.relname = tablename and attribute.attname = pg_stats.attname
            and ({_IS_OWN} <> %s
                or type.typname = 'uuid' or type.typcategory in ('B', 'D', 'N', 'T'))
    ) then false
    else strpos(concat_ws(chr(10), most_common_vals::text, histogram_bounds::text), %s) > 0
end
"""


@dataclass(slots=True)
class Remains:
    """Places that still hold the person, with how often; how many lines and rows of others mention the id, which an
    erasure leaves alone; and tables of others that dbt's role may not read."""

    found: Counter[str] = field(default_factory=Counter)
    mention_count: int = 0
    not_searched: list[str] = field(default_factory=list)


def searched(texts: Iterable[str]) -> list[str]:
    """Those of the texts that are long enough to be somebody's."""
    return [text for text in texts if len(text) >= _SHORTEST_TEXT]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that may be the person's. `owners` None: nothing says whose it is; `record_kind`: of a rejected line."""

    table: str
    text: str
    contents: Sequence[bytes]
    owners: Sequence[str] | None
    record_kind: str | None


def search_rows(cursor: Any, kinds: Mapping[str, Landing], person_id: str, texts: Iterable[str]) -> Remains:
    """Every row of every table, and the planner's statistics."""
    remains = Remains()
    needles = searched(texts)
    whose_rows = owners_of_rows(cursor)
    for reader, is_own in ((cursor, True), (built(cursor), False)):
        reader.execute(_TABLES, (is_own,))
        read = set()
        for schema, table, plain, binary, is_searched in reader.fetchall():
            if not is_searched:
                remains.not_searched.append(f"{schema}.{table}")
                continue
            read.add((schema, table))
            owners = whose_rows.of(f"{schema}.{table}", plain or [])
            of_table = _SearchedTable(schema, table, plain or [], binary or [], owners, whose_rows.nameless)
            for row in _suspicious(reader, of_table, [person_id, *needles]):
                _judge(remains, kinds, row, person_id, needles)
        reader.execute(_STATISTICS, (is_own, person_id))
        for schema, table, column, text in reader.fetchall():
            # What rows of others still say is remembered of them.
            is_held = (schema, table) in read and _is_held(reader, schema, table, column, person_id)
            if is_named_in(text, person_id) and not is_held:
                remains.found[f"statistics of {schema}.{table}"] += 1
    return remains


def _is_held(cursor: Any, schema: str, table: str, column: str, person_id: str) -> bool:
    cursor.execute(
        sql.SQL("select {column}::text from {table} where strpos({column}::text, %s) > 0").format(
            column=sql.Identifier(column), table=sql.Identifier(schema, table)
        ),
        (person_id,),
    )
    return any(is_named_in(text, person_id) for (text,) in cursor)


@dataclass(frozen=True, slots=True)
class _SearchedTable:
    """`plain` and `binary`: columns that may hold text; `owners`: those that say whose a row is, None: nothing does,
    unless it is of one of the `nameless` kinds."""

    schema: str
    name: str
    plain: Sequence[str]
    binary: Sequence[str]
    owners: Sequence[str] | None
    nameless: Sequence[str]


def _suspicious(cursor: Any, table: _SearchedTable, needles: Sequence[str]) -> Iterator[_Row]:
    """Rows that hold one of the texts somewhere."""
    # In Bronze the texts of others may be the same; whose a row is, its person says.
    wanted = needles[:1] if table.schema == "bronze" else needles
    text = sql.SQL("concat_ws(chr(10), {})").format(
        sql.SQL(", ").join(
            [sql.SQL("{}::text").format(sql.Identifier(name)) for name in table.plain] or [sql.SQL("''")]
        )
    )
    content = sql.SQL("array[{}]::bytea[]").format(
        sql.SQL(", ").join(sql.SQL("coalesce({}, '')").format(sql.Identifier(name)) for name in table.binary)
    )
    owner = sql.SQL("null::text[]")
    if table.owners is not None:
        owner = sql.SQL("array[{}]::text[]").format(sql.SQL(", ").join(map(sql.Identifier, table.owners)))
    elif (kind_of := KIND_OF.get(f"{table.schema}.{table.name}")) is not None:
        owner = sql.SQL("case when {kind} = any({nameless}) then '{{}}'::text[] end").format(
            kind=sql.SQL(kind_of), nameless=sql.Literal(list(table.nameless))
        )
    kind = sql.SQL("null::text")
    if (table.schema, table.name) == _REJECTS:
        kind = sql.SQL("(select record_kind from ops.source_asset as asset where asset.asset_id = held.asset_id)")
    cursor.execute(
        sql.SQL(
            "select row_text, row_bytes, owners, record_kind from ("
            " select {text} as row_text, {content} as row_bytes, {owner} as owners, {kind} as record_kind"
            " from {table} as held offset 0"
            ") as row where exists (select from unnest(%s::text[]) as needle"
            " where strpos(row_text, needle) > 0 or exists (select from unnest(row_bytes) as bytes"
            " where position(convert_to(needle, 'UTF8') in bytes) > 0))"
        ).format(text=text, content=content, owner=owner, kind=kind, table=sql.Identifier(table.schema, table.name)),
        (list(wanted),),
    )
    for row_text, row_bytes, whose, record_kind in cursor:
        yield _Row(f"{table.schema}.{table.name}", row_text, [bytes(each) for each in row_bytes], whose, record_kind)


def _judge(remains: Remains, kinds: Mapping[str, Landing], row: _Row, person_id: str, needles: Sequence[str]) -> None:
    everything = "\n".join([row.text, *(content.decode(errors="replace") for content in row.contents)])
    is_named = is_named_in(everything, person_id)
    if row.record_kind is not None:
        # Each by itself: with the hash of the line behind it, no line is JSON, and is everybody's whom it mentions.
        person = landing_of(kinds, row.record_kind).person
        is_theirs = any(person_id in _owners_of_kept(content, person) for content in row.contents)
    elif row.owners is not None:
        is_theirs = person_id in row.owners
    elif is_named or any(needle in everything for needle in needles):
        is_theirs = True
    else:
        return
    if is_theirs:
        remains.found[row.table] += 1
    else:
        remains.mention_count += is_named


def _owners_of_kept(line: bytes, person: Field | None) -> frozenset[str]:
    """Whose the kept bytes of a rejected line are. A line that was cut is its person's where the field stands in
    them; the whole line is searched in the archive."""
    if person is not None and len(line) == KEPT_LINE_BYTES:
        named = re.findall(rb'"%s"\s*:\s*("(?:[^"\\]|\\.)*")' % person.name.encode(), line)
        if named:
            return frozenset().union(*(owners(each, person) for each in named))
    return owners(line, person)
