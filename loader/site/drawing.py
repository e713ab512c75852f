"""Templates → text. Every value is escaped, and what does not print is shown as an escape, whoever wrote it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from loader.printable import in_one_line
from loader.screen import shortened

# Longer, it is nothing that anybody reads.
_LONGEST = 400
_ASSETS = ("site.css", "site.js", "uPlot.min.css", "uPlot.iife.min.js", "sortable.min.js")


def shown(value: Any) -> Any:
    """What a template prints of a value: text of one line, not longer than somebody reads."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    text = str(value)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… ({len(text):,} characters)"
    return in_one_line(text)


def at(value: str | datetime | None) -> str:
    """An instant in UTC, to the second; nothing where there is none."""
    if value is None:
        return ""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def moment(seconds: float) -> str:
    """The same of seconds since 1970."""
    return at(datetime.fromtimestamp(seconds, UTC))


def plain(number: float) -> str:
    """A number as programs read it."""
    return f"{number:.10g}"


def prose(text: str) -> Markup:
    """A text of names that may be as long as it is, escaped and with what does not print as escapes."""
    return escape(in_one_line(text))


class Bars(NamedTuple):
    """Bars of a width of 8 in steps of 10 as paths, of at most 55 units; `most`: what the highest stands for."""

    before: Markup
    last: Markup
    most: int


def bars(counts: Sequence[int | None]) -> Bars:
    most = max((count or 0 for count in counts), default=0)
    heights = [1 + round(54 * (count or 0) / (most or 1)) for count in counts]
    drawn = [f"M{10 * place} {56 - height}h8V56h-8z" for place, height in enumerate(heights)]
    # Numbers alone, and as many as there are.
    return Bars(Markup("".join(drawn[:-1])), Markup(drawn[-1] if drawn else ""), most)


def dots(points: Sequence[tuple[float, float]], most_across: float, most_up: float) -> Markup:
    """Points as dots of a path, on a ground of 240 by 40 with a margin of 4."""
    drawn = [
        f"M{4 + round(232 * across / (most_across or 1))} {36 - round(32 * up / (most_up or 1))}h0"
        for across, up in points
    ]
    # Numbers alone, and as many as there are.
    return Markup("".join(drawn))


@cache
def environment() -> Environment:
    drawn = Environment(
        loader=PackageLoader("loader.site"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    drawn.filters |= {
        "at": at,
        "moment": moment,
        "short": shortened,
        "plain": plain,
        "bars": bars,
        "prose": prose,
        "dots": dots,
    }
    return drawn


def draw(template: str, **values: Any) -> str:
    return environment().get_template(template).render(**values)


def asset(name: str) -> bytes:
    return (files("loader.site") / "assets" / name).read_bytes()


def assets() -> dict[str, bytes]:
    """What every page shares, by name."""
    return {name: asset(name) for name in _ASSETS}


@cache
def form() -> str:
    """A digest of everything that decides how a page looks: one of another form is written anew."""
    package = files("loader.site")
    parts = [each for folder in ("templates", "assets") for each in (package / folder).iterdir()]
    parts += [each for each in package.iterdir() if each.name.endswith(".py")]
    digest = hashlib.sha256()
    for part in sorted(parts, key=lambda each: each.name):
        digest.update(part.name.encode() + b"\0" + hashlib.sha256(part.read_bytes()).digest())
    return digest.hexdigest()


def single_page(template: str, **values: Any) -> bytes:
    """A page by itself, which brings its style along and runs nothing."""
    style = asset("site.css").decode()
    pin = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    made_at = datetime.now(UTC)
    return draw(template, style=Markup(style), style_sha256=pin, made_at=made_at, **values).encode()
