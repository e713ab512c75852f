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

-- depends_on: {{ ref('stg_ops__completed_load') }}

with

versions as (

    select * from {{ ranked_versions('ticket_v1') }}

),

-- Where they lie, not through the staging view: the versions are of loads that count already.
events as (

    select
        *,
        _dlt_load_id as dlt_load_id
    from {{ source('bronze', 'raw_ticket_event') }}

),

source_assets as (

    select * from {{ ref('stg_ops__source_asset') }}

),

run_assets as (

    select * from {{ ref('stg_ops__run_asset') }}

),

manifests as (

    select * from {{ ref('stg_ops__manifest') }}

),

-- The manifest under which a run first read an asset.
run_manifests as (

    select
        run_id,
        asset_id,
        min(manifest_id) as manifest_id
    from run_assets
    group by run_id, asset_id

),

winners as (

    select
        events.*,
        versions.version_count
    from versions
    inner join events
        on versions.event_id = events.event_id
    where versions.is_winner

),

parsed as (

    select
        *,
        raw_payload::jsonb as record_fields,
        envelope::jsonb as envelope_fields
    from winners
    limit all -- a fence: the payload is parsed once, not once for every field, and by the workers

),

typed as (

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
        version_count,
        warning_codes,
        record_fingerprint,
        event_id,
        asset_id,
        line_number,
        envelope_fields ->> 'ingest_batch_id' as ingest_batch_id,
        run_id,
        dlt_load_id
    from parsed
    limit all

),

final as (

    select
        typed.ticket_id,
        typed.record_source,
        typed.schema_version,
        typed.customer_id,
        typed.org_id,
        typed.status,
        typed.priority,
        typed.category,
        typed.product_line,
        typed.product_version,
        typed.error_codes,
        typed.asset_ids,
        typed.assignee_id,
        typed.sla_tier,
        typed.sla_due_at,
        typed.created_at,
        typed.updated_at,
        typed.resolved_at,
        typed.pii_level,
        typed.pii_redacted,
        typed.quality_gate,
        typed.owner,
        typed.tags,
        typed.partition_key,
        typed.status not in ('resolved', 'closed') as is_open,
        typed.version_count,
        typed.warning_codes,
        encode(typed.record_fingerprint, 'hex') as record_fingerprint,
        typed.event_id,
        typed.asset_id,
        source_assets.source_fingerprint,
        typed.line_number,
        run_manifests.manifest_id,
        manifests.batch_id,
        typed.ingest_batch_id,
        typed.run_id,
        typed.dlt_load_id
    from typed
    left join source_assets
        on typed.asset_id = source_assets.asset_id
    left join run_manifests
        on
            typed.run_id = run_manifests.run_id
            and typed.asset_id = run_manifests.asset_id
    left join manifests
        on run_manifests.manifest_id = manifests.manifest_id

)

select * from final
