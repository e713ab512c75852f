{#- Pre-hook of newest_event: whose newest event may be another now, and among which events it is. Every customer that
    an event of a ticket to prove names, now or in the last proof; a row without an event names one that has none. -#}
{% macro find_newest_candidates() -%}
    {%- if is_incremental() -%}
    {%- set events = ref('reconcile_event') -%}
    {%- set scope_record = ref('scope_record') -%}
    {%- set counts = "record_kind = 'ticket_v1' and event_id is not null and event_fate not in ('pending', 'retired', 'collided')" -%}
create temporary table fresh_event on commit drop as
select person_id, event_id, record_key, version_at, version_sequence, version_line_number
from {{ events }}
where {{ counts }} and record_key in (select scope_record.record_key from {{ scope_record }} as scope_record);

create temporary table standing_customer on commit drop as
select
    standing.person_id,
    standing.event_id,
    standing.record_key,
    standing.version_at,
    standing.version_sequence,
    standing.version_line_number,
    not exists (
        select from {{ scope_record }} as scope_record where scope_record.record_key = standing.record_key
    ) as is_untouched,
    coalesce(
        (fresh.version_at, fresh.version_sequence, fresh.version_line_number)
        >= (standing.version_at, standing.version_sequence, standing.version_line_number),
        false
    ) as is_confirmed
from {{ this }} as standing
left join fresh_event as fresh on standing.event_id = fresh.event_id and standing.person_id = fresh.person_id
where
    standing.person_id in (select person_id from fresh_event)
    or standing.record_key in (select scope_record.record_key from {{ scope_record }} as scope_record);

create temporary table newest_candidate on commit drop as
select person_id, event_id, record_key, version_at, version_sequence, version_line_number from fresh_event
union all
select person_id, event_id, record_key, version_at, version_sequence, version_line_number
from standing_customer where is_untouched
union all
-- Its event counts no longer, or at a smaller place: the next newest may be of any ticket.
select person_id, event_id, record_key, version_at, version_sequence, version_line_number
from {{ events }}
where
    {{ counts }}
    and person_id = any(array(
        select person_id from standing_customer where not is_untouched and not is_confirmed
    ))
union all
select person_id, null, null, null, null, null from standing_customer;
    {%- endif -%}
{%- endmacro %}
