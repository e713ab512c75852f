{{
    config(
        materialized='incremental',
        unique_key='source_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('ocr_text_v1') }}",
            "{{ delete_stale('ocr_text_v1') }}",
        ],
        post_hook=["{{ empty_queue('ocr_text_v1') }}", "{{ note_changes('source_id') }}"],
    )
}}

with

winners as (

    {{ winning_events('ocr_text_v1') | indent(4) }}

),

final as (

    select
        record_key as source_id,
        record_source,
        record_fields ->> 'asset_type' as asset_type,
        record_fields ->> 'license' as license,
        record_fields ->> 'owner' as owner,
        record_fields ->> 'language' as language, -- noqa: RF04
        record_fields ->> 'quality_gate' as quality_gate,
        record_fields ->> 'pii_level' as pii_level,
        record_fields ->> 'linked_source_id' as linked_source_id,
        created_at as recorded_at,
        record_fields ->> 'media_type' as media_type,
        (record_fields ->> 'word_count')::numeric as word_count,
        (record_fields ->> 'character_count')::numeric as character_count,
        (record_fields ->> 'line_count')::numeric as line_count,
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
