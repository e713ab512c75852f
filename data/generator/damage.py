"""Invalid lines: each damage breaks exactly one rule of a contract, and knows the reason code it must get."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from data.generator.randomness import Draw, pick, shuffled

Record = dict[str, Any]
Change = Callable[[Record, Draw], None]
Surgery = Callable[[bytes, Draw], bytes]


class Damage(NamedTuple):
    """What a line becomes, without a line end and never blank, and why it is rejected."""

    reason_code: str
    surgery: Surgery


def changed(reason_code: str, change: Change) -> Damage:
    """Damage to the record, whose text stays JSON."""

    def surgery(line: bytes, draw: Draw) -> bytes:
        record = json.loads(line)
        change(record, draw)
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()

    return Damage(reason_code, surgery)


def setting(field: str, *values: object) -> Change:
    def change(record: Record, draw: Draw) -> None:
        record[field] = pick(draw, values)

    return change


def dropping(*fields: str) -> Change:
    def change(record: Record, draw: Draw) -> None:
        del record[pick(draw, fields)]

    return change


def inventing(*fields: str) -> Change:
    def change(record: Record, draw: Draw) -> None:
        record[pick(draw, fields)] = "x"

    return change


def breaking_key(field: str) -> Change:
    """The parts of a key AAA-YYYYMMDD-NNNNNN."""

    def change(record: Record, draw: Draw) -> None:
        whole: str = record[field]
        # The second form passes a pattern whose `$` also matches before a final newline.
        record[field] = pick(draw, (whole[:11] + whole[12:], whole + "\n", whole.lower(), f" {whole}"))

    return change


def damages_of_text(choice: str, value: str, text: str, thing: str) -> tuple[Damage, ...]:
    """Damage to the JSON. Every record has the field `choice`, of which `value` is one, and `text`, a text that is
    written without a blank before it; `thing` is what a record is."""

    def truncate(line: bytes, draw: Draw) -> bytes:
        whole = line.decode()  # cut between characters, or it would be invalid UTF-8 as well
        return whole[: int(len(whole) * (0.3 + 0.6 * draw()))].encode()

    def misspell(line: bytes, draw: Draw) -> bytes:
        unquoted = line.replace(f'"{choice}":'.encode(), f"{choice}:".encode(), 1)
        return pick(draw, (unquoted, line[:-1] + b",}", line + b"}", b"{not json}"))

    def flatten(line: bytes, draw: Draw) -> bytes:
        return pick(draw, (b"[" + line + b"]", f'"{thing}"'.encode(), b"42", b"null"))

    def inserting(piece: bytes) -> Surgery:
        """Puts bytes at the start of the text."""
        start = f'"{text}":"'.encode()
        return lambda line, draw: line.replace(start, start + piece, 1)

    def repeat(line: bytes, draw: Draw) -> bytes:
        return line.replace(f'"{choice}":'.encode(), f'"{choice}":"{value}","{choice}":'.encode(), 1)

    return (
        Damage("malformed_json", truncate),
        Damage("malformed_json", misspell),
        Damage("not_an_object", flatten),
        Damage("invalid_utf8", inserting(b"caf\xe9 ")),
        Damage("invalid_utf8", inserting(b"\xed\xa0\xbd ")),
        Damage("duplicate_key", repeat),
        Damage("byte_order_mark", lambda line, draw: b"\xef\xbb\xbf" + line),
        Damage("unstorable_character", inserting(b"\\u0000")),
        Damage("lone_surrogate", inserting(b"\\ud83d ")),
    )


def reason_codes(damages: Sequence[Damage]) -> tuple[str, ...]:
    return tuple(sorted({damage.reason_code for damage in damages}))


class Damager:
    """Damages lines, every way once before any comes again."""

    def __init__(self, damages: Sequence[Damage], draw: Draw) -> None:
        self._damages = damages
        self._draw = draw
        self._waiting: list[int] = []

    def damage(self, line: str) -> tuple[bytes, str]:
        """The damaged line without a line end, never blank; and its reason code."""
        if not self._waiting:
            self._waiting = shuffled(self._draw, range(len(self._damages)))
        reason_code, surgery = self._damages[self._waiting.pop()]
        return surgery(line.encode(), self._draw), reason_code
