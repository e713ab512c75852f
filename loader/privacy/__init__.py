"""Whose a line is, and how the lines of people who were erased are kept out when bytes arrive."""

from __future__ import annotations

from loader.privacy.person import (
    FoundLine,
    blanked,
    find_lines,
    is_named_in,
    look_alikes,
    may_name,
    owners,
    owners_of_whatever_kind,
    person_hash,
)
from loader.privacy.suppression import Record, record_hash, records_of_file
from loader.privacy.tombstones import (
    ArrivedFile,
    add_tombstones,
    finish_redactions,
    known_keys,
    put_without,
    read_suppression,
    record_arrival,
)

__all__ = [
    "ArrivedFile",
    "FoundLine",
    "Record",
    "add_tombstones",
    "blanked",
    "find_lines",
    "finish_redactions",
    "is_named_in",
    "known_keys",
    "look_alikes",
    "may_name",
    "owners",
    "owners_of_whatever_kind",
    "person_hash",
    "put_without",
    "read_suppression",
    "record_arrival",
    "record_hash",
    "records_of_file",
]
