"""Whose rows of Bronze are damaged: the runs of which a retry lands again what the last reconcile found wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from loader.errors import CheckFailedError
from loader.raw_zone import RawZone
from loader.recovery.world import World
from loader.warehouse import Warehouse, are_built, built, fetch_rows, open_warehouse

# Two record sources use one key. It is nobody's damage: a person settles it.
COLLISION = "key_collision"
ENDED_WELL = ("success", "warning")
# Tables that a run writes when it lands, and that a retry can write again from the archive.
LANDED_TABLES = (
    "bronze.record_event",
    "bronze.asset_line",
    "bronze.rejected_record",
    "bronze._dlt_loads",
    "ops.completed_load",
    "ops.asset_index",
    "ops.asset_partition",
)
# Checks of the list of a run's loads in ops.ingest_run; a run writes the list with the loads.
LISTING_CHECKS = ("load_not_listed", "load_listed_twice")

# Loads that hold other rows than they were completed with, that a run lists and nobody completed, or of which the
# completion names one run, and their rows or the run that lists them another one. The run that lists them comes first:
# its retry takes them back whole, whoever completed them. Then the run that a finding names; else, where it names an
# asset, the run that indexed it, and where no row says which, the first that read it.
_DAMAGED = """
with
blamed as (
    select distinct table_name, run_id, asset_id, partition_key
    from reconcile.reconcile_finding
    where (table_name = any(%(tables)s) or check_name = any(%(listings)s)) and check_name <> %(collision)s
),
loads as (
    select load.load_id
    from reconcile.reconcile_load as load
    left join ops.ingest_run as run
        on run.run_id = load.run_id and run.attempt = load.attempt and load.load_id = any(run.dlt_load_ids)
    where not load.is_in_progress
        and not (
            load.is_intact and load.dlt_load_count = 1 and load.dlt_ok_count = 1
            and run.run_id is not null and coalesce(load.first_run_id, run.run_id::text) = run.run_id::text
        )
    union
    (select unnest(dlt_load_ids) from ops.ingest_run except select load_id from ops.completed_load)
),
listed as (
    select run_id, bool_or(dlt_load_ids && array(select load_id::text from loads)) as is_listing
    from ops.ingest_run
    where dlt_load_ids && array(select load_id::text from loads)
        or run_id in (select load.run_id from ops.completed_load as load inner join loads using (load_id))
        or run_id in (select run_id from blamed)
    group by run_id
),
indexing as (
    select distinct on (blamed.asset_id) run.run_id, run.event_number
    from blamed
    inner join ops.run_asset as entry on entry.asset_id = blamed.asset_id and entry.action = 'parsed'
    inner join ops.ingest_run as run on run.run_id = entry.run_id and run.attempt = entry.attempt
    left join ops.asset_index as indexed on indexed.asset_id = entry.asset_id and indexed.run_id = entry.run_id
    order by blamed.asset_id, indexed.run_id is null, run.event_number
)
select run_id::text, is_listing from listed
union
select run_id::text, false from indexing where not exists (select from listed)
order by is_listing desc, run_id
"""


_OF_ASSETS = """
select run_id::text
from ops.ingest_run
where run_id in (
    select run_id from ops.asset_index where asset_id = any(%s)
    union
    select taken_by_run_id from ops.asset_partition where asset_id = any(%s))
group by run_id order by min(event_number)
"""


def damaged_runs(cursor: Any) -> list[str]:
    """The runs whose rows in Bronze are not what they landed, as the last reconcile found; those that a retry should
    begin with before others. None where nothing has been reconciled."""
    if not are_built(cursor, "reconcile.reconcile_finding", "reconcile.reconcile_load"):
        return []
    names = {"tables": list(LANDED_TABLES), "listings": list(LISTING_CHECKS), "collision": COLLISION}
    found = fetch_rows(built(cursor), _DAMAGED, names)
    return [row["run_id"] for row in found]


def runs_of_assets(warehouse: Warehouse, asset_ids: Sequence[int]) -> list[str]:
    """Which runs have indexed these assets, or taken days of them; who began first before others."""
    with closing(warehouse.connect(application_name="omnisupport-verify")) as session, session.cursor() as cursor:
        return [row["run_id"] for row in fetch_rows(cursor, _OF_ASSETS, (list(asset_ids), list(asset_ids)))]


def is_damaged(world: World, run: Mapping[str, Any]) -> bool:
    """Whether what a run has in Bronze is not what it landed: reconcile says so, or, of a run that ended well, the
    archive, which is read again."""
    if run["run_id"] in damaged_runs(world.cursor):
        return True
    if run["status"] not in ENDED_WELL or not world.is_todays(run):
        return False
    # Takes Arrow with it, which who only asks for damaged runs does not need.
    from loader.verify import verify_run

    settings = world.settings
    try:
        found = verify_run(open_warehouse(settings), RawZone(settings.raw_zone), world.ruleset, run["run_id"])
    except CheckFailedError:
        return False
    return bool(found.differences)
