"""The sample's calls, videos and images: a tone and a picture that are made here, and files whose facts are known; and
what somebody read from the pictures, or wrote down of the sound.

python -m data.generator.media [--out data/canonization]
"""

from __future__ import annotations

import argparse
import io
import json
import math
import struct
import wave
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# How they were made is told there.
CORPUS = ROOT / "tests" / "facts" / "corpus"
_RATE = 8_000


def tone(seconds: float = 1.5, hertz: int = 440) -> bytes:
    """A WAV as a telephone's: one channel, 8,000 samples a second."""
    samples = (round(12_000 * math.sin(2 * math.pi * hertz * place / _RATE)) for place in range(int(seconds * _RATE)))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return content.getvalue()


def panel(width: int = 96, height: int = 64) -> bytes:
    """A PNG of lamps in a row, of which one is dark. Its rows are stored as they are, so that no version of a library
    decides its bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(
        b"\0" + bytes(255 if row // 8 == 3 and column // 8 % 2 and column // 8 != 5 else 40 for column in range(width))
        for row in range(height)
    )
    stored = b"\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    pixels = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(rows))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def text(*lines: str) -> Callable[[], bytes]:
    return "".join(f"{line}\n" for line in lines).encode


def transcript(*segments: tuple[float, float, str, str]) -> Callable[[], bytes]:
    """Start, end, speaker and words of each."""
    names = ("start_seconds", "end_seconds", "speaker", "text")
    return text(*(json.dumps(dict(zip(names, segment, strict=True))) for segment in segments))


def from_corpus(name: str) -> Callable[[], bytes]:
    return (CORPUS / name).read_bytes


FILES: Mapping[str, Callable[[], bytes]] = {
    "calls/2026-03-12-gateway-restart.wav": tone,
    "calls/2026-04-02-sync-limits.mp3": from_corpus("constant.mp3"),
    "calls/2026-04-02-sync-limits-again.ogg": from_corpus("call-opus.ogg"),
    "videos/2026-03-12-gateway-restart.mp4": from_corpus("spoken-h264.mp4"),
    "videos/2026-04-02-sync-limits.webm": from_corpus("screen.webm"),
    "images/2026-03-12-gateway-panel.png": panel,
    "images/2026-04-02-sync-error.jpg": from_corpus("photo.jpg"),
    "images/2026-04-02-sync-error-small.webp": from_corpus("photo.webp"),
    "transcripts/2026-03-12-gateway-restart-call.jsonl": transcript(
        (0, 0.6, "customer", "The gateway does not answer."),
        (0.6, 1.1, "agent", "Is the NET lamp dark?"),
        (1.1, 1.5, "customer", "Yes."),
    ),
    "transcripts/2026-03-12-gateway-restart-video.jsonl": transcript(
        (0, 0.4, "SPEAKER_00", "Stop the queue first."), (0.45, 1, "SPEAKER_00", "Then restart each node alone.")
    ),
    "transcripts/2026-04-02-sync-limits-call.jsonl": transcript(
        (0, 0.9, "agent", "The sync stops at 5,000 records."), (1, 2.05, "customer", "Then I shall split the folder.")
    ),
    "texts/2026-03-12-gateway-panel.txt": text("PWR  NET  SYNC  DISK", "NET: no signal"),
    "texts/2026-04-02-sync-error.txt": text(
        "Sync stopped", "Limit of 5,000 records reached", "Retry in 60 s – code 429"
    ),
}


def write(folder: Path) -> None:
    """Each file below `folder`, anew."""
    for name, make in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m data.generator.media", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "canonization", help="folder of the sample")
    write(parser.parse_args().out)
