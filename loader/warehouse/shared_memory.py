"""Memory that a server's parallel workers share: where it lies, and what is said when its device is full.

PostgreSQL takes it from /dev/shm, which containers make small (Docker: 64 MB), and then calls a full one a full device.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

DEVICE = Path("/dev/shm")
# What the workers of one query may come to: three processes, each with twice work_mem (server.py).
_WANTED_BYTES = 512 * 2**20
_IS_FULL = re.compile(r"shared memory segment .*No space left on device")


def server_settings(device: Path = DEVICE, wanted_bytes: int = _WANTED_BYTES) -> dict[str, str]:
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


def explained(message: str, *, is_embedded: bool) -> tuple[str, str] | None:
    """An error's message with the device in it, and the command that helps; None where it is no such error."""
    if not _IS_FULL.search(" ".join(message.split())):
        return None
    told = (
        f"{message} The device that is full is {DEVICE} on the database server's machine, where its parallel workers"
        " share memory (dynamic_shared_memory_type = posix)."
    )
    if is_embedded:
        return told, "make down && make up   # the server then shares memory in files of its data directory"
    return told, (
        "psql -c \"alter system set dynamic_shared_memory_type = 'mmap'\""
        "   # as an administrator, and restart the server; or give it a larger /dev/shm (docker run --shm-size=1g)"
    )
