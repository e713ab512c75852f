"""What dbt has to know of the kinds, written as macros."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from loader.kinds.declaration import Field, Kind

MACRO_FILE = Path("dbt_project/macros/kinds/declared_kinds.sql")

_HEADER = """\
{#- Written by `python -m loader.kinds` from contracts/kinds; a test compares them. -#}
"""


def as_macro(kinds: Mapping[str, Kind]) -> str:
    """The landed kinds. Every name is a plain identifier by the schema of declarations: nothing needs an escape."""
    declared = "".join(
        f'        "{name}": [\n'
        + "".join(f"            {_entry(field, kind.landing.envelope)},\n" for field in kind.landing.fields)
        + "        ],\n"
        for name, kind in kinds.items()
        if kind.landing is not None
    )
    return f"{_HEADER}{{% macro declared_kinds() -%}}\n    {{{{ return({{\n{declared}    }}) }}}}\n{{%- endmacro %}}\n"


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
    return orjson.dumps({"field": field.name, **column, **told}).decode()
