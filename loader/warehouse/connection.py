"""Where the warehouse is, and the ways to reach it: psycopg2, a URL for dlt, the environment for others."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import psycopg2

from loader.environment import blemish, leave_aside
from loader.errors import CommandUsageError, InfrastructureError
from loader.warehouse.roles import Role, find_password
from loader.warehouse.session import BOUND_SINCE_17, MEANING, SEARCH_PATH, Session, unbounded

DEFAULT_PORT = 5432
# The superuser of the embedded server, which sets up and does nothing else.
ADMINISTRATOR = "omni"
DEFAULT_DATABASE = "omnisupport"
CONNECT_TIMEOUT_SECONDS = 10
# Where a firewall forgets connections that say nothing, the lock's would be gone.
_KEEPALIVE_SECONDS = 60
# dlt refuses an address without a password, also where the server asks for none.
PASSWORD_WHERE_NONE_IS_ASKED = "none"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A reachable database. Holds no password: `passfile` names the file that libpq reads it from.

    `host` is a host name or the absolute folder of a unix socket; `user` logs in, and acts as `role` where one is named
    (by `set role`, from the first statement on).
    """

    host: str
    port: int
    user: str
    dbname: str
    passfile: Path | None = None
    is_embedded: bool = False
    role: Role | None = None

    @property
    def address(self) -> str:
        acting = f" as {self.role}" if self.role else ""
        return f"{self.host}:{self.port}, database {self.dbname}, user {self.user}{acting}"

    def acting_as(self, role: Role) -> Warehouse:
        """The same database for another role: a login of its own, or by the given login, which must be a member."""
        if self.is_embedded or self.user in set(Role):
            return replace(self, user=role.value, role=None)
        return replace(self, role=role)

    def as_administrator(self) -> Warehouse:
        """The same database for who sets it up: the embedded server's superuser, or the given login itself."""
        return replace(self, user=ADMINISTRATOR if self.is_embedded else self.user, role=None)

    def connect_beside(self) -> Session:
        """A read-only session of omni_transform, for what dbt built (loader.warehouse.built). Raises
        InfrastructureError."""
        return self.acting_as(Role.TRANSFORM).connect(
            application_name="omnisupport-built", settings={"default_transaction_read_only": "on"}, autocommit=True
        )

    def in_database(self, dbname: str) -> Warehouse:
        """The same server, another database."""
        return replace(self, dbname=dbname)

    def connect(
        self,
        *,
        application_name: str = "loader",
        settings: Mapping[str, str] | None = None,
        autocommit: bool = False,
    ) -> Session:
        """A new psycopg2 connection, in UTC, without timeouts, in which no name is looked for but PostgreSQL's own; the
        caller closes it.

        `settings` are session settings by name, custom ones such as omni.run_id included. libpq's variables count as
        far as they say how a given server is reached (loader/environment.py). Raises InfrastructureError when the
        server can't be reached or refuses.
        """
        leave_aside(is_embedded=self.is_embedded)
        try:
            connection: Session = psycopg2.connect(
                connection_factory=Session,
                host=self.host,
                port=self.port,
                user=self.user,
                dbname=self.dbname,
                application_name=application_name,
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                keepalives_idle=_KEEPALIVE_SECONDS,
                options=self._session_options(settings, separator=" "),
                **({"passfile": str(self.passfile)} if self.passfile else {}),
            )
            if connection.server_version >= 170000:
                connection.autocommit = True
                connection.cursor().execute(f"set {BOUND_SINCE_17} = 0; set restrict_nonsystem_relation_kind = ''")
        except psycopg2.OperationalError as error:
            raise self.unreachable(error) from error
        connection.belong_to(self)
        connection.autocommit = autocommit
        return connection

    def dsn_url(self, *, application_name: str = "loader", settings: Mapping[str, str] | None = None) -> str:
        """The address as a URL for dlt and ADBC. **It may hold the password: never print or store it.**

        dlt writes blanks as "+", which libpq takes literally; a tab survives, so tabs separate the options.
        Raises ValueError for a name with a blank (sessions would carry another name than asked for), and
        CommandUsageError for a user or password with one, before anything is connected.
        """
        leave_aside(is_embedded=self.is_embedded)
        if " " in application_name:
            raise ValueError(f"application_name {application_name!r}: a blank does not survive in a URL for dlt")
        password = find_password(self) or PASSWORD_WHERE_NONE_IS_ASKED
        if re.search(r"\s", self.user + password):
            raise CommandUsageError(
                f"PGUSER or password for {self.host}: got one with a blank, expected none: dlt can't carry it; "
                "nothing was started",
                next_command=f"psql -h {self.host} -p {self.port} -c '\\password'   # a new password",
            )
        query = {
            "application_name": application_name,
            "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
            "options": self._session_options(settings, separator="\t"),
        }
        is_socket = self.host.startswith("/")
        if is_socket:
            query["host"] = self.host
        host = "localhost" if is_socket else f"[{self.host}]" if ":" in self.host else self.host
        fields = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return (
            f"postgresql://{quote(self.user, safe='')}:{quote(password, safe='')}@{host}:{self.port}"
            f"/{quote(self.dbname, safe='')}?{fields}"
        )

    def libpq_environment(self) -> dict[str, str]:
        """Variables to lay over the environment of psql, dbt or any libpq client. Holds no password.

        A client of dbt's role or of a reader keeps its own path: these roles are not worth a trap, and dbt's profile
        sets its own.
        """
        is_pinned = (self.role or self.user) not in (Role.TRANSFORM, Role.READER)
        options = [f"-c search_path={SEARCH_PATH}"] if is_pinned else []
        options += [f"-c role={self.role}"] if self.role else []
        variables = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.dbname,
        }
        variables |= {"PGOPTIONS": " ".join(options)} if options else {}
        return variables | ({"PGPASSFILE": str(self.passfile)} if self.passfile else {})

    def _session_options(self, settings: Mapping[str, str] | None, *, separator: str) -> str:
        acting = {"role": self.role.value} if self.role else {}
        options = {
            "TimeZone": "UTC",
            "search_path": SEARCH_PATH,
            **MEANING,
            **unbounded(0),
            **acting,
            **(settings or {}),
        }
        for name, value in options.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) or not re.fullmatch(r"[!-\[\]-~]*", value):
                raise ValueError(f"session setting {name}={value!r}: blanks and backslashes do not fit an option")
        return separator.join(f"-c{name}={value}" for name, value in options.items())

    def unreachable(self, error: psycopg2.Error) -> InfrastructureError:
        """What an operator reads when this server is lost or refuses; libpq's text holds no password."""
        reason = " ".join(str(error).split()) or type(error).__name__
        is_ready = shlex.join(["pg_isready", "-h", self.host, "-p", str(self.port)])
        next_command = f"{is_ready}   # start it, or name another server: PGHOST, PGPORT"
        if "password" in reason:
            address = ["-h", self.host, "-p", str(self.port), "-U", self.user, "-d", self.dbname]
            next_command = f"{shlex.join(['psql', *address])}   # asks for the password; PGPASSFILE is where it stands"
        if self.is_embedded:
            next_command = "make up"
        if "permission denied to set role" in reason:
            words = ["psql", "-d", self.dbname, "-c", f'grant {self.role} to "{self.user}"']
            next_command = f"{shlex.join(words)}   # as an administrator"
        if f'database "{self.dbname}" does not exist' in reason:
            next_command = shlex.join(["createdb", "-h", self.host, "-p", str(self.port), "-U", self.user, self.dbname])
        return InfrastructureError(
            f"PostgreSQL at {self.address}: got {reason!r}, expected a connection; "
            "nothing was read or written through it",
            next_command=next_command,
        )


