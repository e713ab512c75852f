"""What verifications found, kept below reports/verify: the last of each run's archive, and the last of the evidence.

Nobody is bound by it: a page shows it with its time, and the next verification of the same replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from loader.report_files import write_json

_FOLDER = "verify"


@dataclass(frozen=True, slots=True)
class Verified:
    """`run_id`: whose files were read again; None: the records of evidence were. `answer`: a sentence; `next_command`:
    what ends what is wrong."""

    run_id: str | None
    is_proved: bool
    answer: str
    next_command: str
    verified_at: datetime


def keep(report_dir: Path, run_id: str | None, is_proved: bool, answer: str, next_command: str) -> None:
    """Raises InfrastructureError for a fault of the disk."""
    found = Verified(run_id, is_proved, answer, next_command, datetime.now(UTC))
    name = "evidence" if run_id is None else f"run_{run_id}"
    write_json(report_dir / _FOLDER / f"{name}.json", asdict(found))


def last_verified(report_dir: Path) -> list[dict[str, Any]]:
    """JSON-ready, the oldest first; a file that is none of ours is left out."""
    return sorted(_read(report_dir / _FOLDER), key=lambda found: str(found["verified_at"]))


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    names = set(Verified.__dataclass_fields__)
    for path in folder.glob("*.json"):
        try:
            found = orjson.loads(path.read_bytes())
            datetime.fromisoformat(found["verified_at"])
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if set(found) == names and found["is_proved"] in (True, False):
            yield found
