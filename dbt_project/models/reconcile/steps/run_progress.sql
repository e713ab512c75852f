{{ config(materialized='ephemeral') }}

with

ingest_runs as (

    select * from {{ source('ops', 'ingest_run') }}

),

progress as (

    select
        run_id,
        attempt,
        status = 'running' as is_running,
        status = 'running' and stage in ('started', 'gated') as is_registering,
        status = 'running' and stage in ('started', 'gated', 'archived') as is_landing
    from ingest_runs

)

select * from progress
