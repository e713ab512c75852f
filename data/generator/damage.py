"""Invalid lines: each kind breaks exactly one rule of the contract, and knows the reason code it must get."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from data.generator.randomness import Draw, pick, shuffled

Record = dict[str, Any]
Damage = Callable[[Record, Draw], None]


def _text(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _set(field: str, *values: object) -> Damage:
    def change(record: Record, draw: Draw) -> None:
        record[field] = pick(draw, values)

    return change


def _drop(*fields: str) -> Damage:
    def change(record: Record, draw: Draw) -> None:
        del record[pick(draw, fields)]

    return change


def _break_pii(record: Record, draw: Draw) -> None:
    record["pii_level"] = "high"
    record.pop("pii_redacted", None)
    if draw() < 0.5:
        record["pii_redacted"] = False


def _answer_pii_in_words(record: Record, draw: Draw) -> None:
    record["pii_level"] = "low"  # or the rule about redaction would be broken too
    record["pii_redacted"] = pick(draw, ("yes", 1))


def _break_ticket_id(record: Record, draw: Draw) -> None:
    whole: str = record["ticket_id"]
    # The second form passes a pattern whose `$` also matches before a final newline.
    record["ticket_id"] = pick(draw, (whole[:11] + whole[12:], whole + "\n", whole.lower(), f" {whole}"))


def _invent_field(record: Record, draw: Draw) -> None:
    record[pick(draw, ("ticket_url", "Status", "updatedAt"))] = "x"


_CHANGES: tuple[tuple[str, Damage], ...] = (
    ("missing_required_field", _drop("priority", "owner", "customer_id", "status")),
    ("missing_required_field", _drop("created_at", "ticket_id")),
    ("invalid_enum_value", _set("status", "on_hold", "Open", "")),
    ("invalid_enum_value", _set("priority", "p5_none", "P1")),
    ("invalid_enum_value", _set("category", "hardware")),
    ("wrong_type", _set("customer_id", 4711, None)),
    ("wrong_type", _set("tags", "vip", {"vip": True})),
    ("wrong_type", _answer_pii_in_words),
    ("invalid_timestamp", _set("created_at", "17.04.2026 10:00", "2026-02-30T10:00:00Z")),
    ("invalid_timestamp", _set("updated_at", "2026-04-17T10:00:00", "2026-04-17", "2026-04-17T24:30:00Z")),
    ("timestamp_out_of_range", _set("sla_due_at", "9999-12-31T23:30:00-02:00", "0001-01-01T00:30:00+02:00")),
    ("unknown_field", _invent_field),
    ("pii_not_redacted", _break_pii),
    ("pattern_mismatch", _break_ticket_id),
    ("schema_version_mismatch", _set("schema_version", "ticket_v2", "ticket_v0")),
    ("value_too_long", _set("subject", "again and " * 60)),
)


def _truncate(line: bytes, draw: Draw) -> bytes:
    text = line.decode()  # cut between characters, or it would be invalid UTF-8 as well
    return text[: int(len(text) * (0.3 + 0.6 * draw()))].encode()


def _misspell(line: bytes, draw: Draw) -> bytes:
    unquoted = line.replace(b'"status":', b"status:", 1)
    return pick(draw, (unquoted, line[:-1] + b",}", line + b"}", b"{not json}"))


def _flatten(line: bytes, draw: Draw) -> bytes:
    return pick(draw, (b"[" + line + b"]", b'"ticket"', b"42", b"null"))


def _insert(piece: bytes) -> Callable[[bytes, Draw], bytes]:
    """Puts bytes at the start of the subject's value."""
    return lambda line, draw: line.replace(b'"subject":"', b'"subject":"' + piece, 1)


_SURGERIES: tuple[tuple[str, Callable[[bytes, Draw], bytes]], ...] = (
    ("malformed_json", _truncate),
    ("malformed_json", _misspell),
    ("not_an_object", _flatten),
    ("invalid_utf8", _insert(b"caf\xe9 ")),
    ("invalid_utf8", _insert(b"\xed\xa0\xbd ")),
    ("duplicate_key", lambda line, draw: line.replace(b'"status":', b'"status":"open","status":', 1)),
    ("byte_order_mark", lambda line, draw: b"\xef\xbb\xbf" + line),
    ("unstorable_character", _insert(b"\\u0000")),
    ("lone_surrogate", _insert(b"\\ud83d ")),
)

REASON_CODES = tuple(sorted({code for code, _ in (*_CHANGES, *_SURGERIES)}))


class Damager:
    """Damages lines, every kind once before any comes again."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._waiting: list[int] = []

    def damage(self, line: str) -> tuple[bytes, str]:
        """The damaged line without a line end, never blank; and its reason code."""
        if not self._waiting:
            self._waiting = shuffled(self._draw, range(len(_CHANGES) + len(_SURGERIES)))
        kind = self._waiting.pop()
        if kind < len(_CHANGES):
            code, change = _CHANGES[kind]
            record = json.loads(line)
            change(record, self._draw)
            return _text(record), code
        code, surgery = _SURGERIES[kind - len(_CHANGES)]
        return surgery(line.encode(), self._draw), code
