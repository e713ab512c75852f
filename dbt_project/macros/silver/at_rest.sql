{#- Whether a kind's model of Silver would find nothing to do: what freeze_silver_scope would decide is what was built.
    Asked without a lock: what completes meanwhile belongs to the next build. Never of a kind with dimensions, which follow
    its model in the same build, nor of a day or of everything that is asked for. Only where changes alone are proved: then
    the loader has seen that SQL, tables and triggers are those of the last proof. A table with other columns than the
    model's is not at rest: its build fails, and says so. -#}
{% macro is_at_rest() -%}
    {%- set kinds = [] -%}
    {%- for kind, declared in declared_kinds().items() if declared.silver == this.identifier and not declared.dimensions -%}
        {%- do kinds.append(kind) -%}
    {%- endfor -%}
    {%- if not kinds or not is_incremental() or var('proof') != 'changes' or var('partition') is not none -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set kind = kinds[0] -%}
    {%- set of_kind = "record_kind = '" ~ kind ~ "'" -%}
    {%- call statement('main', fetch_result=True) %}
select
    not exists (
        select
        from (
            values
            {%- for column in model.columns.values() %}
            ('{{ column.name }}', '{{ column.data_type }}'::regtype){{ "," if not loop.last }}
            {%- endfor %}
        ) as declared (name, type)
        full join (
            select attname::text as name, atttypid::regtype as type
            from pg_catalog.pg_attribute
            where attrelid = '{{ this }}'::regclass and attnum > 0 and not attisdropped
        ) as held on declared.name = held.name and declared.type = held.type
        where declared.name is null or held.name is null
    )
    and not exists (select from {{ source('silver_ledger', 'stale_record') }} where {{ of_kind }})
    and not exists (select from {{ source('ops', 'unbuilt_erasure') }} where {{ of_kind }})
    and not exists (
        select
        from {{ loads_that_count(kind) }} as loads
        full join (
            select load_id from {{ source('silver_ledger', 'built_load') }} where {{ of_kind }}
        ) as built on loads.load_id = built.load_id
        where loads.load_id is null or built.load_id is null
    )
    and not exists (
        select
        from {{ readings_that_count(kind) }} as readings
        full join (
            select asset_id, ruleset_id, sequence
            from {{ source('silver_ledger', 'built_asset') }} where {{ of_kind }}
        ) as built on readings.asset_id = built.asset_id
        where (readings.ruleset_id, readings.sequence) is distinct from (built.ruleset_id, built.sequence)
    ) as is_at_rest
    {%- endcall -%}
    {{ return(load_result('main')['data'][0][0]) }}
{%- endmacro %}

{#- Queries in parentheses of what a kind's model is built from: its loads, and which reading of each asset counts. -#}
{% macro loads_that_count(kind) -%}
(select distinct load_id from {{ ref('stg_ops__completed_load') }} where record_kind = '{{ kind }}')
{%- endmacro %}
{% macro readings_that_count(kind) -%}
(select asset_id, ruleset_id, sequence from {{ source('ops', 'asset_reading') }} where record_kind = '{{ kind }}')
{%- endmacro %}
