"""The warehouse's door: a PostgreSQL that libpq variables name, else the embedded one of this checkout."""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from loader.config import Settings
from loader.environment import leave_aside
from loader.errors import CommandUsageError, InfrastructureError
from loader.private import close_to_others, make_state_folder
from loader.warehouse import embedded, versions
from loader.warehouse.activity import Blocker, at_work, blockers, cancel_all
from loader.warehouse.answers import Announce, address
from loader.warehouse.binaries import find_binaries
from loader.warehouse.built import are_built, built, copy_built, freeze_built
from loader.warehouse.connection import DEFAULT_DATABASE, Warehouse, given_warehouse
from loader.warehouse.ddl import ensure_schema, is_applied, is_current, recorded_version, require_no_writer
from loader.warehouse.derived import drop_layers, outdated_layers
from loader.warehouse.embedded import EmbeddedStatus
from loader.warehouse.partitions import MAKES_ANEW, PartitionAwayError, require_partitions
from loader.warehouse.placement import outside_folder, present_folders, present_log, remove_folders
from loader.warehouse.released import ReleasedKind, released_kinds
from loader.warehouse.roles import Role, ensure_roles, verifiers
from loader.warehouse.server import with_full_device
from loader.warehouse.session import MEANING, fetch_rows, json_row, json_rows, json_value, unbounded
from loader.warehouse.versions import due_migrations, read_definition

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

__all__ = [
    "MAKES_ANEW",
    "MEANING",
    "Blocker",
    "PartitionAwayError",
    "ReleasedKind",
    "Role",
    "Warehouse",
    "answering_warehouse",
    "are_built",
    "at_work",
    "blockers",
    "built",
    "cancel_all",
    "copy_built",
    "embedded_status",
    "fetch_rows",
    "find_binaries",
    "find_warehouse",
    "freeze_built",
    "json_row",
    "json_rows",
    "json_value",
    "open_warehouse",
    "present_folders",
    "present_log",
    "read_definition",
    "released_kinds",
    "remove_embedded",
    "running_embedded",
    "set_up",
    "stop_embedded",
    "unbounded",
    "with_full_device",
]

OLDEST_SERVER_VERSION = 150000


def find_warehouse(settings: Settings) -> Warehouse:
    """Where the warehouse is, by PGHOST or else embedded, for omni_loader; starts and checks nothing.

    PGHOST may also name the embedded server, as after `eval "$(make -s env)"`. libpq's variables that must not count
    are gone from this process's environment then. Raises CommandUsageError on libpq variables that can't be used.
    """
    given = given_warehouse(os.environ)
    own = address(settings.state_folder, os.environ.get("PGDATABASE") or DEFAULT_DATABASE)
    own_hosts = (own.host, str(outside_folder(settings.state_folder) / "run"))
    is_own = given is None or os.path.realpath(given.host) in own_hosts
    warehouse = own if is_own or given is None else given.acting_as(Role.LOADER)
    leave_aside(is_embedded=warehouse.is_embedded)
    return warehouse


def to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def open_warehouse(settings: Settings, *, announce: Announce = to_standard_error) -> Warehouse:
    """A warehouse that answers and holds the loader's tables; the embedded server is started for it.

    `announce` gets a line for each thing that takes time or lies at an unusual place. A second call
    changes nothing. Raises CommandUsageError, InfrastructureError when the server can't be used, RefusedError for
    tables that are not as this project makes them.
    """
    warehouse = find_warehouse(settings)
    make_state_folder(settings.state_folder)
    close_to_others(settings, announce)
    if warehouse.is_embedded:
        embedded.start(settings.state_folder, announce)
        # Folders may have moved, and the password file exists now.
        warehouse = find_warehouse(settings)
        embedded.ensure_database(warehouse)
    # Here and now rather than in the middle of a run: an address that dlt can't carry is refused.
    warehouse.dsn_url()
    if set_up(warehouse, settings.project_root / "infra" / "postgres", announce):
        announce(f"roles and tables of database {warehouse.dbname} are up to date now")
    return warehouse