def given_warehouse(environment: Mapping[str, str]) -> Warehouse | None:
    """The server that libpq variables name, or None when PGHOST is unset; without PGUSER, roles log in themselves.

    Raises CommandUsageError on variables that would lead libpq elsewhere behind our back, and on characters in them
    that nobody meant.
    """
    of_given = ("PGPORT", "PGUSER", "PGPASSFILE") if environment.get("PGHOST") else ()
    for variable in ("PGHOST", "PGDATABASE", *of_given):
        if found := blemish(environment.get(variable, "")):
            raise CommandUsageError(
                f"{variable}: got {environment[variable]!r}, expected it without {found}; nothing was started",
                next_command=f"unset {variable}   # or set it as in infra/env/.env.example",
            )
    host = environment.get("PGHOST")
    if not host:
        return None
    for variable in ("PGHOSTADDR", "PGSERVICE"):
        if environment.get(variable):
            raise CommandUsageError(
                f"{variable}: got {environment[variable]!r}, expected it unset: the server is named by "
                "PGHOST, PGPORT, PGUSER and PGDATABASE; nothing was started",
                next_command=f"unset {variable}",
            )
    port = environment.get("PGPORT") or str(DEFAULT_PORT)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise CommandUsageError(
            f"PGPORT: got {port!r}, expected a number from 1 to 65535; nothing was started",
            next_command="unset PGPORT   # 5432 is the default",
        )
    passfile = Path(os.path.expanduser(environment.get("PGPASSFILE") or "~/.pgpass"))
    return Warehouse(
        host=host,
        port=int(port),
        user=environment.get("PGUSER") or Role.LOADER.value,
        dbname=environment.get("PGDATABASE") or DEFAULT_DATABASE,
        passfile=passfile if passfile.is_file() else None,
    )
