{{
    config(
        materialized='incremental',
        unique_key='comment_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('ticket_comment_v1') }}",
            "{{ delete_stale('ticket_comment_v1') }}",
        ],
        post_hook=["{{ empty_queue('ticket_comment_v1') }}", "{{ note_changes('comment_id') }}"],
    )
}}

with

winners as (

    {{ winning_events('ticket_comment_v1') | indent(4) }}

),

final as (

    select
        record_key as comment_id,
        record_fields ->> 'schema_version' as schema_version,
        record_source,
        record_fields ->> 'ticket_id' as ticket_id,
        record_fields ->> 'author_id' as author_id,
        record_fields ->> 'author_role' as author_role,
        record_fields ->> 'visibility' as visibility,
        (record_fields ->> 'word_count')::numeric as word_count,
        (record_fields ->> 'seconds_to_reply')::numeric as seconds_to_reply,
        record_fields -> 'attachments' as attachments,
        created_at,
        updated_at,
        partition_key,
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
