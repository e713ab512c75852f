"""What PostgreSQL and dbt have to know of the kinds, written as SQL and as a macro."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from loader.kinds.declaration import Field, Kind, Landing

_ORIGIN = "Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them."


def generated_files(kinds: Mapping[str, Kind]) -> dict[Path, str]:
    """Each file, by its path in the repository. Every name in them is a plain identifier by the schema of declarations:
    nothing needs an escape."""
    return {
        Path("dbt_project/macros/kinds/declared_kinds.sql"): _macro(kinds),
        Path("infra/postgres/02_kinds.sql"): _tables(kinds),
    }


def _tables(kinds: Mapping[str, Kind]) -> str:
    """A partition of Bronze for each landed kind."""
    made = "".join(
        f"create table if not exists bronze.{kind.landing.bronze} partition of bronze.record_event"
        f" for values in ('{name}');\n"
        for name, kind in kinds.items()
        if kind.landing is not None
    )
    return f"""\
-- {_ORIGIN}
{made}
-- Nobody searches by these: their statistics would be most of an ANALYZE.
alter table bronze.record_event
    alter column raw_payload set statistics 0,
    alter column record_fingerprint set statistics 0;
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
    header = f"{{#- {_ORIGIN} -#}}\n{{% macro declared_kinds() -%}}\n"
    return f"{header}    {{{{ return({{\n{declared}    }}) }}}}\n{{%- endmacro %}}\n"


def _told(landing: Landing) -> dict[str, str | list[str] | None]:
    """What a kind's tables are called, and which column of Silver holds which role."""
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
    }


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
