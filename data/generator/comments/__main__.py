"""Command line: ticket exports in, a folder of comment exports and its ground truth out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data.generator.command_line import FILE_FLAGS, add_flags, add_folder, told
from data.generator.comments.daily_exports import generate
from data.generator.comments.options import CommentOptions

PROGRAM = "python -m data.generator.comments"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Write synthetic exports of comments on tickets, a file per day of the tickets' exports, and"
        " expected.json, their ground truth.",
    )
    default = Path("data/canonization/tickets")
    parser.add_argument("--tickets", type=Path, default=default, help=f"folder of ticket exports (default: {default})")
    add_folder(parser)
    add_flags(
        parser,
        CommentOptions,
        ("--seed", int, "another seed, other comments"),
        ("--comments", int, "comments in all"),
        ("--edit-rate", float, "share of comments that are edited; of those, a share again"),
        ("--invalid-rate", float, "share of versions whose line is damaged, never above 5 %% of a file's lines"),
        ("--duplicate-rate", float, "lines delivered again, per version"),
        ("--late-rate", float, "share of versions delivered days or weeks after their day"),
        ("--blank-rate", float, "blank lines, per version"),
        ("--unlinked", int, "comments on tickets that never come"),
        *FILE_FLAGS,
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    given = vars(_parser().parse_args(arguments))
    tickets, out, replace = given.pop("tickets"), given.pop("out"), given.pop("replace")
    return told(PROGRAM, out, lambda: generate(CommentOptions(**given), tickets, out, replace=replace))


if __name__ == "__main__":
    sys.exit(main())
