{#- A query of a kind's versions, ranked: one row per event that Silver is built from. `keys`: a query of one column, the
    keys of records; only these records then. -#}
{% macro record_versions(kind, keys=none) -%}
with

-- Read where they lie, not through the staging views: what the ledgers froze is visible, and what became visible
-- since, or is read under a later ruleset since, is not for this build.
events as (

    select
        event_id,
        record_key,
        person_id,
        record_source,
        record_fingerprint,
        asset_id,
        created_at,
        coalesce(updated_at, created_at) as version_at,
        _dlt_load_id
    from {{ source('bronze', declared_kinds()[kind].bronze) }}
    {%- if keys is not none %}
    where record_key in {{ keys }}
    offset 0 -- a fence: a few records are found by their key, not by going through every load
    {%- endif %}

),

built_loads as (

    select * from {{ source('silver_ledger', 'built_load') }}
    where record_kind = '{{ kind }}'

),

built_assets as (

    select * from {{ source('silver_ledger', 'built_asset') }}
    where record_kind = '{{ kind }}'

),

landed as (

    select events.*
    from events
    inner join built_loads
        on events._dlt_load_id = built_loads.load_id

),

-- An event counts where its smallest (sequence, line_number) is, however often it was delivered.
deliveries as (

    select distinct on (asset_lines.event_id)
        asset_lines.event_id,
        built_assets.sequence,
        asset_lines.line_number
    from {{ source('bronze', 'asset_line') }} as asset_lines
    {%- if keys is not none %}
    inner join landed
        on asset_lines.event_id = landed.event_id
    {%- endif %}
    inner join built_assets
        on
            asset_lines.asset_id = built_assets.asset_id
            and asset_lines.ruleset_id = built_assets.ruleset_id
    inner join built_loads
        on asset_lines._dlt_load_id = built_loads.load_id
    where asset_lines.kind = 'record'
    order by asset_lines.event_id asc, built_assets.sequence asc, asset_lines.line_number asc

),

{%- set is_whole = declared_kinds()[kind].whole is not none %}

{{ 'placed' if is_whole else 'delivered' }} as (

    select
        landed.event_id,
        landed.record_key,
        landed.person_id,
        landed.record_source,
        landed.record_fingerprint,
        {%- if is_whole %}
        landed.asset_id,
        {%- endif %}
        landed.created_at,
        landed.version_at,
        deliveries.sequence,
        deliveries.line_number
    from landed
    inner join deliveries
        on landed.event_id = deliveries.event_id

),

{%- if is_whole %}

-- An asset is whole: what the newest one of the same lacks is not current. An event is of one asset.
newest_assets as (

    select distinct on ({{ whole_of('record_key') }}) asset_id
    from placed
    order by {{ whole_of('record_key') }} asc, version_at desc, sequence desc, event_id desc

),

delivered as (

    select * from placed
    where asset_id in (select newest_assets.asset_id from newest_assets)

),
{%- endif %}

-- Where all else ties the fingerprint decides; event_id is its first 128 bits, so it sorts the same and is short.
ranked as (

    select
        *,
        first_value(record_source) over (
            partition by record_key
            order by created_at asc, sequence asc, line_number asc, event_id asc
        ) as kept_record_source,
        row_number() over (
            partition by record_key, record_source
            order by version_at desc, sequence desc, line_number desc, event_id desc
        ) as version_rank,
        count(*) over (partition by record_key, record_source) as version_count
    from delivered

)

select
    event_id,
    record_key,
    person_id,
    record_source,
    record_fingerprint,
    created_at,
    version_at,
    sequence,
    line_number,
    version_rank,
    version_count,
    record_source <> kept_record_source as is_collided,
    record_source = kept_record_source and version_rank = 1 as is_winner
from ranked
{%- endmacro %}
