"""What PostgreSQL has to know of the kinds: partitions of Bronze, and tables of released rows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from loader.kinds.columns import silver_columns
from loader.kinds.dbt_models import ORIGIN
from loader.kinds.declaration import Kind, Landing


def bronze_partitions(kinds: Mapping[str, Kind]) -> str:
    """A partition of Bronze for each landed kind."""
    made = "".join(
        f"create table if not exists bronze.{kind.landing.bronze} partition of bronze.record_event"
        f" for values in ('{name}');\n"
        for name, kind in kinds.items()
        if kind.landing is not None
    )
    named = ",".join(name for name, kind in kinds.items() if kind.landing is not None and kind.landing.hash_domain)
    return f"""\
-- {ORIGIN}
{made}
-- What stands before a record in what its fingerprint is of: its kind's name, nothing where records say it themselves.
create or replace function bronze.hash_domain(record_kind text) returns text
language sql immutable parallel safe
as $function$ select case when record_kind = any ('{{{named}}}'::text []) then record_kind else '' end $function$;

{_wholes(kinds)}-- Nobody searches by these: their statistics would be most of an ANALYZE.
alter table bronze.record_event
    alter column raw_payload set statistics 0,
    alter column record_fingerprint set statistics 0;
"""


def _wholes(kinds: Mapping[str, Kind]) -> str:
    """How the records of what an asset is whole for are found."""
    whole = [kind.landing.bronze for kind in kinds.values() if kind.landing is not None and kind.landing.whole]
    made = "".join(
        f"create index if not exists {table}_by_whole on bronze.{table} (bronze.whole_of(record_key));\n"
        for table in whole
    )
    return f"""\
-- What a record of a whole asset is of: its key without the number of its line.
create or replace function bronze.whole_of(record_key text) returns text
language sql immutable parallel safe
as $function$ select regexp_replace(record_key, ':[0-9]+$', '') $function$;
{made}
"""


def released_rows(kinds: Mapping[str, Kind]) -> str:
    """A table of released rows for each landed kind, and the list of them."""
    landed = {name: kind.landing for name, kind in kinds.items() if kind.landing is not None}
    tables = "\n".join(_table_of_rows(landing) for landing in landed.values())
    listed = ",\n".join(f"    ({_as_listed(name, landing)})" for name, landing in landed.items())
    persons = "".join(
        f"create index if not exists {landing.silver}_by_person on release.{landing.silver} ({person});\n"
        for landing in landed.values()
        if (person := landing.column_of(landing.roles.person)) is not None
    )
    return f"""\
-- {ORIGIN}
{tables}
{_columns_kept(landed.values())}
{persons}
-- Which kinds have released rows: their tables and models, the columns of their records' key and person, and further
-- models of Silver that follow.
create or replace view release.released_kind as
select * from (values
{listed}
) as declared (record_kind, bronze_table, table_name, key_column, person_column, dimensions);
"""


def _columns_kept(landings: Iterable[Landing]) -> str:
    """A column that was declared since is added; one that is declared otherwise is refused."""
    columns = ",\n".join(map(_columns_of_rows, landings))
    return f"""\
-- The columns of released rows. One that was declared since is null in rows from before; what every record has to have
-- is Silver's contract. Rows keep the columns and the types that they were released with.
do $columns$
declare
    declared record;
begin
    for declared in
        with listed as (
            select rows, split_part(told, ' ', 1) as name, split_part(told, ' ', 2)::regtype as type, place
            from (values
{columns}
            ) as of_kinds (rows, columns)
            cross join unnest(columns) with ordinality as each (told, place)
        ),

        held as (
            select attrelid as rows, attname as name, atttypid::regtype as type, attnotnull as is_required,
                exists (
                    select from pg_index where indrelid = attrelid and indisprimary and attnum = any(indkey)
                ) as is_key
            from pg_attribute
            where attrelid in (select rows from listed) and attnum > 0 and not attisdropped
                and attname not in ('first_release_id', 'end_release_id', 'row_digest')
        )

        select rows::regclass as rows, name, listed.type as wanted, held.type as got,
            held.is_required, held.is_key
        from listed
        full join held using (rows, name)
        order by rows, place
    loop
        if declared.got is null then
            execute format('alter table %s add column %I %s', declared.rows, declared.name, declared.wanted);
        elsif declared.got is distinct from declared.wanted then
            raise exception using errcode = 'OM002', message = format(
                '%s.%s: got %s, which rows were released with, and contracts/kinds declares %s',
                declared.rows, declared.name, declared.got, coalesce(declared.wanted::text, 'no such column'));
        elsif declared.is_required and not declared.is_key then
            execute format('alter table %s alter column %I drop not null', declared.rows, declared.name);
        end if;
    end loop;
end $columns$;
"""


def _as_listed(name: str, landing: Landing) -> str:
    person = landing.column_of(landing.roles.person)
    told = (name, landing.bronze, landing.silver, landing.column_of(landing.roles.key))
    dimensions = ", ".join(f"'{each}'" for each in landing.dimensions)
    return ", ".join(
        [
            *(f"'{each}'" for each in told),
            "null::text" if person is None else f"'{person}'",
            f"array[{dimensions}]::text[]",
        ]
    )


def _columns_of_rows(landing: Landing) -> str:
    columns = " ".join(f"'{column.name}\xa0{column.type}'," for column in silver_columns(landing)).removesuffix(",")
    wrapped = textwrap.fill(columns, 116, initial_indent=" " * 20, subsequent_indent=" " * 20, break_on_hyphens=False)
    listed = wrapped.replace("\xa0", " ")
    return f"                ('release.{landing.silver}'::regclass, array[\n{listed}\n                ])"


def _table_of_rows(landing: Landing) -> str:
    table, key = landing.silver, landing.column_of(landing.roles.key)
    return f"""\

-- Rows of silver.{table} as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.{table} (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    {key} text not null,
    partition_key date not null,
    primary key (partition_key, {key}, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists {table}_newest on release.{table} ({key}) where end_release_id is null;
create index if not exists {table}_by_key on release.{table} ({key});
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists {table}_by_first on release.{table} (partition_key, first_release_id);
create index if not exists {table}_by_end on release.{table} (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.{table} set (vacuum_truncate = false);
"""
