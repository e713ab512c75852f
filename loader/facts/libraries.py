"""Libraries that read files: brought in when a file needs them, and never trusted."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from loader.errors import InfrastructureError
from loader.facts.model import RefusedFileError

# What no content of a file brings about: the disk, the network that it is on, the bounds of this process.
_MACHINE = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EFBIG}
)


def versions_of(modules: Mapping[str, str], *, extra: str = "") -> Mapping[str, str]:
    """Import modules, and say which versions they have; `modules`: the name of each one's package.

    Raises InfrastructureError where one is missing; `extra` is the list of pyproject.toml that brings it.
    """
    for module, package in modules.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            wanted = f".[{extra}]" if extra else "."
            raise InfrastructureError(
                f"{package} is not installed, and no facts of such a file can be read without it; nothing is said about"
                " the file",
                next_command=f".venv/bin/python -m pip install '{wanted}'",
            ) from error
    return {package: version(package) for package in sorted(set(modules.values()))}


@contextmanager
def hostile(what: str, at_limit: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Around a library's calls: whatever it raises says that it cannot read the file.

    A parser meets hostile bytes with any exception that Python has. That the machine cannot read the file (OSError) is
    no statement about it, and passes as memory that is exhausted does; `at_limit`: the library's own bounds.
    """
    try:
        yield
    except (RefusedFileError, MemoryError):
        raise
    except OSError as error:
        # Libraries say "no such format" with it, and a file that sends them to byte -1 makes the system say it.
        if error.errno in _MACHINE:
            raise
        raise RefusedFileError("unreadable_file", f"{what} cannot be read") from error
    except Exception as error:
        if isinstance(error, (RecursionError, *at_limit)):
            raise RefusedFileError(
                "facts_limit", f"{what} is nested or repeated further than any file needs"
            ) from error
        raise RefusedFileError("unreadable_file", f"{what} cannot be read") from error
