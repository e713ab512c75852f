"""The environment in which dbt and dlt run: what a process needs to run at all, and ours.

A list of what passes, not of what is kept out: both tools take settings from variables whose names nobody can list for
good (any flag of dbt, any field of dlt with or without its sections), Python and libpq from many more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from loader.libpq import VARIABLES, foreign

_PASSED = (
    # Where programs, their libraries and temporary files are, and whose they are.
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    # How the names of files are read.
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
)

# What a given server's certificates and tickets are checked with; libpq's own variables pass as well.
_OF_A_GIVEN_SERVER = ("SSL_CERT_FILE", "SSL_CERT_DIR", "KRB5_CONFIG", "KRB5CCNAME")

_OURS = {
    # Memory that is freed goes back to the system: without these, a worker that loads 50,000 lines at a time keeps half
    # as much again (glibc's arenas and thresholds, and Arrow's own pool; elsewhere they mean nothing).
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "TZ": "UTC",
    "DO_NOT_TRACK": "1",
}


def own_environment(outside: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a process of ours, started from one in which `outside` stands.

    Without PGHOST in it, no libpq variable passes, since the embedded server needs none; with it, those that say how
    the server is reached.
    """
    passed = set(_PASSED)
    if outside.get("PGHOST"):
        passed.update(_OF_A_GIVEN_SERVER, VARIABLES)
        passed.difference_update(foreign(outside, is_embedded=False))
    return {**{name: value for name, value in outside.items() if name in passed}, **_OURS}


@contextmanager
def in_own_environment() -> Iterator[None]:
    """Make it this process's own for the block, all threads included, for what is not worth a process."""
    outside = dict(os.environ)
    os.environ.clear()
    os.environ.update(own_environment(outside))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(outside)
