"""The evidence of an erasure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from loader.config import Settings
from loader.erasure.traces import landed_kinds
from loader.evidence import append
from loader.privacy import is_named_in
from loader.warehouse import fetch_rows


@dataclass(frozen=True, slots=True)
class ErasureOutcome:
    """What an erasure came to, beside what was removed: as in Erased; `cleaned`: files that quoted the person."""

    source_paths: tuple[str, ...]
    cleaned: tuple[str, ...]
    mention_count: int
    not_searched: tuple[str, ...]


def record_erasure(cursor: Any, settings: Settings, erasure: Mapping[str, Any], outcome: ErasureOutcome) -> Path:
    """The evidence, as the next record of the chain, and the end of the erasure, in one transaction."""
    erasure_id = str(erasure["erasure_id"])
    path = settings.report_dir / "erase" / f"{erasure_id}.json"
    finished_at = datetime.now(UTC)
    redactions = fetch_rows(
        cursor,
        "select asset_id, old_raw_zone_key, new_raw_zone_key, line_count from ops.raw_zone_redaction"
        " where erasure_id = %s order by redaction_id",
        (erasure_id,),
    )
    versions = fetch_rows(
        cursor,
        "select record_kind, partition_key::text, data_release_id, record_count, record_digest::text"
        " from ops.erased_version"
        " where erasure_id = %s order by record_kind, partition_key, data_release_id",
        (erasure_id,),
    )
    written = append(
        cursor,
        settings,
        {
            "evidence_schema_version": "erasure_evidence_v1",
            "run_id": erasure_id,
            "attempt": 1,
            "trace_id": erasure["trace_id"],
            "mode": "erase",
            # One chain for all kinds: that of the first.
            "asset_key": next(landing.asset_key for landing in landed_kinds(settings).values()),
            "status": "success",
            "customer_hash": bytes(erasure["customer_hash"]).hex(),
            "operator": erasure["operator"],
            "reason": erasure["reason"],
            "started_at": erasure["removed_at"].astimezone(UTC).isoformat(),
            "finished_at": finished_at.isoformat(),
            "removed": erasure["removed"],
            "redacted_objects": [dict(row) for row in redactions],
            "released_versions": [dict(row) for row in versions],
            "files_cleaned": list(outcome.cleaned),
            "still_at_the_source": list(outcome.source_paths),
            "mention_count": outcome.mention_count,
            "not_searched": list(outcome.not_searched),
            "report_path": settings.named(path),
        },
    )
    cursor.execute("update ops.erasure set finished_at = %s where erasure_id = %s", (finished_at, erasure_id))
    return written


def source_paths_of(cursor: Any, settings: Settings, erasure_id: str, person_id: str) -> tuple[str, ...]:
    """The delivered files of erased lines, where their manifests say that they lie, and the manifests that name the
    person."""
    cursor.execute(
        "select distinct manifest.manifest_path, manifest.manifest_bytes, entry.source_url_or_path, entry.found_path"
        " from ops.erased_line as line"
        " inner join ops.manifest_asset as entry on entry.asset_id = line.asset_id"
        " inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id"
        " where line.erasure_id = %s",
        (erasure_id,),
    )
    found = set()
    for manifest_path, content, path, found_path in cursor.fetchall():
        said = orjson.loads(bytes(content))
        if said.get("searches_parents") and found_path:
            found.add(settings.named(Path(found_path)))
            continue
        folder = settings.project_root / Path(manifest_path).parent / (said.get("root") or "")
        found.add(settings.named(Path(os.path.normpath(folder / path))))
    cursor.execute(
        "select distinct manifest_path, content from ops.manifest"
        " cross join lateral (values (coalesce(delivered_bytes, manifest_bytes))) as held (content)"
        " where position(convert_to(%s, 'UTF8') in content) > 0",
        (person_id,),
    )
    for manifest_path, content in cursor.fetchall():
        if is_named_in(bytes(content).decode(errors="replace"), person_id):
            found.add(settings.named(settings.project_root / manifest_path))
    return tuple(sorted(found))
