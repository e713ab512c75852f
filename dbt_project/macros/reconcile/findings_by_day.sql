{#- The query that gives each row of `findings` its days: the columns of a finding, once for each kind and day that it may
    be of. A null day: none can be named, so that it is of every day of the kind; a null kind: of every kind. `findings`:
    a relation with the columns of macro finding, and a finding_number. -#}
{% macro findings_by_day(findings) -%}
with

described_assets as (

    select
        asset_id,
        record_kind
    from {{ ref('reconcile_asset') }}
    where record_kind <> 'unknown'

),

loads as (

    select
        load_id,
        min(record_kind) as record_kind
    from {{ ref('reconcile_load') }}
    group by load_id

),

manifests as (

    select
        manifest_id,
        min(contract_ref) as record_kind
    from {{ source('ops', 'manifest') }}
    group by manifest_id

),

runs as (

    select
        run_id,
        min(record_kind) as record_kind
    from {{ source('ops', 'ingest_run') }}
    group by run_id

),

run_assets as (select * from {{ source('ops', 'run_asset') }}),

stray_assets as (

    select findings.asset_id
    from {{ findings }} as findings
    left join described_assets on findings.asset_id = described_assets.asset_id
    where findings.asset_id is not null and described_assets.asset_id is null

),

-- What no table describes is of the kind of the loads that hold rows of it, and of the manifests for which a run worked
-- on it. Where they differ, or there are none, it may be of any.
stray_kinds as (

    select
        stray_rows.asset_id,
        loads.record_kind
    from (
        {%- for table in ['asset_line', 'rejected_record'] %}
        select
            asset_id,
            _dlt_load_id as load_id
        from {{ source('bronze', table) }}
        where asset_id = any(array(select stray_assets.asset_id from stray_assets))
        {{ "union" if not loop.last }}
        {%- endfor %}
    ) as stray_rows
    inner join loads on stray_rows.load_id = loads.load_id
    union
    select
        run_assets.asset_id,
        manifests.record_kind
    from run_assets
    inner join manifests on run_assets.manifest_id = manifests.manifest_id
    where run_assets.asset_id in (select stray_assets.asset_id from stray_assets)

),

asset_kinds as (

    select
        asset_id,
        record_kind
    from described_assets
    union all
    select
        asset_id,
        min(record_kind) as record_kind
    from stray_kinds
    group by asset_id
    having min(record_kind) = max(record_kind)

),

found as (

    select
        findings.*,
        coalesce(
            findings.record_kind,
            asset_kinds.record_kind,
            loads.record_kind,
            manifests.record_kind,
            case when findings.asset_id is null and findings.load_id is null and findings.manifest_id is null then runs.record_kind end
        ) as own_kind
    from {{ findings }} as findings
    left join asset_kinds on findings.asset_id = asset_kinds.asset_id
    left join loads on findings.load_id = loads.load_id
    left join manifests on findings.manifest_id = manifests.manifest_id
    left join runs on findings.run_id = runs.run_id

),

asset_partitions as (select * from {{ source('ops', 'asset_partition') }}),

-- Who was told of an asset: what is gone from one table, another one still says.
entries as (

    select
        manifest_id,
        source_id,
        asset_id
    from (
        select
            named.*,
            max(named.asset_id) over (partition by named.manifest_id, named.source_id) as known_asset_id
        from (
            select
                manifest_id,
                source_id,
                asset_id
            from {{ source('ops', 'manifest_asset') }}
            union
            select
                manifest_id,
                source_id,
                asset_id
            from run_assets
        ) as named
    ) as known
    where asset_id is not null or known_asset_id is null

),

readings as (

    select
        run_id,
        asset_id
    from run_assets
    where asset_id is not null
    union
    select
        run_id,
        asset_id
    from {{ source('ops', 'asset_index') }}
    union
    select
        taken_by_run_id as run_id,
        asset_id
    from asset_partitions
    where taken_by_run_id is not null

),

load_rows as (
    {% for table in ['record_event', 'asset_line', 'rejected_record'] %}
    select
        _dlt_load_id as load_id,
        asset_id,
        partition_key
    from {{ source('bronze', table) }}
    where _dlt_load_id = any(array(select found.load_id from found))
    {{ "union" if not loop.last }}
    {%- endfor %}

),

-- The assets that a finding is about. Null: an entry of a manifest that is no asset, so that nobody knows its days.
members as (

    select
        found.finding_number,
        load_rows.asset_id
    from found
    inner join load_rows on found.load_id = load_rows.load_id
    union
    select
        finding_number,
        asset_id
    from found
    where load_id is null and asset_id is not null
    union
    select
        found.finding_number,
        entries.asset_id
    from found
    inner join entries
        on
            found.manifest_id = entries.manifest_id
            and coalesce(found.source_id = entries.source_id, true)
    where found.load_id is null and found.asset_id is null
    union
    select
        found.finding_number,
        readings.asset_id
    from found
    inner join readings on found.run_id = readings.run_id
    where found.load_id is null and found.asset_id is null and found.manifest_id is null

),

asset_days as (

    select
        asset_id,
        partition_key
    from asset_partitions
    where asset_id in (select members.asset_id from members)
    union
    select
        asset_id,
        partition_key
    from {{ ref('reconcile_fate') }}
    where partition_key is not null and asset_id in (select members.asset_id from members)
    union
    -- Also where nothing says any more how the asset is read.
    select
        asset_id,
        partition_key
    from {{ source('bronze', 'asset_line') }}
    where partition_key is not null and asset_id = any(array(select found.asset_id from found))

),

reachable as (

    select
        found.finding_number,
        coalesce(found.record_kind, asset_kinds.record_kind, found.own_kind) as record_kind,
        load_rows.partition_key
    from found
    inner join load_rows on found.load_id = load_rows.load_id
    left join asset_kinds on load_rows.asset_id = asset_kinds.asset_id
    where load_rows.partition_key is not null
    union
    select
        members.finding_number,
        coalesce(found.record_kind, asset_kinds.record_kind, found.own_kind) as record_kind,
        asset_days.partition_key
    from members
    inner join found on members.finding_number = found.finding_number
    left join asset_days on members.asset_id = asset_days.asset_id
    left join asset_kinds on members.asset_id = asset_kinds.asset_id
    where found.load_id is null

),

-- Where one of its days is not known, it is of all.
reached as (

    select distinct
        finding_number,
        record_kind,
        case
            when not bool_or(partition_key is null) over (partition by finding_number, record_kind) then partition_key
        end as partition_key
    from reachable

),

-- What the check says itself, else what can be reached from it, else everything.
own_days as (

    select
        found.finding_number,
        coalesce(reached.record_kind, found.own_kind) as record_kind,
        coalesce(found.partition_key, reached.partition_key) as partition_key
    from found
    left join reached on found.finding_number = reached.finding_number and found.partition_key is null

),

-- The days of the rows that other checks name among those that are added up; those of the same table count first. Where
-- they name none: of the assets that they name.
located as (

    select distinct
        ranked.finding_number,
        ranked.record_kind,
        ranked.partition_key
    from (
        select
            sums.finding_number,
            coalesce(days.record_kind, sums.own_kind) as record_kind,
            days.partition_key,
            rank() over (
                partition by sums.finding_number
                order by (rows_named.extent = 'row') desc, (rows_named.table_name = sums.table_name) desc
            ) as closeness
        from found as sums
        inner join members on sums.finding_number = members.finding_number
        inner join members as rows_members on members.asset_id = rows_members.asset_id
        inner join found as rows_named on rows_members.finding_number = rows_named.finding_number
        inner join own_days as days on rows_named.finding_number = days.finding_number
        where
            sums.extent <> 'row'
            and sums.partition_key is null
            and (
                (
                    rows_named.extent = 'row'
                    and (starts_with(rows_named.table_name, 'bronze.') or sums.extent = 'equation')
                )
                -- A load's sum that differs, and the sum of one asset that says in which of the load's.
                or (
                    sums.extent = 'sum'
                    and sums.load_id is not null
                    and rows_named.extent = 'sum'
                    and rows_named.load_id is null
                    and rows_named.asset_id is not null
                    and rows_named.table_name = sums.table_name
                )
            )
    ) as ranked
    where ranked.closeness = 1

),

dated as (

    select * from located
    union all
    select
        own_days.finding_number,
        own_days.record_kind,
        own_days.partition_key
    from own_days
    inner join found on own_days.finding_number = found.finding_number
    where
        (found.partition_key is not null or found.extent <> 'lost')
        and own_days.finding_number not in (select located.finding_number from located)
    union all
    -- Rows may be gone, day and all.
    select
        found.finding_number,
        found.own_kind as record_kind,
        null as partition_key
    from found
    where
        found.partition_key is null
        and found.extent = 'lost'
        and found.finding_number not in (select located.finding_number from located)

),

assets_of_loads as (

    select
        load_id,
        min(asset_id) as asset_id
    from load_rows
    group by load_id
    having min(asset_id) = max(asset_id)

)

select distinct
    found.finding_number,
    found.check_name,
    found.kind,
    found.table_name,
    dated.record_kind,
    dated.partition_key,
    coalesce(found.asset_id, assets_of_loads.asset_id) as asset_id,
    found.run_id,
    found.manifest_id,
    found.source_id,
    found.finding_count,
    found.extent,
    found.detail
from found
inner join dated on found.finding_number = dated.finding_number
left join assets_of_loads on found.load_id = assets_of_loads.load_id
{%- endmacro %}
