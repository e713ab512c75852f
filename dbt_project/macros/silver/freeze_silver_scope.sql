{#- Decides, in the own transaction of a kind's model of Silver, which loads of its records and which reading of each
    asset count, records both in the ledgers, queues in stale_record every record whose row may differ, and ranks their
    versions once for all models of the kind. They read the ledgers only: a load that completes meanwhile belongs to the
    next build. -#}
{% macro freeze_silver_scope(kind) -%}
    {%- set declared = declared_kinds()[kind] -%}
    {%- set built_load = source('silver_ledger', 'built_load') -%}
    {%- set built_asset = source('silver_ledger', 'built_asset') -%}
    {%- set stale_record = source('silver_ledger', 'stale_record') -%}
    {%- set raw_event = source('bronze', declared.bronze) -%}
    {%- set asset_line = source('bronze', 'asset_line') -%}
    {%- set of_kind = "record_kind = '" ~ kind ~ "'" -%}
    {%- set loads = loads_that_count(kind) -%}
    {%- set readings = readings_that_count(kind) -%}

    {%- if not is_incremental() -%}
delete from {{ built_load }} where {{ of_kind }};
delete from {{ built_asset }} where {{ of_kind }};
delete from {{ stale_record }} where {{ of_kind }};
insert into {{ built_load }} (load_id, record_kind) select load_id, '{{ kind }}' from {{ loads }} as loads;
insert into {{ built_asset }} (asset_id, record_kind, ruleset_id, sequence)
select asset_id, '{{ kind }}', ruleset_id, sequence from {{ readings }} as readings;
insert into {{ stale_record }} (record_kind, record_key) values ('{{ kind }}', '*');
analyze {{ built_load }}, {{ built_asset }};
    {%- else -%}
-- Taken back since, to be landed again.
delete from {{ built_load }} where {{ of_kind }} and load_id not in {{ loads }};
create temporary table new_load (load_id text not null) on commit drop;
with added as (
    insert into {{ built_load }} (load_id, record_kind)
    select load_id, '{{ kind }}' from {{ loads }} as loads
    where load_id not in (select load_id from {{ built_load }})
    returning load_id
)
insert into new_load (load_id) select load_id from added;

create temporary table asset_reading on commit drop as
select asset_id, ruleset_id, sequence from {{ readings }} as readings;
create temporary table changed_asset on commit drop as
select asset_id
from asset_reading
full join (
    select asset_id, ruleset_id, sequence from {{ built_asset }} where {{ of_kind }}
) as built using (asset_id)
where (asset_reading.ruleset_id, asset_reading.sequence) is distinct from (built.ruleset_id, built.sequence);
delete from {{ built_asset }} where asset_id in (select asset_id from changed_asset);
insert into {{ built_asset }} (asset_id, record_kind, ruleset_id, sequence)
select asset_id, '{{ kind }}', ruleset_id, sequence
from asset_reading where asset_id in (select asset_id from changed_asset);

-- Arrays and not joins, so that the planner can use Bronze's indexes; nothing is read when nothing is new.
with landed as (
    select event_id, record_key
    from {{ raw_event }}
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
    select record_key from landed
    {#- Only what landed earlier has to be looked up. #}
    union
    select known.record_key
    from {{ raw_event }} as known
    inner join (select event_id from delivered except select event_id from landed) as earlier
        on known.event_id = earlier.event_id
    {#- A build of everything that the models after this one have not followed: they will read what is ranked now as
        everything. #}
    union
    select record_key from {{ raw_event }} where {{ is_everything_stale(kind) }}
    {#- Their events went, so no load tells of them. #}
    union
    select record_key from {{ source('ops', 'unbuilt_erasure') }} where {{ of_kind }}
    {%- if var('partition') is not none %}
    union
    select record_key from {{ raw_event }} where partition_key = date '{{ partition_var() }}'
    union
    select {{ declared.key }} from {{ this }} where partition_key = date '{{ partition_var() }}'
    {%- endif %}
)
insert into {{ stale_record }} (record_kind, record_key)
select '{{ kind }}', record_key from touched
    {%- if declared.whole is not none %}
-- Whatever is of the same whole: an asset that comes, or goes, may take the place of another one.
union
select '{{ kind }}', record_key from {{ raw_event }}
where {{ whole_of('record_key') }} = any(array(select {{ whole_of('record_key') }} from touched))
    {%- endif %}
except
select record_kind, record_key from {{ stale_record }};
analyze {{ stale_record }}, {{ built_load }}, {{ built_asset }};
    {%- endif %}

{% set ranked = ranked_versions(kind) -%}
{%- set made = make_intermediate_relation(ranked) -%}
-- Made and not filled: only then do workers share the query.
create table {{ made }} as
select event_id, record_key, person_id, version_at, sequence, line_number, version_count, is_collided, is_winner
from ({{ record_versions(kind, stale_keys(kind) if is_incremental() else none) }}) as versions;
{{ replace_table(ranked, made) }};
analyze {{ ranked }};
{%- endmacro %}

{#- The versions of a kind's queued records, as its model has just ranked them; made anew by each build of it. -#}
{% macro ranked_versions(kind) -%}
    {{ return(source('silver_ledger', declared_kinds()[kind].silver ~ '_ranked')) }}
{%- endmacro %}

{#- A query of the keys of a kind that are queued. -#}
{% macro stale_keys(kind) -%}
(select stale.record_key from {{ source('silver_ledger', 'stale_record') }} as stale where stale.record_kind = '{{ kind }}')
{%- endmacro %}

{#- Whether all records of a kind are queued. -#}
{% macro is_everything_stale(kind) -%}
exists (
    select 1
    from {{ source('silver_ledger', 'stale_record') }} as stale
    where stale.record_kind = '{{ kind }}' and stale.record_key = '*'
)
{%- endmacro %}

{#- Post-hook of the last model of a kind: what was queued is built. -#}
{% macro empty_queue(kind) -%}
delete from {{ source('silver_ledger', 'stale_record') }} where record_kind = '{{ kind }}'
{%- endmacro %}

{#- The variable `partition`, checked: YYYY-MM-DD. -#}
{% macro partition_var() -%}
    {%- set day = var('partition') | string -%}
    {%- if not modules.re.match('^[0-9]{4}-[0-9]{2}-[0-9]{2}$', day) -%}
        {{ exceptions.raise_compiler_error(
            "variable partition: got '" ~ day ~ "', expected a day YYYY-MM-DD; nothing was built."
            ~ " Next: dbt build --select " ~ this.identifier ~ "+ --vars '{partition: 2026-04-17}'") }}
    {%- endif -%}
    {{- day -}}
{%- endmacro %}
