"""Videos: what MediaInfo reads from their index; no picture and no sound is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from loader.facts.durations import seconds_of
from loader.facts.libraries import hostile, versions_of
from loader.facts.model import FactValue, RefusedFileError

if TYPE_CHECKING:
    from pymediainfo import Track

# MediaInfo's words and ours. What it calls otherwise may be a word of the file, and is no fact.
_CODECS = {
    "AVC": "h264",
    "HEVC": "h265",
    "MPEG-4 Visual": "mpeg4",
    "VP8": "vp8",
    "VP9": "vp9",
    "AV1": "av1",
    "AAC": "aac",
    "MPEG Audio": "mp3",
    "Opus": "opus",
    "Vorbis": "vorbis",
    "AC-3": "ac3",
    "PCM": "pcm",
}


@cache
def prepare() -> Mapping[str, str]:
    """Import the library, and say which versions it and what it carries have."""
    versions = versions_of({"pymediainfo": "pymediainfo"}, extra="media")
    import pymediainfo

    _, _, carried, _ = pymediainfo.MediaInfo._get_library()
    return {**versions, "libmediainfo": carried}


def read(file: BinaryIO, asset_type: str) -> tuple[Mapping[str, FactValue], frozenset[str]]:
    """The facts of the first picture track and of the first sound, and which of them are estimates."""
    import pymediainfo

    with hostile("the video"):
        found = pymediainfo.MediaInfo.parse(file)
        if not found.video_tracks:
            raise RefusedFileError("unreadable_file", "the video has no picture, or no index that says where it is")
        whole, picture = found.general_tracks[0], found.video_tracks[0]
        if _said(whole, "istruncated") == "Yes":
            raise RefusedFileError("unreadable_file", "the video was cut off, or never finished")
        milliseconds = _whole_number(whole, "duration")
        if not milliseconds:
            raise RefusedFileError("unreadable_file", "the video does not say how long it is")
        values: dict[str, FactValue] = {
            "codec": _CODECS.get(str(picture.format), "other"),
            "duration_seconds": seconds_of(milliseconds, 1000),
            "width_pixels": _needed(picture, "width"),
            "height_pixels": _needed(picture, "height"),
        }
        if (rate := _said(picture, "frame_rate")) is not None:
            values["frame_rate"] = Decimal(str(rate)).quantize(Decimal("0.001"))
        if found.audio_tracks:
            values |= _sound(found.audio_tracks[0])
    # A video of uneven frames has a mean rate, which each tool takes over another stretch.
    is_even = _said(picture, "frame_rate_mode") == "CFR"
    return values, frozenset({"frame_rate"} & values.keys()) if not is_even else frozenset()


def _sound(track: Track) -> dict[str, FactValue]:
    values: dict[str, FactValue] = {"audio_codec": _CODECS.get(str(track.format), "other")}
    for name, theirs in (("sample_rate_hz", "sampling_rate"), ("channel_count", "channel_s")):
        if (number := _whole_number(track, theirs)) is not None:
            values[name] = number
    if values["audio_codec"] == "opus":
        # The header holds the rate of the microphone; Opus has one rate.
        values["sample_rate_hz"] = 48_000
    return values


def _said(track: Track, name: str) -> Any:
    return getattr(track, name)


def _whole_number(track: Track, name: str) -> int | None:
    """A number that MediaInfo may write with a fraction: `1000.000000`."""
    said = _said(track, name)
    return None if said is None else round(Decimal(str(said)))


def _needed(track: Track, name: str) -> int:
    number = _whole_number(track, name)
    if not number:
        raise RefusedFileError("unreadable_file", "the video does not say how large its picture is")
    return number
