{#- The fields that Silver holds of a kind's records and reconcile compares, in the order of Silver's digest. What belongs
    to the delivery is left out. -#}
{% macro compared_fields(kind) -%}
    {{ return(declared_kinds()[kind]['fields'] | selectattr('column', 'defined') | rejectattr('envelope') | list) }}
{%- endmacro %}

{#- The fields of the delivery that Silver holds beside them. -#}
{% macro envelope_fields(kind) -%}
    {{ return(declared_kinds()[kind]['fields'] | selectattr('column', 'defined') | selectattr('envelope') | list) }}
{%- endmacro %}

{#- The columns of Silver that hold something of a delivery, of whatever kind. -#}
{% macro envelope_columns() -%}
    {{ return(
        ruled_fields() | selectattr('column', 'defined') | selectattr('envelope') | map(attribute='column') | unique | list
    ) }}
{%- endmacro %}

{#- What of a kind's records is watched for drift: names of fields whose shares of values are, and of those that may be
    absent. Nothing of a kind that watches no field's shares. -#}
{% macro drift_features(kind) -%}
    {%- set fields = declared_kinds()[kind]['fields'] -%}
    {%- set mixes = fields | selectattr('mix') | map(attribute='field') | list -%}
    {{ return({
        'mixes': mixes,
        'optional_fields': (fields | rejectattr('required') | map(attribute='field') | list) if mixes else [],
    }) }}
{%- endmacro %}

{#- Every field of every kind, with what may hold it: `column` where Silver may, `serve` where readers may. -#}
{% macro ruled_fields() -%}
    {{ return(declared_kinds().values() | map(attribute='fields') | sum(start=[])) }}
{%- endmacro %}

{#- Kinds of which something is watched for drift. -#}
{% macro watched_kinds() -%}
    {%- set found = [] -%}
    {%- for kind in declared_kinds() if drift_features(kind).mixes -%}
        {%- do found.append(kind) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- The field of a record that Silver holds in `column`. -#}
{% macro field_of(kind, column) -%}
    {{ return(declared_kinds()[kind]['fields'] | selectattr('column', 'defined') | selectattr('column', 'eq', column) | map(attribute='field') | first) }}
{%- endmacro %}

{#- How Silver types that column. -#}
{% macro type_of(kind, column) -%}
    {{ return(declared_kinds()[kind]['fields'] | selectattr('column', 'defined') | selectattr('column', 'eq', column) | map(attribute='type') | first) }}
{%- endmacro %}

{#- Kinds of which a file is the record. -#}
{% macro file_kinds() -%}
    {{ return(field_origins() | selectattr('reader') | map(attribute='kind') | unique | list) }}
{%- endmacro %}

{#- Kinds of lines of which an asset is whole: what the newest one lacks is not current. -#}
{% macro whole_kinds() -%}
    {{ return(field_origins() | rejectattr('reader') | map(attribute='kind') | unique | list) }}
{%- endmacro %}

{#- Names as an array of SQL. -#}
{% macro array_of(names) -%}
    {{ return("array[" ~ ("'" ~ names | join("', '") ~ "'" if names else '') ~ "]::text[]") }}
{%- endmacro %}

{#- What a record of such a kind is of, by its key. -#}
{% macro whole_of(record_key) -%}
    {{ return("bronze.whole_of(" ~ record_key ~ ")") }}
{%- endmacro %}

{#- What says each field of a record that is composed: a list of {kind, reader, field, origin}. `origin`: manifest, entry or
    metadata, as declared; bytes; facts, of `reader`, where a file is the record; of whole assets, line, number (of the
    line) and key (what the asset is whole for, and that number). -#}
{% macro field_origins() -%}
    {%- set found = [] -%}
    {%- for kind, declared in declared_kinds().items() if declared.facts or declared.whole -%}
        {%- for field in declared['fields'] -%}
            {%- set origin = field['from'] -%}
            {%- if origin == 'place' -%}
                {%- set origin = 'number' if field.field == declared.whole.number else 'key' -%}
            {%- endif -%}
            {%- do found.append({
                'kind': kind, 'reader': declared.facts or '', 'field': field.field, 'origin': origin
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
