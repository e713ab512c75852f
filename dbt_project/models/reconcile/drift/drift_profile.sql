{{
    config(
        materialized='incremental',
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ find_touched_partitions() }}",
            "{{ delete_unproved('partition_key', 'touched_partition') }}",
        ],
        post_hook="analyze {{ this }}",
    )
}}
{#- Read by the hook. -#}
{%- do ref('scope_load') -%}
{%- do ref('scope_asset') -%}
{%- do ref('scope_ticket') -%}
{%- set features = drift_features('ticket_v1') -%}
{%- set sampled_tickets = var('drift')['sampled_tickets'] -%}

with

events as (

    select
        partition_key,
        ticket_id,
        event_id,
        event_fate,
        version_at,
        dlt_load_id
    from {{ ref('reconcile_event') }}
    where
        event_id is not null
    {%- if is_incremental() %}
        and partition_key = any(array(select touched_partition.partition_key from touched_partition))
    {%- endif %}

),

completed_loads as (

    select
        load_id,
        max(completed_at) as completed_at
    from {{ source('ops', 'completed_load') }}
    where table_name = 'record_event'
    group by load_id

),

openings as (

    {{ opening_events('events') }}

),

numbered as (

    select
        partition_key,
        event_id,
        dlt_load_id,
        row_number() over (
            partition by partition_key
            order by hashtextextended(ticket_id, 0) asc, ticket_id asc
        ) as place
    from openings

),

-- Read where it lies: as it is used twice, all of it would be written out first.
raw_events as not materialized (

    select * from {{ source('bronze', 'record_event') }}

),

-- A bounded sample: the shares of so many tickets are those of all, as far as a threshold can tell.
sampled as (

    select
        numbered.partition_key,
        raw_events.record_key as ticket_id,
        raw_events.person_id as customer_id,
        raw_events.created_at,
        raw_events.updated_at,
        reconcile.jsonb_or_null(raw_events.raw_payload) as payload
    from numbered
    inner join raw_events on numbered.event_id = raw_events.event_id
    where
        numbered.place <= {{ sampled_tickets }}
        and raw_events.event_id = any(array(
            select looked_at.event_id from numbered as looked_at
            where looked_at.place <= {{ sampled_tickets }}
        ))
    limit all

),

features (check_name, measure) as (

    values
    {%- for field in features.mixes %}
    ('drift_value_mix', '{{ field }}'),
    {%- endfor %}
    {%- for field in features.optional_fields %}
    ('drift_null_rate', '{{ field }}'),
    {%- endfor %}
    ('drift_ticket_id_rule', 'ticket_id'),
    ('drift_updated_at', 'updated_at')

),

featured as (

    select
        sampled.partition_key,
        features.check_name,
        features.measure,
        case features.check_name
            when 'drift_value_mix' then sampled.payload ->> features.measure
            when 'drift_null_rate'
                then case when sampled.payload ->> features.measure is null then 'null' else 'given' end
            when 'drift_ticket_id_rule'
                then {{ ticket_id_shape('sampled.ticket_id', "to_char(sampled.partition_key, 'YYYYMMDD')") }}
            when 'drift_updated_at'
                then case
                    when sampled.updated_at < sampled.created_at then 'before created_at'
                    when sampled.updated_at = sampled.created_at then 'equal to created_at'
                    when sampled.updated_at > sampled.created_at then 'after created_at'
                end
        end as observed_value
    from sampled
    cross join features
    where sampled.payload is not null

),

-- No name of a customer is kept: how many tickets the most frequent one has.
largest_customers as (

    select
        partition_key,
        max(ticket_count) as ticket_count,
        sum(ticket_count)::bigint as all_count
    from (
        select
            partition_key,
            customer_id,
            count(*) as ticket_count
        from sampled
        group by partition_key, customer_id
    ) as by_customer
    group by partition_key

),

-- Tickets of the afternoon that landed after the day had ended say that an export of the whole day was read.
volumes as (

    select
        numbered.partition_key,
        count(*) as ticket_count,
        count(*) filter (
            where
            raw_events.created_at >= (numbered.partition_key + time '12:00') at time zone 'UTC'
            and completed_loads.completed_at >= (numbered.partition_key + 1)::timestamp at time zone 'UTC'
        ) as closing_count
    from numbered
    inner join raw_events on numbered.event_id = raw_events.event_id
    left join completed_loads on numbered.dlt_load_id = completed_loads.load_id
    {%- if is_incremental() %}
    where raw_events.event_id = any(array(select numbered.event_id from numbered))
    {%- endif %}
    group by numbered.partition_key

),

final as (

    select
        partition_key,
        check_name,
        measure,
        observed_value,
        count(*) as ticket_count
    from featured
    where observed_value is not null
    group by partition_key, check_name, measure, observed_value
    union all
    select
        partition_key,
        'drift_customer_share' as check_name,
        'customer_id' as measure,
        'the most frequent' as observed_value,
        ticket_count
    from largest_customers
    union all
    select
        partition_key,
        'drift_customer_share' as check_name,
        'customer_id' as measure,
        'any other' as observed_value,
        all_count - ticket_count as ticket_count
    from largest_customers
    union all
    select
        partition_key,
        'volume' as check_name,
        'tickets' as measure,
        null as observed_value,
        ticket_count
    from volumes
    union all
    select
        partition_key,
        'volume' as check_name,
        'closing tickets' as measure,
        null as observed_value,
        closing_count as ticket_count
    from volumes

)

select * from final
