"""Ids as an operator types them: whole, or as many characters as only one of them begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loader.errors import CommandUsageError
from loader.printable import counted

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
