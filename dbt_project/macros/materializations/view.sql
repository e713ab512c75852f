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
    {% call statement('main') -%}
        {{ get_create_view_as_sql(target_relation, sql) }}
    {%- endcall %}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing)) %}
    {%- do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro postgres__create_view_as(relation, sql) -%}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
do $create$
begin
    perform pg_advisory_xact_lock({{ catalog_lock() }});
    execute $view$create or replace view {{ relation }} as (
{{ sql }}
)$view$;
exception when invalid_table_definition then
    -- A column went, or changed its name or type: only then must the readers of the view go as well.
    execute $view$drop view {{ relation }} cascade$view$;
    execute $view$create view {{ relation }} as (
{{ sql }}
)$view$;
end $create$
{%- endmacro %}
