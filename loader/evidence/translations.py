"""Manifests that were delivered in another dialect, as evidence says which they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson


def read_translations(cursor: Any, manifest_ids: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """What was delivered where one of these manifests was translated, and what was kept of it as it was."""
    cursor.execute(
        "select manifest_id, manifest_bytes from ops.manifest"
        " where manifest_id = any(%s) and delivered_bytes is not null order by manifest_id",
        (list(manifest_ids),),
    )
    found = []
    for manifest_id, content in cursor.fetchall():
        # Reconcile tells of damaged ones.
        with suppress(orjson.JSONDecodeError, KeyError, TypeError):
            said = orjson.loads(bytes(content))["translated_from"]
            found.append(
                {
                    "manifest_id": manifest_id,
                    "dialect": said["dialect"],
                    "delivered_manifest_id": said["manifest_id"],
                    "delivered_sha256": said["manifest_sha256"],
                    "kept": said["kept"],
                }
            )
    return tuple(found)
