"""Manifests, their assets and judgements in ops: what was declared, and what became of each entry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from loader.errors import RefusedError
from loader.gate import AssetJudgement, GateReport
from loader.kinds import Ruleset
from loader.manifest import Manifest
from loader.reader import ContentEncoding

# The reason of an entry whose file is gone and whose bytes were registered earlier.
SOURCE_MISSING = "source_missing_archived"


@dataclass(frozen=True, slots=True)
class RegisteredAsset:
    """A manifest entry after registration. `asset_id` and what follows are None unless it is admitted; `declaration`:
    what is declared of a file that is a record, else empty."""

    manifest_id: str
    source_id: str
    action: str
    judgement: str
    reason_codes: tuple[str, ...]
    asset_id: int | None
    source_fingerprint: str | None
    raw_zone_key: str | None
    content_encoding: ContentEncoding | None
    declaration: str = ""


def register_ruleset(cursor: Any, ruleset: Ruleset) -> int:
    """The number of this ruleset, given when it takes effect: one that is reverted to gets a new number, since the
    greatest number under which an asset was read is the one that counts. Rulesets of other kinds change nothing."""
    known = ruleset_in_effect(cursor, ruleset)
    if known is not None:
        return known
    cursor.execute(
        "insert into ops.ruleset (ruleset_sha256, contract_ref, components) values (%s, %s, %s) returning ruleset_id",
        (ruleset.sha256, ruleset.contract_ref, json.dumps(ruleset.components)),
    )
    return int(cursor.fetchone()[0])


def ruleset_in_effect(cursor: Any, ruleset: Ruleset) -> int | None:
    """Its number; None when no run has used it since another one of its kind was used."""
    cursor.execute(
        "select ruleset_id, ruleset_sha256 from ops.ruleset where contract_ref = %s order by ruleset_id desc limit 1",
        (ruleset.contract_ref,),
    )
    latest = cursor.fetchone()
    return int(latest[0]) if latest and latest[1] == ruleset.sha256 else None


def refuse_changed_manifests(cursor: Any, manifests: Iterable[Manifest]) -> None:
    """Raise RefusedError when a known manifest_id comes with other bytes: a shrunk manifest would hide a file."""
    for manifest in manifests:
        cursor.execute(
            "select manifest_sha256, manifest_path from ops.manifest where manifest_id = %s",
            (manifest.manifest_id,),
        )
        known = cursor.fetchone()
        if known and known[0] != manifest.sha256:
            raise RefusedError(
                f"manifest {manifest.manifest_id} ({manifest.path}): SHA-256 {manifest.sha256[:12]}…, but this id was"
                f" registered with {known[0][:12]}… from {known[1]}; nothing was ingested. A new batch needs a new"
                " manifest_id.",
                next_command="make manifest FROM=<folder> OUT=<new manifest>",
            )


def register(
    cursor: Any, run_id: UUID, reports: Sequence[GateReport], raw_zone_keys: Mapping[tuple[str, str], str]
) -> list[RegisteredAsset]:
    """Write manifests, source assets and judgements; idempotent. `raw_zone_keys`: fingerprint and declaration -> key,
    archived.

    An entry once admitted stays admitted: its bytes are archived and its lines may have landed. If its source is
    gone or different today, the run says so (run_asset) and the entry keeps its asset.
    """
    registered = []
    for report in reports:
        _register_manifest(cursor, run_id, report.manifest)
        admitted = _admitted_entries(cursor, report.manifest.manifest_id)
        for judged in report.assets:
            known = admitted.get(judged.asset.source_id)
            if known is None:
                registered.append(_register_entry(cursor, run_id, report.manifest, judged, raw_zone_keys))
            else:
                registered.append(_confirm_entry(report.manifest, judged, known))
    return registered


def _register_manifest(cursor: Any, run_id: UUID, manifest: Manifest) -> None:
    window = manifest.selection_window
    cursor.execute(
        "insert into ops.manifest (manifest_id, manifest_sha256, manifest_bytes, manifest_path, batch_id, contract_ref,"
        " modality, load_mode, window_field, window_start, window_end, declared_asset_count, is_implicit,"
        " registered_by_run_id, delivered_bytes)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (manifest_id) do nothing",
        (
            manifest.manifest_id,
            manifest.sha256,
            manifest.content,
            str(manifest.path),
            manifest.batch_id,
            manifest.contract_ref,
            manifest.modality,
            manifest.load_mode,
            window.field if window else None,
            window.start if window else None,
            window.end if window else None,
            len(manifest.assets),
            manifest.is_implicit,
            str(run_id),
            manifest.translation.content if manifest.translation else None,
        ),
    )


_Admitted = tuple[int, str, str, ContentEncoding, str]


def _admitted_entries(cursor: Any, manifest_id: str) -> dict[str, _Admitted]:
    """asset_id and what a RegisteredAsset says after it, by source_id."""
    cursor.execute(
        "select entry.source_id, asset.asset_id, asset.source_fingerprint, asset.raw_zone_key, asset.content_encoding,"
        " asset.declaration"
        " from ops.manifest_asset as entry inner join ops.source_asset as asset on asset.asset_id = entry.asset_id"
        " where entry.manifest_id = %s",
        (manifest_id,),
    )
    return {source_id: (asset_id, *rest) for source_id, asset_id, *rest in cursor.fetchall()}


def _register_entry(
    cursor: Any, run_id: UUID, manifest: Manifest, judged: AssetJudgement, raw_zone_keys: Mapping[tuple[str, str], str]
) -> RegisteredAsset:
    asset, judgement, inspection = judged.asset, judged.judgement, judged.inspection
    asset_id: int | None = None
    fingerprint = key = encoding = None
    if judgement.disposition == "admitted":
        assert inspection is not None
        fingerprint, encoding = inspection.fingerprint, inspection.content_encoding
        key = raw_zone_keys[fingerprint, asset.declaration]
        asset_id = _source_asset(cursor, run_id, manifest.contract_ref, judged, key)
    cursor.execute(
        "insert into ops.manifest_asset (manifest_id, source_id, ordinal, asset_id, source_url_or_path, asset_type,"
        " declared_checksum_sha256, declared_size_bytes, declared_record_count, sequence, judgement, disposition,"
        " reason_codes, judged_by_run_id, partition_key, found_path)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (manifest_id, source_id) do update set asset_id = excluded.asset_id,"
        " judgement = excluded.judgement, disposition = excluded.disposition, reason_codes = excluded.reason_codes,"
        " judged_by_run_id = excluded.judged_by_run_id, judged_at = now(), found_path = excluded.found_path",
        (
            manifest.manifest_id,
            asset.source_id,
            asset.ordinal,
            asset_id,
            asset.source_url_or_path,
            asset.asset_type,
            asset.checksum_sha256,
            asset.size_bytes,
            asset.record_count,
            asset.sequence,
            judgement.judgement,
            judgement.disposition,
            list(judgement.reason_codes),
            str(run_id),
            asset.partition_key,
            None if inspection is None else str(judged.path),
        ),
    )
    action = "parsed" if judgement.disposition == "admitted" else judgement.disposition
    return RegisteredAsset(
        manifest.manifest_id,
        asset.source_id,
        action,
        judgement.judgement,
        judgement.reason_codes,
        asset_id,
        fingerprint,
        key,
        encoding,
        asset.declaration,
    )


def _source_asset(cursor: Any, run_id: UUID, record_kind: str, judged: AssetJudgement, raw_zone_key: str) -> int:
    """The number of these bytes as a file of the kind, under this declaration where it is a record; given when they are
    first seen."""
    inspection, declaration = judged.inspection, judged.asset.declaration
    assert inspection is not None
    cursor.execute(
        "insert into ops.source_asset (source_fingerprint, record_kind, declaration, size_bytes, content_encoding,"
        " content_bytes, raw_zone_key, registered_by_run_id) values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict do nothing",
        (
            inspection.fingerprint,
            record_kind,
            declaration,
            inspection.size_bytes,
            inspection.content_encoding,
            inspection.content_bytes,
            raw_zone_key,
            str(run_id),
        ),
    )
    cursor.execute(
        "select asset_id from ops.source_asset where source_fingerprint = %s and record_kind = %s and declaration = %s",
        (inspection.fingerprint, record_kind, declaration),
    )
    return int(cursor.fetchone()[0])


def _confirm_entry(manifest: Manifest, judged: AssetJudgement, known: _Admitted) -> RegisteredAsset:
    """An entry admitted earlier, seen again: same bytes, gone, or different."""
    asset_id, fingerprint, key, encoding, declaration = known
    judgement, reasons = judged.judgement.judgement, judged.judgement.reason_codes
    action = "parsed"
    if judged.judgement.disposition == "missing":
        judgement, reasons = "warn", (SOURCE_MISSING,)
    elif judged.inspection is None or judged.inspection.fingerprint != fingerprint:
        judgement, action, reasons = "reject", "withheld", tuple(sorted({*reasons, "source_changed"}))
    elif judged.judgement.disposition == "withheld":
        action = "withheld"
    return RegisteredAsset(
        manifest.manifest_id,
        judged.asset.source_id,
        action,
        judgement,
        reasons,
        asset_id,
        fingerprint,
        key,
        encoding,
        declaration,
    )
