"""Hypothesis strategies: exports that a careless, a broken or a hostile exporter might deliver."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.contract import near_valid
from tests.ingests import as_line, ticket

_TOKENS = st.sampled_from(
    [b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\u", b"d800", b"0000", b"null", b"true", b"NaN", b"-Infinity",
     b"1e999", b"-0", b"9" * 40, b'"ticket_id"', b'"created_at"', b'"tags"', b'"2026-04-17T08:00:00Z"', b"\r", b" ",
     b"\x00", b"\x1f", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\xaf",
     b"\xf4\x90\x80\x80", b"\xff", b"\t", b"\x0b", b"\x0c", b"\x1b[2J", b"\xc2\x9b2J"]
)  # fmt: skip
# What is said of a line must never repeat these words. (The name of a field is told where it is a plain identifier.)
CANARY = "canary bird"
_HOSTILE_TEXTS = st.sampled_from(
    ["'; drop table bronze.raw_ticket_event; --", "{{ run_query('select 1') }}", "{% raw %}", "$(id)", "`id`", "%s",
     "%(a)s", "\\N", "\\.", "a\n\\.\nb", "\t", "\r\n", '"', "\x1b]0;t\x07", "\u009b2J", "\u202e", "[/red]", "<script>",
     "| a |", "\x7f", "\ufffe", "\U0010ffff", "e\u0301", "\ufdfa" * 18, "", " ", "NULL", "0", "true", CANARY]
)  # fmt: skip
_TEXTS_OF_A_TICKET = ("owner", "org_id", "subject", "description", "customer_id", "source_id", "ingest_batch_id")
BORDERS = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "0000-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z",
    "9999-12-31T23:59:59-00:01", "2026-04-17T23:59:59.9999999Z", "2026-04-18T00:00:00+00:01", "2026-04-17t08:00:00z",
    "2026-04-17T08:00:00+15:59", "2026-04-17T08:00:00-15:59", "2026-04-17T08:00:00+16:00", "2026-04-17T08:00:00-16:00",
    "2026-04-17T08:00:00+23:59", "2026-04-17T08:00:60Z", "2026-04-17T24:00:00Z", "2024-02-29T00:00:00Z",
    "2026-02-29T00:00:00Z", "2026-04-17T08:00:00Z\n", "2026-04-17T08:00:00", "2026-04-17 08:00:00Z", "2026-04-17",
    "2026-04-17T08:00:00.Z", "2026-04-17T08:00:00." + "1" * 40 + "Z", "2026-04-17T08:00:0/Z", "٢026-04-17T08:00:00Z",
)  # fmt: skip
_GOOD = [as_line(ticket(number)) for number in range(1, 9)]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A good line with some of its bytes cut out, doubled, exchanged or overwritten."""
    line = draw(st.sampled_from(_GOOD))
    for _ in range(draw(st.integers(1, 3))):
        start, length = draw(st.integers(0, len(line))), draw(st.integers(0, 12))
        piece = line[start : start + length]
        new = draw(st.one_of(_TOKENS, st.binary(max_size=4), st.just(b""), st.just(piece * 2)))
        line = line[:start] + new + line[start + length :]
    return line


@st.composite
def _with_one_oddity(draw: st.DrawFn) -> bytes:
    """A ticket with nothing odd but one thing, which nothing else that is wrong can hide."""
    record = ticket(draw(st.integers(1, 5)), owner=CANARY)
    name = draw(st.sampled_from(_TEXTS_OF_A_TICKET))
    line = as_line(record)
    match draw(st.integers(0, 8)):
        case 0:  # a name twice, with the same value or another, close or with space between
            again = draw(st.sampled_from([b'"owner":"canary bird"', b'"owner" : "other"', b'"\\u006fwner":""']))
            return line[:-1] + draw(st.sampled_from([b",", b" , "])) + again + b"}"
        case 1:  # what no database or encoding can hold, or only looks like it
            escapes = ["\\u0000", "\\\\u0000", "\\ud83d", "\\ude00\\ud83d", "\\ud83d\\ude00"]
            return as_line({**record, name: "PLACE"}).replace(b"PLACE", draw(st.sampled_from(escapes)).encode())
        case 2:
            instant = draw(st.sampled_from(["created_at", "updated_at", "resolved_at", "sla_due_at"]))
            return json.dumps({**record, instant: draw(st.sampled_from(BORDERS))}).encode()
        case 3:
            return as_line({**record, name: draw(st.sampled_from(["x", "😀"])) * draw(st.integers(254, 514))})
        case 4:
            odd = draw(st.sampled_from(["\n", "\r", " ", "٣", "", "0"]))
            return as_line({**record, "ticket_id": record["ticket_id"][: draw(st.integers(18, 19))] + odd})
        case 5:
            redacted = draw(st.sampled_from([True, False, None, "true", 1, ...]))
            return as_line(ticket(1, owner=CANARY, pii_level="high", pii_redacted=redacted))
        case 6:
            values: list[object] = [None, 0, 2**64, 1.5, True, [], {}, [CANARY], {CANARY: CANARY}]
            return json.dumps({**record, name: draw(st.sampled_from(values))}).encode()
        case 7:
            return json.dumps({**record, draw(_HOSTILE_TEXTS): CANARY}, ensure_ascii=draw(st.booleans())).encode()
        case _:
            item = draw(st.sampled_from([CANARY, "", None, 1, "\0", [CANARY]]))
            return json.dumps({**record, "tags": [CANARY] * draw(st.integers(0, 101)) + [item]}).encode()


