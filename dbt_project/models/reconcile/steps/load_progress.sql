{{ config(materialized='view') }}

{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}

select
    completed_loads.load_id,
    completed_loads.table_name,
    (
        array_agg(completed_loads.run_id order by completed_loads.attempt, completed_loads.run_id)
    )[1] as run_id,
    min(completed_loads.attempt) as attempt,
    coalesce(bool_or(ingest_runs.status = 'running'), false)
    and not coalesce(bool_or(built_loads.load_id is not null), false) as is_pending
from {{ source('ops', 'completed_load') }} as completed_loads
left join {{ source('ops', 'ingest_run') }} as ingest_runs
    on {{ equal_in('completed_loads', 'ingest_runs', ['run_id', 'attempt']) }}
left join {{ source('silver_ledger', 'built_load') }} as built_loads
    on completed_loads.load_id = built_loads.load_id
group by completed_loads.load_id, completed_loads.table_name
