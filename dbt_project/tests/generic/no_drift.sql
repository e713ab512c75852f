{#- Warns with the drifts that nobody has accepted: where only changes are proved, those of files and partitions that the
    build touched, and of days that are missing before them. -#}
{% test no_drift(model) %}
{%- set scope_asset = ref('scope_asset') %}
with

findings as (

    select * from {{ model }}

),

touched as (

    select distinct
        asset.record_kind,
        asset_partition.partition_key
    from {{ source('ops', 'asset_partition') }} as asset_partition
    inner join {{ scope_asset }} as scope_asset on asset_partition.asset_id = scope_asset.asset_id
    inner join {{ source('ops', 'source_asset') }} as asset on asset_partition.asset_id = asset.asset_id

)

select
    findings.record_kind,
    findings.partition_key,
    findings.check_name,
    findings.measure,
    findings.measured_value,
    findings.trailing_value,
    findings.score,
    findings.threshold,
    findings.detail
from findings
left join {{ source('release', 'acceptance') }} as accepted
    on {{ equal_in('findings', 'accepted', ['record_kind', 'partition_key', 'check_name', 'measure']) }}
where
    accepted.partition_key is null
    {%- if is_proving_changes() %}
    and (
        findings.asset_id in (select scope_asset.asset_id from {{ scope_asset }} as scope_asset)
        or (findings.record_kind, findings.partition_key) in (
            select
                touched.record_kind,
                touched.partition_key
            from touched
        )
        or (
            findings.check_name = 'drift_missing_day'
            and exists (
                select 1
                from touched
                where
                    touched.record_kind = findings.record_kind
                    and touched.partition_key > findings.partition_key
                    and touched.partition_key <= findings.partition_key + 7
            )
        )
    )
    {%- endif %}
{% endtest %}
