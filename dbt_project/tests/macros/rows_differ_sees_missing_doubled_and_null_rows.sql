{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when rows_differ names other rows than the four that differ. -#}

with

side_one as (

    select *
    from (
        values
        (1, 'same'), (2, null), (3, null), (4, 'doubled'), (4, 'doubled'), (5, 'only here')
    ) as side (row_key, content)

),

side_two as (

    select *
    from (
        values
        (1, 'same'), (2, null), (3, ''), (4, 'doubled'), (6, 'only there')
    ) as side (row_key, content)

),

found as (

    {{ rows_differ('side_one', 'side_two', ['row_key'], ['content']) }}

),

expected as (

    select *
    from (
        values
        (3, null, 1, 0), (3, '', 0, 1), (4, 'doubled', 2, 1), (5, 'only here', 1, 0), (6, 'only there', 0, 1)
    ) as side (row_key, content, a_copy_count, b_copy_count)

),

-- Not compared by the macro itself: a macro that finds nothing would agree with itself.
lost as (

    select * from expected
    except all
    select * from found

),

invented as (

    select * from found
    except all
    select * from expected

)

select * from lost
union all
select * from invented
