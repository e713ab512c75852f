"""The folder of a data set: exports of one prefix, and the ground truth, which is written last."""

from __future__ import annotations

import json
from pathlib import Path

from data.generator.options import OptionError

EXPECTED_NAME = "expected.json"


def prepare(out: Path, prefix: str, *, replace: bool) -> None:
    """Makes the folder ready for new exports: with `replace`, earlier ones are removed; without it they are an
    OptionError and nothing is changed. A folder without expected.json is unfinished."""
    out.mkdir(parents=True, exist_ok=True)
    earlier = sorted(path for path in out.glob(f"{prefix}-*") if path.name.endswith((".jsonl", ".jsonl.gz")))
    if earlier and not replace:
        raise OptionError(f"{out} already holds {earlier[0].name}; nothing was written; --replace removes it")
    (out / EXPECTED_NAME).unlink(missing_ok=True)
    for path in earlier:
        path.unlink()


def write_expected(out: Path, expected: dict[str, object]) -> None:
    (out / EXPECTED_NAME).write_bytes((json.dumps(expected, indent=1) + "\n").encode())
