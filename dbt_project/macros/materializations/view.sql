{#- Replaces a view in place. dbt's own way (create beside, rename, drop cascade) drops every view that reads
    this one, and two builds at once collide on the interim names. -#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {#- Not "no view": one that another build made since this one looked is "external" to dbt. #}
    {%- if existing is not none and (existing.is_table or existing.is_materialized_view) %}
        {%- do adapter.drop_relation(existing) %}
    {%- endif %}
    {#- Replacing a view locks its readers out for a moment: those of serving are left alone while they are the same. #}
    {%- set signature = local_md5(sql ~ model.columns ~ barrier()) -%}
    {%- set is_kept = config.get('meta', {}).get('is_replaced_when_changed_only', false) -%}
    {%- set is_the_same = is_kept and existing is not none and view_signature(this) == signature -%}
    {% call statement('main') -%}
        {%- if is_the_same -%}
select 1 as is_unchanged
        {%- else -%}
{{ get_create_view_as_sql(target_relation, sql) }}
        {%- if is_kept %};
comment on view {{ target_relation }} is '{{ signature }}'
        {%- endif -%}
        {%- endif -%}
    {%- endcall %}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing)) %}
    {%- do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- What the view was made from: the comment that this materialization leaves on it. -#}
{% macro view_signature(relation) -%}
    {%- set found = run_query(
        "select obj_description(to_regclass('" ~ relation.include(database=false) ~ "'), 'pg_class')"
    ) -%}
    {{ return(found.columns[0].values()[0]) }}
{%- endmacro %}

{#- Where a view hides rows from who may ask it (meta hides_rows): no condition of theirs runs before the view's own. -#}
{% macro barrier() -%}
    {{ return(' with (security_barrier)' if config.get('meta', {}).get('hides_rows', false) else '') }}
{%- endmacro %}

{% macro postgres__create_view_as(relation, sql) -%}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
do $create$
begin
    perform pg_advisory_xact_lock({{ catalog_lock() }});
    execute $view$create or replace view {{ relation }}{{ barrier() }} as (
{{ sql }}
)$view$;
exception when invalid_table_definition then
    -- A column went, or changed its name or type: only then must the readers of the view go as well.
    execute $view$drop view {{ relation }} cascade$view$;
    execute $view$create view {{ relation }}{{ barrier() }} as (
{{ sql }}
)$view$;
end $create$
{%- endmacro %}
