"""What dbt made under an older project: layers whose columns are no longer those that the project declares.

Silver and reconcile are functions of what landed, and of nothing that a person decided: a layer of another shape is
dropped, and the next build makes it anew. What readers see lies in schema release and stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import errors, sql

from loader.warehouse.ddl import LOCK_TIMEOUT_SECONDS, in_use

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from loader.warehouse.connection import Warehouse

_LAYERS = ("silver", "reconcile")
_PRESENT = """
select schema.nspname || '.' || relation.relname, array_agg(part.attname::text)
from pg_class as relation
inner join pg_namespace as schema on schema.oid = relation.relnamespace
inner join pg_attribute as part on part.attrelid = relation.oid and part.attnum > 0 and not part.attisdropped
where schema.nspname = any(%s) and relation.relkind in ('r', 'p', 'v', 'm')
group by 1
"""
_OWN_RELATIONS = """
select relation.relkind, schema.nspname, relation.relname
from pg_class as relation
inner join pg_namespace as schema on schema.oid = relation.relnamespace
where schema.nspname = any(%s)
    and relation.relkind in ('r', 'p', 'v', 'm')
    and relation.relowner = current_user::regrole
"""
_KINDS = {"v": "view", "m": "materialized view"}


def outdated_layers(connection: Connection, project: Path) -> tuple[str, ...]:
    """Schemas of `_LAYERS` with a relation that has other columns than dbt's `project` declares; none without one."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_PRESENT, (list(_LAYERS),))
        present = {name: frozenset(columns) for name, columns in cursor.fetchall()}
    # A new warehouse has none, and dbt's project is some thousand lines.
    declared = dict(_declared(project)) if present else {}
    other = {name.split(".")[0] for name, columns in present.items() if columns != declared.get(name, columns)}
    return tuple(layer for layer in _LAYERS if layer in other)


def drop_layers(transform: Warehouse, layers: tuple[str, ...]) -> None:
    """Drop everything that dbt made in `layers`, in one transaction; `transform`: the warehouse as their owner. What
    others made there stays, unless it reads what goes. Raises InfrastructureError, with nothing dropped, where a reader
    keeps a table."""
    with closing(transform.connect(application_name="loader layers")) as connection:
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("set local lock_timeout = %s", (f"{LOCK_TIMEOUT_SECONDS * 1000:.0f}ms",))
                cursor.execute(_OWN_RELATIONS, (list(layers),))
                for kind, schema, name in cursor.fetchall():
                    drop = sql.SQL("drop {} if exists {} cascade")
                    cursor.execute(drop.format(sql.SQL(_KINDS.get(kind, "table")), sql.Identifier(schema, name)))
        except errors.LockNotAvailable as error:
            raise in_use(connection) from error


def _declared(project: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Relation -> columns, of models and sources that list any. Sources in a layer are the ledgers of its hooks."""
    # dbt requires it, and we need it only when tables are brought up to date.
    import yaml

    # By libyaml where PyYAML has it: a tenth of the time.
    safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted((project / "models").rglob("*.yml")):
        said: Mapping[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=safe) or {}
        layer = file.relative_to(project / "models").parts[0]
        listed = [(layer, table) for table in said.get("models", ())]
        listed += [
            (source.get("schema", source["name"]), table)
            for source in said.get("sources", ())
            for table in source.get("tables", ())
        ]
        for schema, table in listed:
            columns = frozenset(column["name"] for column in table.get("columns", ()))
            if columns and schema in _LAYERS:
                yield f"{schema}.{table['name']}", columns
