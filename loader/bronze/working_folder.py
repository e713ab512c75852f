"""Folders in which dlt works, and whether somebody is at work there."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from weakref import finalize


def claim(folder: Path, holder: object) -> None:
    """Make `folder`, and hold it as long as `holder` lives, or this process."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = _open(folder)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    finalize(holder, os.close, descriptor)


def is_claimed(folder: Path) -> bool:
    """Whether a living process holds it; one that is gone is held by nobody."""
    try:
        descriptor = _open(folder)
    except OSError:
        # It is gone, or no folder, or another user's: nothing in it can be read or removed from here.
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
