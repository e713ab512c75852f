"""What the sessions of this process are at, and whom they wait for; told by a session of its own, to another thread."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2

from loader.errors import InfrastructureError
from loader.warehouse.session import Session, open_sessions

if TYPE_CHECKING:
    from loader.warehouse.connection import Warehouse

# Sessions of the writer at work; dlt opens its own (loader/runs/lock.py).
_WRITER, _LOADS = "omnisupport-writer", "omnisupport-load-"

_AT_WORK = """
select pid, query, extract(epoch from clock_timestamp() - query_start)::float
from pg_catalog.pg_stat_activity
where state = 'active' and datname = current_database() and pid <> pg_catalog.pg_backend_pid()
    and (pid = any(%(pids)s) or (%(is_writer)s and starts_with(application_name, %(loads)s)))
order by query_start
"""

# Who keeps these sessions waiting, and from what. State and age of a session are shown to its own role and to
# superusers; others read null.
_BLOCKERS = """
select distinct blocker.pid, blocker.usename::text, blocker.application_name, blocker.state,
    to_char(blocker.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
    coalesce(
        (select relation.relnamespace::regnamespace || '.' || relation.relname from pg_catalog.pg_class as relation
         where relation.oid = wanted.relation),
        wanted.locktype || ' lock')
from pg_catalog.pg_stat_activity as waiting
inner join pg_catalog.pg_locks as wanted on wanted.pid = waiting.pid and not wanted.granted
cross join lateral unnest(pg_catalog.pg_blocking_pids(waiting.pid)) as blocking (pid)
inner join pg_catalog.pg_stat_activity as blocker on blocker.pid = blocking.pid
where waiting.datname = current_database()
    and (waiting.pid = any(%(pids)s) or waiting.application_name = %(name)s)
    and (blocker.application_name, blocker.usename)
        is distinct from (waiting.application_name, waiting.usename)
order by blocker.pid
"""

_WORDS = re.compile(r"(?<!['\w])[A-Za-z_][\w.]*")
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
# What changes rows says more than what is read for it; then what is read first.
_ACTS = [
    re.compile(rf"\b({act})\s+(?:only\s+|table\s+|if\s+(?:not\s+)?exists\s+)*([\w.\"]+)?", re.IGNORECASE)
    for act in (
        "insert into", "update", "delete from", "merge into", "truncate", "vacuum full", "vacuum", "copy", "lock table",
        "create table", "create unlogged table", "create index", "create unique index", "create view",
        "create or replace view", "create or replace function", "alter table", "drop table", "drop schema", "refresh",
        "analyze", "from",
    )
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at work: of the session `pid`, for so many `seconds`; `words` name what it does, and no value."""

    pid: int
    words: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that keeps one of ours waiting, in words."""

    pid: int
    sentence: str


def at_work() -> tuple[list[Statement], list[Blocker]]:
    """What this process's sessions are at now, the longest first, and whom they wait for. Nothing where a server does
    not answer: whoever waits for it will say so."""
    statements: list[Statement] = []
    found: list[Blocker] = []
    for warehouse, sessions in _by_warehouse().items():
        # As the login: it sees most of other sessions.
        with (
            suppress(psycopg2.Error, InfrastructureError),
            closing(warehouse.as_administrator().connect(application_name="omnisupport-watch", autocommit=True)) as one,
            one.cursor() as cursor,
        ):
            is_writer = any(_name(session).startswith(_WRITER) for session in sessions)
            pids = [session.get_backend_pid() for session in sessions]
            cursor.execute(_AT_WORK, {"pids": pids, "is_writer": is_writer, "loads": _LOADS})
            rows = cursor.fetchall()
            statements += [Statement(pid, in_words(query), seconds) for pid, query, seconds in rows]
            found += blockers(cursor, [pid for pid, *_ in rows])
    return statements, found


def blockers(cursor: Any, pids: Collection[int] = (), *, application_name: str | None = None) -> list[Blocker]:
    """Whom sessions wait for: those of these backends, and those of this name."""
    cursor.execute(_BLOCKERS, {"pids": list(pids), "name": application_name})
    return [Blocker(pid, _sentence(pid, *found)) for pid, *found in cursor.fetchall()]


def cancel_all() -> None:
    """Have the server cancel whatever this process's sessions are at."""
    for session in open_sessions():
        with suppress(psycopg2.Error):
            session.cancel()


def in_words(query: str) -> str:
    """What a statement does, and to which relation: "insert into ops.completed_load"."""
    text = _COMMENT.sub(" ", query)
    for act in _ACTS:
        found = act.search(text)
        if found is not None:
            verb = " ".join(found.group(1).lower().split())
            name = (found.group(2) or "").replace('"', "")
            return f"{'select from' if verb == 'from' else verb} {name}".strip()
    return " ".join(_WORDS.findall(text)[:2]).lower() or "a statement"


def _by_warehouse() -> dict[Warehouse, list[Session]]:
    found: dict[Warehouse, list[Session]] = {}
    for session in open_sessions():
        found.setdefault(session.warehouse.as_administrator(), []).append(session)
    return found


def _name(session: Session) -> str:
    return str(session.get_dsn_parameters().get("application_name", ""))


def _sentence(
    pid: int, user: str | None, application: str | None, state: str | None, since: str | None, subject: str
) -> str:
    who = ", ".join(word for word in (user, application or "no name", state) if word)
    when = f", its transaction open since {since}" if since else ""
    return f"waits for session {pid} ({who}{when}), which keeps {subject}"
