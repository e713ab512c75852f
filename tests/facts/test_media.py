"""Calls, videos and images: their facts by the stated rules, and what is refused."""

from __future__ import annotations

import base64
import os
import struct
import sys
import wave
import zlib
from decimal import Decimal
from pathlib import Path

import pytest

from loader.bounds import FactsLimits
from loader.errors import InfrastructureError
from loader.facts import Facts, FactsDefect, FactsReader, read_facts_here
from loader.facts.durations import seconds_of
from loader.facts.readers import READERS
from tests.facts import media_making as making
from tests.facts.table import CORPUS

TYPES = {"audio": ("wav", "mp3", "ogg"), "video": ("mp4", "webm"), "image": ("png", "jpeg", "webp")}
EACH = [(reader, asset_type) for reader, types in TYPES.items() for asset_type in types]


def answer(folder: Path, content: bytes, asset_type: str) -> Facts | FactsDefect:
    path = folder / "file"
    path.write_bytes(content)
    (reader,) = [name for name, types in TYPES.items() if asset_type in types]
    return read_facts_here(path, reader, asset_type)


def facts(folder: Path, content: bytes, asset_type: str) -> Facts:
    found = answer(folder, content, asset_type)
    assert isinstance(found, Facts), found
    return found


def code(folder: Path, content: bytes, asset_type: str) -> str:
    found = answer(folder, content, asset_type)
    assert isinstance(found, FactsDefect), found
    return found.reason_code


@pytest.mark.parametrize(("reader", "asset_type"), EACH)
def test_a_file_without_bytes_is_unreadable(tmp_path: Path, reader: str, asset_type: str) -> None:
    assert code(tmp_path, b"", asset_type) == "unreadable_file"


@pytest.mark.parametrize(("reader", "asset_type"), EACH)
def test_a_file_of_zeros_is_unreadable_at_once(tmp_path: Path, reader: str, asset_type: str) -> None:
    """5 GB of nothing, which cost their author nothing: nobody looks through them."""
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 5 * 2**30)
    with FactsReader(FactsLimits(cpu_seconds=2)) as reading:
        found = reading.read(path, reader, asset_type)
    assert isinstance(found, FactsDefect)
    assert found.reason_code == "unreadable_file"


@pytest.mark.parametrize(
    ("name", "asset_type"),
    [
        ("bare.mp3", "wav"),
        ("variable.mp3", "wav"),
        ("call-8k.wav", "mp3"),
        ("call-vorbis.ogg", "mp3"),
        ("ntsc.mp4", "webm"),
        ("screen.webm", "mp4"),
        ("shot.png", "jpeg"),
        ("photo.jpg", "png"),
        ("photo.webp", "wav"),
        ("notes.pdf", "png"),
        ("article.html", "mp4"),
    ],
)
def test_a_file_named_as_another_type_is_told_as_that(tmp_path: Path, name: str, asset_type: str) -> None:
    """Prevents a search for damage in a sound file, when the declaration is wrong."""
    assert code(tmp_path, (CORPUS / name).read_bytes(), asset_type) == "media_type_mismatch"


@pytest.mark.parametrize(
    ("name", "asset_type", "kept"),
    [
        ("call-8k.wav", "wav", 0.9),
        ("call-ulaw.wav", "wav", 0.002),
        ("constant.mp3", "mp3", 0.5),
        ("variable.mp3", "mp3", 0.9),
        ("call-vorbis.ogg", "ogg", 0.95),
        ("call-opus.ogg", "ogg", 0.5),
        ("ntsc.mp4", "mp4", 0.999),
        ("ntsc.mp4", "mp4", 0.2),
        ("fragmented.mp4", "mp4", 0.8),
        ("screen.webm", "webm", 0.5),
        ("shot.png", "png", 0.5),
        ("photo.jpg", "jpeg", 0.5),
        ("photo.webp", "webp", 0.5),
        ("moving.webp", "webp", 0.5),
    ],
)
def test_a_file_that_was_cut_off_is_unreadable(tmp_path: Path, name: str, asset_type: str, kept: float) -> None:
    """Prevents the facts of a part from passing for those of the whole."""
    whole = (CORPUS / name).read_bytes()
    assert code(tmp_path, whole[: int(len(whole) * kept)], asset_type) == "unreadable_file"


