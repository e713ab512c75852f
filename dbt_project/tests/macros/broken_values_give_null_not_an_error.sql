{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when a conversion of the schema reconcile raises, or loses a value that is fine. -#}
{%- if execute -%}
    {%- do run_query(create_reconcile_functions()) -%}
{%- endif -%}

with

converted as (

    select
        reconcile.jsonb_or_null('{"a": 1}') as fine_json,
        reconcile.jsonb_or_null('{"a": ') as broken_json,
        reconcile.instant_or_null('2026-04-17T00:00:00Z') as fine_instant,
        reconcile.instant_or_null('2026-04-31T00:00:00Z') as broken_instant,
        reconcile.date_or_null('2026-04-17') as fine_date,
        reconcile.date_or_null('2026-04-31') as broken_date,
        reconcile.number_or_null('-0.10') as fine_number,
        reconcile.number_or_null('ten') as broken_number,
        reconcile.manifest_or_null('{"a": 1}'::bytea) as fine_manifest,
        reconcile.manifest_or_null('\xff'::bytea) as broken_manifest

)

select *
from converted
where
    fine_json is null
    or broken_json is not null
    or fine_instant is null
    or broken_instant is not null
    or fine_date is null
    or broken_date is not null
    or fine_number is distinct from -0.1
    or broken_number is not null
    or fine_manifest is null
    or broken_manifest is not null
