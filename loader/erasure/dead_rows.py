"""What removed rows leave behind: their places on the disk, and what the planner remembers of them."""

from __future__ import annotations

from contextlib import closing

from loader.config import Settings
from loader.errors import CheckFailedError
from loader.runs import IngestLock
from loader.silver import (
    run_dbt,
)
from loader.warehouse import Warehouse, released_kinds

# Nobody reads them but the loader and dbt: they are written anew, so that no page keeps a dead row.
_WRITTEN_ANEW = ("bronze.record_event", "bronze.rejected_record")
# Readers are on them, or they hold keys only: their empty places are used again, and nobody waits for a lock.
_VACUUMED = (
    "bronze.asset_line",
    "release.partition_version",
    "release.pending_record",
    "ops.unbuilt_erasure",
    "ops.unproved_change",
)


def forget_statistics(lock: IngestLock) -> None:
    """What the planner remembers of keys that waited for a proof. An emptied table keeps its statistics when it is
    analyzed, so it is given a row that nobody ever sees."""
    with lock.transaction() as cursor:
        cursor.execute("insert into ops.unproved_change (table_name, row_key) values ('', '')")
        cursor.execute("analyze ops.unproved_change")
        cursor.execute("delete from ops.unproved_change where (table_name, row_key) = ('', '')")


def vacuum(settings: Settings, warehouse: Warehouse, again: str) -> None:
    """`again`: the command that goes on with the erasure, and vacuums once more."""
    session = warehouse.connect(application_name="omnisupport-erase-vacuum", autocommit=True)
    with closing(session), session.cursor() as cursor:
        for table in _WRITTEN_ANEW:
            cursor.execute(f"vacuum (full, analyze) {table}")
        for table in (*_VACUUMED, *(kind.rows for kind in released_kinds(cursor))):
            cursor.execute(f"vacuum (analyze) {table}")
    # Silver is dbt's: it is emptied by the role that owns it.
    done = run_dbt(warehouse, settings.project_root, ["run-operation", "vacuum_silver"])
    if not done.is_ok:
        raise CheckFailedError(
            "erasure: Silver could not be vacuumed, dbt says why above. The rows and objects of the person are gone;"
            " what their places still hold is not",
            next_command=f"{again}   # when what dbt says is mended",
        )
