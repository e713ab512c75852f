{#- Sums over reconcile_event by day, run and fate, kept beside it: a record's rows are taken out of the sums before
    they are computed anew, and put in again after, all in the one transaction of that model. -#}
{% macro make_event_totals() -%}
create table if not exists {{ source('reconcile_ledger', 'event_total') }} (
    record_kind text,
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
{% macro subtract_event_totals(scope_record) -%}
{{ make_event_totals() }}
    {%- if is_incremental() %}
{{ insert_event_totals('-', scope_record) }}
    {%- endif -%}
{%- endmacro %}

{#- Post-hook of reconcile_event. -#}
{% macro add_event_totals(scope_record) -%}
    {%- if is_incremental() -%}
{{ insert_event_totals('', scope_record) }}
    {%- else -%}
delete from {{ source('reconcile_ledger', 'event_total') }};
{{ insert_event_totals('', none) }}
    {%- endif -%}
{%- endmacro %}

{% macro insert_event_totals(sign, scope_record) -%}
insert into {{ source('reconcile_ledger', 'event_total') }}
with events as not materialized (
    select * from {{ this }}
    {%- if scope_record is not none %}
    where record_key in (select scope_record.record_key from {{ scope_record }} as scope_record)
    {%- endif %}
),
-- Only records that were seen on more than one day can have moved.
wandering_records as (
    select record_kind, record_key, max(silver_partition_key) as silver_partition_key
    from events
    group by record_kind, record_key
    having
        least(min(partition_key), min(silver_partition_key))
        <> greatest(max(partition_key), max(silver_partition_key))
),
moved as (
    select events.record_kind, events.partition_key, count(distinct events.record_key) as record_count
    from events
    inner join wandering_records using (record_kind, record_key)
    where events.event_id is not null and events.partition_key <> wandering_records.silver_partition_key
    group by events.record_kind, events.partition_key
)
select
    record_kind, partition_key, silver_partition_key, run_id, event_fate,
    silver_state is not null as is_winner, is_displaced, is_late,
    {{ sign }}count(event_id) as event_count,
    {{ sign }}count(silver_partition_key) as silver_row_count,
    0 as moved_count,
    {{ sign }}coalesce(sum(bronze_digest), 0) as bronze_digest,
    {{ sign }}coalesce(sum(silver_digest), 0) as silver_digest
from events
group by record_kind, partition_key, silver_partition_key, run_id, event_fate, silver_state is not null, is_displaced, is_late
union all
select record_kind, partition_key, null, null, null, null, null, null, 0, 0, {{ sign }}record_count, 0, 0
from moved;
{%- endmacro %}

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
