"""The environment: whether its variables are what was meant, which of libpq's may count, and in which dbt and dlt run.

What dbt and dlt get is a list of what passes, not of what is kept out: both tools take settings from variables whose
names nobody can list for good (any flag of dbt, any field of dlt with or without its sections), Python and libpq from
many more. libpq itself adds to every connection what its variables say and the connection does not, and for some there
is nothing to say (PGTZ): what must not count is taken out of this process's environment.
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from loader.errors import CommandUsageError

_VARIABLE = re.compile(r"\$(?:\{[^}]*\}?|[A-Za-z_][A-Za-z0-9_]*)")


def require_plain(environment: Mapping[str, str], prefix: str, expected: Mapping[str, str]) -> None:
    """Refuse a variable with the prefix that is no setting, or whose value has a blemish: a misspelt name changes
    nothing and says nothing, an unseen character in a path makes a second archive.

    `expected`: what each setting holds, in words, by its name without the prefix. Raises CommandUsageError.
    """
    for variable, value in environment.items():
        if not variable.upper().startswith(prefix):
            continue
        name = variable.removeprefix(prefix)
        if name not in expected:
            near = difflib.get_close_matches(name.upper(), expected, n=1, cutoff=0.5)
            told = f": the nearest setting is {prefix}{near[0]}" if near else ""
            raise CommandUsageError(
                f"{variable}: got {value!r}, expected no such variable{told}; nothing was started",
                next_command=f"unset {variable}   # all settings: infra/env/.env.example",
            )
        if found := blemish(value) or unread(value):
            raise CommandUsageError(
                f"{variable}: got {value!r}, expected {expected[name]}, without {found}; nothing was started",
                next_command=f"unset {variable}   # or set it as in infra/env/.env.example",
            )


def blemish(value: str) -> str | None:
    """What a value has that nobody meant, in words; None when it is plain.

    Env files with the line ends of another system leave carriage returns, those that are not read by a shell quotes.
    """
    control = next((character for character in value if unicodedata.category(character) in ("Cc", "Zl", "Zp")), None)
    if control is not None:
        return "the carriage return" if control == "\r" else f"the control character {control!a}"
    unseen = next((character for character in value if unicodedata.category(character) == "Cf"), None)
    if unseen is not None:
        return f"the unseen character {unseen!a}"
    edges = value[:1] + value[-1:]
    if any(edge in "\"'" for edge in edges):
        return "quotes"
    if any(map(str.isspace, edges)):
        return "the blank at its edge"
    return None


def unread(value: str) -> str | None:
    """What a shell would have read and an env file's reader did not, in words: a comment, another variable."""
    if " #" in value:
        return "the comment from ' #' on"
    variable = _VARIABLE.search(value)
    return None if variable is None else f"the variable {variable[0]!r}, which nobody has replaced"


# All that libpq knows, with those that have no option of their own (the last three).
VARIABLES = tuple(
    f"PG{name}"
    for name in (
        *("APPNAME", "CHANNELBINDING", "CLIENTENCODING", "CONNECT_TIMEOUT", "DATABASE", "GSSDELEGATION", "GSSENCMODE"),
        *("GSSLIB", "HOST", "HOSTADDR", "KRBSRVNAME", "LOADBALANCEHOSTS", "MAXPROTOCOLVERSION", "MINPROTOCOLVERSION"),
        *("OPTIONS", "PASSFILE", "PASSWORD", "PORT", "REQUIREAUTH", "REQUIREPEER", "REQUIRESSL", "SERVICE"),
        *("SERVICEFILE", "SSLCERT", "SSLCERTMODE", "SSLCOMPRESSION", "SSLCRL", "SSLCRLDIR", "SSLKEY"),
        *("SSLMAXPROTOCOLVERSION", "SSLMINPROTOCOLVERSION", "SSLMODE", "SSLNEGOTIATION", "SSLROOTCERT", "SSLSNI"),
        *("TARGETSESSIONATTRS", "USER", "DATESTYLE", "GEQO", "TZ"),
    )
)
# What counts for the embedded server; the rest of its address is its own.
_OF_EMBEDDED = ("PGHOST", "PGDATABASE")
# How sessions of other programs are to be, on whatever server.
_OF_SESSIONS = ("PGAPPNAME", "PGCLIENTENCODING", "PGDATESTYLE", "PGGEQO", "PGOPTIONS", "PGTZ")


def foreign(environment: Mapping[str, str], *, is_embedded: bool) -> list[str]:
    """The variables that must not count. With a given server, those that say how it is reached do."""
    if is_embedded:
        # By their first letters, so that a variable of a later libpq is among them.
        return [name for name in environment if name.startswith("PG") and name not in _OF_EMBEDDED]
    return [name for name in _OF_SESSIONS if name in environment]


def leave_aside(*, is_embedded: bool) -> None:
    """Take them out of this process's environment, and so out of that of its children to come."""
    for name in foreign(os.environ, is_embedded=is_embedded):
        os.environ.pop(name, None)


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
