{#- A table is made beside the one that readers have, and takes its place in the same transaction (replace_table): dbt's
    own way waits for whoever has ever read it and left a transaction open, and lets all others wait behind. -#}
{% materialization table, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do make_table(sql) %}
    {{ return({'relations': [finish_table(existing, is_whole=true)]}) }}
{% endmaterialization %}

{#- As a table; or, where it stands and no full refresh is asked for, what the query gives is added to it. The model's
    pre-hooks take out what it computes anew. A model of Silver that would find nothing to do is left alone. -#}
{% materialization incremental, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if config.get('incremental_strategy') != 'append' or config.get('on_schema_change') != 'fail' -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": expected incremental_strategy append and on_schema_change fail; nothing was built."
            ~ " Next: write the other way in macros/materializations/table.sql") }}
    {%- endif %}
    {%- if is_at_rest() -%}
        {{ return({'relations': [existing]}) }}
    {%- endif %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set is_whole = not is_incremental() -%}
    {%- if is_whole -%}
        {%- do make_table(sql) -%}
    {%- else -%}
        {%- set added = make_temp_relation(this) -%}
        {%- do run_query(join_by_hash('off') ~ get_create_table_as_sql(true, added, sql) ~ join_by_hash('on')) -%}
        {#- With other columns than the table's it has failed here. -#}
        {%- set columns = process_schema_changes('fail', added, existing) -%}
        {%- call statement('main') %}
            {{- get_incremental_append_sql({
                'target_relation': this,
                'temp_relation': added,
                'unique_key': none,
                'dest_columns': columns,
                'incremental_predicates': none,
            }) }}
        {%- endcall -%}
    {%- endif %}
    {{ return({'relations': [finish_table(existing, is_whole)]}) }}
{% endmaterialization %}

{#- The model's table, whole, in the place of the one that stands. -#}
{% macro make_table(sql) -%}
    {%- set made = make_intermediate_relation(this.incorporate(type='table')) -%}
    {%- call statement('main') %}
drop table if exists {{ made }} cascade;
{{ join_by_hash('off') }}
{{ get_create_table_as_sql(false, made, sql) }}
{{ join_by_hash('on') }}
        {%- if not config.get('indexes') %}
;{{ replace_table(this, made) }}
        {%- endif %}
    {%- endcall -%}
    {%- if config.get('indexes') -%}
        {%- do create_indexes(made) -%}
        {%- do run_query(replace_table(this, made)) -%}
    {%- endif -%}
{%- endmacro %}

{#- Around the query of a model that proves (meta joins_by_hash): no nested loop where there is another way. What the
    planner takes for one row may be fifty thousand, whenever columns depend on each other as asset and ruleset do; a
    hash of a guess that was wrong costs a little, a loop over it an hour. What such a query needs of a large table is
    found by `= any(array(…))`, which asks an index whatever the guess. -#}
{% macro join_by_hash(nested_loop) -%}
    {%- if config.get('meta', {}).get('joins_by_hash', false) -%}
;set local enable_nestloop = {{ nested_loop }};
    {%- endif -%}
{%- endmacro %}

{#- What every table has in common at its end: grants, descriptions, post-hooks, commit. -#}
{% macro finish_table(existing, is_whole) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing, full_refresh_mode=is_whole)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{- run_hooks(post_hooks, inside_transaction=True) -}}
    {%- do adapter.commit() -%}
    {{- run_hooks(post_hooks, inside_transaction=False) -}}
    {{ return(target_relation) }}
{%- endmacro %}

{#- Puts the table `made` in the place of `target`, and leaves no `made`, in the caller's transaction. Where nobody is
    in the way, `made` takes the name. Where somebody has `target` open, the rows change places instead: readers keep
    what their snapshot shows, nobody waits. Only where the columns are others must the reader go (patiently). -#}
{% macro replace_table(target, made) -%}
do $replace$
declare
    -- Names, types and nulls of each table's columns, in their order.
    columns_before text;
    columns_after text;
begin
    select string_agg(concat_ws(' ', attname, atttypid::regtype, atttypmod, attnotnull), ', ' order by attnum)
    into columns_before
    from pg_catalog.pg_attribute
    inner join pg_catalog.pg_class on pg_class.oid = attrelid and relkind = 'r'
    where attrelid = to_regclass('{{ target }}') and attnum > 0 and not attisdropped;
    select string_agg(concat_ws(' ', attname, atttypid::regtype, atttypmod, attnotnull), ', ' order by attnum)
    into columns_after
    from pg_catalog.pg_attribute
    where attrelid = '{{ made }}'::regclass and attnum > 0 and not attisdropped;
    perform set_config('lock_timeout', '100ms', true);
    begin
        {{ drop_whatever_is(target) | indent(8) }}
        alter table {{ made }} rename to {{ adapter.quote(target.identifier) }};
    exception when lock_not_available then
        perform set_config('lock_timeout', '0', true);
        if columns_before = columns_after then
            -- One build after the other: each must see, and delete, what the one before it filled in.
            lock table {{ target }} in share row exclusive mode;
            delete from {{ target }};
            insert into {{ target }} select * from {{ made }};
            drop table {{ made }};
        else
            {% call patiently(target) %}
                {{ drop_whatever_is(target) | indent(16) }}
                alter table {{ made }} rename to {{ adapter.quote(target.identifier) }};
            {% endcall %}
        end if;
    end;
    perform set_config('lock_timeout', '0', true);
end $replace$
{%- endmacro %}
