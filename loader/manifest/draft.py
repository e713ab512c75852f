"""Parts that every manifest made here shares: its policy, its instants, its bytes."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from loader.errors import CommandUsageError
from loader.kinds import Kind

GATE_POLICY = {
    "checksum_missing": "reject",
    "metadata_missing": "quarantine",
    "metadata_partial": "warn",
    "pii_scan_not_run": "warn",
    "pii_suspected": "quarantine",
    "contract_mismatch": "reject",
    "license_unknown": "warn",
}
_LONGEST_SOURCE_ID = 255
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def manifest_bytes(manifest_id: str, body: dict[str, Any]) -> bytes:
    """The file's content: UTF-8, two spaces of indent, a newline at the end."""
    manifest = {"manifest_version": "manifest_v1", "manifest_id": manifest_id, **body}
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def day_of_record(kind: Kind, at: datetime | None) -> dict[str, str]:
    """What metadata say of the day of composed records, where it is known: the field of their partition."""
    if at is None or kind.landing is None or not kind.landing.is_composed:
        return {}
    return {kind.landing.roles.partition: instant_text(at)}


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with a Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def require_storable(text: str, path: Path) -> str:
    """`text`, a name or path, unless no manifest can hold it: it is UTF-8 and has no character that commands a
    terminal, ends a line or turns the direction of writing.

    Raises CommandUsageError: a file left out silently would be a hole.
    """
    if _UNSTORABLE.search(text) is None:
        return text
    raise CommandUsageError(
        f"{os.fspath(path)!r}: no manifest can hold this name, expected UTF-8 without control characters; "
        "nothing was written",
        next_command="mv <the file> <a plain name>   # then the same command again",
    )


def require_source_id(source_id: str, path: Path) -> str:
    """A storable name that is also short enough; raises CommandUsageError."""
    if len(source_id) > _LONGEST_SOURCE_ID:
        raise CommandUsageError(
            f"{os.fspath(path)!r}: its name below the folder has {len(source_id)} characters, "
            f"expected at most {_LONGEST_SOURCE_ID}; nothing was written",
            next_command="mv <the file> <a shorter name>   # then the same command again",
        )
    return require_storable(source_id, path)
