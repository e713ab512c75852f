{{
    config(
        materialized='incremental',
        unique_key='source_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('call_v1') }}",
            "{{ delete_stale('call_v1') }}",
        ],
        post_hook=["{{ empty_queue('call_v1') }}", "{{ note_changes('source_id') }}"],
    )
}}

{% call media_asset('call_v1') %}
(record_fields ->> 'speaker_count')::numeric as speaker_count,
(record_fields ->> 'is_diarised')::boolean as is_diarised,
record_fields ->> 'transcript_path' as transcript_path,
record_fields ->> 'codec' as codec,
(record_fields ->> 'duration_seconds')::numeric as duration_seconds,
(record_fields ->> 'sample_rate_hz')::numeric as sample_rate_hz,
(record_fields ->> 'channel_count')::numeric as channel_count
{% endcall %}
