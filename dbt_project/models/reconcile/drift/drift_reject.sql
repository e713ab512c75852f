{{ config(
    materialized='incremental',
    pre_hook=["{{ set_reconcile_session() }}", "{{ delete_unproved('asset_id', ref('scope_asset')) }}"],
) }}
{%- set scope_asset = ref('scope_asset') -%}


with

rejects as (

    select
        asset_id,
        line_number,
        record_kind,
        partition_key,
        message,
        -- Only ASCII is looked for, and a damaged text must hide nothing.
        encode(raw_line, 'escape') as line_text
    from {{ ref('stg_bronze__rejected_record') }}
    {%- if is_incremental() %}
    where asset_id = any(array(select scope_asset.asset_id from {{ scope_asset }} as scope_asset))
    {%- endif %}

),

-- Which field the contract complained about.
complaints (record_kind, check_name, measure, complaint, is_key) as (

    values
    {%- for kind in watched_kinds() %}
    {%- set key = field_of(kind, declared_kinds()[kind].key) %}
    {%- for field in drift_features(kind).mixes %}
    ('{{ kind }}', 'drift_unknown_value', '{{ field }}', '$.{{ field }}: expected one of', false),
    {%- endfor %}
    (
        '{{ kind }}', 'drift_ticket_id_rule', '{{ key }}', '$.{{ key }}: expected pattern', true
    ){{ "," if not loop.last }}
    {%- else %}
    (null, null, null, null, false)
    {%- endfor %}

),

-- What is found inside a text has a backslash before its quotes there, and is not taken for a field.
found as (

    select distinct
        rejects.asset_id,
        rejects.line_number,
        rejects.partition_key,
        complaints.check_name,
        complaints.measure,
        complaints.is_key,
        substring(
            rejects.line_text from '"' || complaints.measure || '"[ \t]*:[ \t]*"([^"\\]{1,64})"'
        ) as observed_value
    from rejects
    inner join complaints
        on
            rejects.record_kind = complaints.record_kind
            and position(complaints.complaint in rejects.message) > 0

),

unknown_values as (

    select
        asset_id,
        line_number,
        partition_key,
        check_name,
        measure,
        is_key,
        case
            when is_key then {{ key_shape('observed_value') }}
            else observed_value
        end as observed_value
    from found
    where observed_value is not null

),

-- A value that is no plain word might be a name, and is not shown.
final as (

    select
        asset_id,
        check_name,
        measure,
        case
            when is_key or observed_value ~ '^[A-Za-z][A-Za-z0-9_-]{0,39}$' then observed_value
            else '(withheld, ' || length(observed_value) || ' characters)'
        end as observed_value,
        mode() within group (order by partition_key) as partition_key,
        count(*) as line_count
    from unknown_values
    group by asset_id, check_name, measure, is_key, observed_value

)

select * from final
