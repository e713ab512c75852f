"""What PostgreSQL and dbt have to know of the kinds, written as SQL and as a macro."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from loader.kinds.columns import silver_columns
from loader.kinds.declaration import Field, Kind, Landing, Link
from loader.kinds.model import ORIGIN, described_models

# Columns, and what each holds; none: the text of that name for dbt's documentation.
_OF_EVENTS: Mapping[str, str | None] = {
    "record_kind": None,
    "event_id": None,
    "record_fingerprint": None,
    "record_source": None,
    "record_key": None,
    "person_id": None,
    "created_at": None,
    "updated_at": None,
    "partition_key": None,
    "raw_payload": "The record as canonical JSON text, without its envelope. May hold personal data.",
    "envelope": "What of the record belongs to its first delivery, as JSON.",
    "warning_codes": None,
    "asset_id": "\"{{ doc('first_asset_id') }}\"",
    "line_number": "\"{{ doc('first_line_number') }}\"",
    "run_id": None,
    "_dlt_load_id": None,
}
_OF_VERSIONS: Mapping[str, str | None] = {
    "event_id": None,
    "record_key": None,
    "person_id": None,
    "version_at": None,
    "sequence": "Sequence of the asset that delivers the event first in upstream's order.",
    "line_number": "Line in that asset, the smallest if there are several.",
    "version_count": "Versions of the record from this record source.",
    "is_collided": "The key is another record source's.",
    "is_winner": "The version that Silver shows.",
}
_OF_RELEASED_ROWS: Mapping[str, str | None] = {
    "first_release_id": "The release that first had it.",
    "end_release_id": '"The release that replaced or removed it. Null: it is the newest."',
    "row_digest": "ops.digest64 of its other columns.",
}


def generated_files(kinds: Mapping[str, Kind]) -> dict[Path, str]:
    """Each file, by its path in the repository. Every name in them is a plain identifier by the schema of declarations:
    nothing needs an escape."""
    return {
        Path("dbt_project/macros/kinds/declared_kinds.sql"): _macro(kinds),
        Path("dbt_project/models/staging/_kinds__sources.yml"): _sources(kinds),
        Path("infra/postgres/02_kinds.sql"): _tables(kinds),
        Path("infra/postgres/04_release_rows.sql"): _released(kinds),
        **described_models(kinds),
    }


def _sources(kinds: Mapping[str, Kind]) -> str:
    """What dbt reads of each landed kind and does not build by a model: its partition of Bronze, the versions that its
    model of Silver ranks, and its released rows."""
    landed = [kind.landing for kind in kinds.values() if kind.landing is not None]
    tables: dict[str, list[tuple[str, str, Mapping[str, str | None]]]] = {
        "bronze": [
            (each.bronze, f"The partition of record_event that {each.silver} is built from.", _OF_EVENTS)
            for each in landed
        ],
        "silver_ledger": [
            (
                f"{each.silver}_ranked",
                f"One row per version of the records that {each.silver} has just built.",
                _OF_VERSIONS,
            )
            for each in landed
        ],
        "release": [
            (
                each.silver,
                f"One row per released content of a record, with the columns of silver.{each.silver}.",
                {
                    **_OF_RELEASED_ROWS,
                    str(each.column_of(each.roles.key)): "The record's key.",
                    "partition_key": None,
                },
            )
            for each in landed
        ],
    }
    text = f"# {ORIGIN}\nsources:\n"
    for source, listed in tables.items():
        text += f"  - name: {source}\n    schema: {source.split('_')[0]}\n    tables:\n"
        for name, description, columns in listed:
            text += f"      - name: {name}\n        description: {description}\n        columns:\n"
            for column, words in columns.items():
                told = words or f"\"{{{{ doc('{column.removeprefix('_')}') }}}}\""
                text += f"          - name: {column}\n            description: {told}\n"
    return text


def _tables(kinds: Mapping[str, Kind]) -> str:
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

-- Nobody searches by these: their statistics would be most of an ANALYZE.
alter table bronze.record_event
    alter column raw_payload set statistics 0,
    alter column record_fingerprint set statistics 0;
"""


def _released(kinds: Mapping[str, Kind]) -> str:
    """A table of released rows for each landed kind, and the list of them."""
    landed = {name: kind.landing for name, kind in kinds.items() if kind.landing is not None}
    tables = "\n".join(_released_rows(landing) for landing in landed.values())
    listed = ",\n".join(f"    ({_names(name, landing)})" for name, landing in landed.items())
    persons = "".join(
        f"create index if not exists {landing.silver}_by_person on release.{landing.silver} ({person});\n"
        for landing in landed.values()
        if (person := landing.column_of(landing.roles.person)) is not None
    )
    columns = ",\n".join(_columns_of_rows(landing) for landing in landed.values())
    return f"""\
-- {ORIGIN}
{tables}
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

{persons}
-- Which kinds have released rows: their tables and models, the columns of their records' key and person, and further
-- models of Silver that follow.
create or replace view release.released_kind as
select * from (values
{listed}
) as declared (record_kind, bronze_table, table_name, key_column, person_column, dimensions);
"""


def _names(name: str, landing: Landing) -> str:
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


def _released_rows(landing: Landing) -> str:
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
-- Cutting off empty pages at its end would lock readers out.
alter table release.{table} set (vacuum_truncate = false);
"""


def _macro(kinds: Mapping[str, Kind]) -> str:
    """The landed kinds: tables, roles as columns of Silver (else as fields), envelope and fields."""
    declared = "".join(
        f'        "{name}": {{\n'
        + "".join(f'            "{key}": {_json(value)},\n' for key, value in _told(kind.landing).items())
        + '            "fields": [\n'
        + "".join(f"                {_entry(field, kind.landing.envelope)},\n" for field in kind.landing.fields)
        + "            ],\n        },\n"
        for name, kind in kinds.items()
        if kind.landing is not None
    )
    header = f"{{#- {ORIGIN} -#}}\n{{% macro declared_kinds() -%}}\n"
    return f"{header}    {{{{ return({{\n{declared}    }}) }}}}\n{{%- endmacro %}}\n"


def _told(landing: Landing) -> dict[str, Any]:
    """What a kind's tables are called, which column of Silver holds which role, and which records it names."""
    columns = {field.name: field.column or field.name for field in landing.fields}
    roles = landing.roles
    return {
        "bronze": landing.bronze,
        "silver": landing.silver,
        "dimensions": list(landing.dimensions),
        "key": columns[roles.key],
        "source": columns.get(roles.source or ""),
        "person": columns.get(roles.person or ""),
        "created": columns[roles.partition],
        "updated": columns.get(roles.updated or ""),
        "hash_domain": landing.hash_domain,
        "links": [_link(link, landing) for link in landing.links],
    }


def _link(link: Link, landing: Landing) -> dict[str, Any]:
    field = next(field for field in landing.fields if field.name == link.field)
    told = {"awaited": link.is_awaited, "show": field.may_be_shown}
    return {"field": link.field, "column": field.column, "kind": link.kind, **told}


def _entry(field: Field, envelope: tuple[str, ...]) -> str:
    column = {} if field.column is None else {"column": field.column}
    told = {
        "type": field.type,
        "level": field.level,
        "serve": field.may_be_served,
        "envelope": field.name in envelope,
        "required": field.is_required,
        "mix": field.is_mix_watched,
    }
    return _json({"field": field.name, **column, **told})


def _json(value: Any) -> str:
    """As Jinja reads it."""
    return "none" if value is None else orjson.dumps(value).decode()
