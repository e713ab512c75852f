"""Facts of files that are records, kept as they were read first: by bytes, by what the file was declared to be, and by
the version of what read them. A version that reads them otherwise keeps its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from loader.contract import number_json, read_exactly
from loader.facts import FACTS_VERSIONS, Facts, FactsDefect
from loader.gate import KnownFacts

# Looked at again each time: a busy machine may be the reason.
_OF_THE_MACHINE = "facts_limit"


def known_facts(
    cursor: Any, reader: str | None, fingerprints: Iterable[str | None], version: str | None = None
) -> KnownFacts:
    """What was kept of these files by `reader` (a name of loader/facts), today's version or an earlier one; None: of
    files of lines."""
    if reader is None:
        return {}
    cursor.execute(
        "select source_fingerprint, asset_type, facts, estimated, libraries, reason_code, message from ops.asset_facts"
        " where source_fingerprint = any(%s) and reader = %s and facts_version = %s",
        (sorted({each for each in fingerprints if each}), reader, version or FACTS_VERSIONS[reader]),
    )
    return {
        (fingerprint, asset_type): FactsDefect(code, message)
        if code is not None
        else Facts(read_exactly(values), frozenset(estimated), libraries)
        for fingerprint, asset_type, values, estimated, libraries, code, message in cursor.fetchall()
    }


def keep_facts(cursor: Any, run_id: UUID, reader: str | None, read: KnownFacts) -> None:
    """Keep what was read, and why nothing could be; idempotent, what is kept already stays."""
    for (fingerprint, asset_type), found in read.items() if reader is not None else ():
        if isinstance(found, Facts):
            told: tuple[Any, ...] = (_text(found.values), sorted(found.estimated), _text(found.libraries), None, None)
        elif found.reason_code == _OF_THE_MACHINE:
            continue
        else:
            told = ("{}", [], "{}", found.reason_code, found.message)
        cursor.execute(
            "insert into ops.asset_facts (source_fingerprint, asset_type, reader, facts_version, read_by_run_id,"
            " facts, estimated, libraries, reason_code, message) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " on conflict do nothing",
            (fingerprint, asset_type, reader, FACTS_VERSIONS[reader or ""], str(run_id), *told),
        )


def _text(values: Mapping[str, Any]) -> str:
    """As canonical JSON, numbers as they are."""
    return orjson.dumps(dict(values), default=number_json, option=orjson.OPT_SORT_KEYS).decode()
