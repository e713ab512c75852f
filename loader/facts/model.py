"""What is known of a file when its facts were read, and why nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

FactValue = str | int | Decimal

# Raised by hand where a fact changes on the committed corpus (tests/facts/corpus): then every file is read anew. A
# library that was patched and says the same raises nothing.
FACTS_VERSIONS: Mapping[str, str] = {"document": "1", "audio": "1", "video": "1", "image": "1", "text": "1"}

# Why a file has none: the codes of a FactsDefect.
DEFECT_CODES = frozenset(
    ("unreadable_file", "encrypted_file", "not_utf8", "media_type_mismatch", "too_many_pixels", "facts_limit")
)

# The facts that a reader may tell, in the order in which they are shown. Not every file has each of them.
FACT_FIELDS: Mapping[str, Mapping[str, type[FactValue]]] = {
    "document": {"media_type": str, "page_count": int, "word_count": int, "title": str},
    "audio": {
        "media_type": str,
        "codec": str,
        "duration_seconds": Decimal,
        "sample_rate_hz": int,
        "channel_count": int,
    },
    "video": {
        "media_type": str,
        "codec": str,
        "duration_seconds": Decimal,
        "width_pixels": int,
        "height_pixels": int,
        "frame_rate": Decimal,
        "audio_codec": str,
        "sample_rate_hz": int,
        "channel_count": int,
    },
    "image": {"media_type": str, "width_pixels": int, "height_pixels": int, "frame_count": int},
    "text": {"media_type": str, "word_count": int, "character_count": int, "line_count": int},
}


@dataclass(frozen=True, slots=True)
class Facts:
    """`values`: by the names of FACT_FIELDS; a fact that the file does not have is absent.

    `estimated`: the names of those that another tool may read otherwise: they contradict no declaration. `libraries`:
    the versions of those that read, to be recorded and never compared.
    """

    values: Mapping[str, FactValue]
    estimated: frozenset[str]
    libraries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FactsDefect:
    """Why a file has no facts: a code of contracts/reason_codes.json, and a sentence that names no content of it."""

    reason_code: str
    message: str


class RefusedFileError(Exception):
    """A reader's way to say that the file has a defect."""

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.defect = FactsDefect(reason_code, message)
