"""What readers look through: are the views of `serving` those of the project.

The views belong to the role that runs dbt. What is right is taken from the project's files alone: their query is made
into a view of this session, for the server's own text of it, and thrown away. Nothing that another role wrote is run.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.kinds import load_kinds
from loader.warehouse import Role, Warehouse

SCHEMA = "serving"
# Who may read the views, as dbt_project.yml grants it.
READERS = (Role.READER,)
MEND_VIEWS = "make build SELECT=serving"
# Whatever a model of serving has of dbt's templates.
_SOURCE = re.compile(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}")
_REF = re.compile(r"\{\{ ref\('(\w+)'\) \}\}")
_CONFIG = re.compile(r"\{\{ config\([^{}]*\) \}\}")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")

_DIFFERENCES = """
with
standing as (
    select * from pg_class where oid = to_regclass(%(standing)s)
),
probe as (
    select * from pg_class where oid = %(probe)s::regclass
),
columns as (
    select
        attrelid,
        string_agg(concat_ws(' ', attname, atttypid::regtype, atttypmod), ', ' order by attnum) as column_types,
        bool_or(attacl is not null) as has_own_grants
    from pg_attribute
    where attrelid in (select oid from standing union select oid from probe) and attnum > 0 and not attisdropped
    group by attrelid
),
grants as (
    select granted.*
    from standing cross join lateral aclexplode(relacl) as granted
    where granted.grantee <> standing.relowner
)
select words.fault
from standing cross join probe
cross join lateral (values
    (1, 'it is no view', standing.relkind <> 'v'),
    (2, 'its query',
        standing.relkind = 'v' and pg_get_viewdef(standing.oid) is distinct from pg_get_viewdef(probe.oid)),
    (3, 'its columns', (select column_types from columns where attrelid = standing.oid)
        is distinct from (select column_types from columns where attrelid = probe.oid)),
    (4, 'its options', standing.reloptions is distinct from probe.reloptions),
    (5, 'its owner', pg_get_userbyid(standing.relowner) <> %(owner)s),
    (6, 'rules or triggers on it',
        exists (select from pg_rewrite where ev_class = standing.oid and rulename <> '_RETURN')
        or exists (select from pg_trigger where tgrelid = standing.oid)),
    (7, 'who may read it',
        coalesce((select has_own_grants from columns where attrelid = standing.oid), false)
        or exists (
            select from grants
            where privilege_type <> 'SELECT' or is_grantable or grantee = 0
                or pg_get_userbyid(grantee) <> all(%(readers)s))
        or (select count(distinct grantee) from grants) < cardinality(%(readers)s)
        -- Views read each other with their owner's rights.
        or not has_table_privilege(standing.relowner, standing.oid, 'select'))
) as words (place, fault, is_so)
where words.is_so
order by words.place
"""

# Whether the schema is open to readers, and to nobody else.
_ENTRY = """
select exists (
        select from unnest(%(readers)s) as reader (name) where not has_schema_privilege(reader.name, oid, 'usage'))
    or exists (
        select from aclexplode(nspacl) as granted
        where grantee <> nspowner
            and (privilege_type <> 'USAGE' or is_grantable or grantee = 0
                or pg_get_userbyid(grantee) <> all(%(readers)s)))
from pg_namespace where nspname = %(schema)s
"""

# What else lies in the schema, and somebody beside its owner may read.
_STRANGERS = """
select relname::text, case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end
from pg_class
where relnamespace = to_regnamespace(%(schema)s) and relkind in ('r', 'p', 'v', 'm', 'f') and relname <> all(%(known)s)
    and (
        exists (select from aclexplode(relacl) as granted where granted.grantee <> relowner)
        or exists (select from pg_attribute where attrelid = pg_class.oid and attacl is not null)
    )
