"""The loader's command line, with the seconds that the release gate takes of an ingest: `python -c`'s stand-in for
`loader`. Each call of the gate adds a line to the file that BENCH_GATE_SECONDS names."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from loader.cli import main
from loader.ingest import proving

NAME = "BENCH_GATE_SECONDS"


def run() -> None:
    """Judging, releasing, and the record of it; the commit is the ingest's own."""
    out = Path(os.environ[NAME])
    stages: Any = proving
    for name in ("publish", "record_published"):
        setattr(stages, name, _timed(getattr(stages, name), out))
    main()


def _timed(function: Any, out: Path) -> Any:
    def timed(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            with out.open("a") as file:
                file.write(f"{time.perf_counter() - began}\n")

    return timed
