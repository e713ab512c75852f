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
