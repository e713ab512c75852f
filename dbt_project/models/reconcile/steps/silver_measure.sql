{{ config(materialized='view') }}

with

tickets as (

    select * from {{ ref('ticket_fact') }}

),

final as (

    select
        partition_key,
        count(*) as row_count,
        sum(
            {{ ticket_digest('', 'partition_key', 'is_open', 'warning_codes', 'record_fingerprint') }}
        ) as content_digest
    from tickets
    group by partition_key

)

select * from final
