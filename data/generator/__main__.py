"""Command line of the generator: options in, a folder of exports and its ground truth out."""

from __future__ import annotations

import argparse
import sys
from datetime import date

from data.generator.command_line import FILE_FLAGS, add_flags, add_folder, told
from data.generator.daily_exports import generate
from data.generator.options import Options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data.generator",
        description="Write synthetic ticket exports, a file per day, and expected.json, their ground truth.",
    )
    add_folder(parser)
    for flag, name, text in (
        ("--from", "first_day", "first day"),
        ("--to", "last_day", "last day, included"),
    ):
        parser.add_argument(flag, dest=name, type=date.fromisoformat, required=True, metavar="YYYY-MM-DD", help=text)
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--tickets", type=int, metavar="N", help="open exactly N tickets")
    amount.add_argument("--lines", type=int, metavar="N", help="write exactly N lines")
    add_flags(
        parser,
        Options,
        ("--seed", int, "another seed, other tickets"),
        ("--payload-bytes", int, "mean bytes of a valid line; the description fills it up"),
        ("--update-rate", float, "mean updates of a ticket after its creation"),
        ("--invalid-rate", float, "share of versions whose line is damaged"),
        ("--duplicate-rate", float, "lines delivered again, per version"),
        ("--late-rate", float, "share of versions delivered days or weeks after their day"),
        ("--blank-rate", float, "blank lines, per version"),
        ("--out-of-order", float, "share of lines that are not in time order"),
        ("--moved-rate", float, "share of tickets whose created_at changes to an earlier day"),
        ("--warning-rate", float, "share of tickets with an update or a resolution before their creation"),
        *FILE_FLAGS,
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on standard error that says what to change."""
    given = vars(_parser().parse_args(arguments))
    out, replace = given.pop("out"), given.pop("replace")
    return told("python -m data.generator", out, lambda: generate(Options(**given), out, replace=replace))


if __name__ == "__main__":
    sys.exit(main())
