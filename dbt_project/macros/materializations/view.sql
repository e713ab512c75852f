{#- Leaves a view alone that is as the model has it: replacing it would wait for every reader who left a transaction open
    on it, and others behind. What the view really is decides, not a note on it: its query as the server has it, and
    for whom it stands there. -#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set faults = view_faults(target_relation, sql) -%}
    {%- if faults and is_shown() and faults != ['it is not there'] -%}
        {%- do log(this.schema ~ '.' ~ this.identifier ~ ' was not as its model has it: ' ~ faults | join(', ')
            ~ '; it is made anew', info=true) -%}
    {%- endif -%}
    {% call statement('main') -%}
drop view pg_temp.{{ adapter.quote(probe_of(target_relation)) }};
        {% if faults -%}
{{ get_create_view_as_sql(target_relation, sql) }}
        {%- else -%}
select 1 as is_unchanged
        {%- endif -%}
    {%- endcall %}
    {#- Two builds that change what is right already would fail each other. #}
    {%- if faults -%}
        {%- do run_query(revoke_from_strangers(target_relation)) -%}
        {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing)) -%}
    {%- endif %}
    {%- do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Where a view hides rows from who may ask it (meta hides_rows): no condition of theirs runs before the view's own. -#}
{% macro barrier() -%}
    {{ return(' with (security_barrier)' if is_shown() else '') }}
{%- endmacro %}

{% macro is_shown() -%}
    {{ return(config.get('meta', {}).get('hides_rows', false)) }}
{%- endmacro %}

{#- What about the relation is not as the model's query, made into a view of this session (the probe, which stays), and
    its grants say: a list of words, empty for a view that may stay. From here to the end of the transaction, whatever
    is called means the server's own, not what somebody put into a schema of the path. -#}
{% macro view_faults(relation, sql) -%}
    {%- set probe = adapter.quote(probe_of(relation)) -%}
    {%- set found -%}
set local search_path = pg_catalog;
create temporary view {{ probe }}{{ barrier() }} as (
{{ sql }}
);
{{ differences_of_views("to_regclass('" ~ relation ~ "')", "'pg_temp." ~ probe ~ "'::regclass") }}
    {%- endset -%}
    {{ return(run_query(found).columns['fault'].values() | list) }}
{%- endmacro %}

{% macro probe_of(relation) -%}
    {{ return(relation.identifier ~ '__probe') }}
{%- endmacro %}

{#- One row per difference between what stands and the probe. `standing`, `probe`: expressions of type regclass. -#}
{% macro differences_of_views(standing, probe) -%}
with standing as (
    select * from pg_class where oid = {{ standing }}
),
columns as (
    select
        attrelid,
        string_agg(concat_ws(' ', attname, atttypid::regtype, atttypmod), ', ' order by attnum) as column_types,
        bool_or(attacl is not null) as has_own_grants
    from pg_attribute
    where attrelid in ({{ standing }}, {{ probe }}) and attnum > 0 and not attisdropped
    group by attrelid
)
select 'it is not there' as fault where not exists (select from standing)
union all
select 'it is no view' from standing where relkind <> 'v'
union all
select 'its query' from standing
where relkind = 'v' and pg_get_viewdef(oid) <> pg_get_viewdef({{ probe }})
union all
select 'its columns' from standing
where
    (select column_types from columns where attrelid = standing.oid)
    is distinct from (select column_types from columns where attrelid = {{ probe }})
union all
select 'its options' from standing
where reloptions is distinct from (select probe.reloptions from pg_class as probe where probe.oid = {{ probe }})
union all
select 'its owner' from standing where pg_get_userbyid(relowner) <> current_user
union all
select 'rules or triggers on it' from standing
where
    (select count(*) from pg_rewrite where ev_class = standing.oid and rulename <> '_RETURN') > 0
    or exists (select from pg_trigger where tgrelid = standing.oid)
union all
select 'who may read it' from standing
where
    coalesce((select has_own_grants from columns where attrelid = standing.oid), false)
    or exists (
        select from aclexplode(standing.relacl) as granted
        where
            granted.grantee <> standing.relowner
            and (
                granted.grantee = 0
                or pg_get_userbyid(granted.grantee) <> all(array[{{ grantees() }}]::text[])
                or granted.privilege_type <> 'SELECT'
                or granted.is_grantable
            )
    )
    or (
        select count(distinct granted.grantee)
        from aclexplode(standing.relacl) as granted
        where granted.grantee <> standing.relowner
    ) < cardinality(array[{{ grantees() }}]::text[])
    {#- Views read each other with their owner's rights. #}
    or not has_table_privilege(standing.relowner, standing.oid, 'select')
{%- endmacro %}

{#- The roles that the model grants to, as literals. -#}
{% macro grantees() -%}
    {%- for name in config.get('grants', {}).get('select', []) -%}
'{{ name }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Takes the view away from all others than its owner; dbt's own grants know nobody but roles, and nothing of columns. -#}
{% macro revoke_from_strangers(relation) -%}
do $revoke$
declare
    grantee text;
begin
    for grantee in
        select distinct case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end
        from pg_class
        cross join lateral aclexplode(relacl) as granted
        where pg_class.oid = '{{ relation }}'::regclass and granted.grantee <> relowner
        union
        select distinct case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end
        from pg_attribute
        cross join lateral aclexplode(attacl) as granted
        where attrelid = '{{ relation }}'::regclass
    loop
        -- Revoked for the whole, and with it for each column.
        execute format('revoke all on {{ relation }} from %s cascade', grantee);
    end loop;
    grant all on {{ relation }} to current_user;
end $revoke$
{%- endmacro %}

{% macro postgres__create_view_as(relation, sql) -%}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
do $create$
declare
    is_view boolean := coalesce((
        select
            relkind = 'v' and pg_get_userbyid(relowner) = current_user
            and not exists (select from pg_rewrite where ev_class = pg_class.oid and rulename <> '_RETURN')
            and not exists (select from pg_trigger where tgrelid = pg_class.oid)
        from pg_class where oid = to_regclass('{{ relation }}')),
        to_regtype('{{ relation.include(database=false) }}') is null);
begin
    {{ catalog_lock() }};
    {% call patiently(relation) %}
            begin
                if not is_view then
                    {{ drop_whatever_is(relation) | indent(20) }}
                end if;
                execute $view$create or replace view {{ relation }}{{ barrier() }} as (
{{ sql }}
)$view$;
            exception when invalid_table_definition then
                -- A column went, or changed its name or type: only then must the readers of the view go as well.
                {{ drop_whatever_is(relation) | indent(16) }}
                execute $view$create view {{ relation }}{{ barrier() }} as (
{{ sql }}
)$view$;
            end;
    {% endcall %}
end $create$
{%- endmacro %}
