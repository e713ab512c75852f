{{
    config(
        materialized='incremental',
        unique_key='source_id',
        indexes=[{'columns': ['partition_key']}],
        pre_hook=[
            "{{ begin_silver_model() }}",
            "{{ freeze_silver_scope('image_v1') }}",
            "{{ delete_stale('image_v1') }}",
        ],
        post_hook=["{{ empty_queue('image_v1') }}", "{{ note_changes('source_id') }}"],
    )
}}

{% call media_asset('image_v1') %}
(record_fields ->> 'width_pixels')::numeric as width_pixels,
(record_fields ->> 'height_pixels')::numeric as height_pixels,
(record_fields ->> 'frame_count')::numeric as frame_count
{% endcall %}