@pytest.mark.parametrize(
    ("units", "per_second", "seconds"),
    [
        (1, 2000, "0.001"),
        (2424, 48000, "0.051"),
        (1, 3, "0.333"),
        (2**63, 1, "9223372036854775808.000"),
        (0, 8000, "0.000"),
    ],
)
def test_seconds_are_exact_to_the_millisecond(units: int, per_second: int, seconds: str) -> None:
    assert str(seconds_of(units, per_second)) == seconds


def test_a_wav_s_length_is_that_of_the_standard_library(tmp_path: Path) -> None:
    """By a second reader, for what it knows."""
    for path in sorted(CORPUS.glob("*.wav")):
        found = facts(tmp_path, path.read_bytes(), "wav")
        if found.values["codec"] == "pcm" and path.name != "deep-48k.wav":
            with wave.open(str(path)) as sound:
                expected = seconds_of(sound.getnframes(), sound.getframerate()), sound.getnchannels()
            assert (found.values["duration_seconds"], found.values["channel_count"]) == expected


@pytest.mark.parametrize("said_bytes", [0xFFFFFFFF, 8002, 2**31])
def test_a_wav_whose_header_says_more_than_there_is_unreadable(tmp_path: Path, said_bytes: int) -> None:
    """Prevents a call of 37 hours in 8 KB."""
    assert code(tmp_path, making.wav_of(bytes(8000), said_bytes=said_bytes), "wav") == "unreadable_file"


def test_a_wav_whose_header_says_less_holds_another_chunk_there(tmp_path: Path) -> None:
    """What follows the sound is read as chunks; here their lengths lead out of the file."""
    lying = making.wav_of(b"\x7f" * 8000, said_bytes=4000)
    assert code(tmp_path, lying, "wav") == "unreadable_file"


@pytest.mark.parametrize(
    "content",
    [
        making.wav_of(bytes(80), bytes_per_second=16_000),
        making.wav_of(bytes(80), rate=0),
        making.wav_of(bytes(80), code=0x1234),
        making.wav_of(bytes(80), code=17),
        making.wav_of(bytes(80)) + b"data" + struct.pack("<I", 8) + bytes(8),
        making.wav_of(bytes(80), before=b"LIST\0\0\0\0" * 1_000),
        making.wav_of(bytes(80))[:12],
        b"RIFF\x04\x00\x00\x00WAVE" + b"fmt " + struct.pack("<I", 4) + bytes(4),
    ],
)
def test_a_wav_that_contradicts_itself_is_unreadable(tmp_path: Path, content: bytes) -> None:
    assert code(tmp_path, content, "wav") == "unreadable_file"


def test_frames_of_an_mp3_are_counted(tmp_path: Path) -> None:
    """1,000 frames of 1152 samples at 44,100 a second are 26.122 s; the frame that says so has no sound."""
    for content in (making.mp3_of(1000), making.mp3_of(1000, said=1000), making.mp3_of(1000, said=1001)):
        found = facts(tmp_path, content, "mp3")
        assert found.values["duration_seconds"] == Decimal("26.122")
        assert found.estimated == frozenset()


@pytest.mark.parametrize("said", [998, 1002, 0, 2**32 - 1])
def test_an_mp3_that_holds_other_frames_than_it_says_is_unreadable(tmp_path: Path, said: int) -> None:
    assert code(tmp_path, making.mp3_of(1000, said=said), "mp3") == "unreadable_file"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"ID3\x04\0\0\0\0\x07\x76" + bytes(1014), b""),
        (b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), b""),
        (b"", b"TAG" + b"\xff\xfb" * 62 + b"x"),
        (b"", b"APETAGEX" + bytes(100)),
    ],
)
def test_tags_are_no_sound(tmp_path: Path, before: bytes, after: bytes) -> None:
    found = facts(tmp_path, making.mp3_of(1000, before=before, after=after), "mp3")
    assert (found.values["duration_seconds"], found.estimated) == (Decimal("26.122"), frozenset())


