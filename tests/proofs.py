"""What reconcile says of a warehouse, to compare a proof of changes with a proof of everything."""

from __future__ import annotations

from typing import Any

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import rows

# Rows may stand at other places, and sums may be kept in more rows than needed.
_TABLES = """
select c.relname from pg_class as c
where c.relnamespace = 'reconcile'::regnamespace and c.relkind = 'r'
    and c.relname not in ('event_total', 'proof_scope', 'scope_asset', 'scope_load', 'scope_record')
order by c.relname
"""
_TOTALS = """
select to_jsonb(total) from (
    select partition_key, silver_partition_key, run_id, event_fate, is_winner, is_displaced, is_late,
        sum(event_count) as event_count, sum(silver_row_count) as silver_row_count, sum(moved_count) as moved_count,
        sum(bronze_digest) as bronze_digest, sum(silver_digest) as silver_digest
    from reconcile.event_total group by 1, 2, 3, 4, 5, 6, 7
    having sum(event_count) <> 0 or sum(silver_row_count) <> 0 or sum(moved_count) <> 0
        or sum(bronze_digest) <> 0 or sum(silver_digest) <> 0
) as total order by to_jsonb(total)::text
"""


def reconciled(warehouse: Warehouse) -> dict[str, list[Any]]:
    """Every row of every table of reconcile, by table."""
    tables = [str(name) for (name,) in rows(warehouse, _TABLES)]
    state = {
        table: [row for (row,) in rows(warehouse, f"select to_jsonb(t) from reconcile.{table} as t order by t::text")]
        for table in tables
    }
    for run in state["reconcile_run"]:
        del run["status"]  # The run that proved was still running.
    return {**state, "event_total": [row for (row,) in rows(warehouse, _TOTALS)]}


def proved_whole(warehouse: Warehouse) -> dict[str, list[Any]]:
    """The same after a plain build of reconcile, which proves everything; only its findings may fail."""
    build = run_dbt(warehouse, ROOT, ["build", "--select", "reconcile"])
    assert (build.skipped, [node.name for node in build.failed if not node.reads_findings]) == ((), [])
    return reconciled(warehouse)
