{#- Sums over reconcile_event by day, run and fate, kept beside it: a ticket's rows are taken out of the sums before
    they are computed anew, and put in again after, all in the one transaction of that model. -#}
{% macro make_event_totals() -%}
create table if not exists {{ source('reconcile_ledger', 'event_total') }} (
    partition_key date,
    silver_partition_key date,
    run_id uuid,
    event_fate text,
    is_winner boolean,
    is_displaced boolean,
    is_late boolean,
    event_count bigint not null,
    silver_row_count bigint not null,
    moved_count bigint not null,
    bronze_digest numeric not null,
    silver_digest numeric not null
);
{%- endmacro %}

{#- Pre-hook of reconcile_event. -#}
{% macro subtract_event_totals(scope_ticket) -%}
{{ make_event_totals() }}
    {%- if is_incremental() %}
{{ insert_event_totals('-', scope_ticket) }}
    {%- endif -%}
{%- endmacro %}

{#- Post-hook of reconcile_event. -#}
{% macro add_event_totals(scope_ticket) -%}
    {%- if is_incremental() -%}
{{ insert_event_totals('', scope_ticket) }}
    {%- else -%}
delete from {{ source('reconcile_ledger', 'event_total') }};
{{ insert_event_totals('', none) }}
    {%- endif -%}
{%- endmacro %}

{% macro insert_event_totals(sign, scope_ticket) -%}
insert into {{ source('reconcile_ledger', 'event_total') }}
with events as not materialized (
    select * from {{ this }}
    {%- if scope_ticket is not none %}
    where ticket_id in (select scope_ticket.ticket_id from {{ scope_ticket }} as scope_ticket)
    {%- endif %}
),
-- Only tickets that were seen on more than one day can have moved.
wandering_tickets as (
    select ticket_id, max(silver_partition_key) as silver_partition_key
    from events
    group by ticket_id
    having
        least(min(partition_key), min(silver_partition_key))
        <> greatest(max(partition_key), max(silver_partition_key))
),
moved as (
    select events.partition_key, count(distinct events.ticket_id) as ticket_count
    from events
    inner join wandering_tickets on events.ticket_id = wandering_tickets.ticket_id
    where events.event_id is not null and events.partition_key <> wandering_tickets.silver_partition_key
    group by events.partition_key
)
select
    partition_key, silver_partition_key, run_id, event_fate,
    silver_state is not null as is_winner, is_displaced, is_late,
    {{ sign }}count(event_id) as event_count,
    {{ sign }}count(silver_partition_key) as silver_row_count,
    0 as moved_count,
    {{ sign }}coalesce(sum(bronze_digest), 0) as bronze_digest,
    {{ sign }}coalesce(sum(silver_digest), 0) as silver_digest
from events
group by partition_key, silver_partition_key, run_id, event_fate, silver_state is not null, is_displaced, is_late
union all
select partition_key, null, null, null, null, null, null, 0, 0, {{ sign }}ticket_count, 0, 0
from moved;
{%- endmacro %}

{#- Pre-hook of newest_event: whose newest event may be another now, and among which events it is. Every customer that
    an event of a ticket to prove names, now or in the last proof; a row without an event names one that has none. -#}
{% macro find_newest_candidates() -%}
    {%- if is_incremental() -%}
    {%- set events = ref('reconcile_event') -%}
    {%- set scope_ticket = ref('scope_ticket') -%}
    {%- set counts = "event_id is not null and event_fate not in ('pending', 'retired', 'collided')" -%}
create temporary table fresh_event on commit drop as
select customer_id, event_id, ticket_id, version_at, version_sequence, version_line_number
from {{ events }}
where {{ counts }} and ticket_id in (select scope_ticket.ticket_id from {{ scope_ticket }} as scope_ticket);

create temporary table standing_customer on commit drop as
select
    standing.customer_id,
    standing.event_id,
    standing.ticket_id,
    standing.version_at,
    standing.version_sequence,
    standing.version_line_number,
    not exists (
        select from {{ scope_ticket }} as scope_ticket where scope_ticket.ticket_id = standing.ticket_id
    ) as is_untouched,
    coalesce(
        (fresh.version_at, fresh.version_sequence, fresh.version_line_number)
        >= (standing.version_at, standing.version_sequence, standing.version_line_number),
        false
    ) as is_confirmed
from {{ this }} as standing
left join fresh_event as fresh on standing.event_id = fresh.event_id and standing.customer_id = fresh.customer_id
where
    standing.customer_id in (select customer_id from fresh_event)
    or standing.ticket_id in (select scope_ticket.ticket_id from {{ scope_ticket }} as scope_ticket);

create temporary table newest_candidate on commit drop as
select customer_id, event_id, ticket_id, version_at, version_sequence, version_line_number from fresh_event
union all
select customer_id, event_id, ticket_id, version_at, version_sequence, version_line_number
from standing_customer where is_untouched
union all
-- Its event counts no longer, or at a smaller place: the next newest may be of any ticket.
select customer_id, event_id, ticket_id, version_at, version_sequence, version_line_number
from {{ events }}
where
    {{ counts }}
    and customer_id = any(array(
        select customer_id from standing_customer where not is_untouched and not is_confirmed
    ))
union all
select customer_id, null, null, null, null, null from standing_customer;
    {%- endif -%}
{%- endmacro %}
