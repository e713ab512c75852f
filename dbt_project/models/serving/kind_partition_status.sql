with

pointers as (select * from {{ source('release', 'partition_pointer') }}),

versions as (select * from {{ source('release', 'partition_version') }}),

holds as (select * from {{ source('release', 'partition_hold') }}),

gates as (select * from {{ source('release', 'partition_gate') }}),

newest_versions as (

    select
        record_kind,
        partition_key,
        max(data_release_id) as data_release_id
    from versions
    group by record_kind, partition_key

),

partitions as (

    select
        record_kind,
        partition_key
    from pointers
    union
    select
        record_kind,
        partition_key
    from gates
    union
    select
        record_kind,
        partition_key
    from holds

),

-- What Silver's and Bronze's triggers have noted since the last proof. A note without a day may be of any;
-- one of a table of several kinds, of any of them.
changes as (

    select distinct
        kinds.record_kind,
        unproved.partition_key,
        starts_with(unproved.table_name, 'bronze.') as is_of_bronze
    from {{ source('ops', 'unproved_change') }} as unproved
    left join {{ source('release', 'released_kind') }} as kinds
        on unproved.table_name in ('silver.' || kinds.table_name, 'bronze.' || kinds.bronze_table)
    where kinds.record_kind is not null or starts_with(unproved.table_name, 'bronze.')

),

changed as (

    select
        partitions.record_kind,
        partitions.partition_key,
        bool_or(not changes.is_of_bronze) as is_silver_changed,
        bool_or(changes.is_of_bronze) as is_bronze_changed
    from partitions
    inner join changes
        on
            partitions.record_kind = coalesce(changes.record_kind, partitions.record_kind)
            and partitions.partition_key = coalesce(changes.partition_key, partitions.partition_key)
    group by partitions.record_kind, partitions.partition_key

),

-- Loads that count, and that no proof has seen yet, with the days of the files that they came from.
unproved_loads as (

    select distinct
        completed_loads.run_id,
        completed_loads.attempt
    from {{ source('ops', 'completed_load') }} as completed_loads
    left join {{ source('ops', 'proved_load') }} as proved_loads
        on completed_loads.load_id = proved_loads.load_id
    where proved_loads.load_id is null

),

landed_since as (

    select distinct
        assets.record_kind,
        asset_partitions.partition_key
    from unproved_loads
    inner join {{ source('ops', 'run_asset') }} as run_assets
        on
            unproved_loads.run_id = run_assets.run_id
            and unproved_loads.attempt = run_assets.attempt
            and run_assets.action = 'parsed'
    inner join {{ source('ops', 'asset_partition') }} as asset_partitions
        on run_assets.asset_id = asset_partitions.asset_id
    inner join {{ source('ops', 'source_asset') }} as assets on asset_partitions.asset_id = assets.asset_id

),

judged as (

    select
        partitions.record_kind,
        partitions.partition_key,
        nullif(pointers.data_release_id, 0) as data_release_id,
        releases.kind as released_by,
        releases.released_at,
        releases.operator as released_by_operator,
        shown.record_count,
        newest_versions.data_release_id as newest_data_release_id,
        holds.partition_key is not null as is_held,
        holds.reason as hold_reason,
        coalesce(pointers.data_release_id, 0) = 0 as is_unreleased,
        pointers.data_release_id < newest_versions.data_release_id as is_restored,
        coalesce(gates.is_pending, false) as is_pending,
        coalesce(changed.is_silver_changed, false) as is_silver_changed,
        coalesce(changed.is_bronze_changed, false) as is_bronze_changed,
        landed_since.partition_key is not null as has_landed_since,
        coalesce(gates.obstacles, '[]') as obstacles
    from partitions
    left join pointers
        on
            partitions.record_kind = pointers.record_kind
            and partitions.partition_key = pointers.partition_key
    left join {{ source('release', 'data_release') }} as releases
        on pointers.moved_by = releases.data_release_id
    left join versions as shown
        on
            pointers.record_kind = shown.record_kind
            and pointers.partition_key = shown.partition_key
            and pointers.data_release_id = shown.data_release_id
    left join newest_versions
        on
            partitions.record_kind = newest_versions.record_kind
            and partitions.partition_key = newest_versions.partition_key
    left join holds
        on
            partitions.record_kind = holds.record_kind
            and partitions.partition_key = holds.partition_key
    left join gates
        on
            partitions.record_kind = gates.record_kind
            and partitions.partition_key = gates.partition_key
    left join changed
        on
            partitions.record_kind = changed.record_kind
            and partitions.partition_key = changed.partition_key
    left join landed_since
        on
            partitions.record_kind = landed_since.record_kind
            and partitions.partition_key = landed_since.partition_key

),

-- What is so now, beside what the gate has said: the codes are those of loader/obstacles.py.
said as (

    select
        judged.*,
        now_so.obstacles as obstacles_now,
        now_so.reasons as reasons_now,
        of_gate.reasons as gate_reasons
    from judged
    cross join
        lateral (
            select
                coalesce(
                    jsonb_agg(
                        jsonb_build_object('code', found.code, 'message', found.message) order by found.place
                    ),
                    '[]'
                ) as obstacles,
                string_agg(found.message, '; ' order by found.place) as reasons
            from (
                values
                (1, judged.is_unreleased, 'not_released', 'not released'),
                (2, judged.is_restored, 'restored', 'restored to an earlier version'),
                (
                    3,
                    judged.is_pending and judged.is_held,
                    'held',
                    'held (' || judged.hold_reason || ') while newer rows wait'
                ),
                (
                    4,
                    judged.is_pending and not judged.is_held,
                    'waiting',
                    'proved rows wait for their release'
                ),
                (
                    5,
                    not judged.is_pending and judged.is_silver_changed,
                    'silver_changed',
                    'Silver changed since'
                ),
                (
                    6,
                    not (judged.is_pending or judged.is_silver_changed) and judged.is_bronze_changed,
                    'bronze_changed',
                    'Bronze changed since'
                ),
                (
                    7,
                    not (judged.is_pending or judged.is_silver_changed or judged.is_bronze_changed)
                    and judged.has_landed_since,
                    'landed_since',
                    'lines landed since'
                )
            ) as found (place, is_so, code, message)
            where found.is_so
        ) as now_so
    cross join
        lateral (
            select string_agg(found.obstacle ->> 'message', ', ' order by found.place) as reasons
            from jsonb_array_elements(judged.obstacles) with ordinality as found (obstacle, place)
        ) as of_gate

),

final as (

    select
        record_kind,
        partition_key,
        data_release_id,
        released_by,
        released_at,
        released_by_operator,
        record_count,
        newest_data_release_id,
        is_held,
        obstacles_now || obstacles = '[]' as is_ready,
        nullif(concat_ws('; ', reasons_now, gate_reasons), '') as reason,
        obstacles_now || obstacles as obstacles
    from said

)

select * from final
