"""Manifests in another dialect, as a report names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from loader.manifest import Manifest


def told(manifests: Iterable[Manifest]) -> Iterator[str]:
    """What was kept of each as it was delivered, and which files beside its own no kind takes yet."""
    for manifest in manifests:
        if manifest.translation is None:
            continue
        said = manifest.translation
        kept = f"; kept as delivered: {', '.join(said.kept)}" if said.kept else ""
        yield f"gate: {manifest.manifest_id}: read from {said.manifest_id}, a {said.dialect}{kept}"
        for each in said.not_landed:
            yield f"gate: {manifest.manifest_id}: not landed: {each}"


def as_records(manifests: Iterable[Manifest]) -> list[dict[str, Any]]:
    """JSON-ready values."""
    return [
        {
            "manifest_id": manifest.manifest_id,
            "dialect": manifest.translation.dialect,
            "delivered_manifest_id": manifest.translation.manifest_id,
            "delivered_sha256": manifest.translation.sha256,
            "kept": list(manifest.translation.kept),
            "not_landed": list(manifest.translation.not_landed),
        }
        for manifest in manifests
        if manifest.translation is not None
    ]
