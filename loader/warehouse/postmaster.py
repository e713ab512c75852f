"""What the operating system knows about the server of a data directory: its process, its lock files."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def recorded_pid(lock_file: Path) -> int | None:
    """The process id in the first line of postmaster.pid or of a socket's lock file, if there is one."""
    try:
        first_line = lock_file.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except FileNotFoundError:
        return None
    # A standalone backend writes its id negated.
    return abs(int(first_line)) if first_line.strip().lstrip("-").isdecimal() else None


def says_ready(lock_file: Path, pid: int) -> bool:
    """Whether the server with this id has written into postmaster.pid that it takes connections."""
    try:
        lines = lock_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].startswith("ready")


def is_alive(pid: int) -> bool:
    """Whether the id is taken, by a zombie or by anybody's process too: what PostgreSQL itself looks at."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and nobody has taken its exit status; never true without /proc."""
    try:
        # pid (name) state …; the name may hold blanks and brackets.
        after_name = PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2]
        return after_name.split()[0] == "Z"
    except OSError:
        return False


def is_server_process(pid: int, data_folder: Path) -> bool:
    """Whether it is a living PostgreSQL process of exactly this data directory.

    Every PostgreSQL process has the data directory as its current folder. A zombie, or a stranger that was
    given the id of a dead server, is none.
    """
    if not PROC.joinpath("self").exists():
        return _looks_like_postgres(pid)
    process = PROC / str(pid)
    try:
        name = process.joinpath("comm").read_text(errors="replace").strip()
        return name == "postgres" and not is_zombie(pid) and os.path.samefile(process / "cwd", data_folder)
    except OSError:
        return False


def server_processes(data_folder: Path) -> list[int]:
    """Living PostgreSQL processes of the data directory, orphans of a killed server included.

    Empty where the system has no /proc: there PostgreSQL's own check of shared memory has to do.
    """
    if not PROC.joinpath("self").exists():
        return []
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if is_server_process(pid, data_folder)]


def wait_until_gone(data_folder: Path, *, timeout_seconds: float) -> list[int]:
    """Wait for the server's processes to end by themselves; the ids of those that did not."""
    deadline = time.monotonic() + timeout_seconds
    while (left := server_processes(data_folder)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def remove_stale_lock(lock_file: Path) -> bool:
    """Remove a lock file whose id now belongs to a zombie or a stranger; true when removed.

    The caller has made sure that no process of the data directory lives. A dead id is left to PostgreSQL,
    which also looks at the shared memory that the file names.
    """
    pid = recorded_pid(lock_file)
    is_empty = pid is None and lock_file.exists()
    if is_empty or (pid is not None and is_alive(pid)):
        lock_file.unlink(missing_ok=True)
        return True
    return False


def _looks_like_postgres(pid: int) -> bool:
    shown = subprocess.run(
        ["ps", "-o", "stat=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(None, 1)
    return len(shown) == 2 and not shown[0].startswith("Z") and Path(shown[1].strip()).name == "postgres"
