{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Assets: ops.source_asset against what declares it and what was read from it; who took its partitions. -#}

with

source_assets as (select * from {{ source('ops', 'source_asset') }}),

manifests as (select * from {{ source('ops', 'manifest') }}),

manifest_assets as (select * from {{ source('ops', 'manifest_asset') }}),

asset_indexes as (select * from {{ source('ops', 'asset_index') }}),

asset_partitions as (select * from {{ source('ops', 'asset_partition') }}),

ingest_runs as (select * from {{ source('ops', 'ingest_run') }}),

run_assets as (select * from {{ source('ops', 'run_asset') }}),

indexes as (select * from {{ ref('reconcile_index') }}),

-- Blank since their erasure: the manifest declared them when they were not.
erased_lines as (

    select
        blank_line.asset_id,
        blank_line.ruleset_id,
        count(*) as line_count
    from {{ source('ops', 'erased_line') }} as erased_line
    inner join {{ source('bronze', 'asset_line') }} as blank_line
        on
            erased_line.asset_id = blank_line.asset_id
            and erased_line.line_number = blank_line.line_number
            and blank_line.kind = 'blank'
    where
        blank_line.asset_id = any(array(
            select listed.asset_id from {{ source('ops', 'erased_line') }} as listed
        ))
    group by blank_line.asset_id, blank_line.ruleset_id

),

counted_indexes as (

    select
        indexes.*,
        indexes.record_line_count + indexes.rejected_line_count + coalesce(erased_lines.line_count, 0)
            as delivered_record_count
    from indexes
    left join erased_lines on {{ equal_in('indexes', 'erased_lines', ['asset_id', 'ruleset_id']) }}

),

latest_redactions as (

    select distinct on (asset_id)
        asset_id,
        new_raw_zone_key
    from {{ source('ops', 'raw_zone_redaction') }}
    order by asset_id asc, redaction_id desc

),

described as (

    select
        source_assets.*,
        count(*) over (partition by source_assets.asset_id) as id_copy_count,
        count(*) over (
            partition by
                source_assets.source_fingerprint, source_assets.record_kind, source_assets.declaration
        ) as fingerprint_copy_count,
        -- The raw zone names an object by its fingerprint and encoding: a second witness for both. A redacted
        -- one has the key that its erasure recorded.
        case
            when latest_redactions.asset_id is null
                then strpos(source_assets.raw_zone_key, source_assets.source_fingerprint) > 0
            else source_assets.raw_zone_key = latest_redactions.new_raw_zone_key
        end as is_key_of_fingerprint,
        (right(source_assets.raw_zone_key, 3) = '.gz') = (source_assets.content_encoding = 'gzip')
            as is_key_of_encoding
    from source_assets
    left join latest_redactions on source_assets.asset_id = latest_redactions.asset_id

),

referenced as (

    select asset_id from manifest_assets
    union
    select asset_id from asset_indexes
    union
    select asset_id from asset_partitions
    union
    select asset_id from run_assets
    union
    select asset_id from indexes

),

parsed as (

    select distinct
        run_id,
        asset_id
    from run_assets
    where action = 'parsed' and asset_id is not null

),

-- Runs whose ledger is whole for an asset; where rows of it are gone, ops.run_asset is what is wrong.
attempts as (

    select
        ingest_runs.run_id,
        bool_or(ingest_runs.line_limit is not null) as is_limited,
        min(coalesce(ingest_runs.window_start, '-infinity'::date)) as window_start,
        max(coalesce(ingest_runs.window_end, 'infinity'::date)) as window_end,
        min(ingest_runs.ruleset_id) as ruleset_id
    from ingest_runs
    group by ingest_runs.run_id

),

unregistered_runs as (

    select distinct ingest_runs.run_id
    from ingest_runs
    cross join lateral unnest(ingest_runs.manifest_ids) as listed_manifest (manifest_id)
    left join manifest_assets on listed_manifest.manifest_id = manifest_assets.manifest_id
    left join run_assets
        on
            ingest_runs.run_id = run_assets.run_id
            and ingest_runs.attempt = run_assets.attempt
            and manifest_assets.manifest_id = run_assets.manifest_id
            and manifest_assets.source_id = run_assets.source_id
    where run_assets.run_id is null

),

found as (

    select
        {{ finding(
            'source_asset_missing', 'gap', "'ops.source_asset'", "'other tables name this asset; got no row for it'",
            asset_id='referenced.asset_id'
        ) }}
    from referenced
    left join source_assets on referenced.asset_id = source_assets.asset_id
    where referenced.asset_id is not null and source_assets.asset_id is null
    union all
    select
        {{ finding(
            'source_asset_doubled', 'duplicate', "'ops.source_asset'",
            "'got ' || greatest(max(id_copy_count), max(fingerprint_copy_count)) || ' rows of one content, expected 1'",
            asset_id='asset_id'
        ) }}
    from described
    where id_copy_count > 1 or fingerprint_copy_count > 1
    group by asset_id
    union all
    select
        {{ finding(
            'source_asset_differs_from_raw_zone_key', 'drift', "'ops.source_asset'",
            "'fingerprint ' || source_fingerprint || ', encoding ' || content_encoding
            || ' do not fit raw_zone_key ' || raw_zone_key",
            asset_id='asset_id'
        ) }}
    from described
    where not is_key_of_fingerprint or not is_key_of_encoding
    union all
    select
        {{ finding(
            'source_asset_sizes_differ', 'drift', "'ops.source_asset'",
            "'a plain file of ' || size_bytes || ' bytes cannot hold ' || content_bytes || ' bytes of content'",
            asset_id='asset_id'
        ) }}
    from described
    where content_encoding = 'identity' and size_bytes <> content_bytes
    union all
    select
        {{ finding(
            'source_asset_not_declared', 'no_trace', "'ops.source_asset'", "'no manifest entry names this asset'",
            asset_id='source_assets.asset_id', run_id='source_assets.registered_by_run_id'
        ) }}
    from source_assets
    left join manifest_assets on source_assets.asset_id = manifest_assets.asset_id
    where manifest_assets.asset_id is null
    union all
    select
        {{ finding(
            'asset_of_another_kind', 'drift', "'ops.source_asset'",
            "'got ' || source_assets.record_kind || ', its manifest declares ' || manifests.contract_ref",
            record_kind='either.record_kind', **told_of_entry('manifest_assets')
        ) }}
    from manifest_assets
    inner join source_assets on manifest_assets.asset_id = source_assets.asset_id
    inner join manifests on manifest_assets.manifest_id = manifests.manifest_id
    -- Nobody knows which of the two was edited.
    cross join
        lateral unnest(array[source_assets.record_kind, manifests.contract_ref]) as either (record_kind)
    where source_assets.record_kind <> manifests.contract_ref
    union all
    select
        {{ finding(
            'read_under_another_kind', 'drift', "'ops.ruleset'",
            "'ruleset ' || asset_indexes.ruleset_id || ' is of ' || coalesce(rulesets.contract_ref, 'no kind')
            || ', the asset is ' || source_assets.record_kind",
            asset_id='asset_indexes.asset_id', run_id='asset_indexes.run_id'
        ) }}
    from asset_indexes
    inner join source_assets on asset_indexes.asset_id = source_assets.asset_id
    left join {{ source('ops', 'ruleset') }} as rulesets on asset_indexes.ruleset_id = rulesets.ruleset_id
    where rulesets.contract_ref is distinct from source_assets.record_kind
    union all
    select
        {{ finding(
            'checksum_differs_from_declared', 'drift',
            "case when described.is_key_of_fingerprint then 'ops.manifest_asset' else 'ops.source_asset' end",
            "'got ' || described.source_fingerprint || ', declared ' || manifest_assets.declared_checksum_sha256",
            **told_of_entry('manifest_assets')
        ) }}
    from manifest_assets
    inner join described on manifest_assets.asset_id = described.asset_id
    where manifest_assets.declared_checksum_sha256 <> described.source_fingerprint
    union all
    select
        {{ finding(
            'size_differs_from_declared', 'drift',
            "case when manifest_assets.declared_checksum_sha256 <> described.source_fingerprint"
            ~ " and described.is_key_of_fingerprint then 'ops.manifest_asset' else 'ops.source_asset' end",
            "'got ' || described.size_bytes || ' bytes, declared ' || manifest_assets.declared_size_bytes",
            **told_of_entry('manifest_assets')
        ) }}
    from manifest_assets
    inner join described on manifest_assets.asset_id = described.asset_id
    where manifest_assets.declared_size_bytes <> described.size_bytes
    union all
    select
        {{ finding(
            'record_count_differs_from_declared', 'drift', "'ops.manifest_asset'",
            "'ruleset ' || counted_indexes.ruleset_id || ': got '
            || counted_indexes.delivered_record_count || ' non-blank lines, declared '
            || manifest_assets.declared_record_count",
            **told_of_entry('manifest_assets')
        ) }}
    from manifest_assets
    inner join counted_indexes on manifest_assets.asset_id = counted_indexes.asset_id
    left join manifests on manifest_assets.manifest_id = manifests.manifest_id
    where
        counted_indexes.is_complete
        and counted_indexes.is_load_intact
        and counted_indexes.misplaced_line_count = 0
        and manifest_assets.declared_record_count <> counted_indexes.delivered_record_count
        -- A later manifest of the same file has put it right.
        and not exists (
            select
            from manifest_assets as righted
            inner join manifests as later on righted.manifest_id = later.manifest_id
            where
                righted.asset_id = manifest_assets.asset_id
                and righted.declared_record_count = counted_indexes.delivered_record_count
                and later.event_number > manifests.event_number
        )
    union all
    select
        {{ finding(
            'index_of_another_run', 'drift', "'ops.asset_index'",
            "'ruleset ' || asset_indexes.ruleset_id || ': run ' || asset_indexes.run_id || ' attempt '
            || asset_indexes.attempt || ' did not parse this asset under it'",
            asset_id='asset_indexes.asset_id', run_id='asset_indexes.run_id'
        ) }}
    from asset_indexes
    inner join attempts on asset_indexes.run_id = attempts.run_id
    left join ingest_runs on {{ equal_in('asset_indexes', 'ingest_runs', ['run_id', 'attempt']) }}
    left join parsed on {{ equal_in('asset_indexes', 'parsed', ['run_id', 'asset_id']) }}
    left join unregistered_runs on asset_indexes.run_id = unregistered_runs.run_id
    where
        unregistered_runs.run_id is null
        and (
            parsed.run_id is null
            or ingest_runs.run_id is null
            or attempts.ruleset_id <> asset_indexes.ruleset_id
        )
    union all
    select
        {{ finding(
            'partition_taken_by_another_run', 'drift', "'ops.asset_partition'",
            "'ruleset ' || asset_partitions.ruleset_id || ': run ' || asset_partitions.taken_by_run_id
            || ' did not parse this asset for this day under it'",
            asset_id='asset_partitions.asset_id', partition_key='asset_partitions.partition_key',
            run_id='asset_partitions.taken_by_run_id'
        ) }}
    from asset_partitions
    inner join attempts on asset_partitions.taken_by_run_id = attempts.run_id
    left join parsed
        on
            asset_partitions.taken_by_run_id = parsed.run_id
            and asset_partitions.asset_id = parsed.asset_id
    left join unregistered_runs on asset_partitions.taken_by_run_id = unregistered_runs.run_id
    where
        unregistered_runs.run_id is null
        and (
            parsed.run_id is null
            or attempts.is_limited
            or attempts.ruleset_id <> asset_partitions.ruleset_id
            or asset_partitions.partition_key < attempts.window_start
            or asset_partitions.partition_key >= attempts.window_end
        )
    union all
    -- The run that indexed an asset took every partition in its window.
    select
        {{ finding(
            'partition_not_taken', 'gap', "'ops.asset_partition'",
            "'ruleset ' || asset_partitions.ruleset_id || ': got no taken_by_run_id; run ' || asset_indexes.run_id
            || ' indexed the asset for this day without a line limit'",
            asset_id='asset_partitions.asset_id', partition_key='asset_partitions.partition_key',
            run_id='asset_indexes.run_id'
        ) }}
    from asset_partitions
    inner join asset_indexes
        on {{ equal_in('asset_partitions', 'asset_indexes', ['asset_id', 'ruleset_id']) }}
    inner join attempts on asset_indexes.run_id = attempts.run_id
    where
        asset_partitions.taken_by_run_id is null
        and asset_indexes.is_complete
        and not attempts.is_limited
        and asset_partitions.partition_key >= attempts.window_start
        and asset_partitions.partition_key < attempts.window_end

)

select * from found
