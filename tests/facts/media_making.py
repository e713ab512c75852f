"""Recordings, videos and images by hand, so that each byte of a hostile one is meant."""

from __future__ import annotations

import struct
import zlib


def wav_of(
    sound: bytes,
    *,
    code: int = 1,
    rate: int = 8000,
    said_bytes: int | None = None,
    bytes_per_second: int | None = None,
    before: bytes = b"",
) -> bytes:
    """A WAV of one channel with one byte a sample; `said_bytes`: what its header says of the sound's length."""
    speed = rate if bytes_per_second is None else bytes_per_second
    form = b"fmt " + struct.pack("<IHHIIHH", 16, code, 1, rate, speed, 1, 8)
    data = b"data" + struct.pack("<I", len(sound) if said_bytes is None else said_bytes) + sound
    body = b"WAVE" + form + before + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp3_of(frames: int, *, after: bytes = b"", before: bytes = b"", said: int | None = None) -> bytes:
    """Silence of 1152 samples a frame, 44,100 a second, one channel; `said`: by a first frame without sound."""
    frame = b"\xff\xfb\x10\xc0".ljust(104, b"\0")
    told = b""
    if said is not None:
        told = (frame[:21] + b"Xing" + struct.pack(">II", 1, said)).ljust(104, b"\0")
    return before + told + frame * frames + after


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def _full(name: bytes, flags: int, *content: bytes) -> bytes:
    return _box(name, struct.pack(">I", flags), *content)


def mp4_of(
    *,
    frames: int = 10,
    milliseconds: int = 1000,
    size: tuple[int, int] = (96, 64),
    codec: bytes = b"mp4v",
    url: bytes = b"",
) -> bytes:
    """An MP4 of one picture track whose frames are empty; `url`: where the file says that they lie instead."""
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 2**30)
    width, height = size
    entry = _box(codec, bytes(6), struct.pack(">H16xHH", 1, width, height), bytes(50))
    each = milliseconds // frames if frames else 0
    times = _full(b"stts", 0, struct.pack(">III", 1, frames, each) if frames else bytes(4))
    place = _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 0, url + b"\0") if url else _full(b"url ", 1))
    table = _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), entry),
        times,
        _full(b"stsc", 0, struct.pack(">IIII", 1, 1, max(frames, 1), 1)),
        _full(b"stsz", 0, struct.pack(">II", 10, frames)),
        _full(b"stco", 0, struct.pack(">II", 1, 0)),
    )
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, struct.pack(">IIIIHH", 0, 0, 1000, milliseconds, 0x55C4, 0)),
        _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"v\0"),
        _box(b"minf", _full(b"vmhd", 1, bytes(8)), _box(b"dinf", place), table),
    )
    track = _full(
        b"tkhd",
        3,
        struct.pack(">IIIII", 0, 0, 1, 0, milliseconds),
        bytes(16),
        matrix,
        struct.pack(">II", width << 16, height << 16),
    )
    head = struct.pack(">IIIIIh10x", 0, 0, 1000, milliseconds, 65536, 256) + matrix + bytes(24) + struct.pack(">I", 2)
    movie = _box(b"moov", _full(b"mvhd", 0, head), _box(b"trak", track, media))
    return _box(b"ftyp", b"isom", bytes(4), b"isom") + movie + _box(b"mdat", bytes(100))


def png_of(width: int, height: int, *, rows: int) -> bytes:
    """A grey PNG; `rows`: how many of its rows are there."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * ((width + 1) * rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def webp_head(width: int, height: int, kind: bytes) -> bytes:
    """The first chunk of a WebP, of one of its three kinds, that says this size, and nothing after it."""
    if kind == b"VP8X":
        body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(5)
    else:
        body = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + kind + struct.pack("<I", len(body)) + body
