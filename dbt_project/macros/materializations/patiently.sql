{#- Statements of a DO block that nobody may be in the way of: tried again and again, for as long as the variable
    `seconds_of_patience` says. A try that waits longer would let every other reader wait behind it. Whoever is still in
    the way then is named. -#}
{% macro patiently(relation) -%}
declare
    patient_until timestamptz := clock_timestamp() + interval '{{ var('seconds_of_patience') | int }} seconds';
    in_the_way text;
begin
    loop
        begin
            perform set_config('lock_timeout', '2s', true);
            {{ caller() }}
            exit;
        exception when lock_not_available then
            if clock_timestamp() > patient_until then
                select string_agg(distinct format('session %s (%s, %s)', pid, usename, application_name), ', ')
                into in_the_way
                from pg_catalog.pg_locks
                inner join pg_catalog.pg_stat_activity using (pid)
                where relation = to_regclass('{{ relation }}') and granted and pid <> pg_backend_pid();
                raise exception '{{ relation.schema }}.{{ relation.identifier }} must be made anew, and % keeps it open',
                    coalesce(in_the_way, 'a session that has just ended')
                    using errcode = 'lock_not_available',
                        hint = 'End that session, or its transaction, and build again.';
            end if;
            perform pg_sleep(0.5);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end;
{%- endmacro %}

{#- Statement of a DO block: nothing has the name of `relation` any more, whatever has it now. -#}
{% macro drop_whatever_is(relation) -%}
execute coalesce((
    select format(
        'drop %s %s cascade',
        case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
            when 'S' then 'sequence' when 'c' then 'type' when 'i' then 'index' when 'I' then 'index' else 'table' end,
        oid::regclass)
    from pg_catalog.pg_class
    where oid = to_regclass('{{ relation }}')
), (
    select format('drop type %s cascade', oid::regtype)
    from pg_catalog.pg_type
    where oid = to_regtype('{{ relation.include(database=false) }}')
), 'select');
{%- endmacro %}
