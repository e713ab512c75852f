{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Events: each row of bronze.record_event against its own payload, its line and its load. -#}
{#- A record under another kind than its own has none of its fields. -#}
{%- set event = "'event ' || event_id || ' of ' || coalesce(record_key, 'no key')" -%}
{%- set told = {
    'record_kind': 'record_kind', 'partition_key': 'told_partition_key', 'asset_id': 'told_asset_id'
} -%}
{%- set scope_record = ref('scope_record') %}

with

events as (

    {{ rows_to_prove(ref('reconcile_event'), 'record_key', scope_record) }}

),

fates as (select * from {{ ref('reconcile_fate') }}),

indexes as (select * from {{ ref('reconcile_index') }}),

doubled as (

    select
        event_id,
        count(*) as copy_count
    from events
    where event_id is not null
    group by event_id
    having count(*) > 1

),

flagged as (

    select
        events.event_id,
        events.record_kind,
        events.record_key,
        events.partition_key,
        events.asset_id,
        events.line_number,
        events.run_id,
        events.load_run_id,
        events.is_load_intact,
        events.is_payload_authentic,
        events.is_event_id_authentic,
        events.is_partition_authentic,
        events.is_first_delivery_known,
        events.differing_columns,
        doubled.copy_count,
        coalesce(
            events.run_id <> events.load_run_id and loads.first_run_id <> loads.last_run_id, false
        ) as is_run_foreign
    from events
    left join doubled on events.event_id = doubled.event_id
    left join {{ ref('reconcile_load') }} as loads
        on
            events.dlt_load_id = loads.load_id
            and loads.table_name = 'record_event'
    where
        events.event_id is not null
        and (
            not events.is_payload_authentic
            or not events.is_event_id_authentic
            or not events.is_partition_authentic
            or not events.is_first_delivery_known
            or events.differing_columns is not null
            or doubled.event_id is not null
            or events.run_id is distinct from events.load_run_id
        )

),

-- The line that delivers an event names its asset and day even where the event's own columns were edited.
deliveries as (

    select distinct on (asset_lines.event_id)
        asset_lines.event_id,
        asset_lines.asset_id,
        asset_lines.partition_key
    from {{ source('bronze', 'asset_line') }} as asset_lines
    inner join flagged on asset_lines.event_id = flagged.event_id
    where asset_lines.event_id = any(array(select suspect.event_id from flagged as suspect))
    order by
        asset_lines.event_id asc,
        coalesce(
            asset_lines.asset_id = flagged.asset_id and asset_lines.line_number = flagged.line_number, false
        ) desc,
        asset_lines.asset_id asc,
        asset_lines.line_number asc

),

located as (

    select
        flagged.*,
        coalesce(deliveries.partition_key, flagged.partition_key) as told_partition_key,
        coalesce(deliveries.asset_id, flagged.asset_id) as told_asset_id
    from flagged
    left join deliveries on flagged.event_id = deliveries.event_id

),

found as (

    select
        {{ finding(
            'payload_differs_from_fingerprint', 'drift', "'bronze.record_event'",
            event ~ " || ': sha256(raw_payload) is not its record_fingerprint'",
            run_id='run_id', **told
        ) }}
    from located
    where not is_payload_authentic
    union all
    select
        {{ finding(
            'event_id_differs_from_fingerprint', 'drift', "'bronze.record_event'",
            event ~ " || ': expected the first 16 of 32 bytes of record_fingerprint'",
            run_id='run_id', **told
        ) }}
    from located
    where not is_event_id_authentic
    union all
    select
        {{ finding(
            'columns_differ_from_payload', 'drift', "'bronze.record_event'",
            event ~ " || ': ' || differing_columns",
            run_id='run_id', **told
        ) }}
    from located
    where differing_columns is not null and is_payload_authentic
    union all
    select
        {{ finding(
            'partition_differs_from_created_at', 'drift', "'bronze.record_event'",
            event ~ " || ': got ' || partition_key || ', expected the UTC day of created_at'",
            run_id='run_id', **told
        ) }}
    from located
    where not is_partition_authentic
    union all
    select
        {{ finding(
            'event_doubled', 'duplicate', "'bronze.record_event'",
            event ~ " || ': got ' || copy_count || ' rows, expected 1'",
            run_id='run_id', **told
        ) }}
    from located
    where copy_count > 1
    union all
    select
        {{ finding(
            'run_differs_from_load', 'drift', "'bronze.record_event'",
            event ~ " || ': got run ' || run_id || ', its load was completed by ' || load_run_id",
            run_id='load_run_id', **told
        ) }}
    from located
    where is_run_foreign
    union all
    select
        {{ finding(
            'first_delivery_missing', 'gap',
            "case when is_load_intact then 'bronze.asset_line' else 'bronze.record_event' end",
            event ~ " || ' names asset ' || asset_id
            || ' line ' || line_number || '; that line is absent or holds another event'",
            run_id='run_id', **told
        ) }}
    from located
    where not is_first_delivery_known
    union all
    -- Lines of a taken partition whose event is not there.
    select
        {{ finding(
            'event_missing', 'gap',
            "case when indexes.is_load_intact then 'bronze.record_event' else 'bronze.asset_line' end",
            "'line ' || fates.first_line_number || ' is a record of a taken partition; its event is not there'",
            partition_key='fates.partition_key', asset_id='fates.asset_id', finding_count='fates.line_count'
        ) }}
    from fates
    inner join indexes on {{ equal_in('fates', 'indexes', ['asset_id', 'ruleset_id']) }}
    where fates.fate = 'gap' and fates.kind = 'record'
    union all
    select
        {{ finding(
            'line_partition_differs', 'drift',
            "case when indexes.is_load_intact then 'bronze.record_event' else 'bronze.asset_line' end",
            "'line ' || fates.first_line_number || ' and its event name different partitions'",
            partition_key='fates.partition_key', asset_id='fates.asset_id', finding_count='fates.line_count'
        ) }}
    from fates
    inner join indexes on {{ equal_in('fates', 'indexes', ['asset_id', 'ruleset_id']) }}
    where fates.is_misdated

)

select * from found
