"""The embedded PostgreSQL, started and stopped: initialised on first use, up across commands."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg2 import errors

from loader.errors import InfrastructureError
from loader.private import make_state_folder
from loader.warehouse import placement as places
from loader.warehouse import postmaster, server
from loader.warehouse.answers import Announce, Answer, address, await_answer, await_start, probe
from loader.warehouse.connection import Warehouse
from loader.warehouse.roles import write_passfile

STOP_TIMEOUT_SECONDS = 60.0
LOCK_TIMEOUT_SECONDS = 660.0


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """`pid` and `server_version` are None unless the server answers."""

    is_initialised: bool
    is_running: bool
    pid: int | None
    server_version: str | None
    data_folder: Path
    socket_folder: Path


def start(state_folder: Path, announce: Announce) -> None:
    """Make the server answer; a no-op when it does. Safe when several processes start it at once.

    Recovers from a killed server, a zombie and a stale or foreign lock file. Raises InfrastructureError:
    a half-made data directory is never left under its final name, an existing one is never touched.
    """
    places.require_named_user()
    passfile = state_folder / "pgpass"
    if passfile.is_file() and probe(state_folder).answer is Answer.READY:
        return
    try:
        make_state_folder(state_folder)
        with _start_lock(state_folder):
            if await_answer(state_folder, announce) is Answer.READY:
                write_passfile(address(state_folder), passfile)
                return
            placement = places.prepare(state_folder)
            for note in placement.notes:
                announce(note)
            # Its lines name the socket's folder as it is now.
            write_passfile(address(state_folder), passfile)
            if not placement.data_folder.joinpath("PG_VERSION").exists():
                announce(f"initialising PostgreSQL in {placement.data_folder}")
                server.initialise(placement)
            await_start(state_folder, server.launch(placement), announce)
    except OSError as error:
        # What fails while a file is written has no name with it.
        where = "" if error.filename is None else f" on {os.fspath(error.filename)}"
        raise InfrastructureError(
            f"embedded PostgreSQL of {state_folder}: got {error.strerror or error}{where}, expected "
            "to read, write and run programs there; the server was not started",
            next_command=f"ls -la {state_folder}   # or export PGHOST=<a PostgreSQL 15 or newer>",
        ) from error


def stop(state_folder: Path) -> bool:
    """Stop the server, ending its sessions; true when one was running. Committed rows stay."""
    data_folder, _ = places.present_folders(state_folder)
    pid = postmaster.recorded_pid(data_folder / "postmaster.pid")
    if pid is None or not postmaster.is_server_process(pid, data_folder):
        return False
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while postmaster.is_server_process(pid, data_folder):
        if time.monotonic() > deadline:
            raise InfrastructureError(
                f"embedded PostgreSQL: process {pid} still runs {STOP_TIMEOUT_SECONDS:.0f} s after it was "
                "asked to stop, expected it gone; no data is lost",
                next_command="make down   # again",
            )
        time.sleep(0.02)
    return True


def status(state_folder: Path) -> EmbeddedStatus:
    """What is there now; starts and changes nothing."""
    data_folder, socket_folder = places.present_folders(state_folder)
    found = probe(state_folder)
    is_running = found.answer is Answer.READY
    return EmbeddedStatus(
        is_initialised=data_folder.joinpath("PG_VERSION").exists(),
        is_running=is_running,
        pid=postmaster.recorded_pid(data_folder / "postmaster.pid") if is_running else None,
        server_version=found.version,
        data_folder=data_folder,
        socket_folder=socket_folder,
    )


def ensure_database(warehouse: Warehouse) -> bool:
    """Create the database of `warehouse` on its server if it is missing; true when it was."""
    connection = warehouse.in_database("postgres").as_administrator().connect(autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (warehouse.dbname,))
            if cursor.fetchone():
                return False
            quoted = warehouse.dbname.replace('"', '""')
            cursor.execute(f'create database "{quoted}"')
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        # Another process that started at the same time was quicker.
        return False
    finally:
        connection.close()
    return True


@contextmanager
def _start_lock(state_folder: Path) -> Iterator[None]:
    """One process at a time starts the server; the lock goes with its process, whatever ends it."""
    descriptor = os.open(state_folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InfrastructureError(
                        f"{state_folder / 'up.lock'}: another command has been starting the server for "
                        f"{LOCK_TIMEOUT_SECONDS:.0f} s; this one did nothing",
                        next_command="make up",
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
