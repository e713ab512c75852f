{#- Decides, in ticket_fact's own transaction, which loads and which reading of each asset count, records both in the
    ledgers, queues in stale_ticket every ticket whose rows may differ, and ranks the versions of these tickets once for
    all models of Silver. They read the ledgers only: a load that completes meanwhile belongs to the next build. -#}
{% macro freeze_silver_scope() -%}
    {%- set completed_load = ref('stg_ops__completed_load') -%}
    {%- set built_load = source('silver_ledger', 'built_load') -%}
    {%- set built_asset = source('silver_ledger', 'built_asset') -%}
    {%- set stale_ticket = source('silver_ledger', 'stale_ticket') -%}
    {%- set raw_ticket_event = source('bronze', 'raw_ticket_event') -%}
    {%- set asset_line = source('bronze', 'asset_line') -%}

    {%- if not is_incremental() -%}
delete from {{ built_load }};
delete from {{ built_asset }};
delete from {{ stale_ticket }};
insert into {{ built_load }} (load_id) select distinct load_id from {{ completed_load }};
insert into {{ built_asset }} (asset_id, ruleset_id, sequence)
select asset_id, ruleset_id, sequence from {{ source('ops', 'asset_reading') }};
insert into {{ stale_ticket }} (ticket_id) values ('*');
analyze {{ built_load }}, {{ built_asset }};
    {%- else -%}
-- Taken back since, to be landed again.
delete from {{ built_load }} where load_id not in (select load_id from {{ completed_load }});
create temporary table new_load (load_id text not null) on commit drop;
with added as (
    insert into {{ built_load }} (load_id)
    select distinct load_id from {{ completed_load }}
    except
    select load_id from {{ built_load }}
    returning load_id
)
insert into new_load (load_id) select load_id from added;

create temporary table asset_reading on commit drop as
select asset_id, ruleset_id, sequence from {{ source('ops', 'asset_reading') }};
create temporary table changed_asset on commit drop as
select asset_id
from asset_reading
full join {{ built_asset }} as built using (asset_id)
where (asset_reading.ruleset_id, asset_reading.sequence) is distinct from (built.ruleset_id, built.sequence);
delete from {{ built_asset }} where asset_id in (select asset_id from changed_asset);
insert into {{ built_asset }} (asset_id, ruleset_id, sequence)
select asset_id, ruleset_id, sequence from asset_reading where asset_id in (select asset_id from changed_asset);

-- Arrays and not joins, so that the planner can use Bronze's indexes; nothing is read when nothing is new.
with landed as (
    select event_id, record_key as ticket_id
    from {{ raw_ticket_event }}
    where _dlt_load_id = any(array(select load_id from new_load)) and exists (select from new_load)
),
delivered as (
    select event_id from {{ asset_line }}
    where asset_id = any(array(select asset_id from changed_asset)) and exists (select from changed_asset)
    union
    select event_id from {{ asset_line }}
    where _dlt_load_id = any(array(select load_id from new_load)) and exists (select from new_load)
),
touched as (
    select ticket_id from landed
    {#- Only what landed earlier has to be looked up. #}
    union
    select known.record_key
    from {{ raw_ticket_event }} as known
    inner join (select event_id from delivered except select event_id from landed) as earlier
        on known.event_id = earlier.event_id
    {#- A build of everything that ended before customer_dim: it will read what is ranked now as everything. #}
    union
    select record_key from {{ raw_ticket_event }} where exists (select from {{ stale_ticket }} where ticket_id = '*')
    {#- Their events went, so no load tells of them. #}
    union
    select ticket_id from {{ source('ops', 'unbuilt_erasure') }}
    {%- if var('partition') is not none %}
    union
    select record_key from {{ raw_ticket_event }} where partition_key = date '{{ partition_var() }}'
    union
    select ticket_id from {{ this }} where partition_key = date '{{ partition_var() }}'
    {%- endif %}
)
insert into {{ stale_ticket }} (ticket_id)
select ticket_id from touched
except
select ticket_id from {{ stale_ticket }};
analyze {{ stale_ticket }}, {{ built_load }}, {{ built_asset }};
    {%- endif %}

{% set stale_version = source('silver_ledger', 'stale_version') -%}
{%- set made_version = make_intermediate_relation(stale_version) -%}
-- Made and not filled: only then do workers share the query.
create table {{ made_version }} as
select event_id, ticket_id, customer_id, version_at, sequence, line_number, version_count, is_collided, is_winner
from ({{ ticket_versions(stale_ticket if is_incremental() else none) }}) as ranked;
{{ replace_table(stale_version, made_version) }};
analyze {{ stale_version }};
{%- endmacro %}

{#- The variable `partition`, checked: YYYY-MM-DD. -#}
{% macro partition_var() -%}
    {%- set day = var('partition') | string -%}
    {%- if not modules.re.match('^[0-9]{4}-[0-9]{2}-[0-9]{2}$', day) -%}
        {{ exceptions.raise_compiler_error(
            "variable partition: got '" ~ day ~ "', expected a day YYYY-MM-DD; nothing was built."
            ~ " Next: dbt build --select ticket_fact+ --vars '{partition: 2026-04-17}'") }}
    {%- endif -%}
    {{- day -}}
{%- endmacro %}
