"""What pages look like, beside small pictures that somebody has looked at; `PICTURES=write pytest tests/site` writes
them.

Fonts differ from machine to machine, so pictures are compared as a few grey tones of a quarter of the size.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

from loader.site import write_model
from tests.site_values import details, model

COMMITTED = Path(__file__).parent / "pictures"
# A mean difference of so many of 255 tones: other fonts stay below it, a page without its style does not.
TOLERANCE = 6
PAGES = ("index", "days/2026-03-11", "runs/0001")


def picture(page: Any, name: Path, width: int, scheme: str) -> Image.Image:
    page.set_viewport_size({"width": width, "height": 2000})
    page.emulate_media(color_scheme=scheme)
    page.goto(name.as_uri())
    whole = Image.open(BytesIO(page.screenshot())).convert("L")
    return whole.resize((whole.width // 4, whole.height // 4), Image.Resampling.BOX)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean of the tones that they differ by, where both are a little out of focus."""
    assert one.size == other.size
    blurred = (each.filter(ImageFilter.GaussianBlur(2)) for each in (one, other))
    return float(ImageStat.Stat(ImageChops.difference(*blurred)).mean[0])


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "light"), (1280, "dark"), (2560, "light")])
def test_a_page_looks_as_it_did(page: Any, site: Path, name: str, width: int, scheme: str) -> None:
    """Prevents a page that falls apart and says all the same what every other test asks for."""
    drawn = picture(page, site / f"{name}.html", width, scheme)
    path = COMMITTED / f"{name.replace('/', '_')}.{width}.{scheme}.png"
    if os.environ.get("PICTURES") == "write":
        path.parent.mkdir(exist_ok=True)
        drawn.quantize(16).save(path, optimize=True)
    assert difference(drawn, Image.open(path).convert("L")) < TOLERANCE


def test_the_tolerance_is_for_fonts_and_for_nothing_else(page: Any, tmp_path: Path) -> None:
    """Prevents a comparison that nothing fails, and one that fails on every other machine."""
    write_model(tmp_path, model(days=75, runs=25), details)
    style = tmp_path / "assets" / "site.css"
    whole = style.read_text()
    grid = "display: grid; grid-template-columns: repeat(7, 24px);"
    assert grid in whole
    committed = Image.open(COMMITTED / "index.360.light.png").convert("L")

    def differs(css: str, scheme: str = "light") -> float:
        style.write_text(css)
        return difference(picture(page, tmp_path / "index.html", 360, scheme), committed)

    assert differs(whole) < TOLERANCE
    assert differs(whole + "body { font-family: serif; }") < TOLERANCE
    assert differs("body { color: black; background: white; }") > TOLERANCE
    assert differs(whole.replace(grid, "")) > TOLERANCE
    assert differs(whole, "dark") > TOLERANCE
