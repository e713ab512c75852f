{{ config(pre_hook="{{ set_reconcile_session() }}", post_hook="{{ sign_scope() }}") }}
{#- What the checks found, each damage on every day that it may be of: too many rather than too few. -#}
{%- set dimensions = declared_kinds().values() | map(attribute='dimensions') | sum(start=[]) -%}
{%- set checks =
    ['load', 'event', 'line', 'reject', 'manifest', 'asset', 'file', 'run', 'silver', 'equation'] + dimensions %}

with

checked as (

    {%- for check in checks %}
    select * from {{ ref('check_' ~ check) }}
    {{ "union all" if not loop.last }}
    {%- endfor %}

),

-- Two tables disagree about a load: its rows, or the promise in ops.completed_load. Where no other check
-- names the rows, either may have been edited, and both are named.
suspected as (

    select * from checked
    union all
    select
        {{ finding(
            'completed_load_differs_from_content', 'drift', "'ops.completed_load'", 'suspect.detail',
            load_id='suspect.load_id', run_id='suspect.run_id', extent='suspect.extent'
        ) }}
    from checked as suspect
    where
        suspect.check_name = 'content_differs_from_completed_load'
        and not exists (
            select 1
            from checked as evidence
            where
                evidence.table_name = suspect.table_name
                and evidence.check_name <> 'content_differs_from_completed_load'
        )

),

grouped as (

    select
        row_number() over () as finding_number,
        check_name,
        kind,
        table_name,
        record_kind,
        partition_key,
        asset_id,
        load_id,
        run_id,
        manifest_id,
        source_id,
        extent,
        sum(finding_count)::bigint as finding_count,
        min(detail) as detail
    from suspected
    group by
        check_name, kind, table_name, record_kind, partition_key, asset_id, load_id, run_id, manifest_id,
        source_id, extent

),

dated as (

    {{ findings_by_day('grouped') | indent(4) }}

),

named_days as (

    select
        record_kind,
        partition_key,
        bool_or(table_name in ('ops.manifest', 'ops.manifest_asset', 'ops.source_asset', 'ops.run_asset'))
            as is_named_in_ops
    from dated
    where extent <> 'equation'
    group by record_kind, partition_key

),

-- Not what says the same of a day with fewer words: an equation, and what Silver copied from a table of the
-- loader that is wrong itself.
relevant as (

    select *
    from dated
    where
        not exists (
            select 1
            from named_days
            where
                (named_days.partition_key is null or named_days.partition_key = dated.partition_key)
                and coalesce(named_days.record_kind = dated.record_kind, true)
                and (
                    dated.extent = 'equation'
                    or (dated.check_name = 'lineage_differs' and named_days.is_named_in_ops)
                )
        )

),

file_names as (

    {{ file_names() }}

),

final as (

    select
        relevant.check_name,
        relevant.kind,
        relevant.table_name,
        relevant.record_kind,
        relevant.partition_key,
        relevant.asset_id,
        coalesce(relevant.source_id, file_names.source_id) as source_id,
        relevant.manifest_id,
        relevant.run_id,
        relevant.finding_count,
        relevant.detail
    from relevant
    left join file_names on relevant.asset_id = file_names.asset_id

)

select * from final
