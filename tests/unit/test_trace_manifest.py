"""A manifest as the declaration of a file that is traced: its own bytes say so, or what is wrong is told."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from loader.trace.archive import manifest_fault
from loader.trace.model import File

FINGERPRINT = hashlib.sha256(b"x").hexdigest()
FILE = File(1, "ticket_v1", "f.jsonl", "m", "b", FINGERPRINT, "", "identity", 1, "", 1)
DELIVERED = hashlib.sha256(b"delivered").hexdigest()


def row(entry: dict[str, Any] | None, *, read_from: str | None = None, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"assets": [] if entry is None else [entry]}
    if read_from is not None:
        body["translated_from"] = {"manifest_sha256": read_from}
    return {"manifest_bytes": json.dumps(body).encode(), "is_sound": True, "delivered_sha256": None, **changes}


def entry(**changes: Any) -> dict[str, Any]:
    return {"source_id": "f.jsonl", "checksum_sha256": FINGERPRINT, **changes}


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        (row(entry()), None),
        (row(entry(checksum_sha256=None)), None),
        (row(entry(), read_from=DELIVERED, delivered_sha256=DELIVERED), None),
        (None, "no manifest declares f.jsonl"),
        (row(entry(), is_sound=False), "its bytes are not those of its SHA-256"),
        (row(None, manifest_bytes=b"{broken"), "its bytes are no manifest"),
        (row(None, manifest_bytes=b"[]"), "its bytes are no manifest"),
        (row(None), "it does not declare f.jsonl with these bytes"),
        (row(entry(checksum_sha256=DELIVERED)), "it does not declare f.jsonl with these bytes"),
        (row(entry(), read_from=DELIVERED), "it was read from other bytes than were delivered"),
        (row(entry(), delivered_sha256=DELIVERED), "it was read from other bytes than were delivered"),
    ],
)
def test_what_a_manifest_says_of_a_file_is_read_in_its_own_bytes(
    held: dict[str, Any] | None, fault: str | None
) -> None:
    assert manifest_fault(held, FILE) == fault
