"""The models of a kind as a person would begin to write them: a table in Silver, a view of what is released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loader.kinds.check import SILVER_FOLDER
from loader.kinds.columns import Column, silver_columns
from loader.kinds.declaration import COLUMN_TYPES, Field, Landing

SERVING_FOLDER = Path("dbt_project/models/serving")
# Of every model: columns that the loader's own tables give, and always do.
_NEVER_NULL = ("source_fingerprint", "manifest_id")


def silver_files(kind: str, landing: Landing, properties: Mapping[str, Any]) -> dict[Path, str]:
    """The model and its description. `properties`: of the schema, for descriptions and closed lists."""
    key = _column_of(landing, landing.roles.key)
    selected = ",\n        ".join(_expressions(landing))
    sql = f"""\
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
    text = f"""\
models:
  - name: {landing.silver}
    description: >-
      One row per {key}: its newest version, by {", else ".join(landing.roles.version)}; where these are equal, by the
      order of deliveries. Nothing depends on the order of arrival.
    config:
      contract:
        enforced: true
    columns:
"""
    for column in silver_columns(landing):
        text += _described(column, properties)
        if column.name == key:
            text += "        constraints: [{type: not_null}, {type: primary_key}]\n"
        elif column.is_required:
            text += "        constraints: [{type: not_null}]\n"
        if column.name in _NEVER_NULL:
            text += "        config: {meta: {is_never_null: true}}\n"
        values = None if column.field is None else properties[column.field.name].get("enum")
        if values and all(isinstance(value, str) and "'" not in value for value in values):
            text += f"        config: {{meta: {{accepted_values: [{', '.join(map(_quoted, values))}]}}}}\n"
    return {
        SILVER_FOLDER / f"{landing.silver}.sql": sql,
        SILVER_FOLDER / f"{landing.silver}.yml": text,
    }


def serving_files(kind: str, landing: Landing, properties: Mapping[str, Any]) -> dict[Path, str]:
    """What readers see of it, by the pointers of its partitions."""
    served = [column for column in silver_columns(landing) if column.field is None or column.field.may_be_served]
    names = "".join(f"        versions.{column.name},\n" for column in served)
    sql = f"""\
{{{{ config(alias='{landing.silver}') }}}}

with

versions as (

    select * from {{{{ source('release', '{landing.silver}') }}}}

),

pointers as (

    select * from {{{{ source('release', 'partition_pointer') }}}}
    where record_kind = '{kind}'

),

-- A row is seen where its partition's pointer stands at its release or later, before the one that ended it.
final as (

    select
{names}        pointers.data_release_id
    from versions
    inner join pointers
        on versions.partition_key = pointers.partition_key
    where
        versions.first_release_id <= pointers.data_release_id
        and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)

)

select * from final
"""
    key = _column_of(landing, landing.roles.key)
    text = f"""\
models:
  - name: serving_{landing.silver}
    description: >-
      One row per {key} that is released: `serving.{landing.silver}`, what readers see. A partition shows the version
      that its pointer names, whatever Silver holds; it changes with a release or a restore only.
    config:
      contract:
        enforced: true
    columns:
"""
    for column in [*served, Column("data_release_id", "bigint", True, "The release that readers see.")]:
        text += _described(column, properties)
        text += "        data_tests: [shown_once]\n" if column.name == key else ""
    stem = f"serving_{landing.silver}"
    return {SERVING_FOLDER / f"{stem}.sql": sql, SERVING_FOLDER / f"{stem}.yml": text}


def _expressions(landing: Landing) -> Iterator[str]:
    """Of each column: from the record, where no role has it typed already. (A date's role has an instant.)"""
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


def _described(column: Column, properties: Mapping[str, Any]) -> str:
    words = column.words
    if column.field is not None:
        words = str(properties[column.field.name].get("description") or f"The record's {column.field.name}.")
    return f"      - name: {column.name}\n        data_type: {column.type}\n        description: {_quoted(words)}\n"


def _column_of(landing: Landing, name: str) -> str:
    return next(field.column or field.name for field in landing.fields if field.name == name)


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
