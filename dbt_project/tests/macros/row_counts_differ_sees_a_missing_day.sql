{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when a day that one side lacks, or has with another number of rows, is not named. -#}

with

side_one as (

    select *
    from (values ('2026-04-16'), ('2026-04-17'), ('2026-04-17'), (null)) as side (partition_key)

),

side_two as (

    select *
    from (values ('2026-04-17'), ('2026-04-18'), (null)) as side (created_date)

),

found as (

    {{ row_counts_differ('side_one', 'side_two', 'partition_key', 'created_date') }}

),

expected as (

    select *
    from (
        values ('2026-04-16', 1, 0), ('2026-04-17', 2, 1), ('2026-04-18', 0, 1)
    ) as side (group_text, a_row_count, b_row_count)

)

{{ rows_differ('found', 'expected', ['group_text', 'a_row_count', 'b_row_count']) }}
