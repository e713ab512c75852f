"""What the catalogue says of the loader's own schemas, as lines of text: two databases are alike where these are."""

from __future__ import annotations

from contextlib import closing

from loader.warehouse import Warehouse

# Not the order of columns: what is added comes last, and nothing of the loader relies on it. Not the names of NOT NULL
# constraints, which PostgreSQL 18 has and 17 has not: the columns say which they are.
_CATALOGUE = """
with ours as (select oid from pg_namespace where nspname in ('ops', 'bronze', 'release')),
relation as (select * from pg_class where relnamespace in (select oid from ours))
select concat_ws(' | ', 'schema', nspname, pg_get_userbyid(nspowner), nspacl)
from pg_namespace where oid in (select oid from ours)
union all
select concat_ws(' | ', 'relation', oid::regclass, relkind, relpersistence, pg_get_userbyid(relowner), reloptions,
    relrowsecurity, (select array_agg(acl::text order by acl::text) from unnest(relacl) as acl))
from relation
union all
select concat_ws(' | ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
    attidentity, attgenerated, coalesce(attstattarget, -1), attacl, attcollation::regcollation,
    pg_get_expr(adbin, adrelid))
from pg_attribute
inner join relation on relation.oid = attrelid and relkind in ('r', 'p', 'v')
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where attnum > 0 and not attisdropped
union all
select concat_ws(' | ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
from pg_constraint where connamespace in (select oid from ours) and contype <> 'n'
union all
select concat_ws(' | ', 'index', pg_get_indexdef(indexrelid))
from pg_index inner join relation on relation.oid = indexrelid
union all
select concat_ws(' | ', 'trigger', pg_get_triggerdef(pg_trigger.oid), tgenabled)
from pg_trigger inner join relation on relation.oid = tgrelid where not tgisinternal
union all
select concat_ws(' | ', 'function', pg_get_functiondef(oid), pg_get_userbyid(proowner), proacl)
from pg_proc where pronamespace in (select oid from ours)
union all
select concat_ws(' | ', 'view', oid::regclass, pg_get_viewdef(oid)) from relation where relkind = 'v'
union all
select concat_ws(' | ', 'rule', ev_class::regclass, rulename)
from pg_rewrite inner join relation on relation.oid = ev_class where rulename <> '_RETURN'
union all
select concat_ws(' | ', 'policy', polrelid::regclass, polname)
from pg_policy inner join relation on relation.oid = polrelid
"""


def catalogue(warehouse: Warehouse) -> list[str]:
    """One line per thing, sorted; `warehouse` for a role that may look at everything."""
    with closing(warehouse.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_CATALOGUE)
        return sorted(line for (line,) in cursor.fetchall())
