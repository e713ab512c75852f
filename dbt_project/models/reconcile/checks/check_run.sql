{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Runs: every run, manifest and ruleset that another table names exists, and each run's ledger is whole. -#}

with

ingest_runs as (select * from {{ source('ops', 'ingest_run') }}),

run_assets as (select * from {{ source('ops', 'run_asset') }}),

manifests as (select * from {{ source('ops', 'manifest') }}),

manifest_assets as (select * from {{ source('ops', 'manifest_asset') }}),

source_assets as (select * from {{ source('ops', 'source_asset') }}),

asset_indexes as (select * from {{ source('ops', 'asset_index') }}),

rulesets as (select * from {{ source('ops', 'ruleset') }}),

named_runs as (

    select
        run_id,
        attempt,
        'ops.completed_load' as named_by,
        null::date as partition_key,
        null::integer as asset_id,
        load_id,
        null::text as manifest_id,
        null::text as source_id
    from {{ source('ops', 'completed_load') }}
    union
    select
        run_id,
        attempt,
        'ops.run_asset' as named_by,
        null as partition_key,
        asset_id,
        null as load_id,
        manifest_id,
        source_id
    from run_assets
    union
    select
        run_id,
        attempt,
        'ops.asset_index' as named_by,
        null as partition_key,
        asset_id,
        null as load_id,
        null as manifest_id,
        null as source_id
    from asset_indexes
    union
    select
        taken_by_run_id as run_id,
        null as attempt,
        'ops.asset_partition' as named_by,
        partition_key,
        asset_id,
        null as load_id,
        null as manifest_id,
        null as source_id
    from {{ source('ops', 'asset_partition') }}
    where taken_by_run_id is not null
    union
    select
        registered_by_run_id as run_id,
        null as attempt,
        'ops.manifest' as named_by,
        null as partition_key,
        null as asset_id,
        null as load_id,
        manifest_id,
        null as source_id
    from manifests
    union
    select
        registered_by_run_id as run_id,
        null as attempt,
        'ops.source_asset' as named_by,
        null as partition_key,
        asset_id,
        null as load_id,
        null as manifest_id,
        null as source_id
    from source_assets
    union
    select
        judged_by_run_id as run_id,
        null as attempt,
        'ops.manifest_asset' as named_by,
        null as partition_key,
        asset_id,
        null as load_id,
        manifest_id,
        source_id
    from manifest_assets
    union
    select
        run_id,
        null as attempt,
        'ops.ingest_state' as named_by,
        null as partition_key,
        null as asset_id,
        null as load_id,
        null as manifest_id,
        null as source_id
    from {{ source('ops', 'ingest_state') }}

),

unknown_runs as (

    select
        named_runs.*,
        min(named_runs.named_by) over (partition by named_runs.run_id) as first_named_by,
        max(named_runs.named_by) over (partition by named_runs.run_id) as last_named_by
    from named_runs
    where not exists (
        select 1
        from ingest_runs
        where
            ingest_runs.run_id = named_runs.run_id
            and ingest_runs.attempt = coalesce(named_runs.attempt, ingest_runs.attempt)
    )

),

-- Manifests, entries and run_asset are written in one transaction, so a run has all of them or none.
registered_runs as (

    select
        ingest_runs.run_id,
        ingest_runs.attempt,
        ingest_runs.batch_id,
        ingest_runs.manifest_ids
    from ingest_runs
    where
        ingest_runs.status in ('success', 'warning')
        or (ingest_runs.status = 'running' and ingest_runs.stage not in ('started', 'gated'))
        or cardinality(ingest_runs.dlt_load_ids) > 0
        or exists (
            select 1
            from run_assets
            where run_assets.run_id = ingest_runs.run_id and run_assets.attempt = ingest_runs.attempt
        )

),

run_manifests as (

    select
        registered_runs.run_id,
        registered_runs.attempt,
        listed.manifest_id
    from registered_runs
    cross join lateral unnest(registered_runs.manifest_ids) as listed (manifest_id)

),

run_batches as (

    select
        run_manifests.run_id,
        run_manifests.attempt,
        string_agg(distinct manifests.batch_id, ',' order by manifests.batch_id) as batch_id,
        bool_and(manifests.manifest_id is not null) as is_known
    from run_manifests
    left join manifests on run_manifests.manifest_id = manifests.manifest_id
    group by run_manifests.run_id, run_manifests.attempt

),

attempts as (

    select
        run_id,
        count(*) as row_count,
        count(distinct attempt) as attempt_count,
        max(attempt) as last_attempt
    from ingest_runs
    group by run_id

),

found as (

    -- Several tables name the run: its row is gone.
    select
        {{ finding(
            'run_missing', 'no_trace', "'ops.ingest_run'",
            "'got no row for it, though it is named by ' || string_agg(distinct named_by, ', ')", run_id='run_id'
        ) }}
    from unknown_runs
    where first_named_by <> last_named_by
    group by run_id
    union all
    -- Only one table names it: that name was edited. Only run_asset: the run had nothing to do, and is gone.
    select
        {{ finding(
            'run_unknown', 'no_trace', "case named_by when 'ops.run_asset' then 'ops.ingest_run' else named_by end",
            "'no other table knows run ' || run_id",
            partition_key='partition_key', asset_id='asset_id', load_id='load_id', run_id='run_id',
            manifest_id='manifest_id', source_id='source_id'
        ) }}
    from unknown_runs
    where first_named_by = last_named_by
    union all
    select
        {{ finding(
            'attempts_not_contiguous', 'no_trace', "'ops.ingest_run'",
            "'got ' || row_count || ' rows of ' || attempt_count || ' attempts, the last is ' || last_attempt",
            run_id='run_id'
        ) }}
    from attempts
    where row_count <> attempt_count or attempt_count <> last_attempt
    union all
    select
        {{ finding(
            'run_contradicts_itself', 'no_trace', "'ops.ingest_run'",
            "'attempt ' || attempt || ': status ' || status || ', stage ' || stage || ', finished at '
            || coalesce(finished_at::text, 'never')",
            run_id='run_id'
        ) }}
    from ingest_runs
    where (status = 'running') <> (finished_at is null) or (status = 'running' and stage = 'finished')
    union all
    select
        {{ finding(
            'batch_differs_from_manifests', 'drift', "'ops.ingest_run'",
            "'attempt ' || registered_runs.attempt || ': got ' || registered_runs.batch_id || ', its manifests say '
            || run_batches.batch_id",
            run_id='registered_runs.run_id'
        ) }}
    from registered_runs
    inner join run_batches on {{ equal_in('registered_runs', 'run_batches', ['run_id', 'attempt']) }}
    where run_batches.is_known and registered_runs.batch_id <> run_batches.batch_id
    union all
    select
        {{ finding(
            'manifest_missing', 'no_trace', "'ops.manifest'", "'got no row for a manifest that the run worked on'",
            run_id='run_manifests.run_id', manifest_id='run_manifests.manifest_id'
        ) }}
    from run_manifests
    left join manifests on run_manifests.manifest_id = manifests.manifest_id
    where manifests.manifest_id is null
    union all
    select
        {{ finding(
            'run_asset_missing', 'no_trace', "'ops.run_asset'",
            "'attempt ' || run_manifests.attempt || ' worked on the manifest; got no row for this entry'",
            run_id='run_manifests.run_id', manifest_id='manifest_assets.manifest_id',
            source_id='manifest_assets.source_id', asset_id='manifest_assets.asset_id'
        ) }}
    from run_manifests
    inner join manifest_assets on run_manifests.manifest_id = manifest_assets.manifest_id
    left join run_assets
        on
            run_manifests.run_id = run_assets.run_id
            and run_manifests.attempt = run_assets.attempt
            and manifest_assets.manifest_id = run_assets.manifest_id
            and manifest_assets.source_id = run_assets.source_id
    where run_assets.run_id is null
    union all
    select
        {{ finding(
            'run_asset_doubled', 'duplicate', "'ops.run_asset'", "'attempt ' || attempt || ': got ' || count(*) || ' rows, expected 1'",
            run_id='run_id', manifest_id='manifest_id', source_id='source_id', asset_id='min(asset_id)'
        ) }}
    from run_assets
    group by run_id, attempt, manifest_id, source_id
    having count(*) > 1
    union all
    -- run_asset names a manifest of its run, an entry of the manifest and the asset of the entry.
    select
        {{ finding(
            'run_asset_not_declared', 'no_trace', "'ops.run_asset'",
            "'attempt ' || run_assets.attempt || ' did not have this manifest or this entry'",
            run_id='run_assets.run_id', **told_of_entry('run_assets')
        ) }}
    from run_assets
    inner join ingest_runs on {{ equal_in('run_assets', 'ingest_runs', ['run_id', 'attempt']) }}
    where run_assets.manifest_id <> all(ingest_runs.manifest_ids)
    union all
    select
        {{ finding(
            'run_asset_differs_from_entry', 'drift', "'ops.run_asset'",
            "'attempt ' || run_assets.attempt || ': action ' || run_assets.action || ', judgement '
            || run_assets.judgement || ', asset ' || coalesce(run_assets.asset_id::text, 'none')
            || '; the entry is ' || manifest_assets.disposition || ' with asset '
            || coalesce(manifest_assets.asset_id::text, 'none')",
            run_id='run_assets.run_id', manifest_id='run_assets.manifest_id', source_id='run_assets.source_id',
            asset_id='manifest_assets.asset_id'
        ) }}
    from run_assets
    inner join manifest_assets
        on {{ equal_in('run_assets', 'manifest_assets', ['manifest_id', 'source_id']) }}
    where
        run_assets.asset_id <> manifest_assets.asset_id
        or (run_assets.action in ('withheld', 'missing'))
        <> (run_assets.judgement in ('quarantine', 'reject'))
        or (run_assets.action in ('parsed', 'unchanged') and run_assets.asset_id is null)
    union all
    select
        {{ finding(
            'ruleset_missing', 'no_trace', "'ops.ruleset'", "'got no row for ruleset ' || named.ruleset_id",
            record_kind='named.record_kind'
        ) }}
    from (
        select
            ruleset_id,
            record_kind
        from ingest_runs
        union
        select
            asset_indexes.ruleset_id,
            source_assets.record_kind
        from asset_indexes
        left join source_assets on asset_indexes.asset_id = source_assets.asset_id
    ) as named
    left join rulesets on named.ruleset_id = rulesets.ruleset_id
    where rulesets.ruleset_id is null
    union all
    -- Where files that were read under the ruleset are of another kind than it, the ruleset was edited.
    select
        {{ finding(
            'run_of_another_kind', 'drift', "'ops.ingest_run'",
            "'attempt ' || ingest_runs.attempt || ': got ' || ingest_runs.record_kind || ', its ruleset is of '
            || rulesets.contract_ref",
            run_id='ingest_runs.run_id'
        ) }}
    from ingest_runs
    inner join rulesets on ingest_runs.ruleset_id = rulesets.ruleset_id
    where
        ingest_runs.record_kind <> rulesets.contract_ref
        and not exists (
            select 1
            from asset_indexes
            inner join source_assets on asset_indexes.asset_id = source_assets.asset_id
            where
                asset_indexes.ruleset_id = rulesets.ruleset_id
                and source_assets.record_kind <> rulesets.contract_ref
        )

)

select * from found