@st.composite
def _hostile_values(draw: st.DrawFn) -> bytes:
    """A ticket whose free texts are somebody else's commands."""
    names = draw(st.lists(st.sampled_from(["source_id", "customer_id", "owner", "subject", "tags"]), max_size=3))
    texts = {name: draw(_HOSTILE_TEXTS) for name in names}
    changes = {name: [text, text] if name == "tags" else text for name, text in texts.items()}
    record = ticket(draw(st.integers(1, 5)), ingest_batch_id=draw(_HOSTILE_TEXTS), **changes)
    return json.dumps(record, ensure_ascii=draw(st.booleans())).encode()


@st.composite
def _large(draw: st.DrawFn) -> bytes:
    """Lines that grow: deep, wide, long, many digits, many names, many escapes."""
    count = draw(st.sampled_from([63, 64, 65, 1_000, 70_000]))
    unit = draw(
        st.sampled_from([b"[", b'{"a":', b"[],", b'"a",', b"9", b'"\\ud800",', b"\\", b'"', b" ", b"\r", b"x", b"\xff"])
    )
    return (
        draw(st.sampled_from([b"", b'{"tags":[', b'{"owner":', b'{"owner":"']))
        + unit * count
        + draw(st.sampled_from([b"", b"]", b'"a"]}', b"}", b'"}']))
    )


def lines() -> st.SearchStrategy[bytes]:
    """The bytes between two newlines, of every kind that is thought of."""
    return st.one_of(
        *[_with_one_oddity()] * 6,
        *[_mutated()] * 3,
        *[_hostile_values()] * 2,
        st.sampled_from(_GOOD),
        near_valid.lines(),
        st.lists(_TOKENS, max_size=12).map(b"".join),
        st.binary(max_size=30),
        st.sampled_from([b"", b" ", b"\t \r", b"\r", b"\r\r", b"\xa0", b"\x0c"]),
        _large(),
    )


@dataclass(frozen=True)
class Export:
    """`content` and the file's bytes; `is_mangled`: then the file need not hold this content, or any."""

    content: bytes
    delivered: bytes
    is_mangled: bool


@st.composite
def exports(draw: st.DrawFn) -> Export:
    """A file of such lines, plain or as gzip of one member or many, whole or damaged."""
    count = draw(st.integers(0, 40))
    ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b""])
    content = b"".join(line + draw(ends) for line in draw(st.lists(lines(), min_size=count, max_size=count)))
    content += draw(st.sampled_from([b"", b"", b"\r", b"{\r", b"\n"]))
    if draw(st.integers(0, 2)) > 0:
        return Export(content, content, is_mangled=False)
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=4)))
    members = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    delivered = b"".join(draw(_member(member)) for member in members)
    damage = draw(st.sampled_from([None, None, "cut", "flip", "append", "length", "inside"]))
    place = draw(st.integers(0, len(delivered) - 1))
    if damage == "cut":
        delivered = delivered[:place]
    elif damage == "flip":
        flipped = delivered[place] ^ (1 << draw(st.integers(0, 7)))
        delivered = delivered[:place] + bytes([flipped]) + delivered[place + 1 :]
    elif damage == "append":
        tails = [b"\x00", b"\x1f", b"\x1f\x8b", b"\n", b"{}\n", bytes(600), gzip.compress(b"")[:-1]]
        delivered += draw(st.sampled_from(tails))
    elif damage == "length":
        delivered = delivered[:-4] + struct.pack("<I", draw(st.integers(0, 2**32 - 1)))
    elif damage == "inside":
        delivered = gzip.compress(delivered)
    return Export(content, delivered, damage is not None)


@st.composite
def _member(draw: st.DrawFn, content: bytes) -> bytes:
    """A member with any header that gzip allows, a file name of commands included."""
    extra, name, comment = draw(st.binary(max_size=4)), b"$(id)\x1b[2J/../../x", b"<script>"
    flags = draw(st.integers(0, 15)) << 1 | draw(st.booleans())
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    header += struct.pack("<H", len(extra)) + extra if flags & 4 else b""
    header += name + b"\x00" if flags & 8 else b""
    header += comment + b"\x00" if flags & 16 else b""
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF) if flags & 2 else b""
    deflate = zlib.compressobj(draw(st.sampled_from([0, 1, 9])), zlib.DEFLATED, -15)
    body = deflate.compress(content) + deflate.flush()
    return header + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
