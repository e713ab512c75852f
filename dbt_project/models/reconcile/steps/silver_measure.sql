{{ config(materialized='view') }}

with

silver_rows as (

    {{ silver_rows() | indent(4) }}

),

final as (

    select
        record_kind,
        partition_key,
        count(*) as row_count,
        sum(content_digest) as content_digest
    from silver_rows
    group by record_kind, partition_key

)

select * from final
