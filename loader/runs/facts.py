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
from loader.kinds import asset_type_of

# Kept as a reject alone: a busy machine may be the reason.
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


def known_bounds(cursor: Any, ruleset_id: int, declared: Iterable[tuple[str | None, str]]) -> KnownFacts:
    """Files (fingerprint and declaration) whose facts could not be read within their bounds, and why. Each entry of
    such a file has its reject under this ruleset, which stays, so to read it again would cost its bounds and change
    nothing; a file that anything else is declared of, too, is not among them."""
    wanted = {each for each in declared if each[0] and each[1]}
    if not wanted:
        return {}
    cursor.execute(
        "select asset.source_fingerprint, asset.declaration, reject.message from ops.source_asset as asset"
        " inner join ops.asset_index as indexed using (asset_id)"
        " inner join bronze.rejected_record as reject using (asset_id, ruleset_id)"
        " where asset.source_fingerprint = any(%s) and indexed.ruleset_id = %s and indexed.is_complete"
        " and reject.reason_codes = %s",
        (sorted({str(fingerprint) for fingerprint, _ in wanted}), ruleset_id, [_OF_THE_MACHINE]),
    )
    rejected = {(fingerprint, declaration): message for fingerprint, declaration, message in cursor.fetchall()}
    others = {(fingerprint, asset_type_of(declaration)) for fingerprint, declaration in wanted - rejected.keys()}
    found = {(each[0], asset_type_of(each[1])): message for each, message in rejected.items() if each in wanted}
    return {file: FactsDefect(_OF_THE_MACHINE, message) for file, message in found.items() if file not in others}


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
