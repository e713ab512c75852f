"""The embedded PostgreSQL: initialised on first use, reached by a unix socket only, up across commands."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psycopg2
from psycopg2 import errors

from loader.errors import InfrastructureError
from loader.private import make_state_folder
from loader.warehouse import placement as places
from loader.warehouse import postmaster, server
from loader.warehouse.connection import (
    DEFAULT_DATABASE,
    DEFAULT_PORT,
    Role,
    Warehouse,
)
from loader.warehouse.passwords import write_passfile
from loader.warehouse.server import Started

Announce = Callable[[str], None]

# Recovery from a kill may have to read gigabytes of log; a start that fails is noticed at once.
START_TIMEOUT_SECONDS = 600.0
ANSWER_TIMEOUT_SECONDS = 10.0
STOP_TIMEOUT_SECONDS = 60.0
LOCK_TIMEOUT_SECONDS = 660.0
LONGEST_PAUSE_SECONDS = 0.5


class Answer(Enum):
    READY = "ready"
    BUSY = "starting or stopping"
    REFUSED = "a server that lets us not in"
    NONE = "no server"


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """`pid` and `server_version` are None unless the server answers."""

    is_initialised: bool
    is_running: bool
    pid: int | None
    server_version: str | None
    data_folder: Path
    socket_folder: Path


def address(state_folder: Path, dbname: str = DEFAULT_DATABASE) -> Warehouse:
    """Where the embedded server is or would be, for the role that loads; starts nothing."""
    passfile = state_folder / "pgpass"
    return Warehouse(
        host=str(places.present_folders(state_folder)[1]),
        port=DEFAULT_PORT,
        user=Role.LOADER.value,
        dbname=dbname,
        passfile=passfile if passfile.is_file() else None,
        is_embedded=True,
    )


def start(state_folder: Path, announce: Announce) -> None:
    """Make the server answer; a no-op when it does. Safe when several processes start it at once.

    Recovers from a killed server, a zombie and a stale or foreign lock file. Raises InfrastructureError:
    a half-made data directory is never left under its final name, an existing one is never touched.
    """
    places.require_named_user()
    passfile = state_folder / "pgpass"
    if passfile.is_file() and _probe(state_folder).answer is Answer.READY:
        return
    try:
        make_state_folder(state_folder)
        with _start_lock(state_folder):
            if _await_answer(state_folder, announce) is Answer.READY:
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
            _await_start(state_folder, server.launch(placement), announce)
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
    found = _probe(state_folder)
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


@dataclass(frozen=True, slots=True)
class _Probe:
    """`version`: of a server that is ours and ready. `refusal`: what one said that lets nobody in."""

    answer: Answer
    version: str | None = None
    refusal: InfrastructureError | None = None


def _probe(state_folder: Path) -> _Probe:
    """Ask the server at the socket."""
    data_folder, _ = places.present_folders(state_folder)
    try:
        connection = address(state_folder, "postgres").as_administrator().connect(autocommit=True)
    except InfrastructureError as error:
        # The server's own words, in English whatever the locale here (initdb --no-locale).
        if re.search(r"too many clients|remaining connection slots", error.message):
            return _Probe(Answer.READY)
        if re.search(r"the database system is|not yet accepting connections|administrator command", error.message):
            return _Probe(Answer.BUSY)
        # Words of libpq's own: nobody listens, or the socket's path is none, or who listened went away or says nothing.
        if "Is the server running" in error.message or "connection to server" not in error.message:
            return _Probe(Answer.NONE)
        if re.search(r"server closed the connection|timeout expired|Connection reset|Broken pipe", error.message):
            return _Probe(Answer.BUSY)
        return _Probe(Answer.REFUSED, refusal=error)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('data_directory'), current_setting('server_version')")
            row = cursor.fetchone()
    except psycopg2.OperationalError:
        return _Probe(Answer.BUSY)
    finally:
        connection.close()
    served = Path(row[0]) if row else data_folder
    if not data_folder.exists() or not os.path.samefile(served, data_folder):
        raise InfrastructureError(
            f"the server at {address(state_folder).host} serves {served}, expected {data_folder}; "
            "nothing was read or written",
            next_command="make down   # in the checkout that owns that server",
        )
    return _Probe(Answer.READY, str(row[1]) if row else None)


def _await_answer(state_folder: Path, announce: Announce) -> Answer:
    """Wait while a living server of ours starts or stops; then what it is.

    Raises InfrastructureError for one that is up and refuses, or can't be reached: waiting would change nothing.
    """
    began = heard_at = time.monotonic()
    has_announced = False
    pause = 0.02
    data_folder, socket_folder = places.present_folders(state_folder)
    lock_file = data_folder / "postmaster.pid"
    while (now := time.monotonic()) - began < START_TIMEOUT_SECONDS:
        found = _probe(state_folder)
        if found.refusal is not None:
            raise _refused(found.refusal)
        pid = postmaster.recorded_pid(lock_file)
        is_living = pid is not None and postmaster.is_server_process(pid, data_folder)
        # A server in another container answers, though its process can't be seen from here.
        if found.answer is Answer.READY or (found.answer is Answer.NONE and not is_living):
            return found.answer
        if found.answer is Answer.BUSY or pid is None or not postmaster.says_ready(lock_file, pid):
            heard_at = now
        if now - heard_at > ANSWER_TIMEOUT_SECONDS:
            raise InfrastructureError(
                f"embedded PostgreSQL: process {pid} of {data_folder} says that it is ready, and nobody listens in "
                f"{socket_folder}: its socket was removed or moved; nothing was started or ended",
                next_command="make down && make up",
            )
        if now - began > ANSWER_TIMEOUT_SECONDS and not has_announced:
            announce(f"waiting for PostgreSQL, which starts or stops: process {pid} of {data_folder}")
            has_announced = True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    raise InfrastructureError(
        f"embedded PostgreSQL: a process of {data_folder} lives but gave no answer for "
        f"{START_TIMEOUT_SECONDS:.0f} s, expected a connection; nothing was started or ended",
        next_command="make down && make up",
    )


def _refused(refusal: InfrastructureError) -> InfrastructureError:
    return InfrastructureError(
        f"{refusal.message}. The server is up and lets this user not in; its data is as it was",
        next_command="make down && make up   # it is told at its start whom it lets in",
    )


def _await_start(state_folder: Path, started: Started, announce: Announce) -> None:
    began = time.monotonic()
    ready_at: float | None = None
    has_announced = False
    while True:
        now = time.monotonic()
        if started.is_ready:
            found = _probe(state_folder)
            if found.answer is Answer.READY:
                return
            if found.refusal is not None:
                raise _refused(found.refusal)
            ready_at = ready_at or now
        is_unreachable = ready_at is not None and now - ready_at > ANSWER_TIMEOUT_SECONDS
        if started.has_ended or is_unreachable or now - began > START_TIMEOUT_SECONDS:
            raise InfrastructureError(
                f"embedded PostgreSQL of {state_folder}: got {started.complaint()!r}, expected it to answer; "
                "the data is as it was",
                next_command=f"tail {started.log_file}",
            )
        if now - began > ANSWER_TIMEOUT_SECONDS and not has_announced:
            announce(f"PostgreSQL recovers from its last end; its log: {started.log_file}")
            has_announced = True
        time.sleep(0.01)


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
