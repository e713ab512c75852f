"""The models of a kind: its table in Silver, which is a person's after it was first written, and what is generated: the
description of that table, and the view of what is released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from loader.kinds.columns import SilverColumn, silver_columns
from loader.kinds.declaration import COLUMN_TYPES, Field, Kind, Landing

SILVER_FOLDER = Path("dbt_project/models/silver")
SERVING_FOLDER = Path("dbt_project/models/serving")
ORIGIN = "Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them."


def silver_model(kind: str, landing: Landing) -> str:
    """SQL of the model as a person would begin to write it."""
    key = landing.column_of(landing.roles.key)
    selected = ",\n        ".join(_expressions(landing))
    return f"""\
{{{{
    config(
        materialized='incremental',
        unique_key='{key}',
        indexes=[{{'columns': ['partition_key']}}],
        pre_hook=[
            "{{{{ begin_silver_model() }}}}",
            "{{{{ freeze_silver_scope('{kind}') }}}}",
            "{{{{ delete_stale('{kind}') }}}}",
        ],
        post_hook=["{{{{ empty_queue('{kind}') }}}}", "{{{{ note_changes('{key}') }}}}"],
    )
}}}}

with

winners as (

    {{{{ winning_events('{kind}') | indent(4) }}}}

),

final as (

    select
        {selected}
    from winners

)

select * from final
"""


def described_models(kinds: Mapping[str, Kind]) -> dict[Path, str]:
    """For each landed kind the yml of its model of Silver, and the view that its readers see with its yml."""
    files: dict[Path, str] = {}
    for name, kind in kinds.items():
        if (landing := kind.landing) is None:
            continue
        served = SERVING_FOLDER / f"serving_{landing.silver}"
        files[SILVER_FOLDER / f"{landing.silver}.yml"] = _silver_yml(kind, landing)
        files[served.with_suffix(".sql")] = _serving_sql(name, landing)
        files[served.with_suffix(".yml")] = _serving_yml(kind, landing)
    return files


def _silver_yml(kind: Kind, landing: Landing) -> str:
    key = landing.column_of(landing.roles.key)
    text = f"""\
# {ORIGIN}
models:
  - name: {landing.silver}
    description: >-
      One row per {key}: the newest version of a record of {kind.name}, by {", else ".join(landing.roles.version)};
      where these are equal, by the order of deliveries. Nothing depends on the order of arrival. Where a key comes from
      two record sources, the source of its earliest event is kept.{_not_served(landing, "Silver", served=False)}
    config:
      contract:
        enforced: true
    columns:
"""
    for column in silver_columns(landing):
        text += _described(column)
        if column.name == key:
            text += "        constraints: [{type: not_null}, {type: primary_key}]\n"
        elif column.is_required:
            text += "        constraints: [{type: not_null}]\n"
        if column.is_ours:
            text += "        config: {meta: {is_never_null: true}}\n"
        values = column.field and column.field.values
        if values and all(isinstance(value, str) and "'" not in value for value in values):
            text += f"        config: {{meta: {{accepted_values: [{', '.join(map(_quoted, values))}]}}}}\n"
    return text


def _serving_sql(kind: str, landing: Landing) -> str:
    names = "".join(f"    versions.{column.name},\n" for column in _served(landing))
    return f"""\
-- {ORIGIN}
{{{{ config(alias='{landing.silver}') }}}}

-- A row is seen where its partition's pointer stands at its release or later, before the one that ended it.
select
{names}    pointers.data_release_id
from {{{{ source('release', '{landing.silver}') }}}} as versions
inner join {{{{ source('release', 'partition_pointer') }}}} as pointers
    on versions.partition_key = pointers.partition_key
where
    pointers.record_kind = '{kind}'
    and versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)
"""


def _serving_yml(kind: Kind, landing: Landing) -> str:
    key = landing.column_of(landing.roles.key)
    text = f"""\
# {ORIGIN}
models:
  - name: serving_{landing.silver}
    description: >-
      One row per {key} that is released: `serving.{landing.silver}`, what readers see of {kind.name}. A partition shows
      the version that its pointer names, whatever Silver holds; it changes with a release or a restore only, all of a
      release at once.{_not_served(landing, "it", served=True)}
    config:
      contract:
        enforced: true
    columns:
"""
    for column in [*_served(landing), SilverColumn("data_release_id", "bigint", True, "The release that readers see.")]:
        text += _described(column)
        text += "        data_tests: [shown_once]\n" if column.name == key else ""
    return text


def _served(landing: Landing) -> list[SilverColumn]:
    return [column for column in silver_columns(landing) if column.field is None or column.field.may_be_served]


def _not_served(landing: Landing, where: str, *, served: bool) -> str:
    """A sentence on the fields that are not there."""
    names = [
        f"`{each.name}`" for each in landing.fields if not (each.may_be_served if served else each.column is not None)
    ]
    return f"\n      Not in {where}: {', '.join(names)}." if names else ""


def _expressions(landing: Landing) -> Iterator[str]:
    """How each column comes from the record where no role has it typed already. (A date's role has an instant.)"""
    typed = {landing.roles.key: "record_key", landing.roles.source: "record_source"}
    instants = {landing.roles.partition: "created_at", landing.roles.updated: "updated_at"}
    typed |= {
        each.name: instants[each.name] for each in landing.fields if each.type == "instant" and each.name in instants
    }
    for column in silver_columns(landing):
        if (field := column.field) is None:
            yield column.name
        else:
            held = "envelope_fields" if field.name in landing.envelope else "record_fields"
            expression = typed.get(field.name) or _from(held, field)
            yield expression if expression == column.name else f"{expression} as {column.name}"


def _described(column: SilverColumn) -> str:
    words = _quoted(column.words)
    return f"      - name: {column.name}\n        data_type: {column.type}\n        description: {words}\n"


def _from(fields: str, field: Field) -> str:
    match field.type:
        case "text":
            return f"{fields} ->> '{field.name}'"
        case "json":
            return f"{fields} -> '{field.name}'"
        case "instant":
            return f"{{{{ instant('{fields}', '{field.name}') }}}}"
    return f"({fields} ->> '{field.name}')::{COLUMN_TYPES[field.type]}"


def _quoted(words: str) -> str:
    """As YAML and dbt's Jinja take it: what the schema says is no template."""
    if words.startswith("{{ doc("):
        return f'"{words}"'
    plain = " ".join(words.split()).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + plain.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #") + '"'
