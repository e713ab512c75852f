"""The anchors that a run gives to everything it touches, who acts, and ids that were typed by their beginning."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loader.errors import CommandUsageError
from loader.printable import counted

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
# Who only looks may be short. What is written must not hang on which ids there are today: the first 13 characters of a
# UUIDv7 are its millisecond.
LEAST_TO_READ = 4
LEAST_TO_WRITE = 13
_CANDIDATES_TOLD = 10
_RUNS = """
select distinct on (run_id) run_id::text, started_at, mode, status from ops.ingest_run
where starts_with(run_id::text, %s) order by run_id desc, attempt desc
"""
_BATCHES = """
select batch_id, min(registered_at), count(*) || case when count(*) = 1 then ' manifest' else ' manifests' end,
    string_agg(distinct load_mode, ', ') from ops.manifest
where starts_with(batch_id, %s) group by batch_id order by min(registered_at) desc
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a run: `run_id` (UUIDv7) stays over attempts, `number` counts them from 1.

    `trace_id` is a W3C trace id: 32 lower-case hex digits, not all zero.
    """

    run_id: uuid.UUID
    number: int
    trace_id: str

    @property
    def label(self) -> str:
        """Short, safe in SQL identifiers and file names, unique per attempt: `<32 hex>_<number>`."""
        return f"{self.run_id.hex}_{self.number}"


def new_run_id(now_seconds: float | None = None) -> uuid.UUID:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds since the epoch, then random bits."""
    milliseconds = int((time.time() if now_seconds is None else now_seconds) * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))


def trace_id_of_caller() -> str:
    """The trace that the caller is in (`TRACEPARENT`, W3C Trace Context), or a new one."""
    match = _TRACEPARENT.fullmatch(os.environ.get("TRACEPARENT", "").strip())
    if match and set(match.group(1)) != {"0"}:
        return match.group(1)
    return secrets.token_hex(16)


def acting_operator() -> str:
    """As plans, resets and the lock name them: user@host; the user's number where it has no name (a container's)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class KnownId:
    """An id, and what tells it from others: since when (UTC), of what kind, and how it is."""

    identity: str
    at: datetime
    kind: str
    state: str


def whole_run_id(cursor: Any, typed: str, *, writes: bool = False) -> str:
    """The run that is meant. Raises CommandUsageError where none is, or several are."""
    return whole_id("run", typed, _candidates(cursor, _RUNS, typed), writes=writes)


def whole_batch_id(cursor: Any, typed: str, *, writes: bool = False) -> str:
    """The batch that is meant; errors as whole_run_id."""
    return whole_id("batch", typed, _candidates(cursor, _BATCHES, typed), writes=writes)


def _candidates(cursor: Any, query: str, typed: str) -> list[KnownId]:
    # No id has another character, and what is no UTF-8 could not even be asked for.
    if not typed.isascii():
        return []
    cursor.execute(query, (typed,))
    return [KnownId(*row) for row in cursor.fetchall()]


def whole_id(noun: str, typed: str, candidates: Sequence[KnownId], *, writes: bool) -> str:
    """The one of `candidates` (all that begin with `typed`, newest first) that is meant.

    Raises CommandUsageError: none, too few characters, or several, which are then told.
    """
    if any(each.identity == typed for each in candidates):
        return typed
    if not candidates and typed:
        raise CommandUsageError(
            f"no {noun} {typed!r} in this warehouse; nothing was started", next_command="make status"
        )
    least = LEAST_TO_WRITE if writes else LEAST_TO_READ
    if len(candidates) == 1 and len(typed) >= least:
        return candidates[0].identity
    told = [f"  {_words(each, candidates)}" for each in candidates[:_CANDIDATES_TOLD]]
    if len(candidates) > len(told):
        told.append(f"  and {len(candidates) - len(told)} more")
    if len(typed) < least:
        what = f"got {counted(len(typed), 'character')} of it, expected at least {least}"
        what += " where something is written" if writes else ""
    else:
        what = f"{len(candidates)} begin so, expected one"
    raise CommandUsageError(
        "\n".join([f"{noun} {typed!r}: {what}; nothing was started", *told]),
        next_command="make status   # and then the same command, with more of the id",
    )


def _words(candidate: KnownId, among: Sequence[KnownId]) -> str:
    from loader.screen import shortened

    identity = shortened(candidate.identity, [each.identity for each in among])
    return f"{identity}   {candidate.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}   {candidate.kind}   {candidate.state}"
