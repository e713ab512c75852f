{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when a difference between null and a value is missed, or null and null differ. -#}

with

compared as (

    select {{ differing_names('one', 'two', ['a', 'b', 'c']) }} as names
    from (values (1, null::text, null::text)) as one (a, b, c)
    cross join (values (2, null::text, '')) as two (a, b, c)
    union all
    select {{ differing_names('one', 'two', ['a', 'b']) }} as names
    from (values (1, null::text)) as one (a, b)
    cross join (values (1, null::text)) as two (a, b)

)

select *
from compared
where names is not null and names <> 'a, c'
union all
select 'one row differs and one does not, got ' || count(names) || ' that differ' as names
from compared
having count(names) <> 1
