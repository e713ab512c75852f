{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Silver: each row of a kind's model against its winner in Bronze, and the ledgers of what was built. -#}
{#- Columns for which the payload is no witness: where Bronze is damaged, Silver's copy is the better one. -#}
{%- set unwitnessed = ['version_count', 'warning_codes'] + lineage_columns() + envelope_columns() -%}
{#- Columns that Silver takes from the loader's own tables. -#}
{%- set ops_columns = "array['source_fingerprint', 'manifest_id', 'batch_id']" -%}
{%- set scope_record = ref('scope_record') -%}
{%- set scope_keys = '(select scope_record.record_key from ' ~ scope_record ~ ' as scope_record)' -%}
{%- set silver_name = silver_name_of('record_kind') -%}
{%- set told = {
    'record_kind': 'record_kind', 'partition_key': 'shown_partition_key', 'asset_id': 'winner_asset_id'
} %}

with

events as (

    {{ rows_to_prove(ref('reconcile_event'), 'record_key', scope_record) }}

),

silver_rows as (
    {% for kind in built_kinds() %}
    {%- set declared = declared_kinds()[kind] %}
    select
        '{{ kind }}' as record_kind,
        {{ declared.key }} as record_key,
        partition_key,
        asset_id,
        run_id,
        {{ columns_not_as_declared(declared.silver) | indent(8) }} as column_names
    from {{ ref(declared.silver) }}
    {%- if is_proving_changes() %}
    where {{ declared.key }} = any(array{{ scope_keys }})
    {%- endif %}
    {{ "union all" if not loop.last }}
    {%- else %}
    {{ no_rows({
        'record_kind': 'text', 'record_key': 'text', 'partition_key': 'date', 'asset_id': 'integer',
        'run_id': 'uuid', 'column_names': 'text'
    }) | indent(4) }}
    {%- endfor %}

),

ingest_runs as (select * from {{ source('ops', 'ingest_run') }}),

built_loads as (select * from {{ source('silver_ledger', 'built_load') }}),

progress as (select * from {{ ref('load_progress') }}),

damaged as (

    select
        coalesce(bool_or(table_name = 'record_event'), false) as are_events_damaged,
        coalesce(bool_or(table_name = 'asset_line'), false) as are_lines_damaged
    from {{ ref('reconcile_load') }}
    where not is_intact and not is_in_progress

),

flagged as (

    select
        events.*,
        damaged.are_events_damaged,
        damaged.are_lines_damaged,
        shown_on.partition_key as shown_partition_key,
        coalesce(events.asset_id, events.silver_asset_id) as winner_asset_id
    from events
    cross join damaged
    -- The day that the winner belongs to, and the one on which Silver shows the record.
    cross join
        lateral unnest(
            case
                when events.partition_key <> events.silver_partition_key
                    then array[events.partition_key, events.silver_partition_key]
                else array[coalesce(events.partition_key, events.silver_partition_key)]
            end
        ) as shown_on (partition_key)
    where events.silver_state not in ('equal', 'unprovable')

),

-- A row of Silver whose event Bronze lacks, while a line still delivers it: then Bronze lost the event.
orphans as (

    select distinct on (flagged.silver_event_id)
        flagged.silver_event_id as event_id,
        asset_lines.asset_id
    from flagged
    inner join {{ source('bronze', 'asset_line') }} as asset_lines
        on flagged.silver_event_id = asset_lines.event_id
    left join events on flagged.silver_event_id = events.event_id
    where
        events.event_id is null
        and asset_lines.event_id = any(array(select suspect.silver_event_id from flagged as suspect))
    order by flagged.silver_event_id, asset_lines.asset_id, asset_lines.line_number

),

listed_loads as (

    select distinct listed.load_id
    from ingest_runs
    cross join lateral unnest(ingest_runs.dlt_load_ids) as listed (load_id)

),

sequences as (

    select
        manifest_assets.asset_id,
        min(asset_places.sequence) as asset_sequence,
        bool_or(ingest_runs.status = 'running') as is_being_judged
    from {{ source('ops', 'manifest_asset') }} as manifest_assets
    inner join {{ source('ops', 'asset_place') }} as asset_places
        on manifest_assets.asset_id = asset_places.asset_id
    left join ingest_runs on manifest_assets.judged_by_run_id = ingest_runs.run_id
    group by manifest_assets.asset_id

),

pending as (

    select coalesce(bool_or(is_pending), false) as is_pending
    from progress

),

built as (

    select
        coalesce(readings.asset_id, built_assets.asset_id) as asset_id,
        readings.ruleset_id,
        sequences.asset_sequence,
        sequences.is_being_judged,
        built_assets.ruleset_id as built_ruleset_id,
        built_assets.sequence as built_sequence,
        count(*) over (partition by built_assets.asset_id) as copy_count
    from {{ source('ops', 'asset_reading') }} as readings
    full join {{ source('silver_ledger', 'built_asset') }} as built_assets
        on readings.asset_id = built_assets.asset_id
    left join sequences on coalesce(readings.asset_id, built_assets.asset_id) = sequences.asset_id

),

misvalued as (

    select * from silver_rows
    where column_names <> ''

),

winners as (

    select record_kind || ' ' || coalesce(partition_key::text, '') as kind_and_day
    from events
    where silver_state not in ('unfounded', 'doubled')

),

shown_rows as (

    select record_kind || ' ' || coalesce(partition_key::text, '') as kind_and_day
    from silver_rows

),

counts_that_differ as (

    {{ row_counts_differ('winners', 'shown_rows', 'kind_and_day', 'kind_and_day') }}

),

found as (

    select
        {{ finding(
            'record_missing', 'gap', silver_name,
            "'record ' || record_key || ': got no row, expected event ' || event_id",
            run_id='run_id', **told
        ) }}
    from flagged
    where silver_state = 'missing'
    union all
    select
        {{ finding(
            'record_doubled', 'duplicate', silver_name, "'record ' || record_key || ': got another row of it, expected one'",
            run_id='silver_run_id', **told
        ) }}
    from flagged
    where silver_state = 'doubled'
    union all
    select
        {{ finding(
            'record_unfounded', 'no_trace',
            "case when orphans.event_id is null then " ~ silver_name ~ " else 'bronze.record_event' end",
            "'record ' || flagged.record_key || ': its row shows event ' || flagged.silver_event_id
            || case when orphans.event_id is null then ', which is not its winner in Bronze'
            else ', which a line delivers, but Bronze lacks' end",
            record_kind='record_kind', partition_key='flagged.shown_partition_key',
            asset_id='coalesce(orphans.asset_id, flagged.winner_asset_id)', run_id='flagged.silver_run_id'
        ) }}
    from flagged
    left join orphans on flagged.silver_event_id = orphans.event_id
    where flagged.silver_state = 'unfounded'
    union all
    select
        {{ finding(
            'record_shows_another_version', 'drift',
            "case when orphans.event_id is null then " ~ silver_name ~ " else 'bronze.record_event' end",
            "'record ' || flagged.record_key || ': got event ' || flagged.silver_event_id || ', expected '
            || flagged.event_id || case when orphans.event_id is null then ''
            else '; a line delivers the first, but Bronze lacks it' end",
            record_kind='record_kind', partition_key='flagged.shown_partition_key',
            asset_id='coalesce(orphans.asset_id, flagged.winner_asset_id)', run_id='flagged.run_id'
        ) }}
    from flagged
    left join orphans on flagged.silver_event_id = orphans.event_id
    where flagged.silver_state = 'other_version'
    union all
    select
        {{ finding(
            'record_differs_from_bronze', 'drift',
            "case"
            ~ " when are_events_damaged and differing_silver_columns <@ array['"
            ~ unwitnessed | join("', '") ~ "'] then 'bronze.record_event'"
            ~ " when are_lines_damaged and differing_silver_columns <@ array['version_count']"
            ~ " then 'bronze.asset_line'"
            ~ " else " ~ silver_name ~ " end",
            "'record ' || record_key || ': ' || array_to_string(differing_silver_columns, ', ')
            || ' differ between Silver and its winner in Bronze'",
            run_id='run_id', **told
        ) }}
    from flagged
    where silver_state = 'different' and not differing_silver_columns <@ {{ ops_columns }}
    union all
    select
        {{ finding(
            'lineage_differs', 'drift', silver_name,
            "'record ' || record_key || ': ' || array_to_string(differing_silver_columns, ', ')",
            run_id='run_id', **told
        ) }}
    from flagged
    where silver_state = 'different' and differing_silver_columns <@ {{ ops_columns }}
    union all
    select
        {{ finding(
            'key_collision', 'duplicate', "'bronze.record_event'",
            "'record ' || record_key || ' also comes from source ' || record_source || '; the first source keeps Silver'",
            record_kind='record_kind', partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from events
    where event_fate = 'collided'
    union all
    select
        {{ finding(
            'value_not_accepted', 'drift', silver_name,
            "'record ' || record_key || ': ' || column_names",
            record_kind='record_kind', partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from misvalued
    union all
    -- Also where one side lacks the whole day.
    select
        {{ finding(
            'record_count_differs', 'gap', silver_name_of("split_part(group_text, ' ', 1)"),
            "'got ' || b_row_count || ' rows, expected ' || a_row_count",
            record_kind="split_part(group_text, ' ', 1)",
            partition_key="nullif(split_part(group_text, ' ', 2), '')::date", extent="'equation'"
        ) }}
    from counts_that_differ
    union all
    select
        {{ finding(
            'load_built_twice', 'duplicate', "'silver.built_load'", "'load ' || load_id || ': got ' || count(*) || ' rows, expected 1'",
            load_id='load_id'
        ) }}
    from built_loads
    group by load_id
    having count(*) > 1
    union all
    select
        {{ finding(
            'built_load_never_completed', 'no_trace', "'silver.built_load'",
            "'load ' || built_loads.load_id || ' was built, but no run completed it'",
            record_kind='built_loads.record_kind', load_id='built_loads.load_id'
        ) }}
    from built_loads
    left join {{ source('ops', 'completed_load') }} as completed_loads
        on built_loads.load_id = completed_loads.load_id
    left join listed_loads on built_loads.load_id = listed_loads.load_id
    where completed_loads.load_id is null and listed_loads.load_id is null
    union all
    select
        {{ finding(
            'load_not_built', 'gap', "'silver.built_load'",
            "'load ' || progress.load_id || ' is completed, but Silver has not built it'",
            load_id='progress.load_id', run_id='progress.run_id'
        ) }}
    from progress
    left join built_loads on progress.load_id = built_loads.load_id
    where progress.table_name = 'record_event' and built_loads.load_id is null and not progress.is_pending
    union all
    select
        {{ finding(
            'built_asset_differs', 'drift', "'silver.built_asset'",
            "'built with ruleset ' || coalesce(built.built_ruleset_id::text, 'none') || ' at sequence '
            || coalesce(built.built_sequence::text, 'none') || ', today ruleset '
            || coalesce(built.ruleset_id::text, 'none') || ' at sequence ' || coalesce(built.asset_sequence::text, 'none')",
            asset_id='built.asset_id'
        ) }}
    from built
    cross join pending
    where
        not pending.is_pending
        and not coalesce(built.is_being_judged, false)
        and (
            built.built_ruleset_id is distinct from built.ruleset_id
            or built.built_sequence is distinct from coalesce(built.asset_sequence, 0)
            or built.copy_count > 1
        )

)

select * from found
