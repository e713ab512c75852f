"""dlt's side of Bronze: one load package per batch, in a pipeline that belongs to one worker of one attempt.

Traps of the stack that this module closes (tests/integration/test_stack_hazards.py has one test for each):
the staging dataset and the working folder are the worker's own (two runs through a shared one lose rows with
status ok); a pending package is never resumed (dlt would load it and ignore the new rows); dlt's incremental gets
an explicit typed window and rows in must equal rows out (it drops late rows silently otherwise).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from psycopg2 import sql

from loader.bronze.batch import Batch
from loader.bronze.columns import BRONZE, RECORD_EVENT, BronzeTable, as_text
from loader.bronze.working_folder import claim
from loader.config import LoadFormat
from loader.errors import InfrastructureError
from loader.runs import LOAD_SESSIONS, STAGING_PREFIX, Attempt
from loader.warehouse import unbounded

if TYPE_CHECKING:
    import pyarrow as pa

    from loader.kinds import Kind
    from loader.warehouse import Warehouse

# A merge looks its keys up: reading the table instead, as the planner likes to, would make a load cost what exists.
# Nothing waits for the log to reach the disk: the completion's commit does, and takes all earlier ones with it.
_SESSION_SETTINGS = {"enable_hashjoin": "off", "enable_mergejoin": "off", "synchronous_commit": "off"}
# Lines of a load from which ADBC is cheaper: it asks each table's server for all types when it connects.
_WORTH_A_BINARY_COPY = 1_000


def staging_dataset(attempt: Attempt, worker: int = 0) -> str:
    """The staging schema of one worker of one attempt; at most 63 bytes, PostgreSQL's limit."""
    return f"{STAGING_PREFIX}{attempt.label}_{worker}"


@dataclass(frozen=True, slots=True)
class Lane:
    """One of an attempt's workers. `turn` is entered around each of its loads: no other's load may run inside it."""

    number: int
    turn: Callable[[], AbstractContextManager[None]] = nullcontext


ALONE = Lane(0)


