"""The same facts by other programs, which share no code with the loader's libraries. None of them is needed: what they
said of the corpus is committed."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from loader.facts import FactValue

Values = dict[str, FactValue]
_ASKED = ("-v", "error", "-count_packets", "-show_streams", "-show_format", "-of", "json")


def _said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout


def poppler(path: Path) -> Values:
    """A PDF by pdfinfo and pdftotext."""
    said = dict(re.findall(r"^(\w+): +(.*)$", _said("pdfinfo", "-enc", "UTF-8", path), re.MULTILINE))
    values: Values = {"page_count": int(said["Pages"]), "word_count": len(_said("pdftotext", path, "-").split())}
    return values | ({"title": said["Title"]} if said.get("Title") else {})


def ffprobe(path: Path) -> Values:
    """A recording, a video or an image by FFmpeg."""
    said = json.loads(_said("ffprobe", *_ASKED, path))
    tracks = {each["codec_type"]: each for each in reversed(said["streams"])}
    sound, picture = tracks.get("audio"), tracks.get("video")
    values: Values = {}
    if picture is not None and picture["width"]:
        values |= {"width_pixels": picture["width"], "height_pixels": picture["height"]}
    if sound is not None:
        values |= {"sample_rate_hz": int(sound["sample_rate"]), "channel_count": sound["channels"]}
    if path.suffix in (".wav", ".mp3", ".ogg", ".flac", ".mp4", ".webm"):
        values["duration_seconds"] = _thousandths(Fraction(said["format"]["duration"]))
        values["codec"] = _codec(picture or sound)
    if path.suffix == ".mp3":
        # It guesses as the libraries do, and counts packets as we do frames.
        rate = int(sound["sample_rate"])
        samples = int(sound["nb_read_packets"]) * (1152 if rate >= 32_000 else 576)
        values["duration_seconds"] = _thousandths(Fraction(samples, rate))
    if picture is not None and "duration_seconds" in values:
        values["frame_rate"] = _thousandths(Fraction(picture["avg_frame_rate"]))
    return values


def wc(path: Path) -> Values:
    """A text by the GNU core utilities; a last line without its end is none to them."""
    lines, words, characters = _said("env", "LC_ALL=C.UTF-8", "wc", "-l", "-w", "-m", path).split()[:3]
    return {"word_count": int(words), "character_count": int(characters), "line_count": int(lines)}


def _codec(track: dict[str, str]) -> str:
    name = track["codec_name"].removeprefix("pcm_").removesuffix("_wav")
    return "pcm" if name in ("u8", "s16le", "s24le") else name


def _thousandths(number: Fraction) -> Decimal:
    return Decimal(math.floor(number * 1000 + Fraction(1, 2))).scaleb(-3)


TOOLS: dict[str, tuple[str, Callable[[Path], Values]]] = {
    "poppler": ("pdfinfo", poppler),
    "ffprobe": ("ffprobe", ffprobe),
    "wc": ("wc", wc),
}


def is_here(tool: str) -> bool:
    return shutil.which(TOOLS[tool][0]) is not None
