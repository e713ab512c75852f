"""What the archived bytes themselves say of each line, apart from anything that a run has stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from loader.bronze import AssetToRead
from loader.contract.ruleset import Ruleset, too_long
from loader.contract.ticket import AcceptedRecord
from loader.reader import Line, is_blank, iter_lines, open_content


class RereadLine(NamedTuple):
    """One line. `fingerprint` (32 bytes) is that of the record on it, None where there is no JSON object.

    `kind`, `partition_key` (ISO day) and `reason_codes` are the judgement of the ruleset given, None without one.
    """

    number: int
    offset: int
    length: int
    is_blank: bool
    body_sha256: bytes
    fingerprint: bytes | None
    kind: str | None
    partition_key: str | None
    reason_codes: tuple[str, ...] | None


def reread(asset: AssetToRead, ruleset: Ruleset | None) -> Iterator[RereadLine]:
    """Every line of an archived asset; None for `ruleset`: what no ruleset decides, for runs of an older one.

    Raises ContentChangedError when the archived bytes are not those of the asset's fingerprint.
    """
    judge = _unjudged if ruleset is None else _judged(ruleset)
    for line in iter_lines(open_content(asset.path, asset.content_encoding, fingerprint=asset.fingerprint)):
        yield judge(line)


def _judged(ruleset: Ruleset):  # type: ignore[no-untyped-def]
    def judge(line: Line) -> RereadLine:
        place = (line.number, line.offset, line.length)
        if not line.is_too_long and is_blank(line.body):
            return RereadLine(*place, True, _body_sha256(line), None, "blank", None, None)
        judged = too_long(line.length) if line.is_too_long else ruleset.judge(line.body)
        day = None if judged.partition_key is None else judged.partition_key.isoformat()
        if isinstance(judged, AcceptedRecord):
            return RereadLine(*place, False, b"", judged.record_fingerprint, "record", day, None)
        return RereadLine(*place, False, _body_sha256(line), None, "rejected", day, judged.reason_codes)

    return judge


def _unjudged(line: Line) -> RereadLine:
    is_empty = not line.is_too_long and is_blank(line.body)
    fingerprint = None if is_empty or line.is_too_long else _fingerprint(line.body)
    return RereadLine(
        line.number, line.offset, line.length, is_empty, _body_sha256(line), fingerprint, None, None, None
    )


def _fingerprint(body: bytes) -> bytes | None:
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict):
        return None
    record.pop("ingest_batch_id", None)
    return hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).digest()


def _body_sha256(line: Line) -> bytes:
    return line.body_sha256 or hashlib.sha256(line.body).digest()
