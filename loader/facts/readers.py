"""A file → its facts or its defect, in this process and without bounds: the process beside the loader runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from loader.facts import audio, documents, image, text, video
from loader.facts.media_types import HEAD_BYTES, contradicts, media_type_of, needs_its_sign, sniffed
from loader.facts.model import FACT_FIELDS, Facts, FactsDefect, FactValue, RefusedFileError


class _Reader(Protocol):
    """What each module of a reader has."""

    def prepare(self) -> Mapping[str, str]: ...

    def read(self, file: BinaryIO, asset_type: str) -> tuple[Mapping[str, FactValue], frozenset[str]]: ...


READERS: Mapping[str, _Reader] = {
    "document": documents,
    "audio": audio,
    "video": video,
    "image": image,
    "text": text,
}


def read_facts_here(path: Path, reader: str, asset_type: str) -> Facts | FactsDefect:
    """The facts of the file, or why it has none.

    KeyError where no reader has this name or asset type; OSError where the file cannot be read; MemoryError where it is
    larger than this process may grow; InfrastructureError where a library is not installed.
    """
    media_type = media_type_of(reader, asset_type)
    libraries = READERS[reader].prepare()
    with path.open("rb") as file:
        try:
            _require_type(file, media_type, asset_type)
            values, estimated = READERS[reader].read(file, asset_type)
        except RefusedFileError as refused:
            return refused.defect
    found = {"media_type": media_type, **values}
    return Facts({name: found[name] for name in FACT_FIELDS[reader] if name in found}, estimated, libraries)


def _require_type(file: BinaryIO, media_type: str, asset_type: str) -> None:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise RefusedFileError("unreadable_file", "the file has no bytes")
    if contradicts(media_type, head):
        raise RefusedFileError(
            "media_type_mismatch", f"the file is declared as {asset_type}, and its first bytes are another type's"
        )
    if needs_its_sign(media_type) and sniffed(head) != media_type:
        raise RefusedFileError("unreadable_file", f"the file does not begin as {asset_type} does")
