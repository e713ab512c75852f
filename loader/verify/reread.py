"""What the archived bytes themselves say of each line, apart from anything that a run has stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from loader.bronze import AssetToRead
from loader.bronze.rows import KEPT_REJECT_BYTES
from loader.contract.ruleset import Ruleset, too_long
from loader.contract.ticket import AcceptedRecord
from loader.reader import Line, is_blank, iter_lines, open_content


class RereadLine(NamedTuple):
    """One line. `fingerprint` (32 bytes) is that of the record on it, None where there is no JSON object; `body_sha256`
    and `kept_sha256` (of what a reject row keeps of it) are empty for records.

    The rest is the judgement of the ruleset given, None without one: `partition_key` an ISO day, `words` a reject's
    message and JSON path, `delivery` a record's warning codes and its ingest_batch_id.
    """

    number: int
    offset: int
    length: int
    is_blank: bool
    body_sha256: bytes
    kept_sha256: bytes
    fingerprint: bytes | None
    kind: str | None = None
    partition_key: str | None = None
    reason_codes: tuple[str, ...] | None = None
    words: tuple[str, str] | None = None
    delivery: tuple[tuple[str, ...], str] | None = None


def reread(asset: AssetToRead, ruleset: Ruleset | None) -> Iterator[RereadLine]:
    """Every line of an archived asset; None for `ruleset`: what no ruleset decides, for runs of an older one.

    Raises ContentChangedError when the archived bytes are not those of the asset's fingerprint.
    """
    for line in iter_lines(open_content(asset.path, asset.content_encoding, fingerprint=asset.fingerprint)):
        yield _unjudged(line) if ruleset is None else _judged(line, ruleset)


def _judged(line: Line, ruleset: Ruleset) -> RereadLine:
    place = (line.number, line.offset, line.length)
    if not line.is_too_long and is_blank(line.body):
        return RereadLine(*place, True, *_hashes(line), None, "blank")
    judged = too_long(line.length) if line.is_too_long else ruleset.judge(line.body)
    day = None if judged.partition_key is None else judged.partition_key.isoformat()
    if isinstance(judged, AcceptedRecord):
        delivery = (judged.warning_codes, judged.ingest_batch_id)
        return RereadLine(*place, False, b"", b"", judged.record_fingerprint, "record", day, delivery=delivery)
    words = (judged.message, judged.json_path)
    return RereadLine(*place, False, *_hashes(line), None, "rejected", day, judged.reason_codes, words)


def _unjudged(line: Line) -> RereadLine:
    is_empty = not line.is_too_long and is_blank(line.body)
    fingerprint = None if is_empty or line.is_too_long else _fingerprint(line.body)
    return RereadLine(line.number, line.offset, line.length, is_empty, *_hashes(line), fingerprint)


def _fingerprint(body: bytes) -> bytes | None:
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict):
        return None
    record.pop("ingest_batch_id", None)
    return hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).digest()


def _hashes(line: Line) -> tuple[bytes, bytes]:
    kept = hashlib.sha256(line.body[:KEPT_REJECT_BYTES]).digest()
    whole = line.body_sha256 or (kept if len(line.body) <= KEPT_REJECT_BYTES else hashlib.sha256(line.body).digest())
    return whole, kept
