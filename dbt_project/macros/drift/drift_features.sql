{#- Pre-hook of drift_profile: the partitions in which a record's opening state may be another than it was measured. An
    update of an older record is none of them. -#}
{% macro find_touched_partitions() -%}
    {%- if is_incremental() -%}
    {%- set scope_load = ref('scope_load') -%}
    {%- set scope_asset = ref('scope_asset') -%}
    {%- set scope_record = ref('scope_record') -%}
create temporary table touched_partition on commit drop as
with
of_scope as (
    select *
    from {{ ref('reconcile_event') }}
    where
        event_id is not null
        and record_key in (select scope_record.record_key from {{ scope_record }} as scope_record)
),
openings as (
    {{ opening_events('of_scope') }}
)
select openings.record_kind, openings.partition_key
from openings
inner join {{ scope_load }} as scope_load on openings.dlt_load_id = scope_load.load_id
union
-- Another ruleset may accept other events.
select of_scope.record_kind, of_scope.partition_key
from of_scope
where exists (select 1 from {{ scope_asset }} as scope_asset where scope_asset.is_order_changed);
analyze touched_partition;
    {%- endif -%}
{%- endmacro %}

{#- A query of one event for each partition and record of `events` (rows of reconcile_event): the last version of the day
    on which the record was opened; where none is known, the first version at all. It stays the same as the record grows
    older, so that a young partition can be compared with older ones. -#}
{% macro opening_events(events) -%}
select distinct on (partition_key, record_key, record_kind) *
from (
    select
        *,
        version_at < (partition_key + 1)::timestamp at time zone 'UTC' as is_of_opening_day
    from {{ events }}
    where event_fate <> 'retired'
) as versions
order by
    partition_key asc,
    record_key asc,
    record_kind asc,
    is_of_opening_day desc,
    case when is_of_opening_day then version_at end desc,
    version_at asc,
    event_id asc
{%- endmacro %}

{#- The form of an id: letters become A, digits 9, and the day's own digits YYYYMMDD. 64 characters at most. `day`: SQL
    expression of the day as eight digits; none: no day is known. -#}
{% macro key_shape(key, day=none) -%}
    {%- set short = "left(" ~ key ~ ", 64)" -%}
    {%- set masked = short if day is none else "replace(" ~ short ~ ", " ~ day ~ ", '~')" -%}
    replace(
        regexp_replace(regexp_replace({{ masked }}, '[0-9]', '9', 'g'), '[A-Za-z]|[^\x01-\x7f]', 'A', 'g'), '~', 'YYYYMMDD'
    )
{%- endmacro %}
