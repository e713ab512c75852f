{#- Conversions that give null where a cast would fail, so that a damaged value is reported and hides nothing. -#}
{#-
    One statement under a lock: two builds that start at once wait for each other.
    PostgreSQL 16 checks a value without raising; 15 must catch the error, which forbids parallel plans.
    Not in SQL: the planner may fold a cast of a known value before the check that guards it.
-#}
{% macro create_reconcile_functions() -%}
do $do$
declare
    conversion record;
begin
    lock table ops.function_lock in exclusive mode;
    for conversion in
        select * from (values ('jsonb_or_null', 'jsonb'), ('instant_or_null', 'timestamptz'), ('date_or_null', 'date'), ('number_or_null', 'numeric')) as x (function_name, type_name)
    loop
        if current_setting('server_version_num')::integer >= 160000 then
            execute format(
                'create or replace function reconcile.%I(content text) returns %s
                 language plpgsql stable strict parallel safe
                 as $f$ begin
                     if pg_input_is_valid(content, %L) then return content::%s; end if;
                     return null;
                 end $f$',
                conversion.function_name, conversion.type_name, conversion.type_name, conversion.type_name);
        else
            execute format(
                'create or replace function reconcile.%I(content text) returns %s
                 language plpgsql stable strict parallel unsafe
                 as $f$ begin return content::%s; exception when data_exception then return null; end $f$',
                conversion.function_name, conversion.type_name, conversion.type_name);
        end if;
    end loop;
    create or replace function reconcile.manifest_or_null(content bytea) returns jsonb
    language plpgsql immutable strict parallel unsafe
    as $f$ begin return convert_from(content, 'UTF8')::jsonb; exception when data_exception then return null; end $f$;
end $do$
{%- endmacro %}
