"""WAV: its chunks, read here. The standard library knows no sound as telephones send it (G.711), and believes what a
header says about its length."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from loader.facts.durations import seconds_of
from loader.facts.model import FactValue, RefusedFileError

# Those whose bytes say how long they last: each sample has the same number.
_EVEN = {1: "pcm", 3: "pcm_float", 6: "alaw", 7: "mulaw"}
_PACKED = {2: "adpcm_ms", 17: "adpcm_ima", 49: "gsm", 85: "mp3"}
_EXTENSIBLE = 0xFFFE
# Sound, format, length and some tags; more are no recording.
_MOST_CHUNKS = 1_000


@dataclass(frozen=True, slots=True)
class _Format:
    code: int
    channels: int
    rate: int
    bytes_per_second: int
    bytes_per_block: int


def read(file: BinaryIO) -> tuple[Mapping[str, FactValue], frozenset[str]]:
    """The facts of the sound, by its header, where the file holds as many bytes of it as the header says.

    A packed sound says itself how long it is: an estimate.
    """
    sound: _Format | None = None
    data_bytes: int | None = None
    samples: int | None = None
    for name, size in _chunks(file):
        if name == b"fmt " and sound is None:
            sound = _format(file.read(min(size, 40)))
        elif name == b"fact" and size >= 4:
            (samples,) = struct.unpack("<I", file.read(4))
        elif name == b"data":
            data_bytes = size if data_bytes is None else _refuse("the WAV holds two sounds")
    if sound is None or data_bytes is None:
        _refuse("the WAV has no format or no sound")
    values: dict[str, FactValue] = {"sample_rate_hz": sound.rate, "channel_count": sound.channels}
    if (codec := _EVEN.get(sound.code)) is not None:
        if data_bytes % sound.bytes_per_block or sound.bytes_per_second != sound.rate * sound.bytes_per_block:
            _refuse("the WAV's header contradicts itself about its length")
        duration = seconds_of(data_bytes // sound.bytes_per_block, sound.rate)
        return {**values, "codec": codec, "duration_seconds": duration}, frozenset()
    if (codec := _PACKED.get(sound.code)) is None or samples is None:
        _refuse("the WAV's sound is packed in a way that says no length")
    return {**values, "codec": codec, "duration_seconds": seconds_of(samples, sound.rate)}, frozenset(
        {"duration_seconds"}
    )


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and bytes of each chunk; the file stands at its content. Refuses one that reaches past the file's end."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        _refuse("the file is no WAV")
    place = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        begin = file.read(8)
        # What is shorter than a chunk's head, some writers leave at the end.
        if len(begin) < 8:
            return
        name, size = struct.unpack("<4sI", begin)
        if place + 8 + size > end:
            _refuse("the WAV's header says that there is more than the file holds: it was cut off, or never finished")
        yield name, size
        # A chunk begins at an even place.
        place += 8 + size + size % 2
    _refuse("the WAV has more chunks than any recording")


def _format(content: bytes) -> _Format:
    if len(content) < 16:
        _refuse("the WAV's format is cut off")
    code, channels, rate, bytes_per_second, bytes_per_block, _ = struct.unpack("<HHIIHH", content[:16])
    if code == _EXTENSIBLE and len(content) >= 26:
        (code,) = struct.unpack("<H", content[24:26])
    if not (channels and rate and bytes_per_block):
        _refuse("the WAV's format has no channel, no rate or no samples")
    return _Format(code, channels, rate, bytes_per_second, bytes_per_block)


def _refuse(message: str) -> NoReturn:
    raise RefusedFileError("unreadable_file", message)
