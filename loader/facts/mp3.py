"""MP3: its frames, counted here. A library guesses from the first ones where nothing says how many there are; to count
them is to read a header of four bytes for each, and to decode nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from loader.facts.durations import seconds_of
from loader.facts.model import FactValue, RefusedFileError

# By the version's two bits: 2.5, none, 2, 1.
_RATES = ((11025, 12000, 8000), (), (22050, 24000, 16000), (44100, 48000, 32000))
_KILOBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# Bytes that belong to no frame: what writers leave between and around. With more, the file is not what it says.
_MOST_FOREIGN_BYTES = 2**16
# How a tag at the end begins; what follows it is no sound.
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")


@dataclass(frozen=True, slots=True)
class _Frame:
    version: int
    rate: int
    channels: int
    size: int

    @property
    def samples(self) -> int:
        return 1152 if self.version == 3 else 576

    def fits(self, first: _Frame) -> bool:
        """Whether it can stand in the same file."""
        return (self.version, self.rate) == (first.version, first.rate)


def read(file: BinaryIO) -> tuple[Mapping[str, FactValue], frozenset[str]]:
    """The facts of the sound: its whole frames, without the one that tells of the others.

    Where the file says how many there are and holds fewer, it was cut off. Where bytes stand between them, or the last
    one is not whole, the duration is an estimate.
    """
    end = file.seek(0, os.SEEK_END)
    place = _after_tags(file)
    first: _Frame | None = None
    said: int | None = None
    count = foreign = 0
    while place < end:
        file.seek(place)
        head = file.read(48)
        frame = _frame(head)
        if frame is not None and (first is None or frame.fits(first)) and place + frame.size <= end:
            if first is None:
                said = _said(head)
            if said is None or first is not None:
                count += 1
            first = first or frame
            place += frame.size
        elif head.startswith(_TAGS):
            break
        else:
            step = _step(head)
            foreign += step
            place += step
            if foreign > _MOST_FOREIGN_BYTES:
                raise RefusedFileError("unreadable_file", "the MP3 holds more that is no sound than writers leave")
    if first is None or count < 2:
        raise RefusedFileError("unreadable_file", "the file holds no sound of MP3")
    # Some writers count the frame that says it.
    if said is not None and abs(said - count) > 1:
        raise RefusedFileError("unreadable_file", "the MP3 holds another number of frames than it says: it was cut off")
    values: dict[str, FactValue] = {
        "codec": "mp3",
        "duration_seconds": seconds_of(count * first.samples, first.rate),
        "sample_rate_hz": first.rate,
        "channel_count": first.channels,
    }
    return values, frozenset({"duration_seconds"} if foreign else ())


def _after_tags(file: BinaryIO) -> int:
    """Where the ID3 tags at the beginning end; there may be several."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return place
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        place += 10 + size + (10 if head[5] & 0x10 else 0)


def _frame(head: bytes) -> _Frame | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, kilobits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or kilobits in (0, 15) or rate == 3:
        return None
    hertz = _RATES[version][rate]
    bits = (_KILOBITS_1 if version == 3 else _KILOBITS_2)[kilobits] * 1000
    size = (144 if version == 3 else 72) * bits // hertz + (head[2] >> 1 & 1)
    return _Frame(version, hertz, 1 if head[3] >> 6 == 3 else 2, size)


def _said(head: bytes) -> int | None:
    """How many frames there are, where the first one says so: it has no sound then."""
    for at in (4 + 9, 4 + 17, 4 + 32):
        if head[at : at + 4] in (b"Xing", b"Info"):
            # Bit 1 of the flags: a count follows.
            return int.from_bytes(head[at + 8 : at + 12], "big") if head[at + 7] & 1 else None
    return None


def _step(head: bytes) -> int:
    """How far to the next place where a frame may begin."""
    following = head.find(b"\xff", 1)
    return following if following > 0 else len(head)
