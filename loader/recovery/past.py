"""What runs recorded, and manifests as they were registered: what a plan may do once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from loader.errors import CommandUsageError, RefusedError
from loader.gate import AssetRefusedError
from loader.ingest import DeclaredInput, content_of_manifest
from loader.manifest import (
    Manifest,
    ManifestRefusedError,
    Violation,
    implicit_manifest,
    parse_manifests,
    registered_manifest,
)
from loader.recovery.plan import PlannedAsset
from loader.recovery.world import World
from loader.runs import RegisteredAsset
from loader.warehouse import fetch_rows

# Whether the session that began a run writes now.
IS_ALIVE = """(
    run.status = 'running' and exists (
        select from ops.lock_holder as holder
        where holder.token = run.writer_token and holder.work_pid <> pg_backend_pid()
    )
)"""

_RUN = f"""
select
    run.run_id::text, run.attempt, run.trace_id, coalesce(first.mode, run.mode) as mode,
    coalesce(first.plan, run.plan) as plan, run.status, run.batch_id, run.record_kind,
    -- The last that was done before the end.
    run.last_stage as stage,
    run.manifest_ids, run.declared_manifests, run.refused_manifests, run.window_start, run.window_end, run.line_limit,
    ruleset.ruleset_sha256, run.host, run.process_id, run.exit_code,
    run.failure, run.finished_at, run.event_number,
    {IS_ALIVE} as is_alive
from ops.ingest_run as run
-- Rows that are gone are damage, and told as such: the run is there all the same.
left join ops.ingest_run as first on first.run_id = run.run_id and first.attempt = 1
left join ops.ruleset as ruleset on ruleset.ruleset_id = run.ruleset_id
"""

# One for each source, also where a row of it is doubled.
_ENTRIES = """
select distinct on (entry.manifest_id, entry.source_id)
    entry.manifest_id, entry.source_id, entry.action, entry.judgement, entry.reason_codes, entry.asset_id,
    asset.source_fingerprint, asset.raw_zone_key, asset.content_encoding,
    coalesce(asset.declaration, '') as declaration
from ops.run_asset as entry
left join ops.source_asset as asset on asset.asset_id = entry.asset_id
where entry.run_id = %(run_id)s
    and entry.attempt = (select max(attempt) from ops.run_asset where run_id = %(run_id)s)
