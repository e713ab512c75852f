{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when two different multisets have one digest, or one multiset has two. -#}

with

digests as (

    select
        (
            select {{ multiset_digest(['a', 'b']) }}
            from (values ('x', 'y,z'), ('y', null)) as side (a, b)
        ) as plain,
        (
            select {{ multiset_digest(['a', 'b']) }}
            from (values ('y', null), ('x', 'y,z')) as side (a, b)
        ) as reordered,
        (
            select {{ multiset_digest(['a', 'b']) }}
            from (values ('x', 'y,z'), ('x', 'y,z'), ('y', null)) as side (a, b)
        ) as with_copy,
        (
            select {{ multiset_digest(['a', 'b']) }}
            from (values ('x', 'y,z'), ('y', '')) as side (a, b)
        ) as with_empty_text,
        (
            select {{ multiset_digest(['a', 'b']) }}
            from (values ('x,y', 'z'), ('y', null)) as side (a, b)
        ) as with_moved_border,
        (
            select {{ multiset_digest(['a', 'b']) }}
            from (values ('x', 'y,z')) as side (a, b)
            where side.a is null
        ) as of_nothing

)

select *
from digests
where
    plain <> reordered
    or plain in (with_copy, with_empty_text, with_moved_border)
    or of_nothing <> 0
