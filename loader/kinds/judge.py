"""The judge of a line: accepted with its record, or rejected with every reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import jsonschema_rs
import orjson

from loader.contract import (
    JSON_DOCUMENT,
    ONE_ARRAY,
    AcceptedRecord,
    Explainer,
    InexactError,
    RejectedRecord,
    Rules,
    TimestampError,
    begins_document,
    foreign_bytes,
    has_duplicate_key,
    has_nul,
    number_json,
    number_text,
    read_exactly,
    values_at,
)
from loader.kinds.declaration import Kind, Landing
from loader.reader import Framed, Line, is_blank

UPDATED_BEFORE_CREATED = "updated_before_created"
UNCLEAR_IDENTITY = "unclear_identity"
WARNING_CODES = frozenset({UPDATED_BEFORE_CREATED, UNCLEAR_IDENTITY})
_ESCAPED_NUL = b"\\u0000"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Judges lines of one kind. Two rulesets of the same `sha256` give every line the same fate.

    `components` names what the digest covers: the contract's text, the codes that it gives and the versions of
    business rules and reader. Library versions are not part of it: the contract tests pin what they accept.
    """

    kind: Kind
    sha256: str
    components: dict[str, str]
    _landing: Landing
    _rules: Rules
    _validator: jsonschema_rs.Draft202012Validator
    _explainer: Explainer
    # Fields that are instants or dates, and what parses them.
    _times: tuple[tuple[str, Callable[[str], datetime]], ...]
    # Its records may hold numbers or objects.
    _is_exact: bool
    # Begins what is hashed, so that no two kinds share a fingerprint.
    _domain: bytes

    @property
    def landing(self) -> Landing:
        return self._landing

    @property
    def contract_ref(self) -> str:
        return self.kind.name

    @property
    def dataset(self) -> str:
        """What checkpoint, cursor and watermark of the kind are of."""
        return self._landing.dataset

    @property
    def envelope(self) -> tuple[str, ...]:
        """Fields of the delivery: outside a record's fingerprint."""
        return self._landing.envelope

    def judge(self, line: bytes) -> AcceptedRecord | RejectedRecord:
        """The fate of one line: without its terminator, not blank, at most the reader's MAX_LINE_BYTES long.

        Pure, never raises for what the line holds. Accepted only where jsonschema-rs, the reference validator
        (its stricter rules are in timestamps.py) and the loader's parser all accept.
        """
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return self._explainer.explain(line, f"{error.msg} (character {error.pos})")
        if self._is_exact:
            try:
                record = self._exact(line)
            except (InexactError, TimestampError):
                return self._explainer.explain(line)
        if not self._validator.is_valid(record) or self._rules.is_refused(record):
            return self._explainer.explain(line)
        # orjson keeps the last of duplicate keys: what it writes back is then shorter than the line.
        if not self._is_exact and orjson.dumps(record) != line and has_duplicate_key(line, record):
            return self._explainer.explain(line)
        # Most lines have no escape at all, and that is found sooner.
        if b"\\" in line and _ESCAPED_NUL in line and has_nul(record):
            return self._explainer.explain(line)
        landing, roles = self._landing, self._landing.roles
        instants: dict[str, datetime | None] = {}
        try:
            for name, parse in self._times:
                text = record.get(name)
                instants[name] = None if text is None else parse(text)
        except TimestampError:
            return self._explainer.explain(line)
        created_at = instants[roles.partition]
        assert created_at is not None  # its field is required, and no null
        updated_at = None if roles.updated is None else instants[roles.updated]
        source = self.kind.name if roles.source is None else _name(record[roles.source])
        person = None if roles.person is None else record.get(roles.person)
        warning_codes = self._rules.warnings(record, instants)
        if updated_at is not None and updated_at < created_at:
            warning_codes.append(UPDATED_BEFORE_CREATED)
        if is_unclear(source) or (person is not None and is_unclear(person)):
            warning_codes.append(UNCLEAR_IDENTITY)
        envelope = {name: record.pop(name) for name in landing.envelope if name in record}
        canonical = orjson.dumps(record, default=number_json, option=orjson.OPT_SORT_KEYS)
        return AcceptedRecord(
            canonical,
            hashlib.sha256(self._domain + canonical).digest(),
            _name(record[roles.key]),
            source,
            person,
            orjson.dumps(envelope, default=number_json, option=orjson.OPT_SORT_KEYS),
            created_at,
            updated_at,
            created_at.date(),
            tuple(sorted(warning_codes)),
        )

    def fingerprint(self, line: bytes) -> bytes | None:
        """Read from the record on a line, whatever the rules say of it; None where there is no JSON object."""
        try:
            record = read_exactly(line.decode()) if self._is_exact else orjson.loads(line)
        except ValueError:
            return None
        if not isinstance(record, dict):
            return None
        for name in self.envelope:
            record.pop(name, None)
        canonical = orjson.dumps(record, default=number_json, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(self._domain + canonical).digest()

    def _exact(self, line: bytes) -> Any:
        """The record again, its numbers as they were delivered. Raises InexactError, and TimestampError for an instant
        or a date inside of a field."""
        record = read_exactly(line.decode())
        for place, parse in self._explainer.times:
            for text in values_at(record, place):
                if isinstance(text, str):
                    parse(text)
        return record


def _name(value: str | Decimal) -> str:
    """What names a record or a system, as text: of an integer, as the canonical record writes it."""
    return value if isinstance(value, str) else number_text(value)


def is_unclear(identity: str) -> bool:
    """True for an id that is empty, begins or ends with a blank, or holds a character that cannot be seen."""
    return not identity or identity[0] == " " or identity[-1] == " " or not identity.isprintable()


def judged_line(line: Line, ruleset: Ruleset, file: Framed) -> AcceptedRecord | RejectedRecord | None:
    """The fate of a line of this file as the reader cuts it; None where it is blank. A line that is no record is of the
    day that is declared of the file, where one is."""
    if line.is_too_long:
        judged: AcceptedRecord | RejectedRecord = too_long(line.length, line.body)
    elif is_blank(line.body):
        return None
    else:
        judged = ruleset.judge(file.record_on(line))
    if file.defect is not None:
        code, message = file.defect
        return RejectedRecord((code,), message, "$", judged.partition_key)
    if file.day is not None and isinstance(judged, RejectedRecord):
        return replace(judged, partition_key=file.day)
    return judged


def too_long(length: int, head: bytes) -> RejectedRecord:
    """The fate of a line of `length` bytes of which the reader kept the `head` only."""
    message = f"the line has {length} bytes, more than a line may have"
    foreign = foreign_bytes(head)
    if foreign is None and begins_document(head.decode(errors="replace")) is not None:
        foreign = JSON_DOCUMENT, ONE_ARRAY
    if foreign is None:
        return RejectedRecord(("line_too_long",), message, "$", None)
    code, what = foreign
    return RejectedRecord(tuple(sorted(("line_too_long", code))), f"$: {what}; {message}", "$", None)
