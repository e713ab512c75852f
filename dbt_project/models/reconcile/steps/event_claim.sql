{{
    config(
        materialized='incremental',
        indexes=[{'columns': ['ticket_id']}, {'columns': ['dlt_load_id']}],
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ delete_unproved('dlt_load_id', ref('scope_load'), 'load_id') }}",
        ],
    )
}}
{%- set scope_load = ref('scope_load') -%}
{#- Columns of Bronze that repeat a field of the payload, each with that field's column in Silver. -#}
{%- set repeated_columns = {
    'record_key': 'ticket_id',
    'person_id': 'customer_id',
    'record_source': 'record_source',
    'created_at': 'created_at',
    'updated_at': 'updated_at',
} -%}

with

-- The row's place tells the copies of a doubled row apart.
events as (

    select
        tableoid as row_table,
        ctid as row_place,
        *
    from {{ source('bronze', 'record_event') }}
    {%- if is_incremental() %}
    where _dlt_load_id = any(array(select scope_load.load_id from {{ scope_load }} as scope_load))
    {%- endif %}

),

loads as (

    select * from {{ ref('reconcile_load') }}

),

-- "limit all" keeps the planner from hashing and parsing a payload once per use, and lets workers do it.
authenticated as (

    select
        events.*,
        loads.is_intact as is_load_intact,
        sha256(convert_to(events.raw_payload, 'UTF8')) = events.record_fingerprint as is_payload_authentic
    from events
    inner join loads
        on
            events._dlt_load_id = loads.load_id
            and loads.table_name = 'record_event'
    where loads.completed_copy_count > 0
    limit all

),

parsed as (

    select
        authenticated.*,
        authenticated.is_payload_authentic and authenticated.is_load_intact as is_trusted,
        case
            when authenticated.is_payload_authentic and authenticated.is_load_intact
                then authenticated.raw_payload::jsonb
            else reconcile.jsonb_or_null(authenticated.raw_payload)
        end as payload
    from authenticated
    limit all

),

valued as (

    select
        row_table,
        row_place,
        event_id,
        record_fingerprint,
        record_source,
        record_key,
        person_id,
        created_at,
        updated_at,
        partition_key,
        reconcile.jsonb_or_null(envelope) ->> 'ingest_batch_id' as ingest_batch_id,
        warning_codes,
        asset_id,
        line_number,
        run_id,
        _dlt_load_id as dlt_load_id,
        is_load_intact,
        is_payload_authentic,
        {{ payload_values('payload', 'is_trusted', 'payload_') }}
    from parsed
    limit all

),

-- A payload that matches its hash is the witness: it orders the versions, and judges Bronze's columns.
final as (

    select
        row_table,
        row_place,
        event_id,
        case when is_payload_authentic then payload_record_source else record_source end as record_source,
        case when is_payload_authentic then payload_ticket_id else record_key end as ticket_id,
        case when is_payload_authentic then payload_created_at else created_at end as created_at,
        case when is_payload_authentic then payload_updated_at else updated_at end as updated_at,
        partition_key,
        case when is_payload_authentic then payload_customer_id else person_id end as customer_id,
        payload_org_id as org_id,
        payload_sla_tier as sla_tier,
        ingest_batch_id,
        asset_id,
        line_number,
        run_id,
        dlt_load_id,
        is_load_intact,
        is_payload_authentic,
        octet_length(record_fingerprint) = 32
        and uuid_send(event_id) = substr(record_fingerprint, 1, 16) as is_event_id_authentic,
        partition_key = (created_at at time zone 'UTC')::date as is_partition_authentic,
        {{ ticket_digest(
            'payload_',
            "(case when is_payload_authentic then payload_created_at else created_at end at time zone 'UTC')::date",
            "payload_status not in ('resolved', 'closed')",
            'warning_codes',
            "encode(record_fingerprint, 'hex')"
        ) }} as content_digest,
        nullif(concat_ws(
            ', ',
            {%- for column, field in repeated_columns.items() %}
            case
                when {{ column }} is distinct from payload_{{ field }} then '{{ column }}'
            end{{ "," if not loop.last }}
            {%- endfor %}
        ), '') as differing_columns
    from valued

)

select * from final
