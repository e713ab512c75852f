"""A kind whose records have numbers and objects, as a declaration that only tests have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.checkouts import contracts_and

DECLARATION = """\
kind: {name}
title: Reading of a meter
modality: structured
framing: lines
source_types: [meter_export]
asset_types: [jsonl, jsonl_gz]
bronze: raw_{name}
silver: {name}
roles: {{key: reading, partition: read_at, version: [read_at]}}
fields:
  kind_name: {{level: public, reason: A name.}}
  reading: {{level: internal, silver: reading, serve: true, reason: Its own number.}}
  read_at: {{level: internal, silver: read_at, serve: true, reason: An instant.}}
  count: {{level: internal, silver: read_count, serve: true, reason: A count.}}
  share: {{level: internal, silver: share, serve: true, reason: A share.}}
  parts: {{level: internal, silver: parts, serve: true, reason: Parts of the meter.}}
"""
PART = {
    "type": "object",
    "additionalProperties": False,
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 0},
        "seen_at": {"type": ["string", "null"], "format": "date-time"},
        "labels": {"type": "array", "items": {"type": "string"}},
    },
}
READING = {"reading": "R-1", "read_at": "2026-04-17T09:00:00Z", "count": 0}


def schema(name: str | None) -> dict[str, Any]:
    """`name`: the kind that each record says itself; None: it says none."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["reading", "read_at", "count", *([] if name is None else ["kind_name"])],
        "properties": {
            "kind_name": {"type": "string", **({} if name is None else {"const": name})},
            "reading": {"type": "string"},
            "read_at": {"type": "string", "format": "date-time"},
            "count": {"type": "integer"},
            "share": {"type": ["number", "null"], "minimum": -1, "maximum": 1},
            "parts": {"type": "array", "maxItems": 20, "items": PART},
        },
    }


def contracts_with(folder: Path, *names: str, say_themselves: bool = False) -> Path:
    """The contracts of the repository, and these kinds."""
    return contracts_and(
        folder, {name: (DECLARATION.format(name=name), schema(name if say_themselves else None)) for name in names}
    )
