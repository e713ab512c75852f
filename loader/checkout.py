"""The checkout that the loader works in, and its text as it was committed.

Git, an editor or an archive may have given a file the line ends of a machine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from loader.errors import CommandUsageError
from loader.printable import pasted


def is_project_root(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file() and (folder / "infra" / "postgres").is_dir()


def find_project_root() -> Path:
    """The checkout that this package belongs to, else the one around the current folder.

    Raises CommandUsageError when there is none; and when the command was started in, or by the script of, another
    checkout than the package's: an environment that was copied with its checkout leads to where it was made.
    """
    current = _current_folder()
    own = Path(__file__).resolve().parents[1]
    around = _checkout_around(current)
    if not is_project_root(own):
        if around is None:
            raise CommandUsageError(
                f"no checkout found: got the current folder {current}, expected pyproject.toml and infra/postgres "
                "in it or above it; nothing was started",
                next_command="cd <the checkout>   # or export LOADER_PROJECT_ROOT=<the checkout>",
            )
        return around
    script = Path(os.path.abspath(sys.argv[0]))
    for other in (around, _checkout_around(script.parent) if script.name == "loader" else None):
        if other is not None and not other.samefile(own):
            raise CommandUsageError(
                f"{script.name}: got the loader of the checkout {own}, expected the one of {other}, where the "
                "command was started; nothing was started",
                next_command=f"cd {pasted(other)} && make status   # or export LOADER_PROJECT_ROOT={pasted(own)}",
            )
    return own


def _checkout_around(folder: Path) -> Path | None:
    return next(filter(is_project_root, (folder, *folder.parents)), None)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise CommandUsageError(
            "the current folder was removed, expected one that is there; nothing was started",
            next_command="cd <the checkout>",
        ) from None


def committed(content: bytes) -> bytes:
    """`content` with `\\n` at the end of each line: what every digest of a checkout's own text is taken of."""
    return content.replace(b"\r\n", b"\n")


def read_committed(path: Path) -> bytes:
    return committed(path.read_bytes())
