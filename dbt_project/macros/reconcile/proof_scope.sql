{#- Whether this build proves only what has changed since the last proof that closed (variable `proof`: all, changes).
    The loader's ingest asks for it when nothing outside can have changed, and proves everything otherwise, and where
    anything is found: docs/decisions/0007. -#}
{% macro is_proving_changes() -%}
    {%- set proof = var('proof') -%}
    {%- if proof not in ['all', 'changes'] -%}
        {{ exceptions.raise_compiler_error(
            "variable proof: got '" ~ proof ~ "', expected all or changes; nothing was built."
            ~ " Next: dbt build --select reconcile") }}
    {%- endif -%}
    {{ return(proof == 'changes') }}
{%- endmacro %}

{#- Overrides dbt's: a model of reconcile is built from nothing unless only changes are proved. -#}
{% macro should_full_refresh() -%}
    {%- if model.fqn[1] == 'reconcile' and not is_proving_changes() -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(dbt.should_full_refresh()) }}
{%- endmacro %}

{#- Post-hook of a model of Silver: from now on the database itself notes which rows of it change. A table made anew
    has changed as a whole. -#}
{% macro note_changes(key) -%}
    {%- if not is_incremental() -%}
    {%- set name = this.schema ~ '.' ~ this.identifier -%}
    {%- set arguments = "'" ~ name ~ "', '" ~ key ~ "'" -%}
create or replace trigger note_insert after insert on {{ this }} referencing new table as new_rows
for each statement execute function ops.note_change({{ arguments }});
create or replace trigger note_update after update on {{ this }} referencing old table as old_rows new table as new_rows
for each statement execute function ops.note_change({{ arguments }});
create or replace trigger note_delete after delete on {{ this }} referencing old table as old_rows
for each statement execute function ops.note_change({{ arguments }});
create or replace trigger note_truncate after truncate on {{ this }}
for each statement execute function ops.note_change({{ arguments }});
insert into {{ source('ops', 'unproved_change') }} (table_name, row_key) values ('{{ name }}', '*');
    {%- endif -%}
{%- endmacro %}

{#- Post-hook of what says what is proved, and what was found: who made it. The loader records no proof whose scope or
    findings another build has made anew meanwhile. -#}
{% macro sign_scope() -%}
comment on table {{ this }} is '{{ invocation_id }}';
{%- endmacro %}

{#- Whether a check may find something in a row of reconcile_event: it is in doubt until a proof of everything. -#}
{% macro is_in_doubt() -%}
silver_state not in ('equal', 'unprovable')
    or event_fate = 'collided'
    or not is_payload_authentic
    or not is_event_id_authentic
    or not is_partition_authentic
    or not is_first_delivery_known
    or differing_columns is not null
    or run_id is distinct from load_run_id
{%- endmacro %}

{#- Pre-hook of an incremental model of reconcile: deletes what the model is about to compute anew, the rows whose key
    is in `scope`, a relation with a column `scope_key` (default: of the same name). -#}
{% macro delete_unproved(key, scope, scope_key=none) -%}
    {%- if is_incremental() -%}
delete from {{ this }} where {{ key }} in (select scope.{{ scope_key or key }} from {{ scope }} as scope);
    {%- endif -%}
{%- endmacro %}

{#- Pre-hook of load_measure: the loads that are not proved, and those of which a table holds another number of rows
    than it did. Counted in the indexes on the load, without reading the rows. -#}
{% macro find_changed_loads() -%}
    {%- if is_incremental() -%}
create temporary table changed_load on commit drop as
with present as (
    select 'record_event' as table_name, _dlt_load_id as load_id, count(*) as row_count
    from {{ source('bronze', 'record_event') }} group by _dlt_load_id
    union all
    select 'asset_line', _dlt_load_id, count(*)
    from {{ source('bronze', 'asset_line') }} group by _dlt_load_id
    union all
    select 'rejected_record', _dlt_load_id, count(*)
    from {{ source('bronze', 'rejected_record') }} group by _dlt_load_id
)
select load_id
from present
full join {{ this }} as measured using (load_id, table_name)
where present.row_count is distinct from measured.row_count
union
select load_id from {{ ref('scope_load') }};
    {%- endif -%}
{%- endmacro %}

{#- Pre-hook: what new loads brought, as counted tables, so that the planner knows how little it is. -#}
{% macro find_fresh_events() -%}
    {%- set scope_load = ref('scope_load') %}
create temporary table fresh_event on commit drop as
select events.event_id, events.record_kind, events.record_key
from {{ scope_load }} as scope_load
inner join {{ source('bronze', 'record_event') }} as events on scope_load.load_id = events._dlt_load_id;
create temporary table fresh_line on commit drop as
select lines.event_id, lines.asset_id
from {{ scope_load }} as scope_load
inner join {{ source('bronze', 'asset_line') }} as lines on scope_load.load_id = lines._dlt_load_id;
analyze fresh_event, fresh_line;
-- Lines that wait for an event belong to partitions that were not taken; where there are none, nothing is looked up.
create temporary table line_of_fresh_event on commit drop as
select distinct lines.asset_id
from fresh_event
inner join {{ source('bronze', 'asset_line') }} as lines on fresh_event.event_id = lines.event_id
inner join (
    select distinct asset_id
    from {{ source('ops', 'asset_partition') }}
    where taken_by_run_id is null
) as waiting on lines.asset_id = waiting.asset_id;
{%- endmacro %}

{#- Pre-hook, after find_fresh_events: records of older events with a new line, or with a line whose place or ruleset
    changed. -#}
{% macro find_moved_events() -%}
create temporary table moved_delivery on commit drop as
select event_id from fresh_line
union
select lines.event_id
from {{ ref('scope_asset') }} as scope_asset
inner join {{ source('bronze', 'asset_line') }} as lines on scope_asset.asset_id = lines.asset_id
where scope_asset.is_order_changed
except
select event_id from fresh_event;
analyze moved_delivery;
create temporary table moved_event on commit drop as
select distinct events.record_kind, events.record_key
from moved_delivery
inner join {{ source('bronze', 'record_event') }} as events on moved_delivery.event_id = events.event_id;
{%- endmacro %}
