"""Manifests of the course's dialect, to deliver."""

from __future__ import annotations

import hashlib
from typing import Any

TICKET, DOCUMENT, AUDIO, VIDEO = (
    f"omni://contracts/data/{name}/v1" for name in ("ticket", "doc_asset", "audio_asset", "video_asset")
)
CHECKSUM = hashlib.sha256(b"x\n").hexdigest()


def asset(source_id: str = "doc:1", **changes: Any) -> dict[str, Any]:
    """An HTML page of two bytes, about which everything is known; None removes a field."""
    said = {
        "source_id": source_id,
        "source_url_or_path": "page.html",
        "asset_type": "html",
        "checksum_sha256": CHECKSUM,
        "size_bytes": 2,
        "metadata_status": "complete",
        "pii_scan_status": "clear",
        "captured_at": "2026-04-17T10:00:00+02:00",
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def manifest(*assets: dict[str, Any], **changes: Any) -> dict[str, Any]:
    said = {
        "manifest_id": "manifest-course-20260424-001",
        "schema_version": "source_manifest_v1",
        "batch_id": "batch-20260424-007",
        "modality": "multimodal",
        "source_type": "other",
        "license_tag": "course_synthetic",
        "contract_ref": DOCUMENT,
        "load_mode": "full_snapshot",
        "assets": list(assets) or [asset()],
        "created_at": "2026-04-24T00:00:00Z",
        "owner": "course-team",
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}