@pytest.mark.parametrize("foreign", [b"x" * 100, b"\xff\xfb\x10\xc0" + bytes(20), b"\xff" * 500])
def test_an_mp3_with_bytes_that_are_no_frame_is_an_estimate(tmp_path: Path, foreign: bytes) -> None:
    """Prevents a call from being rejected for a duration on which two players differ."""
    found = facts(tmp_path, making.mp3_of(500) + making.mp3_of(500, before=b"x" * 40, after=foreign), "mp3")
    assert (found.values["duration_seconds"], found.estimated) == (Decimal("26.122"), {"duration_seconds"})


@pytest.mark.parametrize("content", [making.mp3_of(1), making.mp3_of(10, before=b"x" * 70_000), b"\xff" * 200_000])
def test_what_is_hardly_an_mp3_is_none(tmp_path: Path, content: bytes) -> None:
    """Prevents a search through gigabytes for the next frame."""
    assert code(tmp_path, content, "mp3") == "unreadable_file"


def test_an_ogg_without_its_last_page_was_cut_off(tmp_path: Path) -> None:
    """Prevents the page before it from passing for the end."""
    whole = (CORPUS / "call-vorbis.ogg").read_bytes()
    assert answer(tmp_path, whole[: whole.rindex(b"OggS")], "ogg") == FactsDefect(
        "unreadable_file", "the recording was cut off: it has no last page"
    )


@pytest.mark.parametrize("asset_type", ["wav", "ogg", "mp4", "webm", "png", "jpeg", "webp"])
def test_a_list_of_other_files_reaches_no_library(tmp_path: Path, asset_type: str) -> None:
    """Prevents text that a library takes for a list of films to be opened."""
    assert answer(tmp_path, b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n", asset_type) == FactsDefect(
        "unreadable_file", f"the file does not begin as {asset_type} does"
    )


def test_an_mp4_without_its_index_is_unreadable(tmp_path: Path) -> None:
    """A recorder that was switched off leaves the sound and the pictures, and no word where they are."""
    whole = (CORPUS / "spoken-h264.mp4").read_bytes()
    assert code(tmp_path, whole[: whole.index(b"moov") - 4], "mp4") == "unreadable_file"


def test_a_video_made_by_hand_is_read(tmp_path: Path) -> None:
    assert facts(tmp_path, making.mp4_of(), "mp4").values == {
        "media_type": "video/mp4",
        "codec": "mpeg4",
        "duration_seconds": Decimal("1.000"),
        "width_pixels": 96,
        "height_pixels": 64,
        "frame_rate": Decimal("10.000"),
    }


@pytest.mark.parametrize(
    "content",
    [making.mp4_of(frames=0, milliseconds=0), making.mp4_of(size=(0, 64)), making.mp4_of(size=(96, 0))],
)
def test_a_video_that_lacks_a_fact_is_unreadable(tmp_path: Path, content: bytes) -> None:
    """Prevents a call of 0 seconds, which no declared duration is compared with."""
    assert code(tmp_path, content, "mp4") == "unreadable_file"


def test_a_codec_is_never_a_word_of_the_file(tmp_path: Path) -> None:
    """Prevents four bytes of a file, here a terminal's command, from standing in a report."""
    assert facts(tmp_path, making.mp4_of(codec=b"\x1b[2J"), "mp4").values["codec"] == "other"