order by relname
"""


@dataclass(frozen=True, slots=True)
class ViewFault:
    """A relation of `serving` that is not as the project has it: how, and the command that mends it.

    `record_kind`: whose records it shows; None: readers of every kind are led by it.
    """

    relation: str
    fault: str
    next_command: str
    record_kind: str | None = None

    def is_about(self, record_kind: str | None) -> bool:
        """Whether readers of this kind, None: of any, see by it what they should not."""
        return None in (record_kind, self.record_kind) or self.record_kind == record_kind

    @property
    def sentence(self) -> str:
        return f"{self.relation} is not as the project has it: {self.fault}"


@dataclass(frozen=True, slots=True)
class _View:
    """`query`: of the model, with the names that it has in the warehouse; `reads`: other views that it reads."""

    name: str
    query: str
    reads: tuple[str, ...]


def view_faults(warehouse: Warehouse, project_root: Path) -> list[ViewFault]:
    """Every way in which `serving` is other than the project's models say. Before the first release a view may be
    missing. Reads catalogs alone, however much is released, as the role that owns the views: it can bend what they are,
    and neither the project's text nor what the server's own catalogs say of the two."""
    with (
        closing(warehouse.acting_as(Role.TRANSFORM).connect(application_name="omnisupport-views")) as session,
        session.cursor() as cursor,
    ):
        cursor.execute("select exists (select from release.data_release)")
        (is_released,) = cursor.fetchone()
        views = _views(project_root)
        kinds = _kinds_of_views(project_root)
        found: list[ViewFault] = []
        cursor.execute(_ENTRY, {"schema": SCHEMA, "readers": [role.value for role in READERS]})
        if is_released and cursor.fetchone() == (True,):
            found.append(ViewFault(f"schema {SCHEMA}", "who may enter it", MEND_VIEWS))
        for view in views:
            cursor.execute(
                "select to_regclass(%s) is not null, bool_and(to_regclass(name) is not null)"
                " from unnest(%s::text[] || %s::text) as name",
                (f"{SCHEMA}.{view.name}", [f"{SCHEMA}.{name}" for name in view.reads], "release.partition_pointer"),
            )
            is_there, can_be_read = cursor.fetchone()
            if not is_there:
                missing = ViewFault(f"{SCHEMA}.{view.name}", "it is not there", MEND_VIEWS, kinds.get(view.name))
                found += [missing] if is_released else []
            # What reads a view that is wrong is made anew with it.
            elif can_be_read and not any(
                fault.relation == f"{SCHEMA}.{name}" for fault in found for name in view.reads
            ):
                found += _faults_of(cursor, view, kinds.get(view.name))
        cursor.execute(_STRANGERS, {"schema": SCHEMA, "known": [view.name for view in views]})
        for name, kind in cursor.fetchall():
            # A name that somebody chose is no part of a command to paste, unless it is a plain one.
            arguments = f""" ARGS="-c 'drop {kind} {SCHEMA}.{name}'\"""" if _PLAIN.fullmatch(name) else ""
            found.append(ViewFault(f"{SCHEMA}.{name}", "no model makes it", f"make psql ROLE=transform{arguments}"))
        session.rollback()
    return found


def _faults_of(cursor: Any, view: _View, record_kind: str | None) -> list[ViewFault]:
    name = f"{SCHEMA}.{view.name}"
    cursor.execute(f'create temporary view "{view.name}" with (security_barrier) as {view.query}')
    cursor.execute(
        _DIFFERENCES,
        {
            "standing": name,
            "probe": f'pg_temp."{view.name}"',
            "owner": Role.TRANSFORM.value,
            "readers": [role.value for role in READERS],
        },
    )
    words = [fault for (fault,) in cursor.fetchall()]
    return [ViewFault(name, ", ".join(words), MEND_VIEWS, record_kind)] if words else []


def _kinds_of_views(project_root: Path) -> dict[str, str]:
    """Whose records each view shows, for the views of one kind."""
    landings = {kind.name: kind.landing for kind in load_kinds(project_root / "contracts").values()}
    return {
        view: name
        for name, landing in landings.items()
        if landing is not None
        for view in (landing.silver, *landing.dimensions)
    }


def _views(project_root: Path) -> list[_View]:
    """The models of `serving`, in the order in which they read each other."""
    files = sorted((project_root / "dbt_project" / "models" / SCHEMA).glob("*.sql"))
    texts = {file.stem: file.read_text() for file in files}
    names = {model: _alias(text) or model for model, text in texts.items()}
    found = []
    for model, text in texts.items():
        query = _CONFIG.sub("", _SOURCE.sub(r"\1.\2", text))
        query = _REF.sub(lambda ref: f"{SCHEMA}.{names[ref[1]]}", query)
        if any(mark in query for mark in ("{{", "{%", "{#")):
            raise ValueError(f"models/{SCHEMA}/{model}.sql: expected no templates but source, ref and config")
        found.append(_View(names[model], query, tuple(names[other] for other in _REF.findall(text))))
    return sorted(found, key=lambda view: (len(view.reads), view.name))


def _alias(text: str) -> str | None:
    found = re.search(r"config\([^)]*\balias='([a-z_]+)'", text)
    return found[1] if found else None
