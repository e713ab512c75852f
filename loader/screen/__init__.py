"""What a person is shown: tables, summaries, grouped failures, calendars, progress.

Everything but `screen_of` is pure: a `Screen` and values in, lines out. A line has no end, no tab, no frame; it is no
wider than the screen unless one name, id or command alone is.
"""

from __future__ import annotations

from loader.screen.progress_line import Bars, Lines
from loader.screen.table import Column, Failure, Sign, calendar, failures, listing, table
from loader.screen.terminal import Mark, Screen, Tone, screen_of
from loader.screen.text import amount, next_lines, paragraph, shortened, spread

__all__ = [
    "Bars",
    "Column",
    "Failure",
    "Lines",
    "Mark",
    "Screen",
    "Sign",
    "Tone",
    "amount",
    "calendar",
    "failures",
    "listing",
    "next_lines",
    "paragraph",
    "screen_of",
    "shortened",
    "spread",
    "table",
]
