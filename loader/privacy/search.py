"""What is left of a person after an erasure: every row, archived object and file of the project, searched once more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg2 import sql

from loader.bounds import KEPT_LINE_BYTES
from loader.config import Settings
from loader.privacy.person import is_named_in, may_name, owners
from loader.privacy.redaction import find_lines
from loader.raw_zone import RawZone
from loader.reader import open_content
from loader.warehouse.built import built

_CUSTOMER = re.compile(rb'"customer_id"\s*:\s*("(?:[^"\\]|\\.)*")')
# Shorter texts say nothing of one person ("Hello", "n/a") and stand everywhere.
_SHORTEST_TEXT = 12
# Whose a row is, in whatever table.
_OWNERS = ("person_id", "customer_id")
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

# Rows of columns that the planner remembers. A case keeps the order: values of a type that is somebody's own are not
# even written as text where they are another's.
_STATISTICS = f"""
select schemaname, tablename, concat_ws(chr(10), most_common_vals::text, histogram_bounds::text) from pg_stats
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


def search_rows(cursor: Any, customer_id: str, texts: Iterable[str]) -> Remains:
    """Every row of every table, and the planner's statistics."""
    remains = Remains()
    needles = searched(texts)
    for reader, is_own in ((cursor, True), (built(cursor), False)):
        reader.execute(_TABLES, (is_own,))
        for schema, table, plain, binary, is_searched in reader.fetchall():
            if not is_searched:
                remains.not_searched.append(f"{schema}.{table}")
                continue
            for row in _suspicious(reader, schema, table, plain or [], binary or [], [customer_id, *needles]):
                _judge(remains, f"{schema}.{table}", row, customer_id, needles)
        reader.execute(_STATISTICS, (is_own, customer_id))
        for schema, table, text in reader.fetchall():
            if is_named_in(text, customer_id):
                remains.found[f"statistics of {schema}.{table}"] += 1
    return remains


def _suspicious(
    cursor: Any, schema: str, table: str, plain: Sequence[str], binary: Sequence[str], needles: Sequence[str]
) -> Iterator[tuple[str, list[bytes], str | None]]:
    """Rows that hold one of the texts somewhere: their text, the bytes of each binary column, whose they are."""
    # In Bronze the texts of others may be the same; whose a row is, its person says.
    wanted = needles[:1] if schema == "bronze" else needles
    text = sql.SQL("concat_ws(chr(10), {})").format(
        sql.SQL(", ").join([sql.SQL("{}::text").format(sql.Identifier(name)) for name in plain] or [sql.SQL("''")])
    )
    content = sql.SQL("array[{}]::bytea[]").format(
        sql.SQL(", ").join(sql.SQL("coalesce({}, '')").format(sql.Identifier(name)) for name in binary)
    )
    owner = next((sql.Identifier(name) for name in _OWNERS if name in plain), sql.SQL("null::text"))
    cursor.execute(
        sql.SQL(
            "select row_text, row_bytes, owner from ("
            " select {text} as row_text, {content} as row_bytes, {owner} as owner from {table} offset 0"
            ") as row where exists (select from unnest(%s::text[]) as needle"
            " where strpos(row_text, needle) > 0 or exists (select from unnest(row_bytes) as bytes"
            " where position(convert_to(needle, 'UTF8') in bytes) > 0))"
        ).format(text=text, content=content, owner=owner, table=sql.Identifier(schema, table)),
        (list(wanted),),
    )
    for row_text, row_bytes, customer in cursor:
        yield row_text, [bytes(each) for each in row_bytes], customer


def _judge(
    remains: Remains, table: str, row: tuple[str, list[bytes], str | None], customer_id: str, needles: Sequence[str]
) -> None:
    text, contents, owner = row
    everything = "\n".join([text, *(content.decode(errors="replace") for content in contents)])
    is_named = is_named_in(everything, customer_id)
    if owner == customer_id:
        remains.found[table] += 1
    elif table == "bronze.rejected_record":
        # Each by itself: with the hash of the line behind it, no line is JSON, and is everybody's whom it mentions.
        if any(customer_id in _owners_of_kept(content) for content in contents):
            remains.found[table] += 1
        else:
            remains.mention_count += is_named
    elif owner is not None:
        remains.mention_count += is_named
    elif is_named or any(needle in everything for needle in needles):
        remains.found[table] += 1


def _owners_of_kept(line: bytes) -> frozenset[str]:
    """Whose the kept bytes of a rejected line are. Of a line that was cut, its customer_id says so where it stands in
    them; the whole line is searched in the archive."""
    named = _CUSTOMER.findall(line) if len(line) == KEPT_LINE_BYTES else []
    return frozenset().union(*map(owners, named)) if named else owners(line)


def search_objects(raw_zone: RawZone, customer_id: str) -> Remains:
    """Every archived object, registered or not, decompressed."""
    remains = Remains()

    def whose(body: bytes) -> str | None:
        if not may_name(body, customer_id):
            return None
        if customer_id in owners(body):
            return "found"
        remains.mention_count += is_named_in(body.decode(errors="replace"), customer_id)
        return None

    for key in raw_zone.objects():
        content = open_content(raw_zone.path_of(key), "gzip" if key.endswith(".gz") else "identity")
        found = find_lines(content, whose)
        if found:
            remains.found[f"raw zone {key}"] += len(found)
    return remains


def files_of(settings: Settings) -> Iterator[Path]:
    """Files of the project that may quote a record: reports, logs, and what dbt and dlt leave."""
    local, dbt_project = settings.state_folder, settings.project_root / "dbt_project"
    folders = (settings.report_dir, local / "dbt", local / "dlt", dbt_project / "target", dbt_project / "logs")
    for folder in folders:
        yield from _files_below(folder, {settings.raw_zone})
    if local.is_dir():
        yield from sorted(local.glob("*.log"))


def _files_below(folder: Path, apart: set[Path]) -> Iterator[Path]:
    if folder in apart or not folder.is_dir() or folder.is_symlink():
        return
    with suppress(PermissionError):
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                yield from _files_below(path, apart)
            elif path.is_file() and not path.is_symlink():
                yield path


def holds(path: Path, customer_id: str, texts: Iterable[str]) -> bool:
    """Whether a file quotes the person."""
    with suppress(FileNotFoundError, PermissionError):
        content = path.read_bytes()
        if customer_id.encode() in content and is_named_in(content.decode(errors="replace"), customer_id):
            return True
        return any(text.encode() in content for text in searched(texts))
    return False
