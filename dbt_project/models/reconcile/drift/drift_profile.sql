{{
    config(
        materialized='incremental',
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ find_touched_partitions() }}",
            "{{ delete_unproved('(record_kind, partition_key)', 'touched_partition', 'record_kind, scope.partition_key') }}",
        ],
        post_hook="analyze {{ this }}",
    )
}}
{#- Read by the hook. -#}
{%- do ref('scope_load') -%}
{%- do ref('scope_asset') -%}
{%- do ref('scope_record') -%}
{%- set sampled_tickets = var('drift')['sampled_tickets'] -%}
{#- What is counted of each kind: kind, check, field. -#}
{%- set features = [] -%}
{%- for kind in watched_kinds() -%}
    {%- set declared = declared_kinds()[kind] -%}
    {%- set watched = drift_features(kind) -%}
    {%- for field in watched.mixes -%}
        {%- do features.append([kind, 'drift_value_mix', field]) -%}
    {%- endfor -%}
    {%- for field in watched.optional_fields -%}
        {%- do features.append([kind, 'drift_null_rate', field]) -%}
    {%- endfor -%}
    {%- if declared.updated -%}
        {%- do features.append([kind, 'drift_updated_at', field_of(kind, declared.updated)]) -%}
    {%- endif -%}
    {%- do features.append([kind, 'drift_ticket_id_rule', field_of(kind, declared.key)]) -%}
{%- endfor %}

with

events as (

    select
        record_kind,
        partition_key,
        record_key,
        event_id,
        event_fate,
        version_at,
        dlt_load_id,
        is_payload_authentic and is_load_intact as is_trusted
    from {{ ref('reconcile_event') }}
    where
        event_id is not null
        and record_kind in ('{{ watched_kinds() | join("', '") }}')
    {%- if is_incremental() %}
        and partition_key = any(array(select touched_partition.partition_key from touched_partition))
        and (record_kind, partition_key) in (
            select
                touched_partition.record_kind,
                touched_partition.partition_key
            from touched_partition
        )
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
        record_kind,
        partition_key,
        event_id,
        dlt_load_id,
        is_trusted,
        row_number() over (
            partition by partition_key, record_kind
            order by hashtextextended(record_key, 0) asc, record_key asc
        ) as place
    from openings

),

-- Read where it lies: as it is used twice, all of it would be written out first.
raw_events as not materialized (

    select * from {{ source('bronze', 'record_event') }}

),

-- A bounded sample: the shares of so many tickets are those of all, as far as a threshold can tell. A payload that is
-- what was loaded is JSON, and is parsed without a first look whether it is.
sampled as (

    select
        numbered.record_kind,
        numbered.partition_key,
        raw_events.record_key,
        raw_events.person_id,
        raw_events.created_at,
        raw_events.updated_at,
        case
            when numbered.is_trusted then raw_events.raw_payload::jsonb
            else reconcile.jsonb_or_null(raw_events.raw_payload)
        end as payload
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

-- Numbered: rows are grouped by a number instead of two names.
features (feature, record_kind, check_name, measure) as (

    values
    {%- for feature in features %}
    ({{ loop.index }}, '{{ feature | join("', '") }}'){{ "," if not loop.last }}
    {%- else %}
    (0, null, null, null)
    {%- endfor %}

),

-- Fenced: a value that is asked whether it is null and then counted would be worked out twice.
featured as (

    select
        sampled.partition_key,
        features.feature,
        case features.check_name
            when 'drift_value_mix' then sampled.payload ->> features.measure
            when 'drift_null_rate'
                then case when sampled.payload ->> features.measure is null then 'null' else 'given' end
            when 'drift_ticket_id_rule'
                then {{ key_shape('sampled.record_key', "to_char(sampled.partition_key, 'YYYYMMDD')") }}
            when 'drift_updated_at'
                then case
                    when sampled.updated_at < sampled.created_at then 'before created_at'
                    when sampled.updated_at = sampled.created_at then 'equal to created_at'
                    when sampled.updated_at > sampled.created_at then 'after created_at'
                end
        end as observed_value
    from sampled
    inner join features on sampled.record_kind = features.record_kind
    where sampled.payload is not null
    limit all

),

counted as (

    select
        partition_key,
        feature,
        observed_value,
        count(*) as record_count
    from featured
    where observed_value is not null
    group by partition_key, feature, observed_value

),

-- No name of a person is kept: how many records the most frequent one has.
largest_persons as (

    select
        record_kind,
        partition_key,
        max(record_count) as record_count,
        sum(record_count)::bigint as all_count
    from (
        select
            record_kind,
            partition_key,
            person_id,
            count(*) as record_count
        from sampled
        group by record_kind, partition_key, person_id
    ) as by_person
    group by record_kind, partition_key

),

-- Records of the afternoon that landed after the day had ended say that an export of the whole day was read.
volumes as (

    select
        numbered.record_kind,
        numbered.partition_key,
        count(*) as record_count,
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
    group by numbered.record_kind, numbered.partition_key

),

final as (

    select
        features.record_kind,
        counted.partition_key,
        features.check_name,
        features.measure,
        counted.observed_value,
        counted.record_count
    from counted
    inner join features on counted.feature = features.feature
    {%- for kind in watched_kinds() if declared_kinds()[kind].person %}
    {%- set field = field_of(kind, declared_kinds()[kind].person) %}
    union all
    select
        record_kind,
        partition_key,
        'drift_customer_share' as check_name,
        '{{ field }}' as measure,
        'the most frequent' as observed_value,
        record_count
    from largest_persons
    where record_kind = '{{ kind }}'
    union all
    select
        record_kind,
        partition_key,
        'drift_customer_share' as check_name,
        '{{ field }}' as measure,
        'any other' as observed_value,
        all_count - record_count as record_count
    from largest_persons
    where record_kind = '{{ kind }}'
    {%- endfor %}
    union all
    select
        record_kind,
        partition_key,
        'volume' as check_name,
        'tickets' as measure,
        null as observed_value,
        record_count
    from volumes
    union all
    select
        record_kind,
        partition_key,
        'volume' as check_name,
        'closing tickets' as measure,
        null as observed_value,
        closing_count as record_count
    from volumes

)

select * from final
