"""Ogg: a library reads what the sound is, and its pages are walked here: one that was cut off has no last page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import BinaryIO, NoReturn

from loader.facts.durations import seconds_of
from loader.facts.libraries import hostile
from loader.facts.model import FactValue, RefusedFileError

_CODECS = (("opus", b"OpusHead"), ("vorbis", b"\x01vorbis"), ("speex", b"Speex   "), ("flac", b"\x7fFLAC"))
_PAGE_HEAD_BYTES = 27
_IS_LAST = 4


def read(file: BinaryIO) -> Mapping[str, FactValue]:
    """The facts of the sound, where the file ends with its last page."""
    import tinytag

    head = file.read(128)
    codec = next((name for name, sign in _CODECS if sign in head), "other")
    _require_whole(file)
    file.seek(0)
    with hostile("the recording"):
        found = tinytag.TinyTag.get(filename="file.ogg", file_obj=file, tags=True, image=False)
        if not (found.duration and found.samplerate and found.channels):
            _refuse("the recording says no duration, no rate or no channel")
        # The library divided the number of samples by the rate: this is that number again.
        samples = round(found.duration * found.samplerate)
        return {
            "codec": codec,
            "duration_seconds": seconds_of(samples, found.samplerate),
            "sample_rate_hz": found.samplerate,
            "channel_count": found.channels,
        }


def _require_whole(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    place = 0
    is_last = False
    while place < end:
        file.seek(place)
        head = file.read(_PAGE_HEAD_BYTES)
        if len(head) < _PAGE_HEAD_BYTES or head[:4] != b"OggS":
            _refuse("the recording's pages do not follow one another")
        # How long the parts of the page are.
        parts = file.read(head[26])
        place += _PAGE_HEAD_BYTES + head[26] + sum(parts)
        is_last = bool(head[5] & _IS_LAST)
    if not is_last or place > end:
        _refuse("the recording was cut off: it has no last page")


def _refuse(message: str) -> NoReturn:
    raise RefusedFileError("unreadable_file", message)
