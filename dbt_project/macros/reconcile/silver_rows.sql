{#- Kinds whose model of Silver is there: a build of another kind's model alone must not fail for the lack of one. While dbt
    parses: all of them. -#}
{% macro built_kinds() -%}
    {%- set found = [] -%}
    {%- for kind, declared in declared_kinds().items() -%}
        {%- set model = ref(declared.silver) -%}
        {%- for dimension in declared.dimensions -%}
            {%- do ref(dimension) -%}
        {%- endfor -%}
        {%- if not execute or load_relation(model) is not none -%}
            {%- do found.append(kind) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- The name, with its schema, of the model of Silver of the kind that an SQL expression gives. -#}
{% macro silver_name_of(record_kind) -%}
case {{ record_kind }}
    {%- for kind, declared in declared_kinds().items() %} when '{{ kind }}' then 'silver.{{ declared.silver }}'
    {%- endfor %} end
{%- endmacro %}

{#- Columns of Silver that say where a row came from: of every kind the same. -#}
{% macro lineage_columns() -%}
    {{ return([
        'asset_id', 'source_fingerprint', 'line_number', 'manifest_id', 'batch_id', 'run_id', 'dlt_load_id'
    ]) }}
{%- endmacro %}

{#- The keys of the relation `scope`, as an array, that a column of a table may hold: those from its least value to its
    greatest. An index looks for each key of an array, and sorts them first: for a table that holds none of them, too. -#}
{% macro scope_keys_within(scope, table, column) -%}
array(
        select scope_keys.record_key
        from {{ scope }} as scope_keys
        where
            scope_keys.record_key >= (select min(held.{{ column }}) from {{ table }} as held)
            and scope_keys.record_key <= (select max(held.{{ column }}) from {{ table }} as held)
    )
{%- endmacro %}

{#- The rows of every kind's model of Silver, by the names that all kinds have, each with the digest of what it says.
    `scope`: only rows of the keys of this relation. -#}
{% macro silver_rows(scope=none) -%}
    {%- for kind in built_kinds() %}
    {%- set declared = declared_kinds()[kind] %}
    select
        '{{ kind }}' as record_kind,
        tableoid as silver_table,
        ctid as silver_place,
        {{ declared.key }} as record_key,
        event_id,
        partition_key,
        version_count,
        array[
            {%- for item in envelope_fields(kind) %}
            {{ item.column }}::text{{ "," if not loop.last }}
            {%- endfor %}
        ]::text[] as envelope_values,
        {{ lineage_columns() | join(',\n        ') }},
        {{ silver_digest(kind) }} as content_digest
    from {{ ref(declared.silver) }}
    {%- if scope is not none %}
    where {{ declared.key }} = any({{ scope_keys_within(scope, ref(declared.silver), declared.key) }})
    {%- endif %}
    {{ "union all" if not loop.last }}
    {%- else %}
    {{ no_rows({
        'record_kind': 'text', 'silver_table': 'oid', 'silver_place': 'tid', 'record_key': 'text',
        'event_id': 'uuid', 'partition_key': 'date', 'version_count': 'bigint', 'envelope_values':
        'text[]', 'asset_id': 'integer', 'source_fingerprint': 'text', 'line_number': 'integer',
        'manifest_id': 'text', 'batch_id': 'text', 'run_id': 'uuid', 'dlt_load_id': 'text',
        'content_digest': 'bigint'
    }) | indent(4) }}
    {%- endfor %}
{%- endmacro %}

{#- Names of the columns in which a winner's row of Silver differs from what Bronze says of it, as an array: a query of
    one row, or none, about the row `confronted` beside it, of reconcile_event. -#}
{% macro differing_silver_columns(kind) -%}
    {%- set declared = declared_kinds()[kind] -%}
    {%- set derived = derived_columns(kind) -%}
    {%- set columns = (compared_fields(kind) | map(attribute='column') | list) + ['partition_key']
        + (derived | map(attribute='column') | list) + ['version_count', 'warning_codes', 'record_fingerprint']
        + (envelope_fields(kind) | map(attribute='column') | list) + lineage_columns() -%}
            select
                string_to_array(
                    {{ differing_names('silver', 'bronze', columns) }}, ', '
                ) as column_names
            from (
                select
                    stated.*,
                    {%- for column in derived %}
                    {{ column.value }} as {{ column.column }},
                    {%- endfor %}
                    confronted.version_count
                from (
                    select
                        {{ payload_values(kind, 'winner.payload', 'false') }},
                        (confronted.created_at at time zone 'UTC')::date as partition_key,
                        winner.warning_codes,
                        encode(winner.record_fingerprint, 'hex') as record_fingerprint,
                        {%- for item in envelope_fields(kind) %}
                        confronted.envelope_values[{{ loop.index }}] as {{ item.column }},
                        {%- endfor %}
                        confronted.{{ lineage_columns() | join(', confronted.') }}
                    from (
                        select
                            events.*,
                            reconcile.jsonb_or_null(events.raw_payload) as payload
                        from {{ source('bronze', 'record_event') }} as events
                        where events.tableoid = confronted.row_table and events.ctid = confronted.row_place
                        limit all
                    ) as winner
                    limit all
                ) as stated
                limit all
            ) as bronze
            cross join (
                select record_rows.*
                from {{ ref(declared.silver) }} as record_rows
                where record_rows.ctid = confronted.silver_place
                limit all
            ) as silver
            where confronted.silver_state = 'different' and confronted.record_kind = '{{ kind }}'
{%- endmacro %}
