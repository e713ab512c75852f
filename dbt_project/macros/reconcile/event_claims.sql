{#- The query behind event_claim for one kind: what each of its events says of itself, read from its own payload. -#}
{% macro event_claims(kind) -%}
{%- set scope_load = ref('scope_load') -%}
{%- set declared = declared_kinds()[kind] -%}
{#- Columns of Bronze that repeat a field of the payload, each with that field's column in Silver; none: no field. -#}
{%- set repeated_columns = {
    'record_key': declared.key,
    'person_id': declared.person,
    'record_source': declared.source,
    'created_at': declared.created,
    'updated_at': declared.updated,
} -%}
{#- What the payload says of each: of a column that is an instant, as that. -#}
{%- set stated = {} -%}
{%- for column, silver_column in repeated_columns.items() if silver_column -%}
    {%- set value = 'payload_' ~ silver_column -%}
    {%- do stated.update({column: instant_of(value, type_of(kind, silver_column)) if column.endswith('_at') else value}) -%}
{%- endfor -%}
{#- What such a column holds of a kind that declares no field for it. -#}
{%- set undeclared = {'record_source': "'" ~ kind ~ "'", 'person_id': 'null', 'updated_at': 'null'} -%}
with

-- The row's place tells the copies of a doubled row apart.
events as (

    select
        tableoid as row_table,
        ctid as row_place,
        *
    from {{ source('bronze', 'record_event') }}
    where
        record_kind = '{{ kind }}'
    {%- if is_incremental() %}
        and _dlt_load_id = any(array(select scope_load.load_id from {{ scope_load }} as scope_load))
    {%- endif %}

),

-- "limit all" keeps the planner from hashing and parsing a payload once per use, and lets workers do it.
authenticated as (

    select
        events.*,
        loads.is_intact as is_load_intact,
        sha256(convert_to({{ "'" ~ declared.hash_domain ~ "' || " if declared.hash_domain }}events.raw_payload, 'UTF8')) = events.record_fingerprint as is_payload_authentic
    from events
    inner join {{ ref('reconcile_load') }} as loads
        on
            events._dlt_load_id = loads.load_id
            and loads.table_name = 'record_event'
    where loads.completed_copy_count > 0
    limit all

),

parsed as (

    select
        authenticated.*,
        authenticated.is_payload_authentic and authenticated.is_load_intact as is_trusted,
        case
            when authenticated.is_payload_authentic and authenticated.is_load_intact
                then authenticated.raw_payload::jsonb
            else reconcile.jsonb_or_null(authenticated.raw_payload)
        end as payload
    from authenticated
    limit all

),

valued as (

    select
        row_table,
        row_place,
        event_id,
        record_fingerprint,
        record_source,
        record_key,
        person_id,
        created_at,
        updated_at,
        partition_key,
        array[
            {%- for item in envelope_fields(kind) %}
            case when is_trusted then envelope::jsonb else reconcile.jsonb_or_null(envelope) end
            ->> '{{ item.field }}'{{ "," if not loop.last }}
            {%- endfor %}
        ]::text[] as envelope_values,
        warning_codes,
        asset_id,
        line_number,
        run_id,
        _dlt_load_id as dlt_load_id,
        is_load_intact,
        is_payload_authentic,
        {{ payload_values(kind, 'payload', 'is_trusted', 'payload_') }}
    from parsed
    limit all

)

-- A payload that matches its hash is the witness: it orders the versions, and judges Bronze's columns.
select
    row_table,
    row_place,
    '{{ kind }}' as record_kind,
    event_id,
    {%- for column in ['record_source', 'record_key', 'created_at', 'updated_at'] %}
    {%- if column in stated %}
    case when is_payload_authentic then {{ stated[column] }} else {{ column }} end as {{ column }},
    {%- else %}
    {{ column }},
    {%- endif %}
    {%- endfor %}
    partition_key,
    {%- if declared.person %}
    case when is_payload_authentic then {{ stated.person_id }} else person_id end as person_id,
    {%- else %}
    person_id,
    {%- endif %}
    envelope_values,
    asset_id,
    line_number,
    run_id,
    dlt_load_id,
    is_load_intact,
    is_payload_authentic,
    octet_length(record_fingerprint) = 32
    and uuid_send(event_id) = substr(record_fingerprint, 1, 16) as is_event_id_authentic,
    partition_key = (created_at at time zone 'UTC')::date as is_partition_authentic,
    {{ record_digest(
        kind,
        'payload_',
        "(case when is_payload_authentic then " ~ stated.created_at ~ " else created_at end at time zone 'UTC')::date",
        derived_columns(kind, 'payload_') | map(attribute='value') | list,
        'warning_codes',
        "encode(record_fingerprint, 'hex')"
    ) }} as content_digest,
    nullif(concat_ws(
        ', ',
        {%- for column in repeated_columns %}
        {%- if column in stated %}
        case when {{ column }} is distinct from {{ stated[column] }} then '{{ column }}' end{{ "," if not loop.last }}
        {%- else %}
        case when {{ column }} is distinct from {{ undeclared[column] }} then '{{ column }}' end{{ "," if not loop.last }}
        {%- endif %}
        {%- endfor %}
    ), '') as differing_columns
from valued
{%- endmacro %}
