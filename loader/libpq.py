"""libpq's variables in this process's environment: which name a server, and which would bend its sessions.

libpq adds to every connection what its variables say and the connection does not, and for some there is nothing to say
(PGTZ); so do all that this process starts. What must not count is taken out of the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

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
