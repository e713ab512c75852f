"""What PostgreSQL and dbt have to know of the kinds, written as SQL and as a macro."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from loader.kinds.dbt_models import ORIGIN, described_models
from loader.kinds.declaration import Field, Kind, Landing, Link, Whole
from loader.kinds.tables import bronze_partitions, released_rows

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
    "raw_payload": None,
    "envelope": None,
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
        Path("infra/postgres/02_kinds.sql"): bronze_partitions(kinds),
        Path("infra/postgres/04_release_rows.sql"): released_rows(kinds),
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
    """What a kind's tables are called, which column of Silver holds which role, which records it names, what reads its
    facts where a file is a record, and what an asset is whole for."""
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
        "facts": landing.facts,
        "whole": None if landing.whole is None else _whole(landing.whole),
    }


def _whole(whole: Whole) -> dict[str, Any]:
    """Without what only the reader of a line needs."""
    return {"field": whole.field, "number": whole.number, "span": list(whole.span)}


def _link(link: Link, landing: Landing) -> dict[str, Any]:
    field = next(field for field in landing.fields if field.name == link.field)
    told = {"awaited": link.is_awaited, "show": field.may_be_shown}
    return {"field": link.field, "column": field.column, "kinds": list(link.kinds), **told}


def _entry(field: Field, envelope: tuple[str, ...]) -> str:
    column = {} if field.column is None else {"column": field.column}
    told = {
        **({} if field.origin is None else {"from": field.origin}),
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
