"""Make a data directory, and start a server on it: two effects, both for one Placement.

The memory that parallel workers share comes from /dev/shm, which containers make small (Docker: 64 MB); PostgreSQL then
calls a full one a full device.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sys
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from loader.errors import InfrastructureError
from loader.warehouse import postmaster
from loader.warehouse.binaries import run_program
from loader.warehouse.connection import ADMINISTRATOR, DEFAULT_PORT
from loader.warehouse.placement import SOCKET_NAME, Placement
from loader.warehouse.roles import Role

ORPHAN_TIMEOUT_SECONDS = 30.0
# As PostgreSQL's programs and the system's loader of programs say what went wrong, in English (LC_ALL=C): afterwards
# they tell what they clean up.
_CAUSE = re.compile(r"\b(?:FATAL|PANIC|ERROR|error): |\berror while loading ")
_BELOW_A_CAUSE = re.compile(r"\b(?:DETAIL|HINT|detail|hint): ")
# The time and the process, or the program's path.
_WORDS_BEFORE = re.compile(r"^.*?(?=\b(?:FATAL|PANIC|ERROR|error|DETAIL|HINT|detail|hint)\b)")
_LONGEST_CAUSE = 500
SHARED_MEMORY = Path("/dev/shm")
# What the workers of one query may come to: three processes, each with twice work_mem.
_WANTED_BYTES = 512 * 2**20
_IS_FULL = re.compile(r"shared memory segment .*No space left on device")


def _buffer_megabytes() -> int:
    """A sixteenth of the machine, from 256 MB to 2 GB: keys are looked up all over the tables, and a history of ten
    million lines is proved a quarter faster with 2 GB than with 256 MB (docs/decisions/0006)."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return max(256, min(2048, total // 16))


# For bulk work on a small machine; given at each start, so that an upgrade of the loader changes them too.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "port": str(DEFAULT_PORT),
    "unix_socket_permissions": "0700",
    # A third of them are kept for the loader and dbt, however many readers take (roles.sql).
    "max_connections": "60",
    "reserved_connections": "20",
    "shared_buffers": f"{_buffer_megabytes()}MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "4GB",
    "random_page_cost": "1.1",
    # A commit is on the disk when it returns.
    "fsync": "on",
    "synchronous_commit": "on",
    # No replica reads the log: a table filled in the transaction that made it needs no log at all.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    # Rows of records do not belong in the server's log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Started:
    """A server process that was just started; `log_start` is where its own lines begin, in bytes."""

    pid: int
    data_folder: Path
    log_file: Path
    log_start: int

    @property
    def is_ready(self) -> bool:
        """What it says of itself in postmaster.pid; asking by a connection would write errors to the log."""
        return postmaster.says_ready(self.data_folder / "postmaster.pid", self.pid)

    @property
    def has_ended(self) -> bool:
        return not postmaster.is_alive(self.pid) or postmaster.is_zombie(self.pid)

    def complaint(self) -> str:
        """What its log says of why it ended."""
        return cause_in(self.log_file.read_bytes()[self.log_start :].decode(errors="replace"))


