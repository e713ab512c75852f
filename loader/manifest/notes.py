"""What is told of files that a new manifest declares as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from loader.kinds import Kind
from loader.manifest.exports import FileFacts, FoundFile
from loader.manifest.said import Metadata


def notes_of_files(files: Sequence[FoundFile], facts: Sequence[FileFacts]) -> Iterator[str]:
    """What the gate will say about files that are declared as they are."""
    for file, fact in zip(files, facts, strict=True):
        if fact.defect is not None:
            yield f"{file.source_id}: {fact.defect}; the gate will reject it"
        elif fact.size_bytes == 0:
            yield f"{file.source_id}: is empty"
        elif fact.is_gzip != file.asset_type.endswith("_gz"):
            is_or_not = "is" if fact.is_gzip else "is not"
            yield f"{file.source_id}: {is_or_not} gzip, unlike its name; the gate will reject it"


def undated_records(
    files: Sequence[FoundFile], moments: Sequence[datetime | None], kind: Kind, metadata: Metadata
) -> Iterator[str]:
    """Files whose records are composed, and of which nothing says the day: one note for all of them."""
    if kind.landing is None or not kind.landing.is_composed:
        return
    day, lost = kind.landing.roles.partition, "the record" if kind.framing == "file" else "its lines"
    undated = [
        file.source_id
        for file, moment in zip(files, moments, strict=True)
        if moment is None and day not in metadata.get(file.source_id, {})
    ]
    if not undated:
        return
    others = f" and {len(undated) - 1:,} more" if len(undated) > 1 else ""
    said = "a day in each name" if len(undated) < len(files) else "a day in each name, or CAPTURED_AT=<instant>"
    # What is said once is said of all files, also of those whose names say a day.
    yield f"{undated[0]}{others}: no day in the name, so no {day}, and {lost} will be rejected; to say it: {said}"