@pytest.mark.parametrize("url", [b"%s", b"file://%s"])
def test_no_file_is_opened_that_a_video_names(tmp_path: Path, url: bytes) -> None:
    """Prevents a video from reading what its author cannot: the facts are those of the file itself."""
    other = tmp_path / "other.mp4"
    other.write_bytes((CORPUS / "ntsc.mp4").read_bytes())
    os.utime(other, (1, 1))
    found = facts(tmp_path, making.mp4_of(url=url % os.fsencode(other)), "mp4")
    assert found.values["width_pixels"] == 96
    assert other.stat().st_atime == 1
    other.read_bytes()
    if other.stat().st_atime == 1:
        pytest.skip("this file system does not say when a file was read")


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (10_001, 10_000), (1, 2**31 - 1)])
def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path: Path, width: int, height: int) -> None:
    """Prevents 100 bytes from taking 40 GB."""
    found = answer(tmp_path, making.png_of(width, height, rows=1), "png")
    assert found == FactsDefect("too_many_pixels", f"the image has {width:,} × {height:,} pixels")


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
def test_a_webp_of_too_many_pixels_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    """Its library takes the memory of all pixels as soon as it sees the size."""
    path = tmp_path / "file"
    path.write_bytes(making.webp_head(16_383, 16_000, kind))
    with FactsReader(FactsLimits(memory_bytes=2**29)) as reader:
        found = reader.read(path, "image", "webp")
    assert found == FactsDefect("too_many_pixels", "the image has 16,383 × 16,000 pixels")


def test_an_image_has_its_pixels_as_they_are_stored(tmp_path: Path) -> None:
    assert facts(tmp_path, making.png_of(100, 99, rows=99), "png").values == {
        "media_type": "image/png",
        "width_pixels": 100,
        "height_pixels": 99,
        "frame_count": 1,
    }


# 7 × 5 grey pixels in seven passes (ffmpeg 5.1, -flags ildct).
INTERLACED = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAAAAAHb9pmSAAAACXBIWXMAAAAFAAAABwCC7iFGAAAAN0lEQVR4nGPgZ1jN4FDDEPmWoXIz"
    "wzXbwywMVY3NDKvqoxmmTChh6N1g13AoMJJhze7Yrpl+5gBtAxEwKEhxcQAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize(
    ("png", "row_bytes"), [(making.png_of(33, 9, rows=9), 34), (INTERLACED, 8)], ids=["in rows", "interlaced"]
)
def test_a_png_without_its_last_pixels_is_refused(tmp_path: Path, png: bytes, row_bytes: int) -> None:
    """Prevents half a picture that is proved: its library fills in what is missing, and says nothing."""
    assert facts(tmp_path, png, "png").values["frame_count"] == 1
    start = png.index(b"IDAT")
    (size,) = struct.unpack(">I", png[start - 4 : start])
    packed = zlib.compress(zlib.decompress(png[start + 4 : start + 4 + size])[:-row_bytes])
    chunk = struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))
    cut = png[: start - 4] + chunk + png[start + 8 + size :]
    said = "the image has fewer rows of pixels than it says"
    assert answer(tmp_path, cut, "png") == FactsDefect("unreadable_file", said)


@pytest.mark.long
@pytest.mark.parametrize(
    ("asset_type", "mode", "options"),
    [
        ("png", "RGBA", {}),
        ("jpeg", "RGB", {"progressive": True, "subsampling": 0}),
        ("jpeg", "CMYK", {"progressive": True}),
        ("webp", "RGBA", {}),
    ],
)
def test_the_largest_image_is_read_within_the_bounds(
    tmp_path: Path, asset_type: str, mode: str, options: dict[str, object]
) -> None:
    """Prevents two bounds that contradict each other: a lack of memory would be told as damage."""
    from PIL import Image

    path = tmp_path / f"file.{asset_type}"
    Image.new(mode, (10_000, 10_000)).save(path, **options)
    with FactsReader() as reader:
        assert isinstance(reader.read(path, "image", asset_type), Facts)


@pytest.mark.parametrize(("reader", "module"), [("audio", "tinytag"), ("video", "pymediainfo"), ("image", "PIL.Image")])
def test_a_library_that_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, module: str
) -> None:
    """Prevents a file from being rejected because a developer installed less."""
    READERS[reader].prepare.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InfrastructureError, match="is not installed") as found:
        answer(tmp_path, b"x", TYPES[reader][0])
    assert found.value.next_command == ".venv/bin/python -m pip install '.[media]'"
    READERS[reader].prepare.cache_clear()
