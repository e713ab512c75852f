"""A full disk told as what it is: which one, how much is left on it, and what helps.

It shows in many guises: ENOSPC of a file, SQLSTATE 53100 of a statement, a line inside an error of dlt, Arrow or dbt,
or a server that has ended itself, of which its clients only know that it closed the connection.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from loader.config import Settings
from loader.errors import CommandUsageError, InfrastructureError, LoaderError, RefusedError
from loader.printable import pasted

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DISK_FULL_STATE = "53100"
_WORDS = re.compile(r"No space left on device|Disk quota exceeded|File too large")
# As Python's errors name a file, and as dlt's, dbt's and Arrow's repeat it.
_NAMED = re.compile(r"(?:No space left on device|Disk quota exceeded|File too large): '(/[^']+)'")
_SHARED_MEMORY = re.compile(r"shared memory segment")
_LOST = re.compile(
    r"server closed the connection|terminating connection|connection already closed|Connection refused"
    r"|recovery mode|is not yet accepting|SSL SYSCALL|No such file or directory.*Is the server running|EOF detected",
    re.DOTALL,
)
_LOG_LINE = re.compile(rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.\d+ UTC .*(?:No space left on device|Disk quota exceeded)")
_LOG_BYTES = 256 * 1024
_THEN = "   # make room there; then the same command again, or for a run: make retry MODE=execute"


def full_disk(error: BaseException, settings: Settings | None, since: datetime) -> InfrastructureError | None:
    """`error` told anew where a full disk is behind it, else None. `since`: lines that the embedded server wrote
    earlier are not about it. Reads the server's log and the sizes of file systems; changes nothing."""
    # These quote what an operator wrote.
    if isinstance(error, CommandUsageError | RefusedError):
        return None
    chain = list(_chain(error))
    texts = [str(each) for each in chain]
    if any(map(_is_full, chain)):
        place = _place(chain, texts, settings)
    elif settings is not None and any(map(_LOST.search, texts)) and _server_complained(settings, since):
        place = _data_folder(settings)
    else:
        return None
    # Only the first line of a database's own words: those that follow may show a row.
    lines = (error.message if isinstance(error, LoaderError) else texts[0]).strip().splitlines()
    said = " ".join(lines if isinstance(error, LoaderError) else lines[:1]) or type(error).__name__
    if place is None:
        return InfrastructureError(
            f"a disk of the database's server ran full: {said}",
            next_command=f"loader psql -c 'select pg_size_pretty(pg_database_size(current_database()))'{_THEN}",
        )
    mount, free = _mount_of(place), shutil.disk_usage(place).free
    below = "" if place == mount else f" ({place} lies on it)"
    return InfrastructureError(
        f"the disk {mount}{below} ran full, {free / 2**20:,.1f} MiB are free now: {said}",
        next_command=f"df -h {pasted(place)}{_THEN}",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    is_by_code = getattr(error, "errno", None) in _FULL or getattr(error, "pgcode", None) == _DISK_FULL_STATE
    return is_by_code or bool(_WORDS.search(str(error)))


def _place(chain: list[BaseException], texts: list[str], settings: Settings | None) -> Path | None:
    """An existing folder on the disk that is full; None: it is that of a server elsewhere."""
    for error in chain:
        if isinstance(error, OSError) and isinstance(error.filename, str):
            return _existing(Path(error.filename))
    named = next(filter(None, map(_NAMED.search, texts)), None)
    if named is not None:
        return _existing(Path(named[1]))
    if any(map(_SHARED_MEMORY.search, texts)):
        return Path("/dev/shm")
    is_of_server = any(getattr(error, "pgcode", None) == _DISK_FULL_STATE for error in chain)
    is_elsewhere = settings is None or _data_folder(settings) is None
    if is_of_server and is_elsewhere:
        return None
    folders = [Path(tempfile.gettempdir())]
    if settings is not None:
        folders += [settings.state_folder, settings.raw_zone, settings.report_dir]
        folders += filter(None, [_data_folder(settings)])
    return min(map(_existing, folders), key=lambda folder: shutil.disk_usage(folder).free)


def _data_folder(settings: Settings) -> Path | None:
    """The log of the embedded server; None where another server is used."""
    from loader.warehouse import find_warehouse, present_folders

    try:
        return _existing(present_folders(settings.state_folder)[0]) if find_warehouse(settings).is_embedded else None
    except LoaderError:
        return None


def _server_complained(settings: Settings, since: datetime) -> bool:
    """Whether the embedded server's log has a line about a full disk since then."""
    from loader.warehouse import present_log

    try:
        with present_log(settings.state_folder).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return False
    found = (match[1].decode() for line in lines if (match := _LOG_LINE.match(line)))
    instants = (datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for text in found)
    return any(instant >= since.replace(microsecond=0) for instant in instants)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _mount_of(folder: Path) -> Path:
    real = folder.resolve()
    return next(parent for parent in (real, *real.parents) if os.path.ismount(parent))