def set_up(warehouse: Warehouse, files: Path, announce: Announce = lambda line: None) -> bool:
    """Make `warehouse` (as omni_loader) hold the roles and tables of `files`; true when something was applied.

    Short queries when it does. An administrator's session is opened only when it does not, or when omni_loader is not
    let in; the roles of the embedded server get their passwords then. What dbt made of Silver and reconcile under an
    older project goes, where its columns are others now. Raises RefusedError, before anything is changed, for a
    database that cannot be brought to this version; PartitionAwayError; and InfrastructureError.
    """
    try:
        with closing(warehouse.connect(application_name="loader schema")) as connection:
            _require_version(warehouse, connection.server_version)
            if is_current(connection, files):
                require_partitions(connection, files)
                return False
    except psycopg2.errors.InsufficientPrivilege:
        # Made by an earlier version, which had one owner for everything.
        pass
    except InfrastructureError as refused:
        try:
            warehouse.as_administrator().connect().close()
        except InfrastructureError:
            raise refused from None
    administrator = warehouse.as_administrator()
    try:
        with closing(administrator.connect(application_name="loader roles")) as connection:
            _require_version(warehouse, connection.server_version)
            is_again = False
            with suppress(psycopg2.errors.InsufficientPrivilege):
                is_again = is_applied(connection, read_definition(files))
            ensure_roles(connection, files, verifiers(connection, warehouse) if warehouse.is_embedded else {})
        with closing(warehouse.connect(application_name="loader schema")) as connection:
            # First: an end between the two leaves an older warehouse, which is brought up to date again.
            _forget_older_layers(warehouse, connection, files.parents[1] / "dbt_project", announce)
            if is_again:
                # What is not there would be made, empty.
                require_partitions(connection, files)
            recorded = recorded_version(connection)
            ensure_schema(connection, files, is_again=is_again)
            require_partitions(connection, files)
            if recorded is not None and recorded.version != read_definition(files).version:
                _tell_what_is_next(connection, announce)
            return True
    except psycopg2.OperationalError as error:
        raise warehouse.unreachable(error) from error


def _forget_older_layers(warehouse: Warehouse, connection: Connection, project: Path, announce: Announce) -> None:
    layers = outdated_layers(connection, project)
    if not layers:
        return
    with connection:
        require_no_writer(connection)
        drop_layers(warehouse.acting_as(Role.TRANSFORM), layers)
    announce(
        f"{' and '.join(layers)}: an older dbt project made other columns; dropped, and made anew by the next ingest or"
        " `make build`. What readers see stays"
    )


def _tell_what_is_next(connection: Connection, announce: Announce) -> None:
    """For a warehouse that was of an older version: what readers look through is dbt's to make."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select exists (select from release.data_release)")
        if cursor.fetchone() == (True,):
            announce(
                "the tables were of an older version. Readers see what they saw; days may not count as ready until"
                " `make build SELECT=serving` has made the views of this version"
            )


def answering_warehouse(settings: Settings) -> Warehouse | None:
    """The warehouse if it answers now and holds the loader's tables, else None; starts and changes nothing.

    Raises CommandUsageError on libpq variables that can't be used, RefusedError for a database of a newer version,
    PartitionAwayError.
    """
    warehouse = find_warehouse(settings)
    try:
        with closing(warehouse.connect(application_name="loader probe")) as connection:
            recorded = recorded_version(connection)
            files = settings.project_root / "infra" / "postgres"
            definition = read_definition(files)
            due_migrations(recorded, definition, warehouse.dbname)
            if versions.is_current(recorded, definition):
                require_partitions(connection, files)
            return warehouse if recorded else None
    except (InfrastructureError, psycopg2.errors.InsufficientPrivilege):
        return None


def stop_embedded(settings: Settings) -> bool:
    """Stop the embedded server; true when it was running. Raises CommandUsageError for a given server."""
    warehouse = find_warehouse(settings)
    if not warehouse.is_embedded:
        raise CommandUsageError(
            f"PGHOST: got {warehouse.host!r}, expected it unset: only the embedded PostgreSQL is stopped by "
            "the loader; nothing was stopped",
            next_command="env -u PGHOST make down",
        )
    return embedded.stop(settings.state_folder)


def running_embedded(settings: Settings) -> Warehouse | None:
    """The embedded server of this checkout, for its administrator, if it answers now; starts nothing."""
    if not embedded.status(settings.state_folder).is_running:
        return None
    return address(settings.state_folder, "postgres").as_administrator()


def remove_embedded(settings: Settings) -> tuple[Path, ...]:
    """Stop the embedded server and delete its data, wherever it lies; the folders that were removed.

    Never touches a given server. The state folder itself stays.
    """
    embedded.stop(settings.state_folder)
    return remove_folders(settings.state_folder)


def embedded_status(settings: Settings) -> EmbeddedStatus:
    """What the embedded server of this checkout does now; starts and changes nothing."""
    return embedded.status(settings.state_folder)


def _require_version(warehouse: Warehouse, found: int) -> None:
    if found < OLDEST_SERVER_VERSION:
        raise InfrastructureError(
            f"PostgreSQL at {warehouse.address}: got version {found // 10000}, expected "
            f"{OLDEST_SERVER_VERSION // 10000} or newer; no table was created or read",
            next_command="make up   # with PGHOST unset: the embedded PostgreSQL",
        )