def cause_in(said: str) -> str:
    """Why a program of PostgreSQL ended: its first words of an error, with the detail and the hint below them; of one
    that names no error all that it said, as far as it fits a screen."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    places = [place for place, line in enumerate(lines) if _CAUSE.search(line)]
    if not places:
        return " ".join(lines)[:_LONGEST_CAUSE] or "no answer"
    cause, *after = lines[places[0] :]
    also = takewhile(_BELOW_A_CAUSE.search, after)
    return " ".join(_WORDS_BEFORE.sub("", line, count=1) for line in (cause, *also))[:_LONGEST_CAUSE]


def initialise(placement: Placement) -> None:
    """Make a new data directory beside its place and rename it there: it is whole or absent."""
    parent = placement.data_folder.parent
    for leftover in parent.glob("pgdata.new-*"):
        shutil.rmtree(leftover)
    temporary = parent / f"pgdata.new-{os.getpid()}"
    temporary.mkdir(mode=0o700)
    if placement.run_as:
        os.chown(temporary, placement.run_as.uid, placement.run_as.gid)
    command = [str(placement.binaries / "initdb"), "-D", str(temporary), "-U", ADMINISTRATOR]
    command += ["--auth-local=reject", "--auth-host=reject", "-E", "UTF8", "--no-locale", "--data-checksums"]
    done = run_program(command, placement.run_as)
    if done.returncode != 0:
        shutil.rmtree(temporary, ignore_errors=True)
        said = f"{done.stdout}{done.stderr}"
        _append(placement.log_file, said)
        raise InfrastructureError(
            f"initdb: got {cause_in(said)!r}, expected a new data directory; nothing was left;"
            f" all that it said: {placement.log_file}",
            next_command="make up   # when that is mended; or export PGHOST=<a PostgreSQL 15 or newer>",
        )
    temporary.rename(placement.data_folder)
    folder = os.open(parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _append(log_file: Path, said: str) -> None:
    log = _opened(log_file)
    try:
        os.write(log, said.encode())
    finally:
        os.close(log)


def _opened(log_file: Path) -> int:
    return os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)


def _write_doors(placement: Placement) -> None:
    """Who may log in, written at each start: roles by password, and this checkout's own user without one as the
    administrator, who sets up, and as omni_transform, for a plain dbt. No way in but the socket."""
    accounts = {pwd.getpwuid(os.geteuid()).pw_name, *([placement.run_as.name] if placement.run_as else [])}
    own = (ADMINISTRATOR, Role.TRANSFORM.value)
    doors = [*(f"local all {name} peer map=checkout" for name in own), "local all all scram-sha-256"]
    users = [f'checkout "{account}" {name}' for account in sorted(accounts) for name in own]
    for name, lines in (("pg_hba.conf", doors), ("pg_ident.conf", users)):
        file = placement.data_folder / name
        temporary = file.with_name(f"{name}.new")
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        temporary.chmod(0o600)
        if placement.run_as:
            os.chown(temporary, placement.run_as.uid, placement.run_as.gid)
        temporary.replace(file)


def launch(placement: Placement) -> Started:
    """Start the server; it may not answer yet. It outlives this command.

    The caller holds the start lock and knows that no server answers. Raises InfrastructureError while
    processes of a killed server still work on the data.
    """
    data_folder = placement.data_folder
    orphans = postmaster.wait_until_gone(data_folder, timeout_seconds=ORPHAN_TIMEOUT_SECONDS)
    if orphans:
        raise InfrastructureError(
            f"embedded PostgreSQL: processes {orphans} of a killed server still work on {data_folder}, "
            "expected them gone; the server was not started, the data is as it was",
            next_command=f"kill {' '.join(map(str, orphans))} && make up",
        )
    for lock_file in (data_folder / "postmaster.pid", placement.socket_folder / f"{SOCKET_NAME}.lock"):
        postmaster.remove_stale_lock(lock_file)
    _write_doors(placement)
    quoted_folder = '"' + str(placement.socket_folder).replace('"', '""') + '"'
    settings = SERVER_SETTINGS | shared_memory_settings() | {"unix_socket_directories": quoted_folder}
    command = [str(placement.binaries / "postgres"), "-D", str(data_folder)]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    log = _opened(placement.log_file)
    try:
        log_start = os.fstat(log).st_size
        # A shell that ends at once hands the server over to init, which takes its exit status.
        detach = ["/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh", *command]
        pid = int(run_program(detach, placement.run_as, stderr=log).stdout)
    finally:
        os.close(log)
    return Started(pid=pid, data_folder=data_folder, log_file=placement.log_file, log_start=log_start)


def shared_memory_settings(device: Path = SHARED_MEMORY, wanted_bytes: int = _WANTED_BYTES) -> dict[str, str]:
    """Where a server that is about to start has its workers share memory: files in its data directory, where the device
    is missing or has too little room. Elsewhere than on Linux it is no device."""
    if sys.platform != "linux":
        return {}
    try:
        found = os.statvfs(device)
    except OSError:
        return {"dynamic_shared_memory_type": "mmap"}
    has_room = found.f_bavail * found.f_frsize >= wanted_bytes
    return {} if has_room else {"dynamic_shared_memory_type": "mmap"}


def with_full_device(message: str, *, is_embedded: bool) -> tuple[str, str] | None:
    """An error's message with the device in it, and the command that helps; None where it is no such error."""
    if not _IS_FULL.search(" ".join(message.split())):
        return None
    told = (
        f"{message} The device that is full is {SHARED_MEMORY} on the database server's machine, where its parallel"
        " workers share memory (dynamic_shared_memory_type = posix)."
    )
    if is_embedded:
        return told, "make down && make up   # the server then shares memory in files of its data directory"
    return told, (
        "psql -c \"alter system set dynamic_shared_memory_type = 'mmap'\""
        "   # as an administrator, and restart the server; or give it a larger /dev/shm (docker run --shm-size=1g)"
    )
