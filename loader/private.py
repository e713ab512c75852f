"""Folders that hold records, what was found in them, or ways to them: closed to other users of the machine.

A command's umask keeps others out of what it makes (loader/cli). This closes what was made before, by hand or by an
earlier version.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from loader.config import Settings
from loader.printable import pasted

_OTHERS = 0o077
# The server's own user passes through .local, and can list or change nothing.
_PASS_THROUGH = 0o066
_OF_RAW_ZONE = ("sha256", "incoming")


def make_state_folder(folder: Path) -> None:
    """Make .local where it is missing, whatever the umask: nobody else enters, as root the server's user may pass."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def close_to_others(settings: Settings, announce: Callable[[str], None]) -> None:
    """Take the rights of other users away from what lies below .local, in the raw zone and in reports.

    Folders that were only given to the loader, to make its own in, keep their rights. `announce` gets a line for each
    where everybody may replace those, and for what is open and belongs to somebody else.
    """
    for path, rights in _own(settings):
        _close(path, rights, announce)
    for variable, folder in (("LOADER_RAW_ZONE", settings.raw_zone), ("LOADER_REPORT_DIR", settings.report_dir)):
        mode = folder.stat().st_mode if folder.is_dir() else 0
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            announce(f"{variable}: every user may change {folder} ({stat.filemode(mode)}); chmod o-w {pasted(folder)}")


def _own(settings: Settings) -> Iterator[tuple[Path, int]]:
    """What the loader made, and which rights nobody else has there."""
    yield settings.state_folder, _PASS_THROUGH if os.geteuid() == 0 else _OTHERS
    if settings.state_folder.is_dir():
        yield from ((path, _OTHERS) for path in settings.state_folder.iterdir())
    yield settings.project_root / "reports", _OTHERS
    yield from ((settings.raw_zone / name, _OTHERS) for name in _OF_RAW_ZONE)


def _close(path: Path, rights: int, announce: Callable[[str], None]) -> None:
    try:
        mode = path.lstat().st_mode
        # A link has no rights, and leads to what the server's user has to itself.
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) or not mode & rights:
            return
        path.chmod(stat.S_IMODE(mode) & ~rights)
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError:
        announce(f"{path} is open to other users ({stat.filemode(mode)}), and not yours; chmod go= {pasted(path)}")
