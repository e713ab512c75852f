"""Every bad or odd line that one export may hold, each with the fate, day and reason codes that it must get."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.ingests import as_line, ticket

DAY = "2026-04-17"
# Longer than what a reject row keeps of a line.
LONG_REJECT_BYTES = 70_000


@dataclass(frozen=True, slots=True)
class OddLine:
    """A physical line: `body` and its terminator `end`. `partition` is None where no day can be read.

    `created_at`: what Bronze, Silver and every later layer must hold for a line that lands, if that is the point.
    """

    name: str
    body: bytes
    fate: str = "rejected"
    reason_codes: tuple[str, ...] = ()
    partition: str | None = DAY
    created_at: str | None = None
    end: bytes = b"\n"


def export_lines() -> tuple[OddLine, ...]:
    """The odd lines, each between two good neighbours; the last one has no newline."""
    lines: list[OddLine] = []
    for number, odd in enumerate(_odd_lines(), start=1):
        lines += (OddLine(f"neighbour {number}", as_line(ticket(900_000 + number)), "landed"), odd)
    last = OddLine("no newline at the end", as_line(ticket(999_999)), "landed", end=b"")
    return (*lines, last)


def _odd_lines() -> Iterator[OddLine]:
    yield from _no_json()
    yield from _no_ticket()
    yield from _timestamps()
    yield from _good_but_odd()


def incompressible(length: int) -> str:
    """Text that PostgreSQL cannot make shorter, as it does with repetitions before it looks at an index's limit."""
    return "".join(hashlib.sha256(b"%d" % part).hexdigest() for part in range(length // 64 + 1))[:length]


def _without(number: int, owner: bytes) -> bytes:
    """A ticket whose owner is these bytes: for values that no JSON writer writes."""
    return as_line(ticket(number)).replace(b'"group_1"', owner)


def _no_json() -> Iterator[OddLine]:
    """Lines that are no JSON, or that two parsers read in two ways."""
    broken = ("malformed_json",)
    yield OddLine("cut off", as_line(ticket(1))[:-20], reason_codes=broken, partition=None)
    yield OddLine("two objects", as_line(ticket(2)) * 2, reason_codes=broken, partition=None)
    yield OddLine("single quotes", b"{'ticket_id': 'TKT-20260417-000003'}", reason_codes=broken, partition=None)
    yield OddLine("raw NUL", _without(4, b'"group\x001"'), reason_codes=broken, partition=None)
    yield OddLine("raw tab in a text", _without(5, b'"group\t1"'), reason_codes=broken, partition=None)
    yield OddLine("carriage return in a text", _without(6, b'"group\r1"'), reason_codes=broken, partition=None)
    yield OddLine("gzip bytes", b"\x1f\x8b\x08\x00{}", reason_codes=("compressed_content",), partition=None)
    yield OddLine("zip bytes", b"PK\x03\x04\x14\x00", reason_codes=("compressed_content",), partition=None)
    utf16 = as_line(ticket(8)).decode().encode("utf-16-be")
    yield OddLine("UTF-16", utf16, reason_codes=("utf16_text",), partition=None)
    yield OddLine("array of records", b"[" + as_line(ticket(9)) + b"," + as_line(ticket(9)) + b"]",
                  reason_codes=("json_document",), partition=None)  # fmt: skip
    yield OddLine("first line of an array", b"[", reason_codes=("json_document",), partition=None)
    yield OddLine("nested too deep", b"[" * 100_000 + b"]" * 100_000, reason_codes=broken, partition=None)
    yield OddLine("long garbage", b"x" * LONG_REJECT_BYTES, reason_codes=broken, partition=None)
    yield OddLine("NaN", _without(10, b"NaN"), reason_codes=broken)
    yield OddLine("Infinity", _without(11, b"Infinity"), reason_codes=broken)
    yield OddLine("minus Infinity", _without(12, b"-Infinity"), reason_codes=broken)
    yield OddLine("invalid UTF-8", _without(13, b'"gr\xfcn"'), reason_codes=("invalid_utf8",))
    yield OddLine("surrogate as UTF-8", _without(14, b'"\xed\xa0\x80"'), reason_codes=("invalid_utf8",))
    yield OddLine("byte order mark", b"\xef\xbb\xbf" + as_line(ticket(15)), reason_codes=("byte_order_mark",))
    yield OddLine("key twice", _without(16, b'"a","owner":"b"'), reason_codes=("duplicate_key",))
    yield OddLine("key twice, same value", _without(17, b'"a","owner":"a"'), reason_codes=("duplicate_key",))
    two_days = _without(18, b'"a","created_at":"2026-04-18T08:00:00Z"')
    yield OddLine("two days", two_days, reason_codes=("duplicate_key",), partition=None)
    yield OddLine("escaped NUL", _without(19, b'"a\\u0000b"'), reason_codes=("unstorable_character",))
    yield OddLine("lone surrogate", _without(20, b'"\\ud83d"'), reason_codes=("lone_surrogate",))
    yield OddLine("swapped pair", _without(21, b'"\\ude00\\ud83d"'), reason_codes=("lone_surrogate",))


def _no_ticket() -> Iterator[OddLine]:
    """JSON that the contract does not know."""
    for number, value in enumerate((b"[]", b'"text"', b"7", b"1e999", b"null", b"true"), start=30):
        yield OddLine(f"no object {number}", value, reason_codes=("not_an_object",), partition=None)
    yield OddLine("empty object", b"{}", reason_codes=("missing_required_field",), partition=None)
    yield OddLine("number for text", _without(40, b"7"), reason_codes=("wrong_type",))
    yield OddLine("beyond 64 bits", _without(41, b"18446744073709551616"), reason_codes=("wrong_type",))
    yield OddLine("beyond a float", _without(42, b"1" * 400), reason_codes=("wrong_type",))
    yield OddLine("null for text", _without(43, b"null"), reason_codes=("wrong_type",))
    yield OddLine("number for instant", as_line(ticket(44, created_at=1)), reason_codes=("wrong_type",), partition=None)
    yield OddLine("text for array", as_line(ticket(45, tags="a,b")), reason_codes=("wrong_type",))
    yield OddLine("number in array", as_line(ticket(46, tags=["a", 2**63])), reason_codes=("wrong_type",))
    yield OddLine("unknown field", as_line(ticket(47, closed_by="me")), reason_codes=("unknown_field",))
    yield OddLine("unknown status", as_line(ticket(48, status="Open")), reason_codes=("invalid_enum_value",))
    yield OddLine("other contract", as_line(ticket(49, schema_version="v2")), reason_codes=("schema_version_mismatch",))
    yield OddLine("long subject", as_line(ticket(50, subject="x" * 513)), reason_codes=("value_too_long",))
    for number, name in enumerate(("source_id", "customer_id"), start=54):
        line = as_line(ticket(number, **{name: incompressible(20_000)}))
        yield OddLine(f"{name} that fits into no index", line, reason_codes=("value_too_long",))
    yield OddLine("unredacted", as_line(ticket(51, pii_level="high")), reason_codes=("pii_not_redacted",))
    newline = as_line(ticket(52, ticket_id="TKT-20260417-000052\n"))
    yield OddLine("newline in ticket_id", newline, reason_codes=("pattern_mismatch",))
    many = as_line(ticket(53, status="Open", owner=7, extra=None))
    codes = ("invalid_enum_value", "unknown_field", "wrong_type")
    yield OddLine("three faults", many, reason_codes=codes)


def _timestamps() -> Iterator[OddLine]:
    refused = {
        "0000-04-17T08:00:00Z": "timestamp_out_of_range",
        "2026-04-17T08:00:60Z": "timestamp_out_of_range",
        "2026-04-17T08:00:00+16:00": "timestamp_out_of_range",
        "0001-01-01T00:00:00+00:01": "timestamp_out_of_range",
        "9999-12-31T23:59:59-00:01": "timestamp_out_of_range",
        "2026-04-17T08:00:00Z\n": "invalid_timestamp",
        "2026-04-17T08:00:00": "invalid_timestamp",
        "2026-04-17 08:00:00Z": "invalid_timestamp",
        "2026-04-17T24:00:00Z": "invalid_timestamp",
        "2026-02-29T08:00:00Z": "invalid_timestamp",
        "2026-04-17T08:00:00+0200": "invalid_timestamp",
        "٢٠٢٦-04-17T08:00:00Z": "invalid_timestamp",
    }
    for number, (text, code) in enumerate(refused.items(), start=100):
        line = as_line(ticket(number, created_at=text))
        yield OddLine(f"created_at {text!r}", line, reason_codes=(code,), partition=None)
        line = as_line(ticket(number + 50, updated_at=text))
        yield OddLine(f"updated_at {text!r}", line, reason_codes=(code,))
    landed = {
        # A fraction is cut off at the microsecond, never rounded up: midnight must not move the day.
        "2026-04-17T23:59:59.9999999Z": "2026-04-17T23:59:59.999999+00:00",
        "2026-04-17T23:59:59.9999995Z": "2026-04-17T23:59:59.999999+00:00",
        "2026-04-18T00:59:59.99999999999999999999+01:00": "2026-04-17T23:59:59.999999+00:00",
        "2026-04-17T00:00:00.0000009Z": "2026-04-17T00:00:00+00:00",
        "2026-04-17t08:00:00z": "2026-04-17T08:00:00+00:00",
        "2026-04-18T01:00:00+05:30": "2026-04-17T19:30:00+00:00",
        "2026-04-16T23:30:00-00:45": "2026-04-17T00:15:00+00:00",
        "2026-04-17T23:59:00+15:59": "2026-04-17T08:00:00+00:00",
        "2026-04-17T08:00:00-00:00": "2026-04-17T08:00:00+00:00",
        "0001-01-01T00:00:00Z": "0001-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59.9999999Z": "9999-12-31T23:59:59.999999+00:00",
    }
    for number, (text, instant) in enumerate(landed.items(), start=200):
        line = as_line(ticket(number, created_at=text, updated_at=text, resolved_at=text, sla_due_at=text))
        yield OddLine(f"lands at {text!r}", line, "landed", partition=instant[:10], created_at=instant)


def _good_but_odd() -> Iterator[OddLine]:
    """Lines that a careless reader would split, drop, change or refuse."""
    separators = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"
    yield OddLine("U+2028 and its like", as_line(ticket(300, subject=separators)), "landed")
    yield OddLine("CRLF", as_line(ticket(301)), "landed", end=b"\r\n")
    spaced = as_line(ticket(302)).replace(b",", b" ,\r\t ").replace(b"{", b" { ")
    yield OddLine("white space between tokens", spaced, "landed")
    yield OddLine("escaped pair", _without(303, b'"\\ud83d\\ude00"'), "landed")
    yield OddLine("escaped backslash before u0000", _without(304, b'"\\\\u0000"'), "landed")
    yield OddLine("emoji", as_line(ticket(305, subject="😀" * 512)), "landed")
    yield OddLine("empty line", b"", "blank", partition=None)
    yield OddLine("blanks", b" \t ", "blank", partition=None)
    yield OddLine("empty line with CRLF", b"", "blank", partition=None, end=b"\r\n")
    yield OddLine("repeated", as_line(ticket(900_001)), "duplicate")
    other_batch = as_line(ticket(900_001, ingest_batch_id="batch-20260418-001"))
    yield OddLine("repeated in another batch", other_batch, "duplicate")
    yield OddLine("from the future", as_line(ticket(310, updated_at="2099-01-01T00:00:00Z")), "landed")
    backwards = ticket(311, updated_at="2026-04-01T00:00:00Z", resolved_at="2026-04-01T00:00:00Z")
    yield OddLine("updated before it was created", as_line(backwards), "landed")
    yield OddLine("moves", as_line(ticket(312)), "landed")
    moved = ticket(312, created_at="2026-04-19T08:00:00Z", updated_at="2026-04-20T00:00:00Z")
    yield OddLine("to another day", as_line(moved), "landed", partition="2026-04-19")
    yield OddLine("of one source", as_line(ticket(313)), "landed")
    yield OddLine("of another source", as_line(ticket(313, source_id="structured:tickets:other")), "landed")
    ancient = ticket(314, source_id="structured:tickets:ancient", created_at="0001-01-01T00:00:00Z")
    yield OddLine("the newest of its source is of year 1", as_line(ancient), "landed", partition="0001-01-01")
    endless = '𝔵é\\"/' * 20_000
    longest = "\U0001f600" * 255
    yield OddLine("longest keys", as_line(ticket(316, source_id=longest, customer_id=longest)), "landed")
    long = ticket(315, owner=endless, org_id=incompressible(20_000), tags=[endless])
    yield OddLine("long texts", as_line(long), "landed")
