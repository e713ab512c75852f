{{
    config(
        materialized='incremental',
        unique_key='segment_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('transcript_line_v1') }}",
            "{{ delete_stale('transcript_line_v1') }}",
        ],
        post_hook=["{{ empty_queue('transcript_line_v1') }}", "{{ note_changes('segment_id') }}"],
    )
}}

with

winners as (

    {{ winning_events('transcript_line_v1') | indent(4) }}

),

final as (

    select
        record_key as segment_id,
        (record_fields ->> 'segment_number')::numeric as segment_number,
        record_source,
        record_fields ->> 'asset_type' as asset_type,
        record_fields ->> 'license' as license,
        record_fields ->> 'language' as language, -- noqa: RF04
        record_fields ->> 'linked_source_id' as linked_source_id,
        created_at as recorded_at,
        (record_fields ->> 'start_seconds')::numeric as start_seconds,
        (record_fields ->> 'end_seconds')::numeric as end_seconds,
        record_fields ->> 'speaker' as speaker,
        record_fields ->> 'content_sha256' as content_sha256,
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
        run_id,
        dlt_load_id
    from winners

)

select * from final
