"""What the generators' command lines share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from data.generator.options import OptionError

# (flag, type, what it is)
Flag = tuple[str, type, str]
# What the files are like, whatever records they hold.
FILE_FLAGS: tuple[Flag, ...] = (
    ("--gzip-every", int, "every n-th file is gzip; 0: none, 1: all"),
    ("--gzip-member-lines", int, "a new gzip member every n lines; 0: one member"),
    ("--crlf-every", int, "every n-th file has CRLF line ends; 0: none"),
    ("--unterminated-every", int, "every n-th file has no line end after its last line; 0: none"),
    ("--source", str, "source_id of the records"),
)


def add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for the exports; made if absent")
    parser.add_argument("--replace", action="store_true", help="remove the exports already in --out first")


def add_flags(parser: argparse.ArgumentParser, options: type, *flags: Flag) -> None:
    """Flags named like the fields of the dataclass `options`, with its defaults."""
    defaults = {field.name: field.default for field in fields(options)}
    for flag, kind, text in flags:
        default = defaults[flag[2:].replace("-", "_")]
        parser.add_argument(flag, type=kind, default=default, help=f"{text} (default: {default})")


def told(program: str, out: Path, generate: Callable[[], dict[str, object]]) -> int:
    """Exit code 0 and the totals, or 2 with one line on standard error that says what to change."""
    try:
        totals = generate()["totals"]
    except OptionError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    assert isinstance(totals, dict)
    counts = ", ".join(f"{name} {value}" for name, value in totals.items() if not isinstance(value, dict))
    print(f"{out}: {counts}")
    return 0
