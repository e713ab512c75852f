{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Records that are composed, of files and of lines of whole assets: each against what its manifest declares, its bytes
    and their facts, and its place. -#}
{#- A hook of reconcile_load makes reconcile.manifest_or_null. -#}
{%- do ref('reconcile_load') %}
{%- set kinds = file_kinds() + whole_kinds() -%}
{%- set names = "'" ~ kinds | join("', '") ~ "'" if kinds else '' -%}
{%- set names_of_files = "'" ~ file_kinds() | join("', '") ~ "'" if file_kinds() else '' -%}
{%- set scope_asset = ref('scope_asset') -%}

with

-- What says each field of such a record, by its kind.
origins as (

    select
        said.record_kind,
        said.reader,
        said.field,
        said.origin
    from (
        values
        {%- for item in field_origins() %}
        ('{{ item.kind }}', '{{ item.reader }}', '{{ item.field }}', '{{ item.origin }}'){{ "," if not loop.last }}
        {%- else %}
        (null::text, null::text, null::text, null::text)
        {%- endfor %}
    ) as said (record_kind, reader, field, origin)

),

assets as (

    select
        *,
        reconcile.jsonb_or_null(declaration) as declared,
        record_kind = any(array[{{ names_of_files }}]::text []) as is_record
    from {{ source('ops', 'source_asset') }}
    where record_kind = any(array[{{ names }}]::text [])

),

-- Lines are many: only those that a build proves.
lines as (

    select
        lines.asset_id,
        lines.ruleset_id,
        lines.line_number,
        lines.event_id
    from assets
    inner join {{ source('bronze', 'asset_line') }} as lines on assets.asset_id = lines.asset_id
    {%- if is_proving_changes() %}
    where
        assets.is_record
        or assets.asset_id = any(array(select scope.asset_id from {{ scope_asset }} as scope))
    {%- endif %}

),

-- The record that each reading made of a file, whether it landed or was rejected. What is kept of one that
-- was cut is no record. A reject that no longer is what its load completed with is what was damaged. A line
-- that was rejected is kept as it stood, without what is declared.
readings as (

    select
        lines.asset_id,
        lines.ruleset_id,
        lines.line_number,
        events.partition_key,
        events.run_id,
        reconcile.jsonb_or_null(events.raw_payload) as payload,
        null::text as damaged_table,
        false as is_limited
    from lines
    inner join {{ source('bronze', 'record_event') }} as events on lines.event_id = events.event_id
    union all
    select
        rejects.asset_id,
        rejects.ruleset_id,
        rejects.line_number,
        rejects.partition_key,
        rejects.run_id,
        reconcile.manifest_or_null(rejects.raw_line) as payload,
        (
            select 'bronze.rejected_record'
            from {{ ref('reconcile_load') }} as loads
            where
                loads.load_id = rejects._dlt_load_id
                and loads.table_name = 'rejected_record'
                and not loads.is_intact
            limit 1
        ) as damaged_table,
        -- Nobody could read its facts then; whoever can later keeps them for other records of the same bytes.
        rejects.reason_codes = array['facts_limit'] as is_limited
    from assets
    inner join {{ source('bronze', 'rejected_record') }} as rejects on assets.asset_id = rejects.asset_id
    where assets.is_record and octet_length(rejects.raw_line) < 65536

),

kept_facts as (

    select
        source_fingerprint,
        asset_type,
        reader,
        facts_version,
        count(*) as copy_count,
        reconcile.jsonb_or_null(min(facts)) as facts
    from {{ source('ops', 'asset_facts') }}
    group by source_fingerprint, asset_type, reader, facts_version

),

-- Each with the facts under whose version it was read.
records as (

    select
        assets.asset_id,
        assets.record_kind,
        assets.source_fingerprint,
        assets.content_bytes,
        assets.declared,
        readings.line_number,
        readings.partition_key,
        readings.run_id,
        readings.payload,
        readings.damaged_table,
        readings.is_limited,
        facts.facts,
        facts.copy_count as facts_count
    from assets
    inner join readings on assets.asset_id = readings.asset_id
    inner join {{ source('ops', 'ruleset') }} as rulesets on readings.ruleset_id = rulesets.ruleset_id
    left join kept_facts as facts
        on
            assets.source_fingerprint = facts.source_fingerprint
            and assets.declared ->> 'asset_type' = facts.asset_type
            and rulesets.components ->> 'facts_version' = facts.facts_version
            and facts.reader = (
                select min(origins.reader) from origins where origins.record_kind = assets.record_kind
            )

),

-- Each field of each record beside what says it; none of the two may say more than the other.
compared as (

    select
        records.asset_id,
        records.record_kind,
        records.partition_key,
        records.run_id,
        records.damaged_table,
        origins.origin,
        origins.field,
        records.payload -> origins.field as recorded,
        case origins.origin
            when 'facts' then records.facts -> origins.field
            when 'bytes'
                then case origins.field
                    when 'content_sha256' then to_jsonb(records.source_fingerprint)
                    else to_jsonb(records.content_bytes)
                end
            when 'number' then to_jsonb(records.line_number)
            when 'key' then to_jsonb(wholes.whole || ':' || records.line_number)
            else records.declared -> origins.field
        end as stated
    from records
    inner join origins on records.record_kind = origins.record_kind
    cross join lateral (
        select
            case records.record_kind
                {%- for kind in whole_kinds() %}
                when '{{ kind }}' then records.declared ->> '{{ declared_kinds()[kind].whole.field }}'
                {%- endfor %}
                else ''
            end as whole
    ) as wholes
    where
        origins.origin <> 'line'
        and (origins.origin <> 'facts' or records.facts_count > 0 and not records.is_limited)

),

differing as (

    select
        asset_id,
        record_kind,
        partition_key,
        run_id,
        damaged_table,
        case
            when origin in ('number', 'key') then 'bytes'
            when origin in ('facts', 'bytes') then origin
            else 'declaration'
        end as witness,
        string_agg(field, ', ' order by field) as fields
    from compared
    where recorded is distinct from stated
    group by asset_id, record_kind, partition_key, run_id, damaged_table, witness

),

-- The manifests of such files, each parsed once and not for each of its entries.
bodies as materialized (

    select
        manifests.manifest_id,
        manifests.contract_ref,
        reconcile.manifest_or_null(manifests.manifest_bytes) as body
    from {{ source('ops', 'manifest') }} as manifests
    where
        manifests.contract_ref = any(array[{{ names }}]::text [])
        and encode(sha256(manifests.manifest_bytes), 'hex') = manifests.manifest_sha256

),

heads as materialized (

    select
        manifest_id,
        contract_ref,
        body - 'assets' as head
    from bodies

),

listed as materialized (

    select
        bodies.manifest_id,
        told.ordinal,
        told.entry
    from bodies
    cross join lateral jsonb_array_elements(
        case when jsonb_typeof(bodies.body -> 'assets') = 'array' then bodies.body -> 'assets' else '[]' end
    ) with ordinality as told (entry, ordinal)

),

-- The same fields as the manifest's own bytes have them.
declared_again as (

    select
        entries.manifest_id,
        entries.source_id,
        assets.asset_id,
        assets.record_kind,
        string_agg(origins.field, ', ' order by origins.field) as fields
    from {{ source('ops', 'manifest_asset') }} as entries
    inner join assets on entries.asset_id = assets.asset_id
    inner join heads on entries.manifest_id = heads.manifest_id
    left join listed on entries.manifest_id = listed.manifest_id and entries.ordinal = listed.ordinal
    inner join origins on assets.record_kind = origins.record_kind and origins.origin in ('manifest', 'entry', 'metadata')
    where
        assets.declared -> origins.field is distinct from nullif(
            case origins.origin
                when 'manifest' then heads.head -> origins.field
                when 'entry' then listed.entry -> origins.field
                else listed.entry -> 'metadata' -> origins.field
            end,
            'null'
        )
    group by entries.manifest_id, entries.source_id, assets.asset_id, assets.record_kind

),

-- The day that a withheld file keeps back. A text is a day to the loader where it is RFC 3339; of others it says none.
days as (

    {%- for kind in kinds %}
    {%- set partition = declared_kinds()[kind].created %}
    select
        entries.manifest_id,
        entries.source_id,
        '{{ kind }}' as record_kind,
        entries.partition_key as registered,
        listed.entry -> 'metadata' ->> '{{ field_of(kind, partition) }}' as declared,
        ({{ instant_of(
            payload_value("(listed.entry -> 'metadata')", field_of(kind, partition), type_of(kind, partition), 'false'),
            type_of(kind, partition)
        ) }} at time zone 'UTC')::date as declared_day
    from {{ source('ops', 'manifest_asset') }} as entries
    inner join heads on entries.manifest_id = heads.manifest_id and heads.contract_ref = '{{ kind }}'
    left join listed on entries.manifest_id = listed.manifest_id and entries.ordinal = listed.ordinal
    {{ "union all" if not loop.last }}
    {%- else %}
    {{ no_rows({
        'manifest_id': 'text', 'source_id': 'text', 'record_kind': 'text', 'registered': 'date',
        'declared': 'text', 'declared_day': 'date'
    }) | indent(4) }}
    {%- endfor %}

),

-- An erasure leaves an object without a byte, and a tombstone.
half_erased as (

    select
        assets.asset_id,
        assets.record_kind,
        tombstones.asset_id is not null as is_erased
    from assets
    left join {{ source('ops', 'erased_line') }} as tombstones
        on assets.asset_id = tombstones.asset_id and tombstones.line_number = 1
    where
        assets.is_record
        and (tombstones.asset_id is not null)
        <> (assets.raw_zone_key like '%/' || encode(sha256(''), 'hex'))

),

found as (

    select
        {{ finding(
            'record_differs_from_declaration', 'drift', "coalesce(damaged_table, 'ops.source_asset')",
            "'of the record and of what is declared of the file differ: ' || fields",
            record_kind='record_kind', partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from differing
    where witness = 'declaration'
    union all
    select
        {{ finding(
            'record_differs_from_bytes', 'drift', "coalesce(damaged_table, 'ops.source_asset')",
            "'of the record and of the file that was registered differ: ' || fields",
            record_kind='record_kind', partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from differing
    where witness = 'bytes'
    union all
    select
        {{ finding(
            'record_differs_from_facts', 'drift', "coalesce(damaged_table, 'ops.asset_facts')",
            "'of the record and of the facts that were kept differ: ' || fields",
            record_kind='record_kind', partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from differing
    where witness = 'facts'
    union all
    -- Where the file is another one than the record's, that is what was damaged.
    select
        {{ finding(
            'facts_missing', 'gap', "'ops.asset_facts'",
            "'the record has facts, and none are kept of ' || source_fingerprint",
            record_kind='record_kind', partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from records
    where
        facts_count is null
        and payload ->> 'content_sha256' = source_fingerprint
        and payload -> 'asset_type' = declared -> 'asset_type'
        and exists (
            select from origins
            where
                origins.record_kind = records.record_kind
                and origins.origin = 'facts'
                and records.payload -> origins.field is not null
        )
    union all
    select
        {{ finding(
            'facts_doubled', 'duplicate', "'ops.asset_facts'",
            "'facts of ' || source_fingerprint || ': got ' || facts_count || ' rows, expected 1'",
            record_kind='record_kind', partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from records
    where facts_count > 1
    union all
    select
        {{ finding(
            'half_erased', 'drift', "'ops.source_asset'",
            "case when is_erased then 'the file was erased, and its object has bytes'
            else 'the object has no byte, and nothing erased the file' end",
            record_kind='record_kind', asset_id='asset_id'
        ) }}
    from half_erased
    union all
    select
        {{ finding(
            'declaration_differs_from_manifest', 'drift', "'ops.source_asset'",
            "'of what was registered and of the manifest differ: ' || fields",
            record_kind='record_kind', manifest_id='manifest_id', source_id='source_id', asset_id='asset_id'
        ) }}
    from declared_again
    union all
    select
        {{ finding(
            'day_differs_from_manifest', 'drift', "'ops.manifest_asset'",
            "'got ' || coalesce(registered::text, 'no day') || ', declared is '
            || coalesce(declared_day::text, 'none that can be read')",
            record_kind='record_kind', manifest_id='manifest_id', source_id='source_id'
        ) }}
    from days
    where
        registered <> declared_day
        or (registered is null and declared ~ '^\d{4}-\d\d-\d\d(T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,6})?Z)?$')

)

select * from found
