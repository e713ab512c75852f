"""Transcripts to deliver: a segment a line, and manifests that declare which recording each file is of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import documents

TRANSCRIPT = "transcript_line_v1"


def segment(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The `number`-th of segments of two seconds that follow one another."""
    start = 2 * (number - 1)
    said = {"start_seconds": start, "end_seconds": start + 1.5, "speaker": "agent", "text": f"The {number} sentence"}
    return {name: value for name, value in (said | changes).items() if value is not None}


def transcript(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [segment(number, **changes) for number in range(1, count + 1)]


def content_of(segments: Sequence[Mapping[str, Any] | bytes]) -> bytes:
    return b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in segments)


def deliver(
    folder: Path, name: str, files: Mapping[str, Sequence[Mapping[str, Any] | bytes]], **metadata: dict[str, Any]
) -> Path:
    """The manifest of a folder of transcripts. Each is of the recording that its own name begins with, unless
    `metadata` say otherwise, by that beginning."""
    named = {file: file.split("-")[0] for file in files}
    said = {of: {"linked_source_id": of, **metadata.get(of, {})} for of in named.values()}
    contents = {file: content_of(segments) for file, segments in files.items()}
    return documents.deliver(folder / "transcripts", name, contents, of=TRANSCRIPT, **said)
