"""What the archived bytes themselves say of each line, apart from anything that a run has stored.

The lines can be put into a table of the session, to be compared there with what is stored.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from loader.bounds import KEPT_LINE_BYTES
from loader.contract import AcceptedRecord
from loader.facts import FactsReader
from loader.kinds import Ruleset, judged_line
from loader.reader import Framed, Line, is_blank

if TYPE_CHECKING:
    from loader.bronze import AssetToRead

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

MAKE_EXPECTED = """
create temporary table if not exists expected_line (
    line_number integer not null, byte_offset bigint not null, byte_length bigint not null, is_blank boolean not null,
    body_sha256 bytea not null, kept_sha256 bytea not null, fingerprint bytea, kind text, partition_key date,
    reason_codes text[], message text, json_path text, warning_codes text[], envelope text, columns_md5 bytea
) on commit drop
"""


class RereadLine(NamedTuple):
    """One line. `fingerprint` (32 bytes) is that of the record on it, None where there is no JSON object; `body_sha256`
    and `kept_sha256` (of what a reject row keeps of it) are empty for records.

    The rest is the judgement of the ruleset given, None without one: `partition_key` an ISO day, `words` a reject's
    message and JSON path, `delivery` a record's warning codes and its envelope, `columns_md5` (16 bytes) that of the
    typed columns that Bronze keeps beside the payload (`columns_md5`).
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
    columns_md5: bytes | None = None


def reread(asset: AssetToRead, ruleset: Ruleset, *, is_judged: bool = True) -> Iterator[RereadLine]:
    """Every line of an archived asset; `is_judged` false: only what no ruleset of the kind decides, for runs of an
    older one.

    Facts of a file that is a record are read once more, whatever is kept of them; for an older run, those of that
    time count. Raises ContentChangedError when the archived bytes are not those of the asset's fingerprint.
    """
    with FactsReader() as reader:
        file = (replace(asset, facts=None) if is_judged else asset).framed(ruleset, reader)
        for line in file.lines():
            yield reread_line(line, ruleset, file, is_judged=is_judged)


def reread_line(line: Line, ruleset: Ruleset, file: Framed, *, is_judged: bool) -> RereadLine:
    """One line as its file is cut into lines."""
    return _judged(line, ruleset, file) if is_judged else _unjudged(line, ruleset, file)


def _judged(line: Line, ruleset: Ruleset, file: Framed) -> RereadLine:
    place = (line.number, line.offset, line.length)
    judged = judged_line(line, ruleset, file)
    if judged is None:
        return RereadLine(*place, True, *_hashes(line), None, "blank")
    day = None if judged.partition_key is None else judged.partition_key.isoformat()
    if isinstance(judged, AcceptedRecord):
        delivery = (judged.warning_codes, judged.envelope.decode())
        return RereadLine(
            *place,
            False,
            b"",
            b"",
            judged.record_fingerprint,
            "record",
            day,
            delivery=delivery,
            columns_md5=columns_md5(judged),
        )
    words = (judged.message, judged.json_path)
    return RereadLine(*place, False, *_hashes(line), None, "rejected", day, judged.reason_codes, words)


def columns_md5(record: AcceptedRecord) -> bytes:
    """A hash of a record's two instants (hex, as ops.instant_text writes them), its source, key and person. No seal
    (record_fingerprint is one): it carries five values to the database in sixteen bytes."""
    instants = (record.created_at, record.updated_at)
    names = "\x1f".join((record.record_source, record.record_key, record.person_id or ""))
    return hashlib.md5(("".join(map(_instant_text, instants)) + names).encode(), usedforsecurity=False).digest()


def _instant_text(instant: datetime | None) -> str:
    if instant is None:
        return "~"
    since = instant - _POSTGRES_EPOCH
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return f"{microseconds & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def _unjudged(line: Line, ruleset: Ruleset, file: Framed) -> RereadLine:
    is_empty = not line.is_too_long and is_blank(line.body)
    fingerprint = None if is_empty or line.is_too_long else ruleset.fingerprint(file.record_on(line))
    return RereadLine(line.number, line.offset, line.length, is_empty, *_hashes(line), fingerprint)


def _hashes(line: Line) -> tuple[bytes, bytes]:
    kept = hashlib.sha256(line.body[:KEPT_LINE_BYTES]).digest()
    whole = line.body_sha256 or (kept if len(line.body) <= KEPT_LINE_BYTES else hashlib.sha256(line.body).digest())
    return whole, kept


def copy_lines(cursor: Any, stretch: Sequence[RereadLine]) -> None:
    """PostgreSQL's text format: hex, numbers and closed lists need no escapes, what a file says does."""
    text = io.StringIO()
    write = text.write
    for line in stretch:
        message, path = (_escaped(word) for word in line.words) if line.words else (_NULL, _NULL)
        warnings, batch = (_listed(line.delivery[0]), _escaped(line.delivery[1])) if line.delivery else (_NULL, _NULL)
        fingerprint, columns = (_hex(value) for value in (line.fingerprint, line.columns_md5))
        write(
            f"{line.number}\t{line.offset}\t{line.length}\t{'t' if line.is_blank else 'f'}\t"
            f"\\\\x{line.body_sha256.hex()}\t\\\\x{line.kept_sha256.hex()}\t{fingerprint}\t{line.kind or _NULL}\t"
            f"{line.partition_key or _NULL}\t{_listed(line.reason_codes)}\t{message}\t{path}\t{warnings}\t{batch}\t"
            f"{columns}\n"
        )
    text.seek(0)
    cursor.copy_expert("copy pg_temp.expected_line from stdin", text)
    cursor.execute("analyze pg_temp.expected_line")


def _hex(value: bytes | None) -> str:
    return _NULL if value is None else "\\\\x" + value.hex()


def _listed(codes: Sequence[str] | None) -> str:
    return _NULL if codes is None else "{" + ",".join(codes) + "}"


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
