{#- A query of the columns that the field policy keeps out of their schema, one row each. `columns`: a query or CTE of
    schema_name, relation_name, column_name, data_type. A name counts by its words: `last_subject` is `subject`. -#}
{% macro blocked_columns(columns) -%}
select
    schema_name,
    relation_name,
    column_name,
    case
        when column_name in ('{{ record_containers() | join("', '") }}') then 'holds whole records'
        {%- for rule in ruled_fields() if not rule.serve %}
        when
            column_name ~ '(^|_){{ rule.field }}(_|$)'
            {%- if rule.column is defined %}
            and schema_name = 'serving'
            {%- endif %}
            then '{{ rule.field }}: {{ rule.level }}'
        {%- endfor %}
        when
            data_type in ('json', 'jsonb', 'bytea', 'xml')
            and column_name !~ '_(fingerprint|sha256)$'
            and column_name not in ('{{ told_columns() | join("', '") }}')
            and column_name not in (
                {%- for rule in ruled_fields() if rule.column is defined %}
                '{{ rule.column }}'{{ "," if not loop.last }}
                {%- endfor %}
            )
            then 'of type ' || data_type || ', may hold whole records'
    end as reason
from {{ columns }}
{%- endmacro %}

{#- Blocked fields that a model's own SQL names, also under another name in its result: a list of
    {model, field}. Comments do not count. Needs the graph: empty while dbt parses. -#}
{% macro blocked_fields_in_code(schemas) -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.schema in schemas -%}
            {%- set code = modules.re.sub('(?s)[{]#.*?#[}]|--[^\n]*', '', node.raw_code) -%}
            {%- for rule in ruled_fields() if not (rule.column is defined and (rule.serve or node.schema != 'serving')) -%}
                {#- A name that is also a type's counts where a record is asked for it. -#}
                {%- set read = "->>?\\s*'text'" if rule.field == 'text' else '\\b' ~ rule.field ~ '\\b' -%}
                {%- if modules.re.search(read, code) -%}
                    {%- do found.append({'schema': node.schema, 'model': node.name, 'field': rule.field}) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{#- Columns that hold a whole record or line, whatever its fields: nowhere but in Bronze and its staging views. -#}
{% macro record_containers() -%}
    {{ return(['raw_payload', 'raw_line', 'payload', 'record_fields', 'message']) }}
{%- endmacro %}

{#- Columns of type jsonb that hold no value of any record: what the project says of a day, in codes and counts. -#}
{% macro told_columns() -%}
    {{ return(['obstacles']) }}
{%- endmacro %}
