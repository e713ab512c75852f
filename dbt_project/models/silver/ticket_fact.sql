{{
    config(
        materialized='incremental',
        unique_key='ticket_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('ticket_v1') }}",
            "{{ delete_stale('ticket_v1') }}",
        ],
        post_hook="{{ note_changes('ticket_id') }}",
    )
}}
{#- The pre-hooks freeze which loads count, queue the tickets that they touch, rank these tickets' versions
    and delete their rows, all in this model's transaction; what is queued is then inserted anew. -#}

with

winners as (

    {{ winning_events('ticket_v1') | indent(4) }}

),

final as (

    select
        record_key as ticket_id,
        record_source,
        record_fields ->> 'schema_version' as schema_version,
        record_fields ->> 'customer_id' as customer_id,
        record_fields ->> 'org_id' as org_id,
        record_fields ->> 'status' as status,
        record_fields ->> 'priority' as priority,
        record_fields ->> 'category' as category,
        record_fields ->> 'product_line' as product_line,
        record_fields ->> 'product_version' as product_version,
        record_fields -> 'error_codes' as error_codes,
        record_fields -> 'asset_ids' as asset_ids,
        record_fields ->> 'assignee_id' as assignee_id,
        record_fields ->> 'sla_tier' as sla_tier,
        {{ instant('record_fields', 'sla_due_at') }} as sla_due_at,
        created_at,
        updated_at,
        {{ instant('record_fields', 'resolved_at') }} as resolved_at,
        record_fields ->> 'pii_level' as pii_level,
        (record_fields ->> 'pii_redacted')::boolean as pii_redacted,
        record_fields ->> 'quality_gate' as quality_gate,
        record_fields ->> 'owner' as owner,
        record_fields -> 'tags' as tags,
        partition_key,
        record_fields ->> 'status' not in ('resolved', 'closed') as is_open,
        version_count,
        warning_codes,
        record_fingerprint,
        event_id,
        asset_id,
        source_fingerprint,
        line_number,
        manifest_id,
        batch_id,
        envelope_fields ->> 'ingest_batch_id' as ingest_batch_id,
        run_id,
        dlt_load_id
    from winners

)

select * from final
