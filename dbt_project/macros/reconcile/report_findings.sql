{#- on-run-end: one log line per finding when reconcile_finding was built in this run, and per drift when drift_finding
    was; at most `line_limit` of each. -#}
{% macro report_findings(results, line_limit=50) -%}
    {%- if execute -%}
        {%- for result in results
            if result.node.name == 'reconcile_finding' and result.node.resource_type == 'model' and result.status == 'success' -%}
            {%- set lines = finding_lines(result.node.relation_name, line_limit) -%}
            {%- for line in lines -%}
                {%- do log("reconcile: " ~ line, info=true) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for result in results if result.node.name == 'drift_finding' and result.status == 'success' -%}
            {%- for line in drift_lines(result.node.relation_name, line_limit) -%}
                {%- do log("drift: " ~ line, info=true) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- The findings in `relation_name` as text, a damage of several days in one line, most counted first within a table, and
    a last line for what is left out. -#}
{% macro finding_lines(relation_name, line_limit=50) -%}
    {%- set damage = "table_name, asset_id, source_id, manifest_id, run_id, check_name, finding_count, detail" -%}
    {%- set found = run_query(
        "select " ~ damage ~ ", count(*) as row_count, count(partition_key) as day_count"
        ~ ", min(partition_key) as first_day, max(partition_key) as last_day, count(*) over () as all_count"
        ~ " from " ~ relation_name ~ " group by " ~ damage
        ~ " order by table_name, finding_count desc, check_name, first_day, asset_id, manifest_id, source_id, run_id"
        ~ " limit " ~ line_limit
    ) -%}
    {%- set lines = [] -%}
    {%- for row in found.rows -%}
        {%- set where = [row['table_name']] -%}
        {%- if row['day_count'] | int < row['row_count'] | int -%}
            {%- do where.append('every partition') -%}
        {%- elif row['day_count'] | int == 1 -%}
            {%- do where.append('partition ' ~ row['first_day']) -%}
        {%- else -%}
            {%- do where.append((row['day_count'] | int) ~ ' partitions ' ~ row['first_day'] ~ ' to ' ~ row['last_day']) -%}
        {%- endif -%}
        {%- if row['source_id'] is not none -%}
            {%- do where.append('asset ' ~ row['source_id']) -%}
        {%- elif row['asset_id'] is not none -%}
            {%- do where.append('asset number ' ~ row['asset_id'] | int) -%}
        {%- endif -%}
        {%- if row['manifest_id'] is not none -%}{%- do where.append('manifest ' ~ row['manifest_id']) -%}{%- endif -%}
        {%- if row['run_id'] is not none -%}{%- do where.append('run ' ~ row['run_id']) -%}{%- endif -%}
        {%- set count = row['finding_count'] | int -%}
        {%- do lines.append(
            where | join(' ') ~ ': ' ~ row['check_name'] | replace('_', ' ')
            ~ ' (' ~ count ~ (' row; ' if count == 1 else ' rows; ') ~ row['detail'] ~ ')'
        ) -%}
    {%- endfor -%}
    {%- if found.rows | length > 0 and found.rows[0]['all_count'] | int > line_limit -%}
        {%- do lines.append((found.rows[0]['all_count'] | int - line_limit) ~ ' more findings: select * from ' ~ relation_name) -%}
    {%- endif -%}
    {{ return(lines) }}
{%- endmacro %}

{#- The drifts in `relation_name` as text, the newest partitions first. -#}
{% macro drift_lines(relation_name, line_limit=50) -%}
    {%- set found = run_query(
        "select coalesce(partition_key::text, 'no day') || ' ' || check_name || ': ' || detail as line from "
        ~ relation_name ~ " order by partition_key desc nulls last, check_name, measure, detail limit " ~ line_limit
    ) -%}
    {{ return(found.columns['line'].values() | list) }}
{%- endmacro %}
