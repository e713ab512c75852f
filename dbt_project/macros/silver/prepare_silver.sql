{#- What a model finds before it runs, whatever was selected: Silver's ledgers, and the staging views, in schemas that
    an administrator made. A view that exists is left alone; its own model replaces it. One statement, so that two builds
    that start at once wait for each other instead of failing. -#}
{% macro prepare_silver() -%}
    {#- Silver would note loads as built of which it holds no row. -#}
    {%- if execute and flags.EMPTY -%}
        {{ exceptions.raise_compiler_error(
            "--empty (or DBT_EMPTY): got it, expected a build of rows; nothing was built. Next: dbt build without it") }}
    {%- endif -%}
    {#- In the order in which they read each other. -#}
    {%- set views = [
        ref('stg_ops__asset_index'),
        ref('stg_ops__completed_load'),
        ref('stg_ops__manifest'),
        ref('stg_ops__run_asset'),
        ref('stg_ops__source_asset'),
        ref('stg_bronze__asset_line'),
        ref('stg_bronze__rejected_record'),
    ] -%}
do $prepare$
declare
    stranger text;
begin
    {{ catalog_lock() }};
    -- Loads that the models of Silver hold, each of one kind of records.
    create table if not exists {{ source('silver_ledger', 'built_load') }} (
        load_id text primary key,
        record_kind text
    );
    -- Ruleset and sequence under which each asset's lines were read for them.
    create table if not exists {{ source('silver_ledger', 'built_asset') }} (
        asset_id integer primary key,
        record_kind text,
        ruleset_id integer not null,
        sequence bigint not null
    );
    -- Records that the first model of their kind has built anew, and the last one has not. Without a key: filled in bulk,
    -- emptied whole.
    create table if not exists {{ source('silver_ledger', 'stale_record') }} (
        record_kind text not null,
        record_key text not null
    );
    {%- for kind in declared_kinds() %}
    create table if not exists {{ ranked_versions(kind) }} (
        event_id uuid,
        record_key text,
        person_id text,
        version_at timestamptz,
        sequence bigint,
        line_number integer,
        version_count bigint,
        is_collided boolean,
        is_winner boolean
    );
    {%- endfor %}
    -- Readers look into what is served. Everybody else asks dbt's role for it (loader/warehouse/built.py).
    -- Readers may enter the schema of what is served, and nobody may do more there.
    if not has_schema_privilege('omni_reader', 'serving', 'usage')
        or exists (
            select from pg_namespace
            cross join lateral aclexplode(nspacl) as granted
            where
                nspname = 'serving' and granted.grantee <> nspowner
                and (
                    granted.privilege_type <> 'USAGE' or granted.is_grantable
                    or granted.grantee <> 'omni_reader'::regrole
                )
        )
    then
        for stranger in
            select distinct case granted.grantee when 0 then 'public' else granted.grantee::regrole::text end
            from pg_namespace
            cross join lateral aclexplode(nspacl) as granted
            where nspname = 'serving' and granted.grantee <> nspowner
        loop
            execute format('revoke all on schema serving from %s cascade', stranger);
        end loop;
        grant usage on schema serving to omni_reader;
    end if;
    {%- for view in views if execute %}
    {#- The model's own text: there is no second definition that could differ. #}
    if to_regclass('{{ view.schema }}.{{ view.identifier }}') is null then
        execute $view$create view {{ view }} as
{{ render(graph.nodes['model.omnisupport.' ~ view.identifier].raw_code) }}$view$;
    end if;
    {%- endfor %}
end $prepare$
{%- endmacro %}

{#- Under this lock Silver's state changes: one build at a time. (infra/postgres/00_locks.sql) -#}
{% macro silver_lock() -%}
lock table ops.build_lock in exclusive mode
{%- endmacro %}
