{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Manifests: ops.manifest and ops.manifest_asset against the stored bytes, whose hash is recorded. -#}
{#- A hook of reconcile_load makes reconcile.manifest_or_null. -#}
{%- do ref('reconcile_load') %}

with

manifests as (select * from {{ source('ops', 'manifest') }}),

manifest_assets as (select * from {{ source('ops', 'manifest_asset') }}),

documents as (

    select
        manifests.*,
        encode(sha256(manifests.manifest_bytes), 'hex') = manifests.manifest_sha256 as is_authentic,
        reconcile.manifest_or_null(manifests.manifest_bytes) as body
    from manifests

),

-- Window bounds in the manifest are RFC 3339 texts.
compared as (

    select
        documents.*,
        {{ differing_names('documents', 'stated', [
            'manifest_id', 'batch_id', 'contract_ref', 'modality', 'load_mode',
            'window_field', 'window_start', 'window_end', 'declared_asset_count'
        ]) | indent(4) }} as differing_columns
    from documents
    cross join
        lateral ( -- noqa: ST05
            select
                documents.body ->> 'manifest_id' as manifest_id,
                documents.body ->> 'batch_id' as batch_id,
                documents.body ->> 'contract_ref' as contract_ref,
                documents.body ->> 'modality' as modality,
                documents.body ->> 'load_mode' as load_mode,
                documents.body -> 'selection_window' ->> 'field' as window_field,
                {{ payload_value("(documents.body -> 'selection_window')", 'start', 'instant', 'false') }}
                    as window_start,
                {{ payload_value("(documents.body -> 'selection_window')", 'end', 'instant', 'false') }}
                    as window_end,
                case
                    when jsonb_typeof(documents.body -> 'assets') = 'array'
                        then jsonb_array_length(documents.body -> 'assets')
                end as declared_asset_count
        ) as stated

),

declared as (

    select
        documents.manifest_id,
        listed.entry ->> 'source_id' as source_id,
        listed.ordinal,
        listed.entry ->> 'source_url_or_path' as source_url_or_path,
        listed.entry ->> 'asset_type' as asset_type,
        listed.entry ->> 'checksum_sha256' as declared_checksum_sha256,
        (listed.entry ->> 'size_bytes')::bigint as declared_size_bytes,
        (listed.entry ->> 'record_count')::bigint as declared_record_count,
        (listed.entry ->> 'sequence')::bigint as declared_sequence
    from documents
    cross join
        lateral
        jsonb_array_elements(
            case
                when jsonb_typeof(documents.body -> 'assets') = 'array' then documents.body -> 'assets'
                else '[]'
            end
        ) with ordinality as listed (entry, ordinal)
    where documents.is_authentic

),

registered as (

    select
        manifest_assets.*,
        count(*) over (partition by manifest_assets.manifest_id, manifest_assets.source_id) as copy_count
    from manifest_assets

),

-- Null-safe in both directions: an entry that was removed and one that was added both stay visible.
entries as (

    select
        coalesce(declared.manifest_id, registered.manifest_id) as manifest_id,
        coalesce(declared.source_id, registered.source_id) as source_id,
        registered.asset_id,
        registered.copy_count,
        declared.ordinal is null as is_undeclared,
        registered.manifest_id is null as is_unregistered,
        nullif(concat_ws(
            ', ',
            {{ differing_names('registered', 'declared', [
                'ordinal', 'source_url_or_path', 'asset_type', 'declared_checksum_sha256', 'declared_size_bytes',
                'declared_record_count'
            ]) | indent(8) }},
            -- Where the manifest declares none, the loader derived it.
            case when registered.sequence <> declared.declared_sequence then 'sequence' end
        ), '') as differing_columns
    from declared
    full join registered on {{ equal_in('declared', 'registered', ['manifest_id', 'source_id']) }}

),

-- What the run that judged an entry last wrote about it in its own ledger.
judgements as (

    select
        manifest_assets.manifest_id,
        manifest_assets.source_id,
        manifest_assets.asset_id,
        manifest_assets.judged_by_run_id,
        manifest_assets.judgement,
        count(run_assets.run_id) as ledger_row_count,
        coalesce(bool_or(
            run_assets.judgement = manifest_assets.judgement
            and run_assets.reason_codes = manifest_assets.reason_codes
            and run_assets.asset_id is not distinct from manifest_assets.asset_id
            and case
                when manifest_assets.disposition = 'admitted'
                    then run_assets.action in ('parsed', 'unchanged')
                else run_assets.action = manifest_assets.disposition
            end
        ), false) as is_confirmed
    from manifest_assets
    left join {{ source('ops', 'run_asset') }} as run_assets
        on
            manifest_assets.manifest_id = run_assets.manifest_id
            and manifest_assets.source_id = run_assets.source_id
            and manifest_assets.judged_by_run_id = run_assets.run_id
    group by
        manifest_assets.manifest_id,
        manifest_assets.source_id,
        manifest_assets.asset_id,
        manifest_assets.judged_by_run_id,
        manifest_assets.judgement

),

-- Manifests that were delivered in another dialect: each is the part of one kind.
translated as materialized (

    select
        manifest_id,
        contract_ref,
        registered_by_run_id,
        body,
        delivered_bytes,
        body -> 'translated_from' as stated,
        encode(sha256(delivered_bytes), 'hex') as delivered_sha256
    from documents
    where is_authentic and (delivered_bytes is not null or body -> 'translated_from' is not null)

),

-- What was delivered, once, and whether all of its parts are here: each is a run's of its kind.
deliveries as materialized (

    select
        parts.delivered_sha256,
        (array_agg(reconcile.manifest_or_null(parts.delivered_bytes) order by parts.manifest_id))[1] as body,
        bool_and(parts.stated -> 'kinds' <@ known.kinds) as is_whole
    from translated as parts
    cross join
        lateral ( -- noqa: ST05
            select jsonb_agg(siblings.contract_ref) as kinds
            from translated as siblings
            where siblings.delivered_sha256 = parts.delivered_sha256
        ) as known
    where parts.delivered_sha256 = parts.stated ->> 'manifest_sha256'
    group by parts.delivered_sha256

),

delivered as (

    select
        deliveries.delivered_sha256,
        deliveries.is_whole,
        listed.entry ->> 'source_id' as source_id,
        listed.entry ->> 'source_url_or_path' as source_url_or_path,
        listed.entry ->> 'checksum_sha256' as checksum_sha256,
        (listed.entry ->> 'size_bytes')::numeric as size_bytes
    from deliveries
    cross join
        lateral jsonb_array_elements(
            case
                when jsonb_typeof(deliveries.body -> 'assets') = 'array' then deliveries.body -> 'assets'
                else '[]'
            end
        ) as listed (entry)

),

-- A sidecar stands beside its file: what was delivered has no entry of its own for it.
translated_entries as (

    select
        translated.delivered_sha256,
        translated.manifest_id,
        listed.entry ->> 'source_id' as source_id,
        listed.entry ->> 'source_url_or_path' as source_url_or_path,
        listed.entry ->> 'checksum_sha256' as checksum_sha256,
        (listed.entry ->> 'size_bytes')::numeric as size_bytes
    from translated
    inner join deliveries on translated.delivered_sha256 = deliveries.delivered_sha256
    cross join
        lateral jsonb_array_elements(
            case
                when jsonb_typeof(translated.body -> 'assets') = 'array' then translated.body -> 'assets'
                else '[]'
            end
        ) as listed (entry)
    where listed.entry -> 'beside' is null

),

-- declared = what its parts declare: null-safe in both directions.
confronted as (

    select
        translated_entries.manifest_id,
        delivered.delivered_sha256,
        coalesce(translated_entries.source_id, delivered.source_id) as source_id,
        delivered.source_id is null as is_undelivered,
        translated_entries.source_id is null and delivered.is_whole as is_lost,
        case
            when delivered.source_id is not null and translated_entries.source_id is not null
                then {{ differing_names('translated_entries', 'delivered', [
                    'source_url_or_path', 'checksum_sha256', 'size_bytes'
                ]) | indent(16) }}
        end as differing_names
    from delivered
    full join translated_entries
        on {{ equal_in('delivered', 'translated_entries', ['delivered_sha256', 'source_id']) }}

),

registering_runs as (

    select
        run_id,
        bool_or(true) as is_known,
        array_agg(distinct manifest_id) as manifest_ids
    from {{ source('ops', 'ingest_run') }}
    cross join lateral unnest(manifest_ids) as manifest (manifest_id)
    group by run_id

),

found as (

    select
        {{ finding(
            'manifest_bytes_differ_from_sha256', 'drift', "'ops.manifest'",
            "'got SHA-256 ' || encode(sha256(manifest_bytes), 'hex') || ', expected ' || manifest_sha256",
            manifest_id='manifest_id', run_id='registered_by_run_id'
        ) }}
    from compared
    where not is_authentic
    union all
    select
        {{ finding(
            'manifest_differs_from_bytes', 'drift', "'ops.manifest'",
            "case when body is null then 'the stored bytes are no JSON' else differing_columns end",
            manifest_id='manifest_id', run_id='registered_by_run_id'
        ) }}
    from compared
    where is_authentic and (body is null or differing_columns is not null)
    union all
    select
        {{ finding(
            'manifest_doubled', 'duplicate', "'ops.manifest'", "'got ' || count(*) || ' rows, expected 1'",
            manifest_id='manifest_id'
        ) }}
    from manifests
    group by manifest_id
    having count(*) > 1
    union all
    select
        {{ finding(
            'manifest_registered_by_another_run', 'drift', "'ops.manifest'",
            "'run ' || manifests.registered_by_run_id || ' did not have this manifest'",
            manifest_id='manifests.manifest_id', run_id='manifests.registered_by_run_id'
        ) }}
    from manifests
    inner join registering_runs on manifests.registered_by_run_id = registering_runs.run_id
    where manifests.manifest_id <> all(registering_runs.manifest_ids)
    union all
    select
        {{ finding(
            'entry_missing', 'gap', "'ops.manifest_asset'", "'the manifest declares this asset; got no row for it'",
            manifest_id='manifest_id', source_id='source_id'
        ) }}
    from entries
    where is_unregistered
    union all
    select
        {{ finding(
            'entry_not_declared', 'no_trace',
            "case when manifests.manifest_id is null then 'ops.manifest' else 'ops.manifest_asset' end",
            "case when manifests.manifest_id is null then 'the manifest itself is not there'"
            ~ " else 'the manifest does not declare this asset' end",
            **told_of_entry('entries')
        ) }}
    from entries
    left join compared as manifests on entries.manifest_id = manifests.manifest_id
    where entries.is_undeclared and coalesce(manifests.is_authentic, true)
    union all
    select
        {{ finding(
            'entry_differs_from_manifest', 'drift', "'ops.manifest_asset'", 'differing_columns',
            manifest_id='manifest_id', source_id='source_id', asset_id='asset_id'
        ) }}
    from entries
    where not is_undeclared and not is_unregistered and differing_columns is not null
    union all
    select
        {{ finding(
            'entry_doubled', 'duplicate', "'ops.manifest_asset'", "'got ' || max(copy_count) || ' rows, expected 1'",
            manifest_id='manifest_id', source_id='source_id', asset_id='min(asset_id)'
        ) }}
    from entries
    where copy_count > 1
    group by manifest_id, source_id
    union all
    select
        {{ finding(
            'translation_differs_from_delivery', 'drift', "'ops.manifest'",
            "'got SHA-256 ' || coalesce(delivered_sha256, 'of nothing') || ' of what was delivered, expected '"
            ~ " || coalesce(stated ->> 'manifest_sha256', 'nothing')",
            manifest_id='manifest_id', run_id='registered_by_run_id'
        ) }}
    from translated
    where delivered_sha256 is distinct from stated ->> 'manifest_sha256'
    union all
    -- Nobody knows of which kind it was.
    select
        {{ finding(
            'delivered_entry_missing', 'gap', "'ops.manifest'",
            "'this asset was delivered, and no manifest that was made of it declares it'",
            manifest_id='translated.manifest_id', source_id='confronted.source_id'
        ) }}
    from confronted
    inner join translated on confronted.delivered_sha256 = translated.delivered_sha256
    where confronted.is_lost
    union all
    select
        {{ finding(
            'entry_not_delivered', 'no_trace', "'ops.manifest'",
            "'the manifest declares this asset; what was delivered does not'",
            manifest_id='manifest_id', source_id='source_id'
        ) }}
    from confronted
    where is_undelivered
    union all
    select
        {{ finding(
            'entry_differs_from_delivery', 'drift', "'ops.manifest'", 'differing_names',
            manifest_id='manifest_id', source_id='source_id'
        ) }}
    from confronted
    where differing_names is not null
    union all
    -- One of the two was edited; nothing in the database says which.
    select
        {{ finding(
            'judgement_differs_from_run', 'drift', 'suspect.table_name',
            "'judgement ' || judgements.judgement || ', its disposition, reasons or asset are not those that run '
            || judgements.judged_by_run_id || ' recorded'",
            run_id='judgements.judged_by_run_id', **told_of_entry('judgements')
        ) }}
    from judgements
    cross join (values ('ops.manifest_asset'), ('ops.run_asset')) as suspect (table_name)
    where judgements.ledger_row_count > 0 and not judgements.is_confirmed
    union all
    select
        {{ finding(
            'judged_by_another_run', 'drift', "'ops.manifest_asset'",
            "'run ' || judgements.judged_by_run_id || ' did not have this manifest'",
            run_id='judgements.judged_by_run_id', **told_of_entry('judgements')
        ) }}
    from judgements
    inner join registering_runs on judgements.judged_by_run_id = registering_runs.run_id
    where judgements.ledger_row_count = 0 and judgements.manifest_id <> all(registering_runs.manifest_ids)

)

select * from found
