{#- The query of a model of Silver whose records are recordings or images: what is declared of every such file, what the
    caller's block tells of this kind's alone, and where the record came from. For the kind's own model, after
    freeze_silver_scope. -#}
{% macro media_asset(kind) -%}
with

winners as (

    {{ winning_events(kind) | indent(4) }}

),

final as (

    select
        record_key as source_id,
        record_source,
        record_fields ->> 'asset_type' as asset_type,
        record_fields ->> 'license' as license,
        record_fields ->> 'owner' as owner,
        record_fields ->> 'language' as language, -- noqa: RF04
        record_fields ->> 'product_line' as product_line,
        record_fields -> 'tags' as tags,
        record_fields ->> 'quality_gate' as quality_gate,
        record_fields ->> 'pii_level' as pii_level,
        record_fields ->> 'ticket_id' as ticket_id,
        created_at as recorded_at,
        record_fields ->> 'media_type' as media_type,
        {{ caller() | trim | indent(8) }},
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
{%- endmacro %}
