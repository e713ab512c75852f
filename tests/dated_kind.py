"""A kind whose records have dates, and an integer as key, as a declaration that only tests have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.checkouts import contracts_and

LEASE = "lease_v1"
DECLARATION = """\
kind: lease_v1
title: Lease of a flat
modality: structured
framing: lines
source_types: [lease_export]
asset_types: [jsonl]
bronze: raw_lease
silver: lease
roles: {key: lease, partition: signed_on, version: [changed_on, signed_on]}
fields:
  lease: {level: internal, silver: lease, serve: true, reason: Its number.}
  signed_on: {level: internal, silver: signed_on, serve: true, reason: A date.}
  changed_on: {level: internal, silver: changed_on, serve: true, reason: A date.}
  ends_on: {level: internal, silver: ends_on, serve: true, reason: A date.}
  viewings: {level: internal, silver: viewings, serve: true, reason: Dates.}
  visits: {level: internal, silver: visits, serve: true, reason: Dates and instants.}
  paper: {level: internal, silver: paper, serve: true, reason: A number of another system.}
"""
DATE: dict[str, Any] = {"type": "string", "format": "date"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Lease of a flat",
    "additionalProperties": False,
    "required": ["lease", "signed_on"],
    "properties": {
        "lease": {"type": "integer"},
        "signed_on": DATE,
        "changed_on": {"type": ["string", "null"], "format": "date"},
        "ends_on": DATE,
        "viewings": {"type": "array", "items": DATE},
        "visits": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"on": DATE, "at": {"type": "string", "format": "date-time"}},
            },
        },
        "paper": {"type": "string", "format": "uuid", "examples": ["01a2256d-3c02-753e-baed-51f7f8725b73"]},
    },
}
RECORD = {"lease": 7, "signed_on": "2026-06-01"}


def contracts_with_lease(folder: Path) -> Path:
    """The contracts of the repository, and the lease's."""
    return contracts_and(folder, {LEASE: (DECLARATION, SCHEMA)})
