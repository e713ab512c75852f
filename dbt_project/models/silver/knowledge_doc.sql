{{
    config(
        materialized='incremental',
        unique_key='source_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('document_v1') }}",
            "{{ delete_stale('document_v1') }}",
        ],
        post_hook=["{{ empty_queue('document_v1') }}", "{{ note_changes('source_id') }}"],
    )
}}

with

winners as (

    {{ winning_events('document_v1') | indent(4) }}

),

final as (

    select
        record_key as source_id,
        record_source,
        record_fields ->> 'asset_type' as asset_type,
        record_fields ->> 'license' as license,
        record_fields ->> 'owner' as owner,
        record_fields ->> 'title' as title,
        record_fields ->> 'language' as language, -- noqa: RF04
        record_fields ->> 'product_line' as product_line,
        record_fields -> 'tags' as tags,
        created_at as captured_at,
        record_fields ->> 'media_type' as media_type,
        (record_fields ->> 'page_count')::numeric as page_count,
        (record_fields ->> 'word_count')::numeric as word_count,
        (record_fields ->> 'size_bytes')::numeric as size_bytes,
        record_fields ->> 'content_sha256' as content_sha256,
        partition_key,
        {{ raw_zone_key('source_fingerprint') }} as raw_zone_key,
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
