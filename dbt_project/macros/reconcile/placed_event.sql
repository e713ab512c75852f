{#- The select list of an event of reconcile_event with its place: its claim (`claims`), its load (`progress`) and what
    delivers it (`deliveries`, with the smallest `place`). `is_first`, `is_current_first`: whether its first delivery is
    among them, and under the ruleset that counts. An event that no line delivers is damage; it keeps the place of its own
    first delivery, so that its record does not look wrong as well. Retired: delivered under an older ruleset only. -#}
{% macro placed_event(is_first, is_current_first) -%}
claims.*,
progress.run_id as load_run_id,
progress.attempt as load_attempt,
progress.is_pending,
coalesce(claims.updated_at, claims.created_at) as version_at,
coalesce({{ is_first }}, false) as is_first_delivery_known,
not coalesce({{ is_current_first }}, false) as is_displaced,
deliveries.event_id is not null and deliveries.place is null as is_retired,
case
    when deliveries.event_id is null then coalesce(readings.asset_sequence, 0)
    else deliveries.place[1]
end as version_sequence,
case
    when deliveries.event_id is null then claims.line_number::bigint
    else deliveries.place[2]
end as version_line_number,
case
    when deliveries.event_id is null then claims.asset_id
    else -deliveries.place[3]
end as version_asset_id
{%- endmacro %}
