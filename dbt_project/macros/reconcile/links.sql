{#- The links between kinds that can be judged: the model of Silver that names others is there, and one of those that it
    may name. Each has the kind of records that name others and the kinds that they name, with models and columns;
    `awaited`: a day waits for what is not there. -#}
{% macro judged_links() -%}
    {%- set kinds = built_kinds() -%}
    {%- set found = [] -%}
    {%- for kind in kinds -%}
        {%- set declared = declared_kinds()[kind] -%}
        {%- for link in declared.links if link.kinds | select('in', kinds) | list -%}
            {%- set linked = [] -%}
            {%- for name in link.kinds if name in kinds -%}
                {%- set other = declared_kinds()[name] -%}
                {%- do linked.append({
                    'silver': ref(other.silver),
                    'key': other.key,
                    'is_timed': other.fields | selectattr('field', 'eq', 'duration_seconds') | list | length > 0,
                }) -%}
            {%- endfor -%}
            {%- do found.append({
                'kind': kind,
                'silver': ref(declared.silver),
                'key': declared.key,
                'field': link.field,
                'column': link.column,
                'linked_kind': link.kinds | join(' or '),
                'linked': linked,
                'awaited': link.awaited,
                'show': link.show,
                'span': spans_of(kind, link),
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- The columns of start, end and number of records that have a place in what their asset is whole for, where the link is
    the one to that; else none. -#}
{% macro spans_of(kind, link) -%}
    {%- set whole = declared_kinds()[kind].whole -%}
    {%- if whole is none or not whole.span or whole.field != link.field -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set columns = {} -%}
    {%- for item in compared_fields(kind) -%}
        {%- do columns.update({item.field: item.column}) -%}
    {%- endfor -%}
    {{ return({
        'start': columns[whole.span[0]], 'end': columns[whole.span[1]], 'number': columns[whole.number]
    }) }}
{%- endmacro %}

{#- Pre-hook of reconcile_link: who names a record that comes or goes is found by index. Where Silver's table lacks it,
    since the link was declared after it was made, or it was made anew. -#}
{% macro index_links() -%}
    {%- for link in judged_links() -%}
        {%- set table_name = link.silver.schema ~ '.' ~ link.silver.identifier %}
do $index$
begin
    if not exists (
        select 1
        from pg_catalog.pg_index
        inner join pg_catalog.pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where indrelid = '{{ table_name }}'::regclass and attname = '{{ link.column }}' and indpred is null
    ) then
        create index on {{ table_name }} ({{ link.column }});
    end if;
end $index$;
    {%- endfor -%}
{%- endmacro %}