order by entry.manifest_id, entry.source_id
"""


def run_of(world: World, run_id: str | None) -> dict[str, Any]:
    """The last attempt of a run (its `mode` and `plan` are the first attempt's), or the attempt started last.

    Raises CommandUsageError when there is no such run.
    """
    condition = "run.run_id::text = %(run_id)s" if run_id else "true"
    rows = fetch_rows(
        world.cursor,
        f"{_RUN} where {condition} order by run.event_number desc limit 1",
        {"run_id": run_id},
    )
    if not rows:
        what = f"no run {run_id!r} in this warehouse" if run_id else "no run in this warehouse yet"
        raise CommandUsageError(f"{what}; nothing was started", next_command="make status")
    return rows[0]


def last_run(world: World) -> dict[str, Any] | None:
    """Which attempt was started last, of whatever kind."""
    return _last_run(world, None)


def last_run_of_kind(world: World) -> dict[str, Any] | None:
    """Which attempt of the kind was started last: anything newer makes a plan of its records stale."""
    return _last_run(world, world.ruleset.contract_ref)


def _last_run(world: World, record_kind: str | None) -> dict[str, Any] | None:
    rows = fetch_rows(
        world.cursor,
        "select run_id::text, attempt from ops.ingest_run where %(kind)s is null or record_kind = %(kind)s"
        " order by event_number desc limit 1",
        {"kind": record_kind},
    )
    return rows[0] if rows else None


def entries_of_run(world: World, run_id: str) -> list[RegisteredAsset]:
    """The entries that a run recorded; empty when it ended before its sources were archived."""
    return [_entry(row) for row in fetch_rows(world.cursor, _ENTRIES, {"run_id": run_id})]


def _entry(row: Mapping[str, Any]) -> RegisteredAsset:
    """An entry as it was recorded, to be judged anew for what is due of it."""
    action = "parsed" if row["action"] == "unchanged" else row["action"]
    return RegisteredAsset(**{**row, "action": action, "reason_codes": tuple(row["reason_codes"])})


def manifests_of_run(world: World, run: Mapping[str, Any]) -> tuple[Manifest, ...]:
    """The manifests that a run was asked to read: as registered, or from their files while they are the same.

    Raises RefusedError for a file that changed or is gone, and that no run has registered.
    """
    return tuple(_manifest(world, declared, run["batch_id"]) for declared in run["declared_manifests"])


def _manifest(world: World, declared: Mapping[str, Any], batch_id: str) -> Manifest:
    contracts = world.settings.project_root / "contracts"
    path = Path(declared["manifest_path"])
    world.cursor.execute(
        "select manifest_bytes, delivered_bytes from ops.manifest where manifest_id = %s and manifest_sha256 = %s",
        (declared["manifest_id"], declared["manifest_sha256"]),
    )
    known = world.cursor.fetchone()
    if known:
        return _registered(known, path, contracts, is_implicit=declared["is_implicit"])
    manifest = None
    if path.is_file() and declared["is_implicit"]:
        manifest = implicit_manifest(path, batch_id, contracts, world.ruleset.contract_ref)
    elif path.is_file():
        with suppress(OSError, AssetRefusedError):
            found = parse_manifests(content_of_manifest(world.settings, path), path, contracts)
            manifest = next((each for each in found if each.manifest_id == declared["manifest_id"]), None)
    if manifest is None or manifest.sha256 != declared["manifest_sha256"]:
        raise RefusedError(
            f"manifest {declared['manifest_id']} ({path}) was not registered by the run, which ended too early, and"
            " its file is gone or has other bytes now; nothing was started",
            next_command="make ingest   # the declared manifests, as they are now",
        )
    return manifest


def input_of_run(world: World, run: Mapping[str, Any]) -> DeclaredInput:
    """What a run was asked to read, the manifests that were refused to it included: they stay its problem."""
    refused = [
        ManifestRefusedError(
            Path(each["path"]), [Violation("manifest_invalid_value", "$", text) for text in each["violations"]]
        )
        for each in run["refused_manifests"]
    ]
    return DeclaredInput(manifests_of_run(world, run), tuple(refused))


def registered_manifests(world: World, manifest_ids: Sequence[str]) -> tuple[Manifest, ...]:
    """Manifests as registered, in the order of their ids."""
    contracts = world.settings.project_root / "contracts"
    world.cursor.execute(
        "select manifest_bytes, delivered_bytes, manifest_path, is_implicit from ops.manifest"
        " where manifest_id = any(%s)"
        " order by manifest_id",
        (list(manifest_ids),),
    )
    return tuple(
        _registered(held, Path(path), contracts, is_implicit=is_implicit)
        for *held, path, is_implicit in world.cursor.fetchall()
    )


def _registered(held: Sequence[memoryview | None], path: Path, contracts: Path, *, is_implicit: bool) -> Manifest:
    """`held`: a manifest's bytes, and those that it was made of."""
    content, delivered = (None if each is None else bytes(each) for each in held)
    assert content is not None
    return registered_manifest(content, delivered, path, contracts, is_implicit=is_implicit)


def archived_bytes(world: World, run_id: str) -> int:
    """Decompressed bytes of the assets that a run read."""
    world.cursor.execute(
        "select coalesce(sum(content_bytes), 0)::bigint from ops.source_asset where asset_id in ("
        " select asset_id from ops.run_asset where run_id = %s and action in ('parsed', 'unchanged'))",
        (run_id,),
    )
    return int(world.cursor.fetchone()[0])


def planned_archived(entries: Sequence[RegisteredAsset]) -> tuple[PlannedAsset, ...]:
    """Entries whose bytes come from the raw zone, where they have any."""
    return tuple(
        PlannedAsset(
            entry.manifest_id,
            entry.source_id,
            entry.asset_id,
            entry.source_fingerprint,
            entry.source_fingerprint,
            None,
            "raw_zone" if entry.asset_id is not None else "nowhere",
        )
        for entry in entries
    )


def as_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan says of the run that it is about."""
    return {
        "run_id": run["run_id"],
        "attempt": run["attempt"],
        "trace_id": run["trace_id"],
        "mode": run["mode"],
        "stage": run["stage"],
    }


def as_manifests(manifests: Sequence[Manifest]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "manifest_id": manifest.manifest_id,
            "manifest_sha256": manifest.sha256,
            "manifest_path": str(manifest.path),
        }
        for manifest in manifests
    )


def window_of(run: Mapping[str, Any]) -> tuple[date, date] | None:
    return None if run["window_start"] is None else (run["window_start"], run["window_end"])
