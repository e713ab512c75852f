"""Images: the header first, and the picture only where it is small enough; then one that was cut off is found."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import BinaryIO

from loader.bounds import MAX_PIXELS
from loader.facts.libraries import hostile, versions_of
from loader.facts.model import FactValue, RefusedFileError
from loader.facts.png import require_all_rows


@cache
def prepare() -> Mapping[str, str]:
    """Import the library, and say which version it has."""
    versions = versions_of({"PIL.Image": "pillow"}, extra="media")
    from PIL import Image

    # Its own bound warns or raises by the same number; ours stands in loader/bounds.py.
    Image.MAX_IMAGE_PIXELS = None
    # The formats are imported now and not by each child.
    Image.init()
    return versions


def read(file: BinaryIO, asset_type: str) -> tuple[Mapping[str, FactValue], frozenset[str]]:
    """Pixels as they are stored, before any turn that the file asks for, and the number of pictures."""
    from PIL import Image

    if asset_type == "webp":
        # Its library takes memory for all pixels before anybody can ask how many there are.
        _require_few(*_webp_size(file.read(30)))
        file.seek(0)
    with hostile("the image"), Image.open(file, formats=[asset_type.upper()]) as image:
        width, height = image.size
        _require_few(width, height)
        frame_count = getattr(image, "n_frames", 1)
        image.seek(0)
        image.load()
    if asset_type == "png":
        require_all_rows(file)
    return {"width_pixels": width, "height_pixels": height, "frame_count": frame_count}, frozenset()


def _require_few(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise RefusedFileError("too_many_pixels", f"the image has {width:,} × {height:,} pixels")


def _webp_size(head: bytes) -> tuple[int, int]:
    """Width and height by the first chunk, of one of three kinds; nothing where it is none: the library will say so."""
    kind, body = head[12:16], head[20:]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