class BronzeLoader:
    """Loads batches of one kind for one worker of one attempt. Rows are invisible until the attempt's loads are
    completed.

    Events go into the partition of their kind by its own name: dlt knows no partitioned table.
    `load_format`: how rows travel; parquet by ADBC's binary COPY, csv by PostgreSQL's own, as text; auto by what the
    first load holds, and so do all of this worker: a staging table that has columns of text keeps them.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        attempt: Attempt,
        working_root: Path,
        kind: Kind,
        *,
        load_format: LoadFormat = "auto",
        lane: Lane = ALONE,
    ) -> None:
        import dlt

        from loader.bronze.destination import KeptSessions, keeping
        from loader.bronze.dlt_settings import take_own_settings

        folder = working_root / attempt.label / str(lane.number)
        claim(folder, self)
        take_own_settings(folder)

        assert kind.landing is not None
        self.run_id = attempt.run_id
        self.kind = kind
        self._tables = {table.name: table.name for table in BRONZE} | {RECORD_EVENT.name: kind.landing.bronze}
        self._turn = lane.turn
        self._format = load_format
        dataset = staging_dataset(attempt, lane.number)
        server_version = _create_staging(warehouse, dataset, self._tables.values())
        self._sessions = KeptSessions()
        self._pipeline = dlt.pipeline(
            pipeline_name=f"bronze_{attempt.label}_{lane.number}",
            pipelines_dir=str(folder),
            destination=keeping(
                self._sessions,
                credentials=warehouse.dsn_url(
                    application_name=f"{LOAD_SESSIONS}{attempt.label}",
                    settings={
                        **_SESSION_SETTINGS,
                        **unbounded(server_version),
                        "omni.run_id": str(attempt.run_id),
                        "omni.attempt": str(attempt.number),
                    },
                ),
                staging_dataset_name_layout=dataset,
            ),
            dataset_name="bronze",
        )
        self._pipeline.config.restore_from_destination = False

    def load(self, batch: Batch) -> str:
        """Load one batch as one package and return its load id.

        Raises InfrastructureError when a job failed, a package was left pending, or dlt's row counts differ from
        the batch's; what was merged by then stays invisible, and repair removes it.
        """
        from dlt.common.exceptions import DltException

        if self._format == "auto":
            self._format = "csv" if batch.line_count < _WORTH_A_BINARY_COPY else "parquet"
        if self._pipeline.has_pending_data:
            raise self._failure("a package of an earlier load is pending; a pending package is never resumed")
        try:
            self._pipeline.extract(_source(batch, self._tables, self._format), loader_file_format=self._format)
            normalized = self._pipeline.normalize()
            with self._turn():
                info = self._pipeline.load()
            info.raise_on_failed_jobs()
        except (DltException, OSError) as error:
            cause = _root_cause(error)
            if isinstance(cause, KeyboardInterrupt):
                # dlt turns Ctrl-C into a failed step.
                raise KeyboardInterrupt from error
            where = f" in step {error.step}" if hasattr(error, "step") else ""
            raise self._failure(f"dlt failed{where}: {_first_line(cause)}") from error
        finally:
            # The server has few sessions, and the next load may be another worker's.
            self._sessions.close()
        if len(info.loads_ids) != 1:
            raise self._failure(f"one batch became the packages {info.loads_ids}, expected exactly one")
        for table in BRONZE:
            name = self._tables[table.name]
            counted, expected = normalized.row_counts.get(name, 0), batch.row_count(table)
            if counted != expected:
                raise self._failure(f"dlt took {counted} of {expected} rows for bronze.{name}")
        return str(info.loads_ids[0])

    def _failure(self, reason: str) -> InfrastructureError:
        return InfrastructureError(
            f"load into Bronze: {reason}. The attempt's rows stay invisible and the next command removes them.",
            next_command="make status",
        )


def _source(batch: Batch, names: Mapping[str, str], file_format: str) -> Any:
    """`names`: of the tables that the rows go into."""
    import dlt

    first, last = _window(batch)
    window = dlt.sources.incremental(
        "created_at", initial_value=first, end_value=last, range_start="closed", range_end="closed", primary_key=()
    )

    def rows_of(table: BronzeTable) -> Iterator[pa.Table]:
        for rows in batch.tables(table, dlt.current.load_package_state()["load_id"]):
            yield rows if file_format == "parquet" else as_text(rows, table)

    @dlt.source(name="bronze")
    def bronze() -> Any:
        for table in BRONZE:
            yield dlt.resource(
                rows_of(table),
                name=names[table.name],
                primary_key=list(table.key),
                write_disposition={"disposition": "merge", "strategy": "insert-only"},
                columns=cast(Any, table.dlt_columns(is_text=file_format == "csv")),
                max_table_nesting=0,
                incremental=window if table is RECORD_EVENT else None,
            )

    return bronze()


def _window(batch: Batch) -> tuple[datetime, datetime]:
    """First and last created_at of the batch, typed UTC, both inside. dlt keeps no state for a window with an end.

    Not `[first, last + 1 µs)`: a record of the last microsecond of year 9999 has no instant after it.
    """
    nothing = datetime(1970, 1, 1, tzinfo=UTC)
    return batch.window or (nothing, nothing)


def _create_staging(warehouse: Warehouse, dataset: str, tables: Iterable[str]) -> int:
    """Staging tables with the types of Bronze's, which dlt then takes as they are, and outside the log. Returns the
    server's version, as psycopg2 counts them."""
    with closing(warehouse.connect()) as connection, connection, connection.cursor() as cursor:
        schema = sql.Identifier(dataset)
        cursor.execute(sql.SQL("create schema {}").format(schema))
        for table in tables:
            cursor.execute(
                sql.SQL("create unlogged table {schema}.{table} (like bronze.{table})").format(
                    schema=schema, table=sql.Identifier(table)
                )
            )
        return int(connection.server_version)


def _root_cause(error: BaseException) -> BaseException:
    """The innermost error; dlt wraps a database's own words several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
