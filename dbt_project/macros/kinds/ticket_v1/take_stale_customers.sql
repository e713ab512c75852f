{#- Pre-hook of customer_dim: whose newest event may be another now, and among which events it is. Every customer that a
    version of a queued ticket names: also one that the ticket has left. The queue may say '*', everything. -#}
{% macro take_stale_customers() -%}
    {%- if is_incremental() -%}
    {%- set everything = is_everything_stale('ticket_v1') -%}
    {%- set stale_version = ranked_versions('ticket_v1') -%}
    {%- set raw_ticket_event = source('bronze', 'raw_ticket_event') -%}
create temporary table stale_customer on commit drop as
select person_id as customer_id from {{ raw_ticket_event }} where record_key in {{ stale_keys('ticket_v1') }}
union
select person_id from {{ stale_version }}
union
select customer_id from {{ this }} where {{ everything }}
union
-- Erased: the row is all that still names the customer.
select dim.customer_id
from {{ this }} as dim
left join {{ raw_ticket_event }} as events on dim.event_id = events.event_id
where events.event_id is null and exists (select from {{ source('ops', 'unbuilt_erasure') }});
analyze stale_customer;

-- The customer's row as it stands: its event is of a ticket that is not queued, or has been ranked again.
create temporary table standing_customer on commit drop as
select
    dim.customer_id,
    dim.event_id,
    dim.last_seen_at as version_at,
    dim.last_seen_sequence as sequence,
    dim.last_seen_line_number as line_number,
    events.record_key not in {{ stale_keys('ticket_v1') }} as is_unquestioned,
    not coalesce(versions.is_collided, true)
    and (versions.sequence, versions.line_number) >= (dim.last_seen_sequence, dim.last_seen_line_number)
        as is_confirmed
from {{ this }} as dim
inner join stale_customer on dim.customer_id = stale_customer.customer_id
left join {{ raw_ticket_event }} as events on dim.event_id = events.event_id
left join {{ stale_version }} as versions on dim.event_id = versions.event_id
where not {{ everything }};

-- Where the row's event counts no longer, or at a smaller place, the next newest may be of any ticket of the customer.
create temporary table customer_ticket on commit drop as
select distinct record_key
from {{ raw_ticket_event }}
where
    person_id = any(array(
        select customer_id from standing_customer where (is_unquestioned or is_confirmed) is not true
    ))
    and exists (select from standing_customer where (is_unquestioned or is_confirmed) is not true);
analyze standing_customer, customer_ticket;

create temporary table customer_candidate on commit drop as
select person_id as customer_id, event_id, version_at, sequence, line_number
from {{ stale_version }}
where not is_collided
union all
select customer_id, event_id, version_at, sequence, line_number
from standing_customer
where is_unquestioned
union all
select person_id, event_id, version_at, sequence, line_number
from ({{ record_versions('ticket_v1', '(select queued.record_key from customer_ticket as queued)') }}) as versions
where not is_collided and person_id in (select customer_id from stale_customer);
analyze customer_candidate;
delete from {{ this }} where customer_id in (select customer_id from stale_customer);
    {%- endif -%}
{%- endmacro %}
