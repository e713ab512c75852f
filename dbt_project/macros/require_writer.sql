{#- In a build that the loader started under its ingest lock: an error once another command has taken that lock over. Such
    a build goes on for a moment beside the next one's, and may change nothing any more. Other builds are let be. -#}
{% macro require_writer() -%}
    {%- set token = dbt_metadata_envs.get('WRITER_TOKEN') -%}
    {%- if token -%}
do $fence$
begin
    if not exists (select from ops.lock_holder where token = '{{ token }}') then
        raise exception 'the ingest lock that this build was started under is another command''s, or nobody''s, now';
    end if;
end $fence$;
    {%- endif -%}
{%- endmacro %}
