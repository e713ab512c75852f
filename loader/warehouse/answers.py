"""Where the embedded server is reached, by a unix socket only, and whether it answers: asked once, or until it does."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psycopg2

from loader.errors import InfrastructureError
from loader.warehouse import placement as places
from loader.warehouse import postmaster
from loader.warehouse.connection import DEFAULT_DATABASE, DEFAULT_PORT, Warehouse
from loader.warehouse.roles import Role
from loader.warehouse.server import Started

Announce = Callable[[str], None]
# Recovery from a kill may have to read gigabytes of log; a start that fails is noticed at once.
START_TIMEOUT_SECONDS = 600.0
ANSWER_TIMEOUT_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 0.5


class Answer(Enum):
    READY = "ready"
    BUSY = "starting or stopping"
    REFUSED = "a server that lets us not in"
    NONE = "no server"


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


@dataclass(frozen=True, slots=True)
class Probe:
    """`version`: of a server that is ours and ready. `refusal`: what one said that lets nobody in."""

    answer: Answer
    version: str | None = None
    refusal: InfrastructureError | None = None


def probe(state_folder: Path) -> Probe:
    """Ask the server at the socket."""
    data_folder, _ = places.present_folders(state_folder)
    try:
        connection = address(state_folder, "postgres").as_administrator().connect(autocommit=True)
    except InfrastructureError as error:
        # The server's own words, in English whatever the locale here (initdb --no-locale).
        if re.search(r"too many clients|remaining connection slots", error.message):
            return Probe(Answer.READY)
        if re.search(r"the database system is|not yet accepting connections|administrator command", error.message):
            return Probe(Answer.BUSY)
        # Words of libpq's own: nobody listens, or the socket's path is none, or who listened went away or says nothing.
        if "Is the server running" in error.message or "connection to server" not in error.message:
            return Probe(Answer.NONE)
        if re.search(r"server closed the connection|timeout expired|Connection reset|Broken pipe", error.message):
            return Probe(Answer.BUSY)
        return Probe(Answer.REFUSED, refusal=error)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('data_directory'), current_setting('server_version')")
            row = cursor.fetchone()
    except psycopg2.OperationalError:
        return Probe(Answer.BUSY)
    finally:
        connection.close()
    served = Path(row[0]) if row else data_folder
    if not data_folder.exists() or not os.path.samefile(served, data_folder):
        raise InfrastructureError(
            f"the server at {address(state_folder).host} serves {served}, expected {data_folder}; "
            "nothing was read or written",
            next_command="make down   # in the checkout that owns that server",
        )
    return Probe(Answer.READY, str(row[1]) if row else None)


def await_answer(state_folder: Path, announce: Announce) -> Answer:
    """Wait while a living server of ours starts or stops; then what it is.

    Raises InfrastructureError for one that is up and refuses, or can't be reached: waiting would change nothing.
    """
    began = heard_at = time.monotonic()
    has_announced = False
    pause = 0.02
    data_folder, socket_folder = places.present_folders(state_folder)
    lock_file = data_folder / "postmaster.pid"
    while (now := time.monotonic()) - began < START_TIMEOUT_SECONDS:
        found = probe(state_folder)
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


def await_start(state_folder: Path, started: Started, announce: Announce) -> None:
    began = time.monotonic()
    ready_at: float | None = None
    has_announced = False
    while True:
        now = time.monotonic()
        if started.is_ready:
            found = probe(state_folder)
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
