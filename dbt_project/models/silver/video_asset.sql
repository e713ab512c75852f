{{
    config(
        materialized='incremental',
        unique_key='source_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('video_v1') }}",
            "{{ delete_stale('video_v1') }}",
        ],
        post_hook=["{{ empty_queue('video_v1') }}", "{{ note_changes('source_id') }}"],
    )
}}

{% call media_asset('video_v1') %}
(record_fields ->> 'speaker_count')::numeric as speaker_count,
(record_fields ->> 'is_diarised')::boolean as is_diarised,
record_fields ->> 'transcript_path' as transcript_path,
record_fields ->> 'audio_track_path' as audio_track_path,
record_fields -> 'key_frame_paths' as key_frame_paths,
record_fields ->> 'codec' as codec,
(record_fields ->> 'duration_seconds')::numeric as duration_seconds,
(record_fields ->> 'width_pixels')::numeric as width_pixels,
(record_fields ->> 'height_pixels')::numeric as height_pixels,
(record_fields ->> 'frame_rate')::numeric as frame_rate,
record_fields ->> 'audio_codec' as audio_codec,
(record_fields ->> 'sample_rate_hz')::numeric as sample_rate_hz,
(record_fields ->> 'channel_count')::numeric as channel_count
{% endcall %}
